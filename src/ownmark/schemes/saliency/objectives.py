"""What a saliency fingerprint asks of a perturbed image, model by model: the paper's loss, and two of ours with contrast.

An objective sees a `Look`: one model's answer to one batch of perturbed images and, if it has two `views`, to their masked
twins. `hold` is a loss on the owner's own models, `quiet` one on the references; both (n,).
"""

from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Protocol

import torch
from torch import Tensor
from torch.nn import functional

from ownmark.errors import UsageError
from ownmark.models.gradcam import GradCam, normalised
from ownmark.schemes.saliency.pattern import Pattern
from ownmark.tasks import Classification, Task


@dataclass(frozen=True)
class Look:
    """`outputs` (views, n, k) and unnormalised `maps` (n, h, w) of the first view, for a `target` as `tasks` has it."""

    outputs: Tensor
    maps: Tensor
    target: Tensor
    pattern: Pattern
    task: Task = Classification()

    @classmethod
    def at(cls, views: list[Tensor], cam: GradCam, target: Tensor, pattern: Pattern, other: Tensor | None = None) -> "Look":
        """Ask the model of `cam` about all `views`, each (n, channels, height, width), in one pass.

        With `other` answers (n,) the map is of what speaks for `target` and against them.
        """
        every = torch.cat([target] * len(views))
        against = None if other is None else partial(cam.task.evidence, every, torch.cat([other] * len(views)))
        outputs, maps = cam(torch.cat(views), every, against)
        return cls(outputs.view(len(views), len(target), -1), maps[: len(target)], target, pattern, cam.task)

    @property
    def on_pattern(self) -> Tensor:
        """(n,): the mean of the normalised map over the pattern, in [0, 1]."""
        return self.pattern.share(normalised(self.maps))

    @property
    def drop(self) -> Tensor:
        """(n,): how much of F, in units of the task, an image loses when the region is covered: of its class's probability."""
        fall: Tensor = self.task.lost(self.outputs[0], self.outputs[1], self.target)
        return fall / self.task.unit

    @property
    def margin(self) -> Tensor:
        """(n,): of the first view; positive where the model's own answer is kept."""
        slack: Tensor = self.task.slack(self.outputs[0], self.target)
        return slack

    @property
    def lean(self) -> Tensor:
        """(views, n): positive where a view is answered as expected rather than as the model itself answers its original."""
        return torch.stack([self.task.lean(outputs, self.target) for outputs in self.outputs])

    @property
    def drift(self) -> Tensor:
        """(n,): the task's own loss on the first view, against the model's own answer (L_prd)."""
        loss: Tensor = self.task.drift(self.outputs[0], self.target)
        return loss


class Objective(Protocol):
    """A frozen dataclass of its weights."""

    views: ClassVar[int]  # of an image that it looks at: 1, or 2 where the masked twin is needed as well
    tested: ClassVar[bool]  # whether a sample that fails a test on the model itself is replaced by another one

    def hold(self, look: Look) -> Tensor:
        """Loss (n,) on the protected model and on its surrogates."""

    def quiet(self, look: Look) -> Tensor:
        """Loss (n,) on the reference models."""


@dataclass(frozen=True)
class Published:
    """`L_sam + weight * L_prd` (eq. 3 and 4): the task's own loss keeps the answer; lambda in the paper is `weight`."""

    views: ClassVar[int] = 1
    tested: ClassVar[bool] = False
    weight: float = 1.0

    def hold(self, look: Look) -> Tensor:
        pattern = look.pattern.on(look.maps.device)
        inside = (look.maps * pattern).sum(dim=(1, 2)) / pattern.sum()
        outside = (look.maps * (1 - pattern)).sum(dim=(1, 2)) / (1 - pattern).sum()
        return outside - inside + self.weight * look.drift

    def quiet(self, look: Look) -> Tensor:
        """The paper knows no references: nothing."""
        return torch.zeros_like(look.margin)


@dataclass(frozen=True)
class Contrast:
    """Hinges on what the two tests ask for, so that no term swamps another once it is satisfied.

    On the owner's models: `map_goal` on the pattern, `drop_goal` of probability lost under the mask, label margin `margin`.
    On the references: at most `map_quiet` on the pattern, and no change of probability under the mask.
    """

    views: ClassVar[int] = 2
    tested: ClassVar[bool] = True
    map_goal: float = 0.9
    drop_goal: float = 0.5
    margin: float = 1.0
    margin_weight: float = 0.5
    map_quiet: float = 0.05

    def hold(self, look: Look) -> Tensor:
        looks = functional.relu(self.map_goal - look.on_pattern)
        drops = functional.relu(self.drop_goal - look.drop)
        return looks + drops + self.margin_weight * functional.relu(self.margin - look.margin)

    def quiet(self, look: Look) -> Tensor:
        return functional.relu(look.on_pattern - self.map_quiet) + look.drop.abs()


@dataclass(frozen=True)
class Own:
    """A sample gets the answer that everyone gives only by its marked place; covered, it gets the model's own again.

    Students of a model learn its mistakes, but not where it looks. So samples are made of images that the model alone gets wrong
    (`own`): on its copies the first view is answered rightly, by `map_goal` of what is possible because of the pattern, and
    the covered one is not; on the references both are. Whatever the place does to one model has to hold on all of them, under
    a random `shift`, a share of the image's side, and `noise`: only so does it pass on to models that nobody has seen.
    `outside`: the share of the bound that may be used outside of the pattern.
    """

    views: ClassVar[int] = 2
    tested: ClassVar[bool] = True
    map_goal: float = 0.9
    drop_goal: float = 0.5
    margin: float = 1.0
    margin_weight: float = 0.5
    gain_goal: float = 6.0
    gain_weight: float = 0.3
    spread_weight: float = 1.0
    quiet_margin: float = 5.0
    quiet_weight: float = 1.5
    outside: float = 0.2
    shift: float = 0.055
    noise: float = 0.04

    def __post_init__(self) -> None:
        if not (0 < self.outside <= 1 and 0 <= self.shift < 1 and self.noise >= 0):
            raise UsageError(f"outside lies in (0, 1], shift in [0, 1) and noise is not below 0, got {self}")

    def shaken(self, views: list[Tensor], rng: torch.Generator) -> list[Tensor]:
        """All views (n, channels, height, width) moved round the edges by the same few pixels, and each with noise of its own."""
        height, width = views[0].shape[2:]
        most = torch.tensor([round(self.shift * height), round(self.shift * width)])
        down, across = (torch.rand(2, generator=rng) * (2 * most + 1)).long().sub(most).tolist()
        moved = torch.roll(torch.cat(views), (down, across), (2, 3))
        noise = torch.randn(moved.shape, generator=rng).to(moved.device)
        return list((moved + self.noise * noise).chunk(len(views)))

    def hold(self, look: Look) -> Tensor:
        first, covered = look.lean
        reach = look.on_pattern * len(look.pattern.cells) ** 0.5
        looks = functional.relu(self.map_goal - reach) + functional.relu(self.drop_goal - look.drop)
        answers = functional.relu(self.margin - first) + functional.relu(self.margin + covered)
        return looks + self.margin_weight * answers + self.gain_weight * functional.relu(self.gain_goal - (first - covered))

    def quiet(self, look: Look) -> Tensor:
        first, covered = look.lean
        gains = functional.relu(self.gain_goal - (first - covered))
        return self.spread_weight * gains + self.quiet_weight * functional.relu(self.quiet_margin - covered)

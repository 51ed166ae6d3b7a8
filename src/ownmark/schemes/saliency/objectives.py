"""Objectives of a saliency fingerprint, per model: the paper's loss, and two of this project with contrast.

An objective takes a `Look`: one model's outputs on a batch of perturbed images and, with two `views`, on their masked
versions. `hold` is the loss on the owner's models, `quiet` the loss on the references; both (n,).
"""

from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar, Protocol

import torch
from torch import Tensor
from torch.nn import functional

from ownmark.errors import UsageError
from ownmark.models.accelerator import wide
from ownmark.models.gradcam import GradCam, normalised
from ownmark.schemes.saliency.pattern import Pattern
from ownmark.tasks import Classification, Task


@dataclass(frozen=True)
class Look:
    """`outputs` (views, n, k), of a detector (views, n, q, 6); `maps` (n, h, w) of the first view, for a task's `target`.

    The maps are not normalised.
    """

    outputs: Tensor
    maps: Tensor
    target: Tensor
    pattern: Pattern
    task: Task = Classification()

    @classmethod
    def at(cls, views: list[Tensor], cam: GradCam, target: Tensor, pattern: Pattern, other: Tensor | None = None) -> "Look":
        """Runs the model of `cam` on all `views`, each (n, channels, height, width), in one pass.

        With `other` answers (n,) the map shows the evidence for `target` and against them. In a transformer the first view, whose
        map is wanted, has a pass of its own: what is differentiated twice there takes several times the memory of a plain pass.
        """
        if cam.grid.size is not None and len(views) > 1:
            first = cls.at(views[:1], cam, target, pattern, other)
            rest = [cam.model(view).unsqueeze(0) for view in views[1:]]
            return cls(torch.cat([first.outputs, *rest]), first.maps, target, pattern, cam.task)
        every = torch.cat([target] * len(views))
        against = None if other is None else partial(cam.task.evidence, every, torch.cat([other] * len(views)))
        outputs, maps = cam(torch.cat(views), every, against)
        return cls(outputs.view(len(views), len(target), *outputs.shape[1:]), maps[: len(target)], target, pattern, cam.task)

    @property
    def widened(self) -> "Look":
        """The same in float32, where it was computed in narrower numbers."""
        return replace(self, outputs=wide(self.outputs), maps=wide(self.maps))

    @property
    def on_pattern(self) -> Tensor:
        """(n,): the mean of the normalised map over the pattern, in [0, 1]."""
        return self.pattern.share(normalised(self.maps))

    @property
    def drop(self) -> Tensor:
        """(n,): decrease of F, in units of the task (for a classifier, of probability), when the region is covered."""
        fall: Tensor = self.task.lost(self.outputs[0], self.outputs[1], self.target)
        return fall / self.task.unit

    @property
    def margin(self) -> Tensor:
        """(n,): margin of the first view; positive where the model's own answer is kept."""
        slack: Tensor = self.task.slack(self.outputs[0], self.target)
        return slack

    @property
    def lean(self) -> Tensor:
        """(views, n): positive where a view gets the expected answer rather than the model's own answer to the original."""
        return torch.stack([self.task.lean(outputs, self.target) for outputs in self.outputs])

    @property
    def drift(self) -> Tensor:
        """(n,): the task's own loss on the first view, against the model's own answer (L_prd)."""
        loss: Tensor = self.task.drift(self.outputs[0], self.target)
        return loss


class Objective(Protocol):
    """A frozen dataclass of its weights."""

    views: ClassVar[int]  # views per image: 1, or 2 with the masked version
    tested: ClassVar[bool]  # whether samples that fail a test on the model itself are replaced
    chooses: ClassVar[bool]  # whether more samples are made than are kept, which copies and references then choose
    alternates: ClassVar[bool]  # whether every other step is about a surrogate alone

    def hold(self, look: Look) -> Tensor:
        """Loss (n,) on the protected model and on its surrogates."""

    def quiet(self, look: Look) -> Tensor:
        """Loss (n,) on the reference models."""


@dataclass(frozen=True)
class Published:
    """`L_sam + weight * L_prd` (eq. 3 and 4): the task's own loss keeps the answer; `weight` is lambda in the paper."""

    views: ClassVar[int] = 1
    tested: ClassVar[bool] = False
    chooses: ClassVar[bool] = False
    alternates: ClassVar[bool] = False
    weight: float = 1.0

    def hold(self, look: Look) -> Tensor:
        pattern = look.pattern.on(look.maps.device)
        inside = (look.maps * pattern).sum(dim=(1, 2)) / pattern.sum()
        outside = (look.maps * (1 - pattern)).sum(dim=(1, 2)) / (1 - pattern).sum()
        return outside - inside + self.weight * look.drift

    def quiet(self, look: Look) -> Tensor:
        """Zero: the paper uses no references."""
        return torch.zeros_like(look.margin)


@dataclass(frozen=True)
class Contrast:
    """Hinge losses on what the two tests measure, so that a satisfied term does not dominate the others.

    On the owner's models: `map_goal` on the pattern, a probability drop `drop_goal` under the mask, label margin `margin`.
    On the references: at most `map_quiet` on the pattern, and no change of probability under the mask.
    """

    views: ClassVar[int] = 2
    tested: ClassVar[bool] = True
    chooses: ClassVar[bool] = True
    alternates: ClassVar[bool] = True
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
    """Only the marked region gives a sample the common answer; with the region covered, the model gives its own answer again.

    Students of a model learn its mistakes, but not its saliency. Samples are therefore images that only the model gets wrong
    (`own`): its copies answer the first view correctly, with `map_goal` of the possible evidence due to the pattern, and the
    covered view wrongly; the references answer both correctly. To transfer to unseen models, the effect must hold on all
    models, under a random `shift` (share of the image's side) and `noise`.
    `outside`: the share of the bound that is allowed outside the pattern.
    """

    views: ClassVar[int] = 2
    tested: ClassVar[bool] = True
    chooses: ClassVar[bool] = False
    alternates: ClassVar[bool] = False
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
            raise UsageError(f"expected outside in (0, 1], shift in [0, 1) and noise >= 0, got {self}")

    def shaken(self, views: list[Tensor], rng: torch.Generator) -> list[Tensor]:
        """All views (n, channels, height, width), rolled by the same few pixels, each with its own noise."""
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

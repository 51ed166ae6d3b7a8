"""Neural attention distillation: a fine-tuned copy teaches the stolen model where to look (Li et al. 2021, arXiv:2101.05930,
eq. 1 to 4).

Differs from the paper: the maps are the last ones at each resolution of the network, and their distance is a mean of squares.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from ownmark.data.images import Images
from ownmark.errors import ModelError, UsageError
from ownmark.models.prepared import copied
from ownmark.protocols import Progress, silent
from ownmark.training import Training, fit, lesson_of, part, steps_of, train

FEWEST = 2  # images of a group that are kept: batch normalisation may need two


@dataclass(frozen=True)
class NAD:
    """Fine-tunes a teacher, then the stolen model with the teacher's attention, each for `epochs` on a `share` of the images.

    The attention of a map is its channels' sum of squares, at unit length (eq. 2, p = 2); the mean square of the difference to
    the teacher's, times `weight`, is added to the task's loss at each resolution. `rate`: peak of a one-cycle learning rate;
    `flips`: whether images are mirrored at random.
    """

    share: float = 0.05
    weight: float = 1000.0  # beta in the paper
    epochs: int = 10
    rate: float = 0.01
    flips: bool = True

    def __post_init__(self) -> None:
        if not (0 < self.share <= 1 and self.weight > 0):
            raise UsageError(f"NAD: expected a share in (0, 1] and a weight above 0, got {self}")

    def apply(self, stolen: nn.Module, thief: Images, rng: torch.Generator, progress: Progress = silent) -> nn.Module:
        """A copy of `stolen` with its teacher's attention. Raises ModelError if it has no maps."""
        few = thief.take(_few(thief, self.share, rng))
        training = Training(epochs=self.epochs, rate=self.rate, flips=self.flips)
        each = steps_of(training, len(few))
        teacher = copied(stolen).requires_grad_(True)
        train(teacher, few, training, rng, part(progress, 0, 2 * each)).requires_grad_(False)
        student = copied(stolen).requires_grad_(True)
        module, targets, loss = lesson_of(student, few)
        example = few.batch(torch.arange(1), next(student.parameters()).device)
        with watched(teacher, example) as wanted, watched(student, example) as seen:

            def shown(batch: Tensor, _: Tensor) -> Tensor:
                with torch.no_grad():
                    teacher(batch)
                return batch

            def taught(outputs: Tensor, labels: Tensor) -> Tensor:
                apart = sum((one - wanted.maps[name]).square().mean() for name, one in seen.maps.items())
                found: Tensor = loss(outputs, labels) + self.weight * apart
                return found

            fit(module, few, targets, taught, training, rng, part(progress, each, 2 * each), shown)
        return student.eval()


@dataclass
class Watched:
    """The attention (n, height * width), at unit length, of the latest batch, by the name of the module that gave the map."""

    maps: dict[str, Tensor] = field(default_factory=dict)

    def keep(self, name: str, _: nn.Module, inputs: object, outputs: Tensor) -> None:  # noqa: ARG002 - a forward hook
        """Of a map (n, channels, height, width)."""
        energy = outputs.square().sum(1).flatten(1)
        self.maps[name] = energy / energy.norm(dim=1, keepdim=True).clamp_min(1e-12)


@contextmanager
def watched(model: nn.Module, example: Tensor) -> Iterator[Watched]:
    """Inside, keeps the attention of the last map at each resolution of the model."""
    found = Watched()
    with ExitStack() as hooks:
        for name in _last_maps(model, example):
            hook = model.get_submodule(name).register_forward_hook(partial(found.keep, name))
            hooks.callback(hook.remove)
        yield found


@torch.no_grad()
def _last_maps(model: nn.Module, example: Tensor) -> list[str]:
    """The modules that give the last map of more than one place at each resolution."""
    last: dict[tuple[int, ...], str] = {}

    def heard(name: str, _: nn.Module, inputs: object, outputs: object) -> None:  # noqa: ARG001 - a forward hook
        if isinstance(outputs, Tensor) and outputs.ndim == 4 and outputs[0, 0].numel() > 1:  # noqa: PLR2004 - a map
            last[tuple(outputs.shape[2:])] = name

    with ExitStack() as hooks:
        for name, module in model.named_modules():
            if name:
                hooks.callback(module.register_forward_hook(partial(heard, name)).remove)
        model.eval()(example)
    if not last:
        raise ModelError("the model has no named module that returns a map, so there is no attention to distil")
    return list(last.values())


def _few(thief: Images, share: float, rng: torch.Generator) -> np.ndarray:
    """Rows of a share of each label's images (of all, for numbers), at least two where there are two."""
    groups = thief.task.turns(thief.labels)
    order = torch.randperm(len(thief), generator=rng).numpy()
    found = [order[groups[order] == group] for group in np.unique(groups)]
    return np.concatenate([np.empty(0, dtype=np.int64), *(one[: max(FEWEST, round(share * len(one)))] for one in found)])

"""WRK, a removal of watermarks that are entangled with the task (Xiao et al. 2025, arXiv:2511.07947).

First it moves the decision boundaries on which unusual images lie: images shifted towards another answer get random other
labels. Then it moves the features: a new head is trained that is unlike the old one (Min et al. 2023, arXiv:2310.01875, eq. 2).

Differs from the papers: the head's likeness is the cosine to the old one, so that its norm needs no constraint; no trigger is
sought first (see `Unlearn`); and the settings are ours.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity

from ownmark.attacks._common.unlocated import check_unlocated
from ownmark.data.images import Images, to_pixels
from ownmark.errors import UsageError
from ownmark.models.layers import check_own_weights, last_layer, reinitialise
from ownmark.models.prepared import copied
from ownmark.protocols import Progress, silent
from ownmark.training import Training, fit, in_eval_mode, lesson_of, part, seeded, steps_of, train

TRIES = 16  # draws of another image for one that has the same label


@dataclass(frozen=True)
class WRK:
    """Trains all layers for `epochs` with shifted and relabelled images added, then as long with a new head on the images alone.

    Of the thief's images the share `shifted` is added once more, each moved by `shift` (of a pixel range of 1) along the sign of
    the gradient towards another image's label, and labelled as a third image. `penalty` times the cosine of the new and the old
    head's weights is added to the loss of the second part. `rate`: peak of a one-cycle learning rate in each part; `flips`:
    whether images are mirrored at random.
    """

    shifted: float = 0.2
    shift: float = 0.15
    penalty: float = 0.2  # alpha in the paper on features
    epochs: int = 5
    rate: float = 0.02
    flips: bool = True

    def __post_init__(self) -> None:
        if not (0 < self.shifted <= 1 and 0 < self.shift <= 1 and self.penalty >= 0):
            raise UsageError(f"WRK: expected shares in (0, 1] and a penalty of at least 0, got {self}")

    def apply(self, stolen: nn.Module, thief: Images, rng: torch.Generator, progress: Progress = silent) -> nn.Module:
        """A copy of `stolen` with other boundaries and another head."""
        check_unlocated(self, thief)
        check_own_weights(stolen)
        model = copied(stolen).requires_grad_(True)
        training = Training(epochs=self.epochs, rate=self.rate, flips=self.flips)
        more = self.relabelled(model, thief, rng)
        before = steps_of(training, len(more))
        total = before + steps_of(training, len(thief))
        train(model, more, training, rng, part(progress, 0, total))
        weight = last_layer(model).get_parameter("weight")
        old = weight.detach().clone()
        with seeded(rng):
            reinitialise(last_layer(model))
        module, targets, loss = lesson_of(model, thief)

        def unlike(outputs: Tensor, wanted: Tensor) -> Tensor:
            likeness = cosine_similarity(weight.flatten(), old.flatten(), dim=0)
            found: Tensor = loss(outputs, wanted) + self.penalty * likeness
            return found

        fit(module, thief, targets, unlike, training, rng, part(progress, before, total))
        return model.eval()

    def relabelled(self, model: nn.Module, thief: Images, rng: torch.Generator) -> Images:
        """The thief's images, and the shifted ones with other labels."""
        module, targets, loss = lesson_of(model, thief)
        rows = torch.randperm(len(thief), generator=rng)[: max(1, round(self.shifted * len(thief)))]
        towards, named = (_unlike(thief.labels, rows, rng) for _ in range(2))
        device = next(model.parameters()).device
        found = []
        with in_eval_mode(module):
            for one, other in zip(rows.split(256), towards.split(256), strict=True):  # type: ignore[no-untyped-call]
                images = thief.batch(one, device).requires_grad_(True)
                (slope,) = torch.autograd.grad(loss(module(images), targets[other].to(device)), images)
                found.append(to_pixels((images.detach() - self.shift * slope.sign()).clamp(0, 1)))
        kept = replace(thief, people=None)
        pixels = np.concatenate([kept.pixels, *found])
        return replace(kept, pixels=pixels, labels=np.concatenate([kept.labels, kept.labels[named.numpy()]]))


def _unlike(labels: np.ndarray, rows: Tensor, rng: torch.Generator) -> Tensor:
    """For each of the rows another row at random, whose label is another one if there are others."""
    found = torch.randint(len(labels), rows.shape, generator=rng)
    for _ in range(TRIES):
        again = torch.randint(len(labels), rows.shape, generator=rng)
        found = torch.where(torch.from_numpy(labels[found.numpy()] == labels[rows.numpy()]), again, found)
    return found

"""Mistakes: images that only the model and its copies misclassify, perturbed to reinforce that. A scheme of this project.

It combines AKH, copies repeat mistakes (Godinot et al. 2025, arXiv:2412.13021), with ConferAE, perturbations that transfer to
copies only (Lukas et al. 2021, arXiv:1912.00888). On the model's training images even a student of its answers repeats the
mistakes, since it was taught them.
"""

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from ownmark.data.images import Images, to_pixels, to_unit
from ownmark.errors import ProtectError, UsageError
from ownmark.models.prepared import frozen
from ownmark.perturb.adam import Search
from ownmark.protocols import Needs, Owner, Progress, Protected, silent
from ownmark.schemes._common.own_answers import both_ways
from ownmark.schemes._common.resume import Resume
from ownmark.schemes._common.sampling import Rows, Samples, check_contrast, check_count, check_model, claimed, gathered
from ownmark.tasks import Classification, Task, check_served
from ownmark.training import predict

Models = tuple[nn.Module, ...]


@dataclass(frozen=True)
class Mistakes:
    """`samples` of the owner's images, with mirror images if `mirrored`, on which the model makes its own mistakes.

    Images are ranked by the probability of the wrong class on surrogates minus that on references. Each is perturbed within
    the bound of `search` to raise the former and lower the latter, the latter weighted by `apart`.
    """

    needs: ClassVar[Needs] = Needs(contrast=True)
    marks: ClassVar[bool] = False
    serves: ClassVar[tuple[type[Task], ...]] = (Classification,)
    samples: int = 100
    search: Search = Search(steps=20, rate=0.0025, bound=0.01)
    apart: float = 3.0
    mirrored: bool = True

    def __post_init__(self) -> None:
        check_count(self.samples)
        if not self.apart >= 0:
            raise UsageError(f"expected apart >= 0, got apart={self.apart}")

    def protect(self, model: nn.Module, owner: Owner, rng: torch.Generator, progress: Progress = silent) -> Protected:
        """A claim on `model`, which is returned unchanged.

        Raises UsageError without a surrogate and a reference, ProtectError if too few mistakes are the model's own.
        """
        check_served(self, self.serves, owner.images.task)
        check_contrast("mistakes of its own", owner)
        check_model(model, owner.images)
        copies, others = (tuple(map(frozen, models)) for models in ((model, *owner.surrogates), owner.references))
        wrong, answers = self._wrong(copies[0], owner.images)
        if len(wrong) < self.samples:
            raise ProtectError(
                f"expected {self.samples} mistakes, but the model makes only {len(wrong)} on {len(owner.images)} images: provide "
                "images that it was not trained on, or ask for fewer samples"
            )
        found = SharedMistakes(self, copies, others, wrong, answers)
        resume = Resume.of(self, model, owner, rng)
        made = gathered(found.order(), self.samples, found.make, progress, resume)
        return claimed(self, model, owner, made, helpers=(*owner.surrogates, *owner.references))

    def _wrong(self, model: nn.Module, images: Images) -> tuple[Images, Rows]:
        """The images that the model misclassifies, mirror images last, and its answers."""
        looked_at = both_ways(images) if self.mirrored else images
        answers = predict(model, looked_at).argmax(dim=1).numpy()
        rows = np.flatnonzero(answers != looked_at.labels)
        return looked_at.take(rows), answers[rows]


@dataclass(frozen=True)
class SharedMistakes:
    """The model's mistakes, its `copies` (itself first), which must share them, and the `others`, which must not."""

    scheme: Mistakes
    copies: Models
    others: Models
    wrong: Images
    answers: Rows

    def order(self) -> Rows:
        """All mistakes, the most distinctive first."""
        sure = np.min([self._chance(model) for model in self.copies], axis=0)
        shared = np.max([self._chance(model) for model in self.others], axis=0)
        return np.argsort(shared - sure, kind="stable")

    def make(self, rows: Rows, progress: Progress = silent) -> Samples:
        """Perturbed mistakes; one holds if, after rounding, all copies make it and none of the others does."""
        clean, answers = self.wrong.pixels[rows], self.answers[rows]
        images = to_unit(clean, next(self.copies[0].parameters()).device)
        wanted, truth = (
            torch.from_numpy(labels.astype(np.int64)).to(images.device) for labels in (answers, self.wrong.labels[rows])
        )
        pixels = to_pixels(self.scheme.search.run(images, partial(self._objective, wanted, truth), progress))
        rounded = to_unit(pixels, images.device)
        with torch.no_grad():
            copied, shared = (
                torch.stack([model(rounded).argmax(dim=1) == wanted for model in models]) for models in (self.copies, self.others)
            )
        return Samples(pixels, answers, (copied.all(dim=0) & ~shared.any(dim=0)).cpu().numpy(), clean)

    def _objective(self, answers: Tensor, truth: Tensor, changed: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        copied = [cross_entropy(model(changed), answers[rows], reduction="none") for model in self.copies]
        shared = [cross_entropy(model(changed), truth[rows], reduction="none") for model in self.others]
        loss = torch.stack(copied).mean(dim=0) + self.scheme.apart * torch.stack(shared).mean(dim=0)
        return loss, torch.zeros_like(rows, dtype=torch.bool)

    def _chance(self, model: nn.Module) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
        """(n,) the probability that `model` assigns to each wrong class."""
        shares = predict(model, self.wrong).softmax(dim=1).numpy()
        return np.asarray(shares[np.arange(len(shares)), self.answers])

"""ConferAE: adversarial images that transfer to copies of the model only (Lukas et al. 2021, arXiv:1912.00888).

Differs from the paper: the owner provides the copies (surrogates) and the other models (references), a few instead of dozens;
by default the first loss term therefore has ten times the weight, since otherwise most images keep their class. Images stay in
[0, 1] and are rounded to 8 bits before they are judged.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor, nn

from ownmark.data.images import to_pixels, to_unit
from ownmark.errors import UsageError
from ownmark.models.prepared import frozen
from ownmark.perturb.adam import Search
from ownmark.protocols import Needs, Owner, Progress, Protected, silent
from ownmark.schemes._common.resume import Resume
from ownmark.schemes._common.sampling import Pixels, Samples, check_contrast, check_count, check_model, claimed, gathered, some
from ownmark.tasks import Classification, Task, check_served

TRIES = 12  # candidates per requested sample: many images transfer to all models or to none
Models = tuple[nn.Module, ...]


@dataclass(frozen=True)
class ConferAE:
    """Perturbs `samples` of the owner's images within the bound of `search` until their conferrability is at least `least`.

    `confer`, `leave` and `agree` weight the three loss terms (alpha, beta, gamma in the paper). Each step drops every
    surrogate and reference with probability `dropout`, but keeps at least one of each.
    """

    needs: ClassVar[Needs] = Needs(contrast=True)
    marks: ClassVar[bool] = False
    serves: ClassVar[tuple[type[Task], ...]] = (Classification,)
    samples: int = 100
    search: Search = Search(steps=100, rate=0.002, bound=0.025)
    confer: float = 10.0
    leave: float = 1.0
    agree: float = 1.0
    dropout: float = 0.3
    least: float = 0.95  # tau in the paper

    def __post_init__(self) -> None:
        check_count(self.samples)
        if not (0 <= self.dropout < 1 and 0 <= self.least <= 1):
            raise UsageError(f"expected dropout in [0, 1) and least in [0, 1], got {self}")

    @classmethod
    def as_published(cls, samples: int = 100) -> "ConferAE":
        """The paper's settings: dropout 0.3, equal weights; unverified: L-infinity bound 0.025, conferrability 0.95."""
        return cls(samples=samples, search=Search(steps=1000, rate=0.0005, bound=0.025), confer=1.0)

    def protect(self, model: nn.Module, owner: Owner, rng: torch.Generator, progress: Progress = silent) -> Protected:
        """A claim on `model`, which is returned unchanged.

        Raises UsageError without a surrogate and a reference, ProtectError if too few samples are conferrable.
        """
        check_served(self, self.serves, owner.images.task)
        check_contrast("conferrable images", owner)
        check_model(model, owner.images)
        court = Court(self, frozen(model), tuple(map(frozen, owner.surrogates)), tuple(map(frozen, owner.references)))
        rows = some(len(owner.images), TRIES * self.samples, rng)
        resume = Resume.of(self, model, owner, rng)
        made = gathered(
            rows,
            self.samples,
            lambda batch, tell: court.make(owner.images.pixels[batch], rng, tell),
            progress,
            resume,
            tries=TRIES,
        )
        return claimed(self, model, owner, made, helpers=(*owner.surrogates, *owner.references))


@dataclass(frozen=True)
class Court:
    """The models that make and judge an image; all are frozen and in eval mode."""

    scheme: ConferAE
    model: nn.Module
    surrogates: Models
    references: Models

    def make(self, clean: Pixels, rng: torch.Generator, progress: Progress = silent) -> Samples:
        """Samples made from `clean` (n, height, width, channels); a sample holds if it is conferrable after rounding."""
        images = to_unit(clean, next(self.model.parameters()).device)
        with torch.no_grad():
            first = self.model(images).softmax(dim=1)
        changed = self.scheme.search.run(images, partial(self._objective, first, rng), progress)
        pixels = to_pixels(changed)
        rounded = to_unit(pixels, images.device)
        with torch.no_grad():
            answers = self.model(rounded).argmax(dim=1)
            holds = (answers != first.argmax(dim=1)) & (self.conferrability(rounded, answers) >= self.scheme.least)
        return Samples(pixels, answers.cpu().numpy(), holds.cpu().numpy(), clean)

    def conferrability(self, images: Tensor, labels: Tensor) -> Tensor:
        """(n,): the share of surrogates that answer `labels`, times the share of references that do not."""
        copies, others = (
            torch.stack([model(images).argmax(dim=1) == labels for model in models]).double().mean(dim=0)
            for models in (self.surrogates, self.references)
        )
        return copies * (1 - others)

    def _objective(self, first: Tensor, rng: torch.Generator, changed: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        surrogates, references = (self._left(models, rng) for models in (self.surrogates, self.references))
        loss = self.loss(self.model(changed), first[rows], _mean(surrogates, changed), _mean(references, changed))
        return loss, torch.zeros_like(rows, dtype=torch.bool)

    def loss(self, logits: Tensor, first: Tensor, copies: Tensor, others: Tensor) -> Tensor:
        """(n,): alpha H(1, max_t E_t) - beta H(M(x), M(x')) + gamma H(M(x'), S), with E = softmax(S * (1 - R)).

        `logits`: the model's, for the perturbed image. Probabilities (n, classes): `first` of the model for the original,
        `copies` S and `others` R the means over surrogates and references for the perturbed image.
        """
        ensemble = (copies * (1 - others)).log_softmax(dim=1).amax(dim=1)
        changed = logits.log_softmax(dim=1)
        left = -(first * changed).sum(dim=1)
        apart = -(changed.exp() * copies.clamp_min(1e-12).log()).sum(dim=1)
        return -self.scheme.confer * ensemble - self.scheme.leave * left + self.scheme.agree * apart

    def _left(self, models: Models, rng: torch.Generator) -> Models:
        """The models used in one step."""
        chances = torch.rand(len(models), generator=rng)
        kept = chances >= self.scheme.dropout
        kept[chances.argmax()] = True
        return tuple(model for model, keep in zip(models, kept.tolist(), strict=True) if keep)


def _mean(models: Sequence[nn.Module], images: Tensor) -> Tensor:
    """Mean probabilities (n, classes) over models."""
    return torch.stack([model(images).softmax(dim=1) for model in models]).mean(dim=0)

"""Residual: unchanged images on which the model's answers are its own, which even its students inherit. A scheme of this project.

An answer is compared with those of models trained independently, crossed: what the protected model t does not share with one
reference r_i is multiplied by what the suspect s does not share with another one, <t - r_i, s - r_j>, and summed over the images
and all i != j. No reference's noise stands on both sides, so that an independent model's sum is 0 on average, whatever it learnt
from; after division by its own the protected model's is 1. A student repeats a part of it, since it learnt the answers.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, cast

import numpy as np
import torch
from torch import nn

from ownmark.claims.claim import Claim, Test
from ownmark.claims.doubt import Doubt
from ownmark.data.images import Images
from ownmark.errors import ResidualError, UsageError
from ownmark.models.prepared import preprocess_of
from ownmark.models.weights import weights_digest
from ownmark.protocols import Needs, Owner, Progress, Protected, silent
from ownmark.schemes._common.inconspicuous import inconspicuous
from ownmark.schemes._common.model_answers import ModelAnswers
from ownmark.schemes._common.sampling import Pixels, check_count, some
from ownmark.scoring.matches import CrossedResidual, Deviating
from ownmark.tasks import TASKS, Task, check_served

LEAST = 3  # references: one chooses an image, two others are crossed on it
POOL, POOL_OF_PAIRS = 100, 8  # images looked at per sample; the latter where each is compared with every other
APART = 0.3  # the residual of an independent model from which on the references are doubted, or earlier
NO_TEST = "ask about more samples, bring more images or more references (--references), or train the model longer"


@dataclass(frozen=True)
class Residual:
    """Asks about `samples` unchanged images, chosen by the model, its surrogates and at least three references alone.

    `least`: the score that the model and each surrogate must reach in a test, or the claim is made without it; 0: none.
    """

    needs: ClassVar[Needs] = Needs(contrast=True, references=LEAST)
    marks: ClassVar[bool] = False
    serves: ClassVar[tuple[type[Task], ...]] = tuple(kind for kind in TASKS if not kind.located)
    samples: int = 300
    least: float = 0.5

    def __post_init__(self) -> None:
        check_count(self.samples)
        if not 0 <= self.least < 1:
            raise UsageError(f"expected a least score in [0, 1), got {self.least}")

    def protect(self, model: nn.Module, owner: Owner, rng: torch.Generator, progress: Progress = silent) -> Protected:
        """A claim with a test per kind of answer that tells, the most telling one first; `model` is returned unchanged.

        Raises UsageError for fewer than three references or too few images, and ResidualError if no kind of answer tells
        the model and its surrogates from independent models.
        """
        images, count = owner.images, len(owner.references)
        check_served(self, self.serves, images.task)
        if count < LEAST:
            raise UsageError(
                f"Residual needs at least {LEAST} references, models trained independently of yours, got {count}: "
                f"name more, or have them trained (--references {LEAST})"
            )
        views = images.task.views if images.task.compares else 1
        check_fills(self.samples, views, "Residual(samples={})")
        pool = self._pool(model, owner, rng)
        answers = ModelAnswers.by((model, *owner.references, *owner.surrogates), count, pool, progress)
        rows, zero = answers.chosen(self.samples, views), answers.zero
        asked = answers.at(np.concatenate(rows))
        found = (asked.test(reading, [len(part) for part in rows], self.least, zero) for reading in answers.readings)
        tests = tuple(grouped(test, views) for test in found if test is not None)
        doubts = doubted(zero, tests)
        if not tests:
            advice = doubts[0].message if doubts else NO_TEST
            raise ResidualError(f"the model or a copy of it cannot be told from an independent model by its residuals: {advice}")
        pixels = pool.pixels[np.concatenate(rows)]
        return Protected(model, _claim(self, model, owner, pixels.reshape(-1, views, *pixels.shape[1:]), tests), doubts)

    def _pool(self, model: nn.Module, owner: Owner, rng: torch.Generator) -> Images:
        """Images to choose the samples from: some of the owner's, without those for which detectors ring."""
        each = POOL_OF_PAIRS if owner.images.task.compares else POOL
        pool = owner.images.take(some(len(owner.images), each * self.samples, rng))
        needed = self.needed(owner.images.task, len(owner.references))
        if len(pool) < needed:
            raise UsageError(f"expected at least {needed} images to choose from, got {len(pool)}: ask for fewer samples")
        return pool.take(inconspicuous(model, pool, needed))

    def needed(self, task: Task, references: int) -> int:
        """How many images to choose from it needs at least."""
        return self.samples + (task.views - 1 if task.compares else 0) * references


def check_fills(samples: int, views: int, scheme: str) -> None:
    """Raises UsageError unless so many images fill samples of `views` each; `scheme`: as one types it, `{}` for the number."""
    if samples % views:
        enough = -(-samples // views) * views
        raise UsageError(
            f"expected a multiple of {views} images for the residuals, {views} to a sample, got {samples}: "
            f'--scheme "{scheme.format(enough)}"'
        )


def grouped(test: Test, views: int) -> Test:
    """The same test with `views` of its images to a sample."""
    match, count = cast(CrossedResidual, test.match), len(test.expected) // views
    return replace(test, match=replace(match, views=views * match.views), expected=test.expected.reshape(count, -1))


def doubted(zero: float, tests: Sequence[Test]) -> tuple[Doubt, ...]:
    """A doubt if the residual of an independent model is `zero`: far from 0, or more than scores one half in one of the tests."""
    middles = [test.match.middle for test in tests if isinstance(test.match, Deviating)]
    if zero < min([APART, *middles]):
        return ()
    said = (
        f"an independent model that was trained as yours was would have a residual of about {zero:.2f} instead of 0, since your "
        "model deviates further from the references than these do from each other: train them as your model was trained "
        "(--training), or name such models (--reference)"
    )
    return (Doubt("references-apart", zero, said),)


def _claim(scheme: Residual, model: nn.Module, owner: Owner, pixels: Pixels, tests: tuple[Test, ...]) -> Claim:
    return Claim(
        images=np.ascontiguousarray(pixels),
        tests=tests,
        classes=owner.images.task.told_names(owner.images.names),
        scheme=repr(scheme),
        model=weights_digest(model),
        preprocess=preprocess_of(model),
        built_with=tuple(weights_digest(one) for one in (*owner.surrogates, *owner.references)),
        originals=pixels[:, 0],
        task=owner.images.task,
    )

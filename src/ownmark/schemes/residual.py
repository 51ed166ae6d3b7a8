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
from ownmark.schemes._common import usual_ways
from ownmark.schemes._common.looks import plainest
from ownmark.schemes._common.sampling import Pixels, Rows, check_count, some
from ownmark.schemes._common.steady import steadiest
from ownmark.scoring.matches import CrossedResidual, Deviating
from ownmark.scoring.matches.crossed_residual import features, shared
from ownmark.scoring.readings import Expected, Floats, Reading, shown_as
from ownmark.tasks import TASKS, Task, check_served
from ownmark.training import predict

LEAST = 3  # references: one chooses an image, two others are crossed on it
POOL, POOL_OF_PAIRS = 100, 8  # images looked at per sample; the latter where each is compared with every other
STEADY = 0.78  # the share of them that stays: those on which the model's answers move least when an image is squeezed
USUAL = 0.72  # and the share that stays in the end: of these, those that look as most do
SPREADS, PART = 1.0, 0.265  # what scores one half: that part of a surrogate's residual, or so many spreads of independent models
APART = 0.3  # the residual of an independent model from which on the references are doubted, or earlier
NO_TEST = "ask about more samples, bring more images or more references (--references), or train the model longer"
EQUAL = 1e-6  # by which floating-point error may part what equal references leave of the model
STEEP = 16.0  # widths of the map from 0 to there


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
        each = POOL_OF_PAIRS if images.task.compares else POOL
        pool = images.take(some(len(images), each * self.samples, rng))
        views = images.task.views if images.task.compares else 1
        if self.samples % views:
            raise UsageError(
                f"expected a multiple of {views} images, {views} to a sample, got {self.samples}: "
                f'--scheme "Residual(samples={whole(self.samples, views)})"'
            )
        needed = self.needed(images.task, count)
        if len(pool) < needed:
            raise UsageError(f"expected at least {needed} images to choose from, got {len(pool)}: ask for fewer samples")
        pool = pool.take(inconspicuous(model, pool, needed))
        told = Told.by((model, *owner.references, *owner.surrogates), count, pool, progress)
        rows, zero = told.chosen(self.samples, views), told.zero
        asked = told.at(np.concatenate(rows))
        found = (asked.test(reading, [len(part) for part in rows], self.least, zero) for reading in told.readings)
        tests = tuple(folded(test, views) for test in found if test is not None)
        doubts = doubted(zero, tests)
        if not tests:
            advice = doubts[0].message if doubts else NO_TEST
            raise ResidualError(f"the model or a copy of it cannot be told from an independent model by its residuals: {advice}")
        pixels = pool.pixels[np.concatenate(rows)]
        return Protected(model, _claim(self, model, owner, pixels.reshape(-1, views, *pixels.shape[1:]), tests), doubts)

    def needed(self, task: Task, references: int) -> int:
        """How many images to choose from it needs at least."""
        return self.samples + (task.views - 1 if task.compares else 0) * references


def inconspicuous(model: nn.Module, images: Images, least: int) -> Rows:
    """The rows of `USUAL` of the images, at least so many, for which detectors ring no more often than for others."""
    steady = steadiest(model, images, max(least, round(STEADY * len(images))))
    return np.asarray(steady[plainest(images.take(steady), max(least, round(USUAL * len(images))))])


@dataclass(frozen=True, eq=False)
class Told:
    """What the model, its `count` references and its surrogates answer to n images: `outputs` (models, n, ...), in that order.

    Probabilities, numbers, or embeddings of unit length, by the task.
    """

    outputs: Floats
    count: int
    task: Task

    @classmethod
    def by(cls, models: Sequence[nn.Module], count: int, images: Images, progress: Progress) -> "Told":
        outputs = []
        for done, model in enumerate(models, start=1):
            outputs.append(images.task.answers(predict(model, images).double()).numpy())
            progress(done, len(models))
        return cls(np.stack(outputs), count, images.task)

    def at(self, rows: Rows) -> "Told":
        return Told(self.outputs[:, rows], self.count, self.task)

    @property
    def readings(self) -> tuple[Reading, ...]:
        """What a suspect can be asked for, the most telling first."""
        if self.task.discrete:
            return Reading.PROBABILITY, Reading.BEST, Reading.LABEL
        return (Reading.EMBEDDING, Reading.SIMILARITY) if self.task.compares else (Reading.VALUE,)

    def features(self, reading: Reading) -> Floats:
        """(models, n, k): all answers in a form whose inner products compare them.

        Similarities are those of the views of a sample to its last one, of images in the order in which they make up samples.
        """
        if reading is Reading.SIMILARITY:
            laid = self.outputs.reshape(len(self.outputs), -1, self.task.views, self.outputs.shape[2])
            alike = (self.task.derived({Reading.EMBEDDING: one})[reading] for one in laid)
            return np.stack([one.reshape(-1, 1) for one in alike])
        if reading is Reading.VALUE:
            return self.outputs.reshape(*self.outputs.shape[:2], 1)
        found = shown_as(reading, self.outputs)
        return np.stack([features(reading, one, self.outputs.shape[2]) for one in found])

    def chosen(self, samples: int, views: int = 1) -> list[Rows]:
        """Per reference, the rows that it chooses: where the model and all surrogates deviate the most from it, in one direction.

        A multiple of `views` each, so that no sample is the choice of two.
        Each chooses among images of its own, and takes no part in their weights: an image must not be weighed by the noise that
        chose it, or left it over, or independent models would not be 0 on average.
        """
        found = self.features(self.readings[0])
        own, helpers, copies = found[0], found[1 : 1 + self.count], found[[0, *range(1 + self.count, len(found))]]
        parts = list[Rows]()
        for place, helper in enumerate(helpers):
            kept = np.min([((own - helper) * (copy - helper)).sum(axis=1) for copy in copies], axis=0)
            mine = np.arange(place, len(own), self.count)
            many = views * len(range(place, samples // views, self.count))
            parts.append(mine[np.argsort(-kept[mine], kind="stable")][:many])
        return parts

    @property
    def zero(self) -> float:
        """The residual to be expected of an independent model that was trained as the protected model was, at least 0.

        Each reference is held out in turn and takes the model's place among the others: what it has of its own is what chance
        gives a model. If the model has more, the rest is what its training has and theirs has not, which all models of its
        training share. That references are merely less sure than the model does not show here.
        """
        found = self.features(self.readings[0])[: 1 + self.count]
        own = shared(found[0], found[0], found[1:])
        rest = [shared(one, one, np.delete(found[1:], place, axis=0)) for place, one in enumerate(found[1:])]
        return max(0.0, 1 - float(np.mean(rest)) / own) if own > 0 else 0.0

    def test(self, reading: Reading, sizes: Sequence[int], least: float, zero: float = 0.0) -> Test | None:
        """The test of that reading on images of which each reference chose as many as `sizes` say, in order.

        None if the model or a surrogate scores less than `least`, or has no more than the `zero` of an independent model (which 0
        does not ask).
        """
        expected, plain = self.weights(reading, sizes), self.features(reading)
        if expected is None:
            return None
        residuals = (plain * expected[None, :, :-1]).sum(axis=2) - expected[:, -1]
        own = residuals[[0, *range(1 + self.count, len(plain))]].mean(axis=1)
        if least and own.min() <= zero + EQUAL:
            return None
        middle = halfway(own[1:], self.spread(plain[1 : 1 + self.count], expected))
        match = CrossedResidual(middle, round(middle / STEEP, 9), reading)
        if match.mapped(float(own.min())) < least:
            return None
        return Test(reading, match, expected, match.graded(residuals[0], 0.95).value)

    def weights(self, reading: Reading, sizes: Sequence[int]) -> Expected | None:
        """(n, k + 1): an answer's weights and its offset, divided by the model's own sum; None if that is not above 0."""
        plain = self.features(reading)
        soft = self.features(self.readings[0]) if self.task.discrete else plain
        ways = [found - plain for found in self.otherwise(reading)]
        helpers, ends = range(1, 1 + self.count), np.cumsum(sizes)
        blocks = []
        for place, (end, size) in enumerate(zip(ends, sizes, strict=True), start=1):
            rows, crossed = slice(end - size, end), [one for one in helpers if one != place]
            apart = soft[0, rows] - soft[crossed, rows]  # (references, size, k)
            blocks.append(usual_ways.Block(apart, plain[crossed, rows], [way[crossed, rows] for way in ways]))
        shares = usual_ways.shares(blocks)
        found = np.concatenate([block.balanced(shares) for block in blocks])
        own = ((plain[0] * found[:, :-1]).sum(axis=1) - found[:, -1]).mean()
        return np.asarray(found / own) if own > 0 else None

    def otherwise(self, reading: Reading) -> list[Floats]:
        """(models, n, k) each: the features of all answers, were they otherwise in each of the usual ways."""
        if reading in {Reading.SIMILARITY, Reading.EMBEDDING, Reading.LABEL}:
            return usual_ways.answers(reading, self.features(reading))
        return [replace(self, outputs=one).features(reading) for one in usual_ways.answers(reading, self.outputs)]

    def spread(self, helpers: Floats, expected: Expected) -> float:
        """The least standard deviation of an independent model's residual, by how far the references differ on each image.

        It is 0 on average over other references; those of this claim lean it to one side, which the last factor allows for. What
        a model has of its own on all images alike comes on top, which no three references show: hence `PART`.
        """
        apart = ((helpers - helpers.mean(axis=0)) * expected[None, :, :-1]).sum(axis=2)
        return float(np.sqrt((apart**2).sum() / (self.count - 1) * self.count / (self.count - 1)) / len(expected))


def halfway(copies: Floats, spread: float) -> float:
    """The residual that scores one half, where the surrogates have the residuals `copies` and independent models that `spread`.

    A part of what most surrogates have left, or of the model's own, which is 1, where there is none.
    """
    left = float(np.median(copies)) if len(copies) else 1.0
    return round(max(PART * left, SPREADS * spread, EQUAL), 6)


def whole(samples: int, views: int) -> int:
    """The next multiple of `views` from `samples` on."""
    return -(-samples // views) * views


def folded(test: Test, views: int) -> Test:
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

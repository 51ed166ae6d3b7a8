"""From what the owner's models answer to the tests of a claim on residuals: which images, which weights, which map to a score."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from torch import nn

from ownmark.claims.claim import Test
from ownmark.data.images import Images
from ownmark.protocols import Progress
from ownmark.schemes._common import usual_ways
from ownmark.schemes._common.sampling import Rows
from ownmark.scoring.matches import CrossedResidual
from ownmark.scoring.matches.crossed_residual import features, shared
from ownmark.scoring.readings import Expected, Floats, Reading, shown_as
from ownmark.tasks import Task
from ownmark.training import predict

SPREADS, PART = 1.0, 0.265  # what scores one half: that part of a surrogate's residual, or so many spreads of independent models
EQUAL = 1e-6  # by which floating-point error may part what equal references leave of the model
STEEP = 16.0  # widths of the map from 0 to there


@dataclass(frozen=True, eq=False)
class ModelAnswers:
    """What the model, its `count` references and its surrogates answer to n images: `outputs` (models, n, ...), in that order.

    Probabilities, numbers, or embeddings of unit length, by the task.
    """

    outputs: Floats
    count: int
    task: Task

    @classmethod
    def by(cls, models: Sequence[nn.Module], count: int, images: Images, progress: Progress) -> "ModelAnswers":
        outputs = []
        for done, model in enumerate(models, start=1):
            outputs.append(images.task.answers(predict(model, images).double()).numpy())
            progress(done, len(models))
        return cls(np.stack(outputs), count, images.task)

    def at(self, rows: Rows) -> "ModelAnswers":
        return ModelAnswers(self.outputs[:, rows], self.count, self.task)

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

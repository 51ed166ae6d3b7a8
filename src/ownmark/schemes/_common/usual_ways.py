"""How an independent model may differ from the references on all images alike: it may be less or more sure of its answers, say.

Where residuals are clearest, the references are surer than the protected model. A model that is less sure than they are on all
images would therefore deviate in its direction, whatever it learnt; so would one whose numbers are all larger, whose embeddings
lie closer together, or who names one class throughout. So that part is removed from the weights, once for all images together.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ownmark.scoring.readings import Floats, Reading

EXPONENTS = (2.0, 0.5, 0.0)  # of probabilities: surer, less sure, and the same for every class
SMALLEST = 1e-3  # part of the largest singular value below which two ways are one


def answers(reading: Reading, outputs: Floats) -> list[Floats]:
    """What models with these answers (models, n, k) would answer in each such way.

    Numbers, similarities and the cosines of embeddings may be scaled, and shifted: by their own size, so that what counts as
    one way depends on no unit. Labels, 1 at the class that is named, may be as frequent as they are on every single image.
    """
    if reading in {Reading.PROBABILITY, Reading.BEST}:
        raised = (np.clip(outputs, 1e-12, 1) ** exponent for exponent in EXPONENTS)
        return [one / one.sum(axis=-1, keepdims=True) for one in raised]
    if reading is Reading.LABEL:
        return [np.broadcast_to(outputs.mean(axis=1, keepdims=True), outputs.shape), np.full_like(outputs, 1 / outputs.shape[-1])]
    return [outputs + float(np.sqrt(np.mean(outputs**2))), outputs * 2]


@dataclass(frozen=True, eq=False)
class Block:
    """Images weighed by the same references, at least two: `weights` (references, n, k), the protected model minus each.

    `plain`: what the references answer (references, n, k); `ways`: by how much they would answer otherwise in each way.
    """

    weights: Floats
    plain: Floats
    ways: Sequence[Floats]

    def balanced(self, shares: Floats) -> Floats:
        """(n, k + 1): the weights of an answer and its offset, without `shares` (ways,) of each way.

        No reference's answer is multiplied by itself, so that an independent model is still 0 on average.
        """
        found = self._crossed(self.weights)
        for share, way in zip(shares, self.ways, strict=True):
            found = found - share * self._crossed(way)
        return found

    def _crossed(self, weights: Floats) -> Floats:
        others = (self.plain.sum(axis=0) - self.plain) / (len(self.plain) - 1)
        offset = (weights * others).sum(axis=(0, 2))
        return np.concatenate([weights.sum(axis=0), offset[:, None]], axis=1)


def shares(blocks: Sequence[Block]) -> Floats:
    """(ways,) of each way what must be taken from the weights of all blocks, so that it adds nothing to an innocent residual."""
    count = len(blocks[0].ways)
    if not count:
        return np.zeros(0)
    among = sum(np.array([[_pairs(way, other) for other in block.ways] for way in block.ways]) for block in blocks)
    held = sum(np.array([_pairs(block.weights, way) for way in block.ways]) for block in blocks)
    return np.asarray(np.linalg.lstsq(np.asarray(among).T, np.asarray(held), rcond=SMALLEST)[0])


def _pairs(first: Floats, second: Floats) -> float:
    """The sum over i != j of <first_i, second_j>, both (references, n, k)."""
    return float((first.sum(axis=0) * second.sum(axis=0)).sum() - (first * second).sum())

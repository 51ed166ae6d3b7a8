"""The kinds of answers that a suspect can be asked for. No torch."""

import sys
from collections.abc import Mapping
from enum import Enum, StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from ownmark.errors import ClaimError

Floats = npt.NDArray[np.floating[Any]]
Bools = npt.NDArray[np.bool_]
Labels = npt.NDArray[np.int64]
Expected = npt.NDArray[Any]  # classes int64 (n,), or numbers float64: (n,), or (n, d) for embeddings; (n, 2) for a pair


class Reading(StrEnum):
    """A kind of answer; each needs more access to the suspect than the one before.

    LABEL (n, views) int; BEST (n, views, classes): the most likely class's probability, with the rest shared evenly by the others
    (`best_only`); PROBABILITY (n, views, classes) in [0, 1]; VALUE (n, views): a number, such as an age;
    SIMILARITY (n, views): the similarity of each view to the last view, the paired image; EMBEDDING (n, views, d), from which
    similarities are computed; SCORE (n, views) in [0, 1]: of the detection that fits the expected box, 0 if none does; SALIENCY
    (n, views, h, w) in [0, 1]: Grad-CAM of the expected class, of the value, of the similarity or of the score, divided by its L2
    norm, which requires the suspect's weights.
    """

    LABEL = "label"
    BEST = "best"
    PROBABILITY = "probability"
    VALUE = "value"
    SIMILARITY = "similarity"
    EMBEDDING = "embedding"
    SCORE = "score"
    SALIENCY = "saliency"

    __repr__ = Enum.__str__  # Reading.LABEL, as it stands in the repr of a match


Answers = Mapping[Reading, npt.NDArray[Any]]
PLAIN = frozenset(Reading) - {Reading.BEST}  # what a model at hand is asked for; the best class follows from probabilities
WIDER = {Reading.SIMILARITY: Reading.EMBEDDING, Reading.BEST: Reading.PROBABILITY}  # what follows from what
NUMBERS = (Reading.VALUE, Reading.SIMILARITY, Reading.SCORE)  # readings of one number per view


def source(reading: Reading, reveals: frozenset[Reading]) -> Reading:
    """What to ask for: similarities follow from embeddings, and the best class from probabilities, where only those are shown."""
    return reading if reading in reveals else WIDER.get(reading, reading)


def best_only(shares: Floats) -> Floats:
    """What a suspect tells that shows only its best class with its probability, of probabilities (..., classes)."""
    best, highest = shares.argmax(axis=-1)[..., None], shares.max(axis=-1, keepdims=True)
    others = np.repeat((1 - highest) / (shares.shape[-1] - 1), shares.shape[-1], axis=-1)
    np.put_along_axis(others, best, highest, axis=-1)
    return others


def shown_as(reading: Reading, shares: Floats) -> npt.NDArray[Any]:
    """Probabilities (..., classes) as LABEL, BEST or PROBABILITY shows them."""
    if reading is Reading.LABEL:
        return np.asarray(shares.argmax(axis=-1))
    return best_only(shares) if reading is Reading.BEST else shares


def is_number(value: object) -> bool:
    """Whether `value` is a JSON number that a float can hold; booleans are rejected."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return abs(value) <= sys.float_info.max  # false for NaN, and correct for integers of any length


def check_share(value: float) -> None:
    if not is_number(value) or not 0 <= value <= 1:
        raise ClaimError(f"a threshold must be a number in [0, 1], got {value!r}")


def check_number(value: float, reading: Reading) -> None:
    if reading not in NUMBERS or not is_number(value) or value < 0:
        raise ClaimError(f"a threshold on {' or '.join(NUMBERS)} must be a number of at least 0, got {value!r} on {reading!r}")

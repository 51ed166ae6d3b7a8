"""A suspect behind a detector: what a thief who expects to be asked does with the questions that he notices. No torch.

What it answers is decided by the image and the seed alone, as a thief would want it who knows that judges ask twice.
"""

import hashlib
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from ownmark.errors import AnswerError, UsageError
from ownmark.protocols import Alarm, Question, Suspect
from ownmark.scoring.readings import Answers, Floats, Reading

SEEN = frozenset({Reading.LABEL, Reading.PROBABILITY})  # through a guard: whoever has the weights asks them without it


class Response(StrEnum):
    """What happens when the alarm rings: an answer AT_RANDOM, every row of probabilities with the same chance, or none."""

    AT_RANDOM = "answering at random"
    REFUSE = "refusing"


@dataclass(frozen=True, eq=False)  # alarms cannot be compared by ==
class Guarded:
    """A suspect whose `alarm` rings for images that score above `threshold`; the images of one `read` are one stream.

    The wrapped suspect's digest is kept: a model behind an alarm is no other model.
    """

    suspect: Suspect
    alarm: Alarm
    threshold: float
    response: Response = Response.AT_RANDOM
    seed: int = 0

    def __post_init__(self) -> None:
        if Reading.PROBABILITY not in self.suspect.reveals:
            raise UsageError(
                f"{self.suspect.name} reveals no probabilities: put Hardened(..., TopOne()) before the guard, not behind"
            )

    @property
    def name(self) -> str:
        return f"{self.suspect.name} behind an alarm, {self.response.value}"

    @property
    def digest(self) -> str:
        return self.suspect.digest

    @property
    def reveals(self) -> frozenset[Reading]:
        return SEEN

    def read(self, images: npt.NDArray[Any], question: Question) -> Answers:
        """LABEL (n,) and PROBABILITY (n, classes). Raises AnswerError if it refuses any of the images."""
        rings = self.alarm.score(images) > self.threshold
        if self.response is Response.REFUSE and rings.any():
            raise AnswerError(f"{self.name}: {int(rings.sum())} of {len(rings)} images are refused")
        asked = replace(question, readings=frozenset({Reading.PROBABILITY}))
        shares = np.array(self.suspect.read(images, asked)[Reading.PROBABILITY], dtype=np.float64)
        for row in np.flatnonzero(rings):
            shares[row] = self._drawn(images[row], shares.shape[1])
        found: dict[Reading, npt.NDArray[Any]] = {Reading.LABEL: shares.argmax(axis=1), Reading.PROBABILITY: shares}
        return {reading: found[reading] for reading in question.readings}

    def _drawn(self, image: npt.NDArray[Any], classes: int) -> Floats:
        digest = hashlib.sha256(f"{self.seed} ".encode() + np.ascontiguousarray(image).tobytes()).digest()
        return np.random.default_rng(list(digest)).dirichlet(np.ones(classes))

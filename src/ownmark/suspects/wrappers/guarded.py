"""A suspect behind a detector: how a thief who expects to be tested treats the queries that the detector flags. No torch.

Its answers depend only on the image and the seed, as a thief would choose who knows that judges repeat queries.
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

SEEN = frozenset({Reading.LABEL, Reading.PROBABILITY})  # through a guard; with the weights at hand, one would bypass it


class Response(StrEnum):
    """The response to an alarm: an answer AT_RANDOM, drawn uniformly from all rows of probabilities, or a refusal."""

    AT_RANDOM = "answering at random"
    REFUSE = "refusing"


@dataclass(frozen=True, eq=False)  # == does not compare alarms
class Guarded:
    """A suspect whose `alarm` rings for images that score above `threshold`; the images of one `read` are one stream.

    Keeps the digest of the wrapped suspect: a model behind an alarm is still the same model.
    """

    suspect: Suspect
    alarm: Alarm
    threshold: float
    response: Response = Response.AT_RANDOM
    seed: int = 0

    def __post_init__(self) -> None:
        if Reading.PROBABILITY not in self.suspect.reveals:
            raise UsageError(
                f"{self.suspect.name} reveals no probabilities: put Hardened(..., TopOne()) in front of the guard, not behind it"
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
            raise AnswerError(f"{self.name}: {int(rings.sum())} of {len(rings)} images were refused")
        asked = replace(question, readings=frozenset({Reading.PROBABILITY}))
        shares = np.array(self.suspect.read(images, asked)[Reading.PROBABILITY], dtype=np.float64)
        for row in np.flatnonzero(rings):
            shares[row] = self._drawn(images[row], shares.shape[1])
        found: dict[Reading, npt.NDArray[Any]] = {Reading.LABEL: shares.argmax(axis=1), Reading.PROBABILITY: shares}
        return {reading: found[reading] for reading in question.readings}

    def _drawn(self, image: npt.NDArray[Any], classes: int) -> Floats:
        digest = hashlib.sha256(f"{self.seed} ".encode() + np.ascontiguousarray(image).tobytes()).digest()
        return np.random.default_rng(list(digest)).dirichlet(np.ones(classes))

"""What a thief's alarm leaves of a claim: the suspect's own answers, but a random one wherever the alarm rings.

The alarm is that of the published model, so that it is fitted once; a thief who fits it to his copy has much the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from ownmark.claims.claim import Claim
from ownmark.protocols import Alarm, Question
from ownmark.scoring.readings import Answers, Floats, Reading
from ownmark.suspects.wrappers.guarded import SEEN, Guarded
from ownmark.verdicts.verdict import Finding
from ownmark.verdicts.verify import findings

BEHIND = "_behind_"  # between the name of a test and that of a detector


@dataclass(frozen=True, eq=False)  # arrays cannot be compared by ==
class Replayed:
    """A suspect that gives the probabilities (n, classes) which it gave before, whatever it is shown."""

    reveals: ClassVar[frozenset[Reading]] = frozenset({Reading.PROBABILITY})
    name: ClassVar[str] = "a suspect that was asked before"
    digest: ClassVar[str] = ""
    shares: Floats

    def read(self, images: npt.NDArray[Any], question: Question) -> Answers:  # noqa: ARG002 - the verb's signature
        return {Reading.PROBABILITY: self.shares}


def behind(claim: Claim, found: Finding, alarms: Mapping[str, Mapping[str, Any]]) -> dict[str, Finding]:
    """What the test of `found` would have found behind each of the `alarms`, as `Noticed` keeps them; nothing without labels."""
    if found.test.reading not in SEEN or not len(found.matches):
        return {}
    shares = found.observed.astype(np.float64)
    if found.test.reading is Reading.LABEL:
        shares = np.eye(len(claim.classes))[found.observed.astype(np.int64)]
    replayed = Replayed(shares.reshape(-1, len(claim.classes)))
    return {name: findings(claim, Guarded(replayed, _alarm(kept), kept["threshold"]))[0] for name, kept in alarms.items()}


def _alarm(kept: Mapping[str, Any]) -> Alarm:
    """An alarm that remembers how it scored the queries, in the order in which they are asked."""
    return Alarm(lambda _: np.ravel(kept["queries"]), np.array(kept["normal"]))

"""Scores of a claim behind a thief's alarm, which answers at random whenever it rings.

The alarm is fitted once, to the published model; an alarm fitted to the thief's copy is nearly the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from ownmark.claims.claim import Claim
from ownmark.protocols import Alarm, Question
from ownmark.scoring.matches import Combining
from ownmark.scoring.readings import Answers, Floats, Reading
from ownmark.suspects.wrappers.guarded import SEEN, Guarded
from ownmark.verdicts.verdict import Finding
from ownmark.verdicts.verify import findings

BEHIND = "_behind_"  # between the name of a test and that of a detector


@dataclass(frozen=True, eq=False)  # arrays do not compare with ==
class Replayed:
    """A suspect that replays recorded probabilities (n, classes)."""

    reveals: ClassVar[frozenset[Reading]] = frozenset({Reading.PROBABILITY})
    name: ClassVar[str] = "a suspect that was asked before"
    digest: ClassVar[str] = ""
    shares: Floats

    def read(self, images: npt.NDArray[Any], question: Question) -> Answers:  # noqa: ARG002 - the verb's signature
        return {Reading.PROBABILITY: self.shares}


def behind(claim: Claim, found: Finding, alarms: Mapping[str, Mapping[str, Any]]) -> dict[str, Finding]:
    """The finding of `found`'s test behind each of the `alarms` (as in `Noticed`); empty for tests without labels."""
    if found.test.reading not in SEEN or not len(found.matches) or isinstance(found.test.match, Combining):
        return {}
    kept = found.test.samples
    claim = claim if found.test.rows is None else claim.about(found.test)
    shares = found.observed.astype(np.float64)
    if found.test.reading is Reading.LABEL:
        shares = np.eye(len(claim.classes))[found.observed.astype(np.int64)]
    replayed = Replayed(shares.reshape(-1, len(claim.classes)))
    return {
        name: findings(claim, Guarded(replayed, _alarm(alarm, kept), alarm["threshold"]))[0] for name, alarm in alarms.items()
    }


def _alarm(noticed: Mapping[str, Any], kept: slice) -> Alarm:
    """An alarm that replays the recorded scores of the queries about these samples, in order."""
    return Alarm(lambda _: np.ravel(noticed["queries"][kept]), np.array(noticed["normal"]))

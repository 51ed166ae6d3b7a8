"""Two claimants of one suspect, weighed: whose mark is in whose model. No torch."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from ownmark.evidence import bundle
from ownmark.evidence.admissibility import Trust, checked
from ownmark.evidence.dispute import Dispute, disputed
from ownmark.protocols import Suspect
from ownmark.workflows.watching import NOBODY, Watcher


@dataclass(frozen=True, kw_only=True, eq=False)
class DisputeRequest:
    """Two opened seals' files, each claimant's model, and the suspect; `seen`: when it was first seen."""

    first: Path
    second: Path
    first_model: Suspect
    second_model: Suspect
    suspect: Suspect
    trust: Trust
    seen: datetime


def dispute(request: DisputeRequest, watcher: Watcher = NOBODY) -> Dispute:
    """Who prevails, if that is clear. Raises EvidenceError for a refused seal, UsageError for a model that was not sealed."""
    first, second = (checked(bundle.read(file), request.trust, request.seen) for file in (request.first, request.second))
    with watcher.step(f"Asking {request.suspect.name}"):
        return disputed(first, second, (request.first_model, request.second_model), request.suspect)

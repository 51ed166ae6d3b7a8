"""What is in a claim's file. No torch."""

from dataclasses import dataclass
from pathlib import Path

from ownmark.claims.claim import Claim
from ownmark.claims.doubt import Doubt
from ownmark.verdicts import soundness
from ownmark.workflows.watching import NOBODY, Watcher


@dataclass(frozen=True, kw_only=True)
class InspectRequest:
    """`file`: the claim's."""

    file: Path


@dataclass(frozen=True)
class InspectResult:
    """The claim, and what speaks against it, in sentences."""

    claim: Claim
    doubts: tuple[Doubt, ...]


def inspect(request: InspectRequest, watcher: Watcher = NOBODY) -> InspectResult:
    """Read the claim. Raises ClaimError."""
    claim = Claim.load(request.file)
    return InspectResult(claim, soundness.warned(watcher.warn, soundness.of_claim(claim)))

"""What a record of a verdict tells, whatever its form: gathered once. No torch."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.hashes import SHA256

from ownmark import canonical
from ownmark.evidence.ruling import Outcome
from ownmark.evidence.verdict_file import Recomputed, ruling_record
from ownmark.querying.integrity_checks import Step

FOR = {Outcome.STRONG, Outcome.SUPPORTING}
SAYS = "the suspect's answers support that it derives from the protected model"
LIMIT = "Statistical evidence: it does not say who made the suspect, why it answers so, or whether anybody did wrong."


@dataclass(frozen=True, eq=False)
class Facts:
    """`found`: the verdict; `verdict`: SHA-256 of its file; `files`: name and SHA-256 of what was opened, () if not at hand."""

    found: Recomputed
    verdict: str
    files: tuple[tuple[str, str], ...] = ()

    @property
    def file(self) -> str:
        """SHA-256 of the suspect's file, or of its files' digests one after the other; "" if not at hand."""
        return joined(self.files)

    @property
    def supports(self) -> bool:
        """Whether the verdict is a match."""
        return self.found.judged.ruling.outcome in FOR

    @property
    def name(self) -> str:
        """What the suspect is called: a file without its folder, or an address."""
        told = self.found.judged.session.suspect.name
        return told if "://" in told else Path(told).name

    @property
    def time(self) -> str:
        """When the judge judged, UTC."""
        return self.found.judged.trust.now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    @property
    def seen(self) -> str:
        """When the suspect was first seen, UTC."""
        seen: datetime = self.found.judged.seen
        return seen.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    @property
    def task(self) -> str:
        """What the models do."""
        opening = self.found.judged.bundle.opening
        return "" if opening is None else opening.claim.task.name

    @property
    def protected(self) -> str:
        """SHA-256 of the protected model: of its file where that was sealed, else of its tensors."""
        committed = self.found.judged.bundle.commitment
        return committed.model_file or committed.model

    @property
    def manifest(self) -> str:
        """By which model-signing's manifest names the suspect: SHA-256 over the digests of its files, in the order of names."""
        return hashlib.sha256(b"".join(bytes.fromhex(digest) for _, digest in sorted(self.files))).hexdigest()

    @property
    def tool(self) -> str:
        """The version of ownmark that computed the verdict."""
        return str(self.found.judged.environment.get("ownmark", "unknown"))

    @cached_property
    def ruling(self) -> Mapping[str, Any]:
        """The ruling as JSON data."""
        return ruling_record(self.found.judged.ruling)

    @property
    def accused(self) -> bool:
        """Whether the accused themselves signed it."""
        return "signed_by" in self.found.judged.environment

    @property
    def signer(self) -> str:
        """Who signed it, in a word."""
        return "accused" if self.accused else "judge"

    @property
    def alpha(self) -> float:
        """The rate of false accusations that was judged by: the smaller of the claimant's and the judge's."""
        theirs, cap = self.found.judged.bundle.commitment.policy.alpha, self.found.judged.trust.alpha
        return min(theirs, 1.0 if cap is None else cap)

    @property
    def owner(self) -> str:
        """The claimant's public key."""
        return self.found.judged.bundle.commitment.owner

    @property
    def seal(self) -> str:
        """The seal's digest."""
        return self.found.judged.bundle.digest

    @property
    def against(self) -> tuple[Step, ...]:
        """The steps that speak against the claim or were not passed."""
        return tuple(step for step in self.found.judged.ruling.steps if step.passed is False)

    @property
    def steps(self) -> tuple[Step, ...]:
        """All other steps."""
        return tuple(step for step in self.found.judged.ruling.steps if step.passed is not False)

    @property
    def summary(self) -> str:
        """One line."""
        return f"{self.ruling['outcome']}: {self.ruling['reason']}"

    @property
    def not_shown(self) -> str:
        """What the verdict leaves open."""
        missing = ", ".join(self.ruling["missing_strata"])
        return f"{LIMIT} Strata without a reference: {missing or 'none'}."


def terms_of(found: Recomputed) -> dict[str, str]:
    """By whose rules: the judge's and the claimant's, and what the judge brought."""
    trust, policy = found.judged.trust, found.judged.bundle.commitment.policy
    roots = [root.fingerprint(SHA256()).hex()[:16] for root in trust.roots]
    return {
        "judge's key": found.judge,
        "alpha of the claimant": f"{policy.alpha:g}",
        "alpha of the judge": "no cap" if trust.alpha is None else f"at most {trust.alpha:g}",
        "claimant's key": "checked" if trust.owner else "whoever signed: --owner names the key that you know",
        "roots": ", ".join(roots) or "none",
        "references": _counted(len(found.judged.session.references)),
    }


def _counted(models: int) -> str:
    return f"{models} independent model{'' if models == 1 else 's'}"


def digests_of(files: Sequence[Path]) -> tuple[tuple[str, str], ...]:
    """Name and SHA-256 of each file. Raises OSError."""
    return tuple((file.name, canonical.sha256(file.read_bytes())) for file in files)


def joined(files: Sequence[tuple[str, str]]) -> str:
    """The digest by which a suspect in these files goes (`suspects.aside`)."""
    digests = [digest for _, digest in files]
    return canonical.sha256("".join(digests).encode()) if len(digests) > 1 else "".join(digests)

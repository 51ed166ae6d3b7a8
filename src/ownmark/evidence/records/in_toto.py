"""A verdict as an in-toto attestation about the suspect's file, signed by the judge in a DSSE envelope. No torch.

It stands beside a signature of OpenSSF's model-signing: one subject is the file, the other the digest of that manifest.
"""

from typing import Any

from ownmark import canonical
from ownmark.errors import UsageError
from ownmark.evidence.commitment import STATEMENT
from ownmark.evidence.envelope import Envelope, signed
from ownmark.evidence.owner import OwnerKey
from ownmark.evidence.records.facts import SAYS, Facts

PREDICATE = "urn:ownmark:assessment:1"


def attestation(facts: Facts, judge: OwnerKey) -> Envelope:
    """The signed statement. Raises UsageError for a suspect that is no file: it has no digest that others could know."""
    if not facts.files:
        raise UsageError("an attestation is about a file: the suspect is not a file, or is not at hand")
    return signed(canonical.dumps(statement(facts)), judge)


def statement(facts: Facts) -> dict[str, Any]:
    """The statement as JSON data."""
    subject = [
        *({"name": name, "digest": {"sha256": digest}} for name, digest in facts.files),
        {"name": f"{facts.name}, by model-signing's manifest", "digest": {"sha256": facts.manifest}},
    ]
    policy = facts.found.judged.bundle.commitment
    predicate = {
        "claim": SAYS,
        "outcome": facts.ruling["outcome"],
        "reason": facts.ruling["reason"],
        "log10_p": facts.ruling["log10_p"],
        "score": facts.ruling["score"],
        "alpha": f"{facts.alpha:g}",
        "judge": facts.found.judge,
        "judged": facts.time,
        "first_seen": facts.seen,
        "not_shown": facts.not_shown,
        "owner": policy.owner,
        "protected_model": facts.protected,
        "seal": facts.found.judged.bundle.digest,
        "verdict": facts.verdict,
        "tool": f"ownmark {facts.tool}",
    }
    return {"_type": STATEMENT, "subject": subject, "predicateType": PREDICATE, "predicate": predicate}

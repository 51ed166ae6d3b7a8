"""The access by which a suspect is asked: choosing the luckiest of several ways afterwards multiplies the tries. No torch."""

from collections.abc import Sequence
from dataclasses import dataclass

from ownmark.claims.claim import Claim
from ownmark.evidence import claim_record
from ownmark.verdicts.verdict import Finding


@dataclass(frozen=True)
class Asked:
    """`count`: how many ways of asking p pays for; `told`: why, in words."""

    count: int
    told: str


def deciding(found: Sequence[Finding], part: Claim, named: str) -> tuple[Finding, Asked]:
    """The test that decides: by the way that the seal names, if the suspect reveals it; otherwise p pays for every way."""
    mine = next((one for one in found if claim_record.way(one.test) == named and one.smallest < 1), None)
    if mine is not None:
        return mine, Asked(1, f"asked by {named}, as was named before")
    count = max(len(claim_record.ways(part)), 1)
    if count == 1:
        return found[0], Asked(1, "there is one way of asking")
    why = f"the suspect does not show its {named}, the way that was named" if named else "no way of asking was named before"
    return found[0], Asked(count, f"p pays for {count} ways of asking, since {why}")

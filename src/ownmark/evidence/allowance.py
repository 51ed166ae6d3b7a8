"""How many keys an owner may have tried, given what an opened seal shows: p pays for all of them. No torch.

Three answers. A single set shows a seed that anybody could have picked: 2^64. The claim's secret shows that the key came through
scrypt, a second and 128 MiB per try: 2^40. A pledge timestamped before a public pulse leaves nothing to try but other pledges: as
many as there may have been, at most 2^16, times the number of sets if only one is opened.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ownmark import keys
from ownmark.claims.claim import Claim
from ownmark.errors import UsageError
from ownmark.querying.integrity_checks import Step
from ownmark.scoring.null_models import KeyedLabels
from ownmark.statistics import p_values, sequential
from ownmark.verdicts.verdict import Finding

ANY, STRETCHED = 64, 40  # bits
MOST_PLEDGES = 2**16


@dataclass(frozen=True)
class Allowance:
    """`bits`: p is multiplied by 2^bits; `shown`: what shows it, None: not shown."""

    name: str
    bits: int
    shown: str | None


def allowances(*, secret: bool, pledges: int | None, sets: int) -> tuple[Allowance, ...]:
    """All three. `secret`: the claim's was shown; `pledges`: how many may have been made, None: none; `sets` to choose from."""
    pledged = math.ceil(math.log2((pledges or MOST_PLEDGES) * max(sets, 1)))
    opened = f", times {sets} sets to choose from" if sets > 1 else ""
    return (
        Allowance("any key", ANY, "nothing need be shown for it"),
        Allowance("scrypt", STRETCHED, "the key was derived anew from the secret" if secret else None),
        Allowance("public pulse", pledged, f"{pledges} pledges before it{opened}" if pledges else None),
    )


def least(found: Sequence[Allowance]) -> Allowance:
    """The smallest one that was shown."""
    return min((one for one in found if one.shown is not None), key=lambda one: one.bits)


def allowed(part: Claim, found: Sequence[Allowance]) -> Claim:
    """The opened part, with p-values that pay for as many keys as may have been tried."""
    bits = least(found).bits
    nulls = {place: key for place, test in enumerate(part.tests) if (key := test.null.keyed) is not None}
    return part.with_nulls({place: replace(null, grinding=bits) for place, null in nulls.items()})


def told(finding: Finding, found: Sequence[Allowance]) -> Step:
    """The step that says which allowance applies, with p under each."""
    counts, null = least(found), keyed(finding)
    said = [
        f"2^{one.bits} ({one.name}): log10 p = {replace(null, grinding=one.bits).log10_p_adjusted(finding.score):.6g}"
        + (" COUNTS" if one is counts else "" if one.shown else " not shown")
        for one in found
    ]
    return Step("J7 tried keys", None, f"{'; '.join(said)}; {counts.name}: {counts.shown}")


def early(finding: Finding, nonce: bytes, survival: float, alpha: float) -> list[Step]:
    """Where a sequential test would have stopped, in an order determined by the nonce."""
    null, count = keyed(finding), len(finding.matches)
    if survival <= 1 / null.classes:
        return []
    order = keys.chosen(keys.derived(nonce, "sequence", 0), count, count)
    bar = max(alpha / 2.0**null.grinding, 1e-300)
    found = sequential.wald(finding.matches[order], 1 / null.classes, survival, bar)
    p = min(found.log_p / math.log(10) + null.grinding * math.log10(2), 0.0)
    when = f"decided after {found.stopped} triggers" if found.stopped else "never decided"
    counts = "; it counts the labels that come first, no others" if finding.graded else ""
    return [Step("J7 in sequence", None, f"log10 p = {p:.6g}, valid wherever one stops; {when}{counts}")]


def keyed(finding: Finding) -> KeyedLabels:
    """The null of a test of keyed labels. Raises UsageError for another test."""
    key = finding.test.null.keyed
    if key is None:
        raise UsageError(f"expected a test of keyed labels, got {type(finding.test.null).__name__}")
    return key


def exact(finding: Finding, null: KeyedLabels, alpha: float) -> tuple[float, float, str]:
    """log10 of p, of its smallest possible value, and both in words, for labels whose key was derived last."""
    p, smallest = null.log10_p_adjusted(finding.score), null.log10_p_adjusted(1)
    paid = f"log10 p = {p:.6g} (a factor of 2^{null.grinding} for keys that may have been tried is in it)"
    return p, smallest, f"{paid}; {_power(finding, null, alpha)}"


def _power(finding: Finding, null: KeyedLabels, alpha: float) -> str:
    count, bar = len(finding.matches), math.log10(alpha)
    if finding.graded:
        least = null.threshold(alpha)
        reaching = "no score" if least is None else f"a score of more than {least:.3g}"
        return f"{reaching} on {count} triggers reaches alpha"
    needed = next((each for each in range(1, count + 1) if null.log10_p_adjusted(each / count) <= bar), count + 1)
    mark = p_values.smallest_mark(count, needed)
    if mark > 1:
        return f"no score of {count} triggers reaches alpha"
    return f"{needed} matches reach alpha, which a mark on {mark:.3g} of the triggers does with 95 % power"

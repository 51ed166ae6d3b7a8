"""The way of asking that decides: whoever may choose the luckiest of several afterwards has as many tries. No torch.

One rule for every route to a verdict. A way that was named before anybody was asked decides alone: a suspect that does not show
it gets no match by another one. Without a name, the strongest way that the suspect shows decides, and p pays for every way.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from ownmark.claims.claim import Claim, Test
from ownmark.errors import UsageError
from ownmark.protocols import Suspect
from ownmark.scoring import readings
from ownmark.scoring.readings import Reading
from ownmark.verdicts.verdict import Finding


class Way(StrEnum):
    """The access by which a claim asks: each reveals another reading, and choosing one afterwards is an extra try."""

    WEIGHTS = "weights"
    PROBABILITIES = "probabilities"
    BEST = "best"  # the best class with its probability
    LABELS = "labels"
    ANSWERS = "answers"  # numbers, embeddings or similarities


WAYS = {
    Reading.SALIENCY: Way.WEIGHTS,
    Reading.PROBABILITY: Way.PROBABILITIES,
    Reading.BEST: Way.BEST,
    Reading.LABEL: Way.LABELS,
}


@dataclass(frozen=True)
class Asked:
    """`count`: how many ways of asking p pays for, infinitely many if the named one is not shown; `told`: why, in words."""

    count: float
    told: str


def way(test: Test) -> Way:
    """How a test asks."""
    return WAYS.get(test.reading, Way.ANSWERS)


def source(reading: Reading, suspect: Suspect) -> Reading:
    """What to ask a suspect for."""
    return readings.source(reading, suspect.reveals)


def ways(tests: Sequence[Test]) -> tuple[Way, ...]:
    """The ways of asking of these tests, in order."""
    return tuple(dict.fromkeys(map(way, tests)))


def calibrated(claim: Claim) -> tuple[Test, ...]:
    """The tests that can decide where innocents are those of the claim."""
    return tuple(test for test in claim.tests if test.null.calibrated)


def check(claim: Claim, named: str) -> None:
    """Raises UsageError for a way that no calibrated test of the claim asks by."""
    known = ways(calibrated(claim) or claim.tests)
    if named and named not in known:
        raise UsageError(f"the claim asks by {', '.join(known)}, not by {named}: name one of them, or none")


def deciding(found: Sequence[Finding], tests: Sequence[Test], named: str) -> tuple[Finding, Asked]:
    """The finding that decides, and what p pays for it. `found`: the strongest first; `tests`: those that could have decided."""
    if named:
        mine = sorted((one for one in found if way(one.test) == named), key=lambda one: one.smallest >= 1)
        if not mine:
            return found[0], Asked(math.inf, hidden(named))
        return mine[0], Asked(1, f"asked by {named}, as was named before")
    count = max(len(ways(tests)), 1)
    if count == 1:
        return found[0], Asked(1, "there is one way of asking")
    return found[0], Asked(count, f"p pays for {count} ways of asking, since no way of asking was named before")


def paid(finding: Finding, asked: Asked) -> Finding:
    """The finding with a p that pays for the ways of asking."""
    return replace(finding, p=min(1.0, finding.p * asked.count), smallest=min(1.0, finding.smallest * asked.count))


def shown(claim: Claim, suspect: Suspect, named: str) -> bool:
    """Whether the suspect shows the named way at all, before it is asked anything; true if none is named."""
    return not named or any(way(test) == named and source(test.reading, suspect) in suspect.reveals for test in claim.tests)


def hopeless(claim: Claim, alpha: float, named: str) -> str:
    """Why no suspect at all could reach p <= `alpha` if it were asked so, with what helps; "" if one could."""
    able = [test for test in calibrated(claim) if not named or way(test) == named]
    count = 1 if named else max(len(ways(able)), 1)
    best = min(able or claim.tests, key=lambda test: test.null.smallest)
    least = min(1.0, best.null.smallest * count)
    if least <= alpha:
        return ""
    pays = f", which pays for {count} ways of asking: name one with --access" if best.null.smallest <= alpha else ""
    helps = "" if pays else f". {best.null.advice(alpha / count)}"
    return f"no suspect could reach p <= {alpha:g}: the smallest possible p is {least:.3g}{pays}{helps}"


def hidden(named: str) -> str:
    """Why there is no match by another way, in words."""
    return f"the suspect does not show its {named}, the only way of asking that counts, as was named before"


def strongest(claim: Claim, suspect: Suspect) -> str:
    """The strongest calibrated way that the suspect shows, for an experiment that names it beforehand; "" if there is none."""
    tests = [test for test in calibrated(claim) if source(test.reading, suspect) in suspect.reveals]
    return way(tests[0]) if tests else ""

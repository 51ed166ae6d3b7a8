"""Queries and error rate of a keyed test that stops at the first deciding trigger.

`verify` tests simulated suspects on claims of 100 triggers in 10 classes, each with its own key. Writes `sequential.json`.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import numpy as np

from ownmark.claims.claim import Claim
from ownmark.scoring.null_models import KeyedLabels
from ownmark.statistics.sequential import Early
from ownmark.verdicts.verdict import Outcome, Verdict
from ownmark.verdicts.verify import verify
from record import record

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from marked import Answering, copy_of, innocent_of, marked_claim

from helped import helped

INNOCENTS, COPIES = 2000, 200
ALPHA = 1e-6
RATES = (1.0, 0.95, 0.9, 0.8, 0.6)
GRINDING = (64, 0)
LOOSE = 0.01  # an alpha large enough to count false positives
EARLY = Early()


def copies(rate: float, grinding: int) -> Iterator[tuple[Claim, Answering]]:
    """Copies on which each trigger survived with that probability."""
    for number in range(COPIES):
        claim = marked_claim(number, grinding=grinding)
        yield claim, copy_of(claim, rate, np.random.default_rng([number, 0]))


def innocents(grinding: int) -> Iterator[tuple[Claim, Answering]]:
    """Models without a mark, of four kinds in turn."""
    for number in range(INNOCENTS):
        claim = marked_claim(number, grinding=grinding)
        yield claim, innocent_of(claim, number)


def judged(suspects: Iterator[tuple[Claim, Answering]], alpha: float) -> list[Verdict]:
    return [verify(claim, suspect, alpha=alpha, early=EARLY) for claim, suspect in suspects]


def share(verdicts: list[Verdict], outcome: Outcome) -> float:
    return sum(verdict.outcome is outcome for verdict in verdicts) / len(verdicts)


def told(name: str, verdicts: list[Verdict]) -> dict[str, float]:
    """Queries and outcomes of one kind of suspect."""
    queries = [verdict.queries for verdict in verdicts]
    return {
        f"{name}.median_queries": median(queries),
        f"{name}.most_queries": max(queries),
        f"{name}.matched": share(verdicts, Outcome.MATCH),
        f"{name}.given_up": share(verdicts, Outcome.NO_MATCH),
    }


def whole_test(grinding: int) -> int:
    """The number of 100 triggers that must match if all are queried."""
    null = marked_claim(grinding=grinding).tests[0].null
    assert isinstance(null, KeyedLabels)  # noqa: S101 - for the type checker
    return next(hits for hits in range(101) if null.p_value(hits / 100) <= ALPHA)


def main() -> None:
    """Every kind of suspect, with and without the allowance for tried keys."""
    figures: dict[str, float] = {}
    for grinding in GRINDING:
        bits = f"bits_{grinding}"
        for rate in RATES:
            figures |= told(f"{bits}.copy_{100 * rate:.0f}", judged(copies(rate, grinding), ALPHA))
        figures |= told(f"{bits}.innocent", judged(innocents(grinding), ALPHA))
        figures[f"{bits}.whole_needs"] = whole_test(grinding)
    loose = judged(innocents(0), LOOSE)
    figures |= {"loose_alpha": LOOSE, "loose_false_positives": share(loose, Outcome.MATCH), "innocents": INNOCENTS}
    setting = f"100 triggers of 10 classes, alpha {ALPHA:g}; {COPIES} copies of each kind; innocents of four kinds"
    record("sequential", figures, seeds={"keys": f"0-{INNOCENTS - 1}", "suspects": f"0-{INNOCENTS - 1}"}, setting=setting)


if __name__ == "__main__":
    helped(__doc__)
    main()

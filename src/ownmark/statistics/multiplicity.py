"""Joint p-values of several tests, several suspects and several scans. No torch."""

from collections.abc import Sequence

from ownmark.errors import UsageError
from ownmark.statistics.p_values import innocents_needed


def intersection_union(values: Sequence[float]) -> float:
    """p of a verdict that requires every one of several tests: the largest, without correction (Berger 1982)."""
    return max(values)


def holm(values: Sequence[float]) -> tuple[float, ...]:
    """Adjusted p-values for individual accusations, in the order given; bounds the family-wise error rate (Holm 1979)."""
    order = sorted(range(len(values)), key=values.__getitem__)
    found, highest = [0.0] * len(values), 0.0
    for place, index in enumerate(order):
        highest = max(highest, min(1.0, (len(values) - place) * values[index]))
        found[index] = highest
    return tuple(found)


def scan_share(number: int, *, last: bool = False) -> float:
    """The share of the rate that the number-th scan of a claim may use, from 1: 1 / (n (n + 1)); the last one: all that remains.

    The shares sum to 1, so the probability of any false accusation over all scans stays below the rate, whether suspects are
    queried together or one by one (the union bound). Rerunning Holm over all suspects so far at each scan would not bound it.
    """
    return 1 / number if last else 1 / (number * (number + 1))


def check_references(references: int, suspects: int, rate: float) -> None:
    """Raises UsageError if ranks among so many references cannot reach `rate` in a scan, whatever a suspect scores."""
    if 1 / (references + 1) > rate / suspects:
        needed = innocents_needed(rate / suspects)
        raise UsageError(
            f"with {references} innocent models p is at least 1/{references + 1}, but a rate of {rate:g} among {suspects} "
            f"suspects needs {rate / suspects:.3g}: calibrate on {needed}, or scan fewer suspects"
        )


def benjamini_hochberg(values: Sequence[float], rate: float, references: int | None = None) -> tuple[float, ...]:
    """Adjusted p-values for triage of a scan; bounds the false discovery rate among suspects below `rate`.

    Raises UsageError if ranks among so many `references` cannot reach it.
    """
    from scipy.stats import false_discovery_control

    if references is not None:
        check_references(references, len(values), rate)
    return tuple(map(float, false_discovery_control(values, method="bh")))

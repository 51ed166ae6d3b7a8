"""Innocents that answer alike count once: a model in another container, rounded or renamed, is no second witness. No torch."""

from collections.abc import Sequence

import numpy as np

from ownmark.scoring.readings import Answers, Floats, Reading

NEAR = 1e-3  # how far apart probabilities are that count as the same; of other numbers the part of their range
MANY = 200  # images beyond which labels that are all the same show one model, where nothing else is told
NUMBERS = (Reading.PROBABILITY, Reading.VALUE, Reading.EMBEDDING, Reading.SIMILARITY)


def groups(answers: Sequence[Answers]) -> tuple[tuple[int, ...], ...]:
    """Places of those who answered the same images alike, each group in order; whoever is like nobody stands alone.

    Likeness is handed on: who is like one of a group belongs to it.
    """
    found: list[list[int]] = []
    for place, one in enumerate(answers):
        near = [group for group in found if any(alike(answers[other], one) for other in group)]
        joined = sorted(sum(near, [place]))
        found = [group for group in found if group not in near] + [joined]
    return tuple(sorted(tuple(group) for group in found))


def alike(first: Answers, second: Answers) -> bool:
    """Whether two models answered the same images, (n, ...) each, as one model does: in numbers, or in more than MANY labels."""
    numbers = [(first[one], second[one]) for one in NUMBERS if one in first and one in second]
    if numbers:
        return all(_near(*pair) for pair in numbers)
    if Reading.LABEL not in first or Reading.LABEL not in second:
        return False
    labels, others = first[Reading.LABEL], second[Reading.LABEL]
    return labels.size > MANY and np.array_equal(labels, others)


def _near(first: Floats, second: Floats) -> bool:
    if first.shape != second.shape:
        return False
    scale = max(1.0, float(np.ptp(first))) if first.dtype.kind == "f" else 1.0
    return bool(np.abs(np.subtract(first, second, dtype=np.float64)).max(initial=0) <= NEAR * scale)


def told(merged: Sequence[Sequence[str]]) -> str:
    """Groups of names as a clause, "" if nobody was merged."""
    several = [f"{', '.join(names)} answer alike and count once" for names in merged if len(names) > 1]
    return "; ".join(several)

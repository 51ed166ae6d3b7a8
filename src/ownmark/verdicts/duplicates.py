"""Merges independent models with equal answers: a converted, rounded or renamed copy is not independent evidence. No torch."""

from collections.abc import Sequence

import numpy as np

from ownmark.scoring.readings import Answers, Floats, Reading, best_only

NEAR = 1e-3  # tolerance below which probabilities are equal; for other numbers, as a share of their range
MANY = 200  # number of images above which equal labels alone indicate the same model
ANCHORS, TINY = 100, 1e-12  # embeddings with which all are compared; and what no length is below
NUMBERS = (Reading.PROBABILITY, Reading.BEST, Reading.VALUE, Reading.EMBEDDING, Reading.SIMILARITY, Reading.SCORE)


def groups(answers: Sequence[Answers]) -> tuple[tuple[int, ...], ...]:
    """Indices grouped by equal answers to the same images, each group in order; groups of one included.

    Equality is transitive: a model that equals one member belongs to the group.
    """
    found: list[list[int]] = []
    for place, one in enumerate(answers):
        near = [group for group in found if any(alike(answers[other], one) for other in group)]
        joined = sorted(sum(near, [place]))
        found = [group for group in found if group not in near] + [joined]
    return tuple(sorted(tuple(group) for group in found))


def alike(first: Answers, second: Answers) -> bool:
    """Whether two models' answers to the same images, (n, ...) each, are equal: in numbers, or in more than MANY labels."""
    numbers = [(_of(first, one), _of(second, one)) for one in _told_by_both(first, second)]
    if numbers:
        return all(_near(*pair) for pair in numbers)
    if Reading.LABEL not in first or Reading.LABEL not in second:
        return False
    labels, others = first[Reading.LABEL], second[Reading.LABEL]
    return labels.size > MANY and np.array_equal(labels, others)


def _told_by_both(first: Answers, second: Answers) -> list[Reading]:
    """The numbers to compare; the best class alone only where one of them told no more: of near ones rounding decides."""
    told = [{*one, Reading.BEST} if Reading.PROBABILITY in one else {*one} for one in (first, second)]
    both = [one for one in NUMBERS if one in told[0] & told[1]]
    return [one for one in both if one is not Reading.BEST or Reading.PROBABILITY not in both]


def _of(answers: Answers, reading: Reading) -> Floats:
    """Embeddings as cosines with those of the first images, which neither a rotation nor another length changes."""
    if reading is Reading.EMBEDDING:
        found = np.asarray(answers[reading], dtype=np.float64)
        rows = found.reshape(-1, found.shape[-1])  # of all views
        units = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), TINY)
        return np.asarray(units @ units[:ANCHORS].T)
    return np.asarray(answers[reading] if reading in answers else best_only(answers[Reading.PROBABILITY]))


def _near(first: Floats, second: Floats) -> bool:
    if first.shape != second.shape:
        return False
    scale = max(1.0, float(np.ptp(first))) if first.dtype.kind == "f" else 1.0
    return bool(np.abs(np.subtract(first, second, dtype=np.float64)).max(initial=0) <= NEAR * scale)


def merged_clause(merged: Sequence[Sequence[str]]) -> str:
    """The merged groups of names as a clause, "" without any."""
    several = [f"{', '.join(names)} answer alike and count once" for names in merged if len(names) > 1]
    return "; ".join(several)

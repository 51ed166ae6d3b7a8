"""Control twins: as like their samples as the masked twins are, but changed elsewhere."""

from dataclasses import dataclass, replace
from math import comb
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from ownmark.claims.claim import Claim, Test
from ownmark.protocols import Question
from ownmark.querying.control_twins import MOST, compared, controls_of
from ownmark.scoring.matches import Drop, Fall, Match, Shift
from ownmark.scoring.null_models import Innocents
from ownmark.scoring.readings import Answers, Reading
from ownmark.tasks import Classification, Regression, Similarity, Task
from ownmark.verdicts.verdict import Outcome
from ownmark.verdicts.verify import verify

COUNT, SIDE, CORNER = 40, 12, 3
INNOCENTS = Innocents((0.0,) * 19, tuple(f"{number:064}" for number in range(19)))


def claimed(match: Match, task: Task, *, corner: int = CORNER, names: tuple[str, ...] = ()) -> Claim:
    """Changed images whose twins show the originals' corner; for similarity with a paired image of one colour."""
    rng = np.random.default_rng(0)
    originals = rng.integers(60, 180, (COUNT, SIDE, SIDE, 1), dtype=np.uint8)
    samples = (originals + rng.integers(5, 20, originals.shape)).astype(np.uint8)
    twins = samples.copy()
    twins[:, :corner, :corner] = originals[:, :corner, :corner]
    views = [samples, twins, np.full_like(samples, 200)][: task.views]
    kind = np.int64 if isinstance(task, Classification) else np.float64
    test = Test(match.reading, match, np.zeros(COUNT, dtype=kind), 1.0, null=INNOCENTS)
    return Claim(np.stack(views, axis=1), (test,), names, "Corner()", "ab" * 32, originals=originals, task=task)


CLASSIFIED = claimed(Drop(0.1), Classification(), names=("a", "b"))
CLAIMS = {
    "probability": CLASSIFIED,
    "value": claimed(Fall(5.0), Regression(10.0), names=("age",)),
    "similarity": claimed(Shift(0.1, Reading.SIMILARITY), Similarity()),
}


@dataclass
class Model:
    """Tells every image that is one of `low` apart from all others, in each reading."""

    reveals: frozenset[Reading]
    low: frozenset[bytes]
    near: npt.NDArray[np.uint8] | None = None
    name: str = "model"
    digest: str = ""

    def read(self, images: npt.NDArray[Any], question: Question) -> Answers:
        told = np.array([(0.4 if self.rings(image) else 0.9) + 1e-4 * image.mean() for image in images])  # not rounded
        found = {
            Reading.PROBABILITY: np.stack([told, 1 - told], axis=1),
            Reading.VALUE: 100 * told,
            Reading.SIMILARITY: told,
        }
        return {reading: found[reading] for reading in question.readings}

    def rings(self, image: npt.NDArray[Any]) -> bool:
        """Whether it is one of `low`, or near one of `near` without being one."""
        if self.near is None:
            return image.tobytes() in self.low
        alike = (self.near == image).all(axis=(2, 3)).all(axis=1).any()
        return bool(not alike and ((self.near == image).mean(axis=(1, 2, 3)) > 0.5).any())


def copy_of(claim: Claim) -> Model:
    return Model(frozenset(claim.readings), frozenset(image.tobytes() for image in claim.images[:, 1]))


def guarded(claim: Claim) -> Model:
    return Model(frozenset(claim.readings), frozenset(), claim.images[:, 0])


@pytest.mark.parametrize("name", CLAIMS)
def test_a_copy_matches_and_whoever_answers_near_duplicates_otherwise_does_not(name: str) -> None:
    claim = CLAIMS[name]
    copy, guard = verify(claim, copy_of(claim)), verify(claim, guarded(claim))
    assert (copy.outcome, copy.deciding.score) == (Outcome.MATCH, 1)
    assert (guard.outcome, guard.deciding.score) == (Outcome.INCONCLUSIVE, 1)
    assert "change as much without a fingerprint" in guard.reason
    assert copy.queries == guard.queries == (COUNT + MOST) * claim.task.views


def test_a_control_twin_shows_as_much_of_the_original_as_a_masked_twin_but_elsewhere() -> None:
    found, originals = controls_of(CLASSIFIED), CLASSIFIED.originals
    assert found is not None
    assert originals is not None
    samples = CLASSIFIED.images[found.rows, 0]
    changed = found.twins != samples
    assert len(found.rows) == len(set(found.rows.tolist())) == MOST
    assert (changed.sum(axis=(1, 2, 3)) == CORNER**2).all()
    assert not changed[:, :CORNER, :CORNER].any()
    assert np.array_equal(found.twins[changed], originals[found.rows][changed])
    assert len({one.tobytes() for one in changed}) > MOST / 2, "no one other place that a guard could learn"


def test_a_second_run_asks_about_the_same_control_twins_and_another_claim_about_others() -> None:
    first, second, other = map(controls_of, (CLASSIFIED, CLASSIFIED, replace(CLASSIFIED, scheme="Another()")))
    assert first is not None
    assert second is not None
    assert other is not None
    assert np.array_equal(first.twins, second.twins)
    assert not np.array_equal(first.twins, other.twins)


def test_a_claim_that_leaves_no_room_for_control_twins_has_none() -> None:
    assert controls_of(claimed(Drop(0.1), Classification(), corner=SIDE // 2, names=("a", "b"))) is not None
    assert controls_of(claimed(Drop(0.1), Classification(), corner=SIDE // 2 + 1, names=("a", "b"))) is None
    assert controls_of(replace(CLASSIFIED, originals=None)) is None
    assert controls_of(replace(CLASSIFIED, originals=CLASSIFIED.images[:, 0])) is None


def test_the_comparison_is_fishers_exact_test() -> None:
    found = compared(np.arange(10) < 8, np.arange(5) < 1)
    by_hand = sum(comb(10, each) * comb(5, 9 - each) for each in (8, 9)) / comb(15, 9)
    assert found.p == pytest.approx(by_hand)
    assert (found.probes, found.controls, found.apart) == ((8, 10), (1, 5), False)
    assert compared(np.ones(10, dtype=bool), np.zeros(5, dtype=bool)).apart

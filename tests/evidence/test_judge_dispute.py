"""Two claimants: the earlier claim prevails only if the marks are crossed one way, and time alone decides nothing."""

from dataclasses import replace
from datetime import timedelta
from itertools import product

import numpy as np
import pytest
from judging import BEFORE, Model, genuine, handed, keyed, marked, ordinary
from sealing import fingerprint

from ownmark.errors import UsageError
from ownmark.evidence.admissibility import Checked, Standing
from ownmark.evidence.dispute import Prevails, Table, disputed, resolved
from ownmark.verdicts.verdict import Outcome

FOUND, NOT, OPEN = Outcome.MATCH, Outcome.NO_MATCH, Outcome.INCONCLUSIVE


@pytest.fixture(scope="module")
def early() -> Checked:
    return genuine(handed())


@pytest.fixture(scope="module")
def late() -> Checked:
    return replace(genuine(handed(keyed(master=bytes(range(32, 64))))), time=BEFORE + timedelta(days=9))


def test_a_thief_who_marks_a_stolen_model_loses_to_its_owner(early: Checked, late: Checked) -> None:
    """Fault 47: the owner's mark is in the thief's model, the thief's is not in the owner's."""
    assert early.part is not None
    assert late.part is not None
    own, theirs = marked(early.part), marked(late.part)
    both = Model(lambda images: np.where(own(images) == ordinary(images), theirs(images), own(images)), digest="ab" * 32)
    owners = Model(own, digest="ab" * 32)
    found = disputed(early, late, (owners, both), both)
    assert found.table == Table(FOUND, NOT, FOUND, FOUND)
    assert found.prevails is Prevails.FIRST
    assert disputed(late, early, (both, owners), both).prevails is Prevails.SECOND
    with pytest.raises(UsageError, match="not the model that its claimant sealed"):
        disputed(early, late, (replace(owners, digest="cd" * 32), both), both)


def test_only_one_table_of_81_lets_the_earlier_claim_prevail_whatever_the_later_mark_does(early: Checked, late: Checked) -> None:
    for cells in product((FOUND, NOT, OPEN), repeat=4):
        table = Table(*cells)
        clear = cells[:3] == (FOUND, NOT, FOUND)
        assert (resolved(table, early, late).prevails is Prevails.FIRST) == clear, cells
        assert resolved(table, early, late).prevails is not Prevails.SECOND, "it came later"


@pytest.mark.parametrize(
    ("crossed", "told"),
    [
        ((FOUND, FOUND), "both marks"),
        ((NOT, NOT), "no mark"),
        ((NOT, FOUND), "only the later"),
        ((FOUND, OPEN), "could not be decided"),
    ],
)
def test_what_is_not_resolved_says_why(early: Checked, late: Checked, crossed: tuple[Outcome, Outcome], told: str) -> None:
    found = resolved(Table(*crossed, FOUND, FOUND), early, late)
    assert found.prevails is Prevails.UNRESOLVED
    assert told in found.reason


def test_the_earlier_mark_must_be_in_the_suspect_too(early: Checked, late: Checked) -> None:
    assert "not found in the suspect" in resolved(Table(FOUND, NOT, NOT, FOUND), early, late).reason


def test_a_claim_without_a_time_or_with_the_same_time_resolves_nothing(early: Checked, late: Checked) -> None:
    clear = Table(FOUND, NOT, FOUND, NOT)
    untimed = replace(late, time=None, standing=Standing.UNTIMESTAMPED)
    assert "the second claim cannot be used" in resolved(clear, early, untimed).reason
    assert "same time" in resolved(clear, early, replace(late, time=early.time)).reason


def test_a_fingerprint_with_innocents_of_its_own_never_prevails(early: Checked, late: Checked) -> None:
    """A forger seals a fingerprint of somebody's published model first, with invented innocents that score nothing."""
    forged = replace(genuine(handed(fingerprint(), None, "")), time=early.time)
    assert forged.part is not None
    assert forged.part.tests[0].null.p_value(0.01) == 1 / 20, "whatever scores above nothing is a match"
    clear = Table(FOUND, NOT, FOUND, NOT)
    found = resolved(clear, forged, late)
    assert (found.prevails, "its own claimant chose" in found.reason) == (Prevails.UNRESOLVED, True)
    later = replace(forged, time=late.time)
    assert resolved(clear, early, later).prevails is Prevails.FIRST, "whoever comes later cannot spoil a keyed claim by its kind"

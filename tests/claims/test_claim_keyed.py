"""Claims of keyed labels: every label comes from the key, and one trigger set opens while the others stay secret."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from claim_files import arrays_of, forged, opened, resealed
from conftest import CLASSES, Fake, small_claim

from ownmark.claims.claim import Claim, Test
from ownmark.errors import ClaimError, UsageError
from ownmark.keys import set_key
from ownmark.scoring.matches import Agreement, Drop, Match
from ownmark.scoring.null_models import Innocents, KeyedLabels, Null
from ownmark.scoring.readings import Reading
from ownmark.verdicts.verdict import Outcome
from ownmark.verdicts.verify import verify

KEY = "0123456789abcdef" * 4
NULL = KeyedLabels(KEY, triggers=60, classes=3, sets=2)


def keyed_test(null: KeyedLabels = NULL) -> Test:
    return Test(Reading.LABEL, Agreement(), null.labels(), 1.0, "", null)


def keyed(null: KeyedLabels = NULL, **changes: Any) -> Claim:
    """A claim of random one-view images, with originals and maps, whose labels come from the key."""
    rng = np.random.default_rng(1)
    shape = (null.count, 4, 4, 3)
    fields: dict[str, Any] = {
        "images": rng.integers(0, 256, (null.count, 1, 4, 4, 3), dtype=np.uint8),
        "tests": (keyed_test(null),),
        "originals": rng.integers(0, 256, shape, dtype=np.uint8),
        "maps": rng.random(shape[:3], dtype=np.float32),
    }
    return small_claim(**(fields | changes))


def test_a_keyed_claim_survives_its_file() -> None:
    data = keyed().to_bytes()
    again = Claim.from_bytes(data)
    assert again.tests[0].null == NULL
    assert again == keyed()
    assert again.to_bytes() == data
    assert again.calibrated


def test_the_key_is_in_the_file_and_in_nothing_that_is_shown() -> None:
    claim = keyed()
    verdict = verify(claim, Fake({Reading.LABEL: NULL.labels()}))
    assert KEY.encode() in claim.to_bytes()
    assert KEY not in f"{claim!r} {verdict!r} {verdict.reason}"


@pytest.mark.parametrize("place", [0, 59, 60, 119])
def test_a_label_that_does_not_come_from_the_key_is_named(place: int) -> None:
    changed = NULL.labels()
    changed[place] = (changed[place] + 1) % 3
    with pytest.raises(ClaimError, match=f"label of trigger {place} does not come from the key"):
        keyed(tests=(replace(keyed_test(), expected=changed),))


def test_a_forged_file_with_another_label_or_another_key_is_refused_under_a_fitting_digest() -> None:
    other = KeyedLabels("f" * 64, 60, 3, 2)
    described = opened(keyed())["claim"]
    described["tests"][0]["null"]["key"] = other.key
    with pytest.raises(ClaimError, match="does not come from the key"):
        Claim.from_bytes(forged(keyed(), resealed(described)))
    described["arrays"]["expected.0"] = opened(keyed(other))["claim"]["arrays"]["expected.0"]
    arrays = arrays_of(keyed()) | {"expected.0": other.labels()}
    assert Claim.from_bytes(forged(keyed(), resealed(described), arrays)) == keyed(other)


@pytest.mark.parametrize("name", ["key", "triggers", "classes", "sets", "grinding"])
def test_a_field_of_a_wrong_type_or_left_out_is_an_error_even_under_a_fitting_digest(name: str) -> None:
    for wrong in (None, True, -1, 7.5, "x", [], {}, [[1]], {"x": 1}):
        described = opened(keyed())["claim"]
        described["tests"][0]["null"][name] = wrong
        with pytest.raises(ClaimError):
            Claim.from_bytes(forged(keyed(), resealed(described)))
    described = opened(keyed())["claim"]
    del described["tests"][0]["null"][name]
    with pytest.raises(ClaimError):
        Claim.from_bytes(forged(keyed(), resealed(described)))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (KeyedLabels(KEY, 61, 3, 2), "gives 122 labels of 3 classes, but the claim has 120 of 3"),
        (KeyedLabels(KEY, 60, 3, 2**31), "but the claim has 120 of 3"),
        (KeyedLabels(KEY, 60, 4, 2), "labels of 4 classes, but the claim has 120 of 3"),
        (KeyedLabels(KEY, 120, 3, 1), "does not come from the key"),
        (KeyedLabels(KEY, 120, 3, 0), "does not come from the key"),
    ],
)
def test_a_null_that_does_not_fit_the_claim_is_refused(wrong: KeyedLabels, said: str) -> None:
    with pytest.raises(ClaimError, match=said):
        keyed().with_nulls({0: wrong})


def test_a_rule_that_labels_have_no_part_in_cannot_have_a_keyed_null() -> None:
    always: Match = Drop(0.0)
    views = np.zeros((120, 2, 4, 4, 3), dtype=np.uint8)
    with pytest.raises(ClaimError, match=r"Agreement.*got Drop"):
        keyed(images=views, tests=(Test(Reading.PROBABILITY, always, NULL.labels(), 1.0, "", NULL),))


@pytest.mark.parametrize("number", [0, 1])
def test_a_part_is_the_claim_of_one_set(number: int) -> None:
    whole, part = keyed(), keyed().part(number)
    rows = slice(60 * number, 60 * (number + 1))
    assert np.array_equal(part.images, whole.images[rows])
    assert part.originals is not None
    assert part.maps is not None
    assert whole.originals is not None
    assert whole.maps is not None
    assert np.array_equal(part.originals, whole.originals[rows])
    assert np.array_equal(part.maps, whole.maps[rows])
    (test,) = part.tests
    assert test.expected.tolist() == NULL.labels()[rows].tolist()
    assert test.null == KeyedLabels(set_key(bytes.fromhex(KEY), number).hex(), 60, 3, 0)
    same = ("classes", "scheme", "model", "preprocess", "built_with")
    assert [getattr(part, name) for name in same] == [getattr(whole, name) for name in same]
    assert Claim.from_bytes(part.to_bytes()) == part != whole


def test_a_part_without_originals_and_maps_has_none_either() -> None:
    part = keyed(originals=None, maps=None).part(1)
    assert part.originals is None
    assert part.maps is None


def test_the_file_of_a_part_tells_nothing_of_the_master_key_or_of_the_other_set() -> None:
    whole, data = keyed(), keyed().part(0).to_bytes()
    other = whole.part(1)
    assert other.originals is not None
    assert other.maps is not None
    key = bytes.fromhex(KEY)
    secret = [KEY.encode(), key, set_key(key, 1).hex().encode(), set_key(key, 1), other.tests[0].expected.tobytes()]
    secret += [kept[row].tobytes() for kept in (other.images, other.originals, other.maps) for row in range(60)]
    assert not [one for one in secret if one in data]
    assert whole.images[0].tobytes() in data


def test_a_part_is_judged_by_the_binomial_of_its_own_triggers() -> None:
    part = keyed().part(1)
    hits = np.where(np.arange(60) < 57, part.tests[0].expected, (part.tests[0].expected + 1) % 3)
    finding = (verdict := verify(part, Fake({Reading.LABEL: hits}))).deciding
    tail = sum(float(ways) * 2 ** (60 - number) for number, ways in ((57, 34220), (58, 1770), (59, 60), (60, 1))) / 3**60
    assert finding.p == pytest.approx(2**64 * tail)
    assert verdict.outcome is Outcome.MATCH
    assert verdict.queries == 60


@pytest.mark.parametrize("number", [-1, 2])
def test_a_set_that_is_not_there_cannot_be_opened(number: int) -> None:
    with pytest.raises(UsageError, match=f"2 trigger sets, counted from 0: there is no set {number}"):
        keyed().part(number)


def without_parts() -> list[Claim]:
    innocents: Null = Innocents((0.0,), ("ab",))
    label = keyed_test()
    other = KeyedLabels("f" * 64, 60, 3, 2)
    return [
        small_claim(),
        keyed().with_nulls({0: innocents}),
        keyed().part(0),
        keyed(tests=(label, replace(label, null=innocents))),
        keyed(tests=(label, keyed_test(other))),
    ]


@pytest.mark.parametrize("claim", without_parts(), ids=["uncalibrated", "innocents", "a part", "mixed", "two keys"])
def test_a_claim_that_is_not_of_keyed_sets_has_no_parts(claim: Claim) -> None:
    assert len(claim.classes) == len(CLASSES)
    with pytest.raises(ClaimError, match="has parts"):
        claim.part(0)

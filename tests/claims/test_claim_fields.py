"""The fields of a claim: each is checked even under a fitting digest, and the digest covers each."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from claim_files import arrays_of, canonical, forged, opened, resealed
from conftest import CLASSES, small_claim

from ownmark.claims.claim import Claim, Preprocess, Test
from ownmark.claims.fitting import Fitting
from ownmark.errors import ClaimError
from ownmark.scoring.matches import Agreement, Change, Drop, Fall, OnPattern
from ownmark.scoring.null_models import Innocents
from ownmark.scoring.readings import Reading
from ownmark.tasks import Regression


def every_place(value: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Paths to every value in JSON data."""
    pairs: list[tuple[str | int, object]] = []
    if isinstance(value, dict):
        pairs = list(value.items())
    elif isinstance(value, list):
        pairs = list(enumerate(value))
    return [path] * bool(path) + [deeper for key, inner in pairs for deeper in every_place(inner, (*path, key))]


def put(described: Any, path: tuple[str | int, ...], value: object) -> None:
    for key in path[:-1]:
        described = described[key]
    described[path[-1]] = value


def calibrated() -> Claim:
    return small_claim().with_nulls({1: Innocents((0.25,), ("ef" * 32,))})


@pytest.mark.parametrize("path", every_place(opened(calibrated())["claim"]), ids=lambda path: ".".join(map(str, path)))
def test_a_field_of_a_wrong_type_is_an_error_even_under_a_fitting_digest(path: tuple[str | int, ...]) -> None:
    for wrong in (None, True, -1, 7.5, "x", [], {}, [[1]], {"x": 1}):
        described = opened(calibrated())["claim"]
        original = canonical(described)
        put(described, path, wrong)
        if canonical(described) != original and not still_sound(path, wrong):
            with pytest.raises(ClaimError):
                Claim.from_bytes(forged(calibrated(), resealed(described)))


def still_sound(path: tuple[str | int, ...], value: object) -> bool:
    """Whether the value is of the right type after all: another string or another number in its range."""
    text = (
        isinstance(value, str)
        and path[0] in {"scheme", "model", "built_with", "classes"}
        and len(path) == 1 + (path[0] in {"built_with", "classes"})
    )
    inner = isinstance(value, str) and (path[-1] == "layer" or path[-2:-1] == ("models",))
    number = type(value) in {int, float} and path[:2] in {("preprocess", "mean"), ("preprocess", "std")} and len(path) == 3
    return text or inner or (number and (path[1] == "mean" or value == 7.5)) or (value == [] and path == ("built_with",))


def test_every_field_left_out_is_an_error() -> None:
    for path in every_place(opened(calibrated())["claim"]):
        described = opened(calibrated())["claim"]
        holder: Any = described
        for key in path[:-1]:
            holder = holder[key]
        del holder[path[-1]]
        if isinstance(path[-1], str):
            with pytest.raises(ClaimError):
                Claim.from_bytes(forged(calibrated(), resealed(described)))


@pytest.mark.parametrize("name", ["images", "expected.0", "expected.1", "expected.2", "originals", "maps"])
def test_an_array_changed_missing_or_of_another_type_is_an_error(name: str) -> None:
    whole = arrays_of(small_claim())
    one = whole[name]
    without = {key: value for key, value in whole.items() if key != name}
    others = (one[::-1], one[:1], one.astype(np.float64), one[..., None], one.reshape(1, -1), np.zeros((), one.dtype))
    for arrays in (without, *(whole | {name: np.ascontiguousarray(other)} for other in others), whole | {"more": one}):
        with pytest.raises(ClaimError):
            Claim.from_bytes(forged(small_claim(), canonical(opened(small_claim())), arrays))


def test_the_digest_covers_every_field() -> None:
    claim = small_claim()
    test = claim.tests[1]
    changes: list[dict[str, Any]] = [
        {"images": claim.images ^ 1},
        {"classes": (*CLASSES[:2], "other")},
        {"scheme": "other"},
        {"model": "other"},
        *({"preprocess": Preprocess((share,), (share,))} for share in (0.5, 0.25)),
        {"built_with": ()},
        {"choices": {"alpha": 0.05}},
        {"fitting": Fitting((8, 8), (9,))},
        {"originals": None},
        {"originals": claim.images[:, 1]},
        {"maps": None},
        {"maps": np.zeros((2, 2, 2), dtype=np.float32)},
        {"tests": claim.tests[:2]},
        {"tests": claim.tests[::-1]},
    ]
    replaced: list[dict[str, Any]] = [
        {"reading": Reading.LABEL, "match": Agreement()},
        {"match": Drop(0.2)},
        {"match": Change(0.1)},
        {"expected": test.expected[::-1]},
        {"target_score": 0.25},
        {"layer": "stages"},
        {"null": Innocents((0.0,), ("a",))},
        {"null": Innocents((0.5,), ("a",))},
        {"null": Innocents((0.5,), ("b",))},
        {"rows": (0, 2)},
    ]
    changes += [{"tests": (claim.tests[0], dataclasses.replace(test, **change), claim.tests[2])} for change in replaced]
    number = Test(Reading.VALUE, Fall(1.0), np.zeros(2), 1.0)
    changes += [{"task": Regression(unit), "classes": ("age",), "tests": (number,)} for unit in (10.0, 20.0)]
    named = {name for change in changes for name in change}
    assert named == {one.name for one in dataclasses.fields(Claim)}
    assert {name for change in replaced for name in change} == {one.name for one in dataclasses.fields(Test)}
    digests = {dataclasses.replace(claim, **change).digest for change in changes}
    assert len(digests) == len(changes)
    assert claim.digest not in digests


@pytest.mark.parametrize(
    "change",
    [
        {"images": np.zeros((2, 2, 2, 2, 3))},
        {"images": np.zeros((2, 2, 2, 3), dtype=np.uint8)},
        {"images": np.zeros((0, 2, 2, 2, 3), dtype=np.uint8)},
        {"images": np.zeros((3, 2, 2, 2, 3), dtype=np.uint8)},
        {"images": np.zeros((2, 1, 2, 2, 3), dtype=np.uint8)},
        {"tests": ()},
        {"tests": (small_claim().tests[0],) * 2},
        {"classes": CLASSES[:1]},
        {"preprocess": Preprocess((0.5, 0.5), (1.0, 1.0))},
        {"originals": np.zeros((3, 2, 2, 3), dtype=np.uint8)},
        {"originals": np.zeros((2, 2, 2, 3), dtype=np.float32)},
        {"maps": np.zeros((3, 2, 2), dtype=np.float32)},
        {"maps": np.zeros((2, 2, 2), dtype=np.float64)},
    ],
)
def test_a_claim_that_contradicts_itself_cannot_be_made(change: dict[str, Any]) -> None:
    with pytest.raises(ClaimError):
        small_claim(**change)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Preprocess((0.5,), (0.0,)),
        lambda: Preprocess((0.5,), (-1.0,)),
        lambda: Preprocess((0.5, 0.5), (1.0,)),
        lambda: Preprocess((), ()),
        lambda: Preprocess((float("nan"),), (1.0,)),
        lambda: Preprocess((0.5,), (float("inf"),)),
        lambda: Test(Reading.LABEL, Agreement(), np.zeros(1, dtype=np.int64), float("nan")),
        lambda: Test(Reading.LABEL, Agreement(), np.zeros(1, dtype=np.int64), 1.5),
        lambda: Test(Reading.LABEL, Drop(0.1), np.zeros(1, dtype=np.int64), 1.0),
        lambda: Test(Reading.LABEL, Agreement(), np.zeros(1, dtype=np.int32), 1.0),
        lambda: Innocents((), ()),
        lambda: Innocents((0.5, 0.5), ("a", "a")),
        lambda: Innocents((0.5,), ("a", "b")),
        lambda: Innocents((float("nan"),), ("a",)),
        lambda: Innocents((-0.5,), ("a",)),
        lambda: Drop(float("nan")),
        lambda: Change(-0.1),
        lambda: OnPattern(0.5, (), (2, 2)),
        lambda: OnPattern(0.5, ((0, 2),), (2, 2)),
        lambda: OnPattern(0.5, ((-1, 0),), (2, 2)),
        lambda: OnPattern(0.5, ((0, 0),), (0, 0)),
    ],
)
def test_a_part_of_a_claim_that_makes_no_sense_cannot_be_made(make: Callable[[], object]) -> None:
    with pytest.raises(ClaimError):
        make()


def test_claims_are_equal_exactly_if_every_field_is() -> None:
    assert small_claim() == small_claim()
    assert hash(small_claim()) == hash(small_claim())
    assert small_claim() != small_claim(scheme="Saliency(samples=3)")
    assert small_claim() != small_claim().digest

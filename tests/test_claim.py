"""A claim's file: one claim has one file, and a changed, cut, foreign or malformed file is an error that says so."""

import dataclasses
import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import CLASSES, small_claim
from hypothesis import given
from hypothesis import strategies as st
from safetensors import numpy as container

from ownmark.claim import Claim, Preprocess, Test
from ownmark.errors import ClaimError, UsageError
from ownmark.match import Agreement, Change, Drop, Match, OnPattern, Reading
from ownmark.null import Innocents, Null, Uncalibrated

Record = dict[str, Any]


def tiny_claim() -> Claim:
    """The smallest claim that can be: its file is short enough to change every bit of it."""
    images = np.zeros((1, 1, 1, 1, 1), dtype=np.uint8)
    return Claim(images, (Test(Reading.LABEL, Agreement(), np.zeros(1, dtype=np.int64), 1.0),), ("a",), "s", "m")


def opened(claim: Claim) -> Record:
    data = claim.to_bytes()
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    record: Record = json.loads(header["__metadata__"]["ownmark"])
    return record


def canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def forged(claim: Claim, text: str, arrays: dict[str, Any] | None = None) -> bytes:
    """The file of `claim` with other JSON in it, as somebody who knows the format would write it."""
    return container.save(arrays or container.load(claim.to_bytes()), metadata={"ownmark": text})


def resealed(described: Record) -> str:
    """JSON text with a digest that fits, so that only the check of the fields is left to notice anything."""
    return canonical({"claim": described, "digest": hashlib.sha256(canonical(described).encode()).hexdigest()})


def arrays_of(claim: Claim) -> dict[str, Any]:
    return dict(container.load(claim.to_bytes()))


words = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
shares = st.floats(0, 1)
other_matches: st.SearchStrategy[Match] = st.one_of(st.just(Agreement()), st.builds(Drop, shares), st.builds(Change, shares))
map_matches: st.SearchStrategy[Match] = st.builds(OnPattern, shares, st.just(((0, 0), (1, 2))), st.just((3, 3)))
nulls: st.SearchStrategy[Null] = st.one_of(
    st.just(Uncalibrated()),
    st.lists(shares, min_size=1, max_size=4).map(lambda found: Innocents(tuple(found), tuple(map(str, range(len(found)))))),
)


@st.composite
def claims(draw: st.DrawFn) -> Claim:
    count, classes = draw(st.integers(1, 3)), draw(st.integers(1, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    images = rng.integers(0, 256, (count, 2, *draw(st.tuples(*[st.integers(1, 3)] * 2)), 3), dtype=np.uint8)
    expected = rng.integers(0, classes, count)
    chosen = draw(st.lists(other_matches, min_size=1, max_size=2)) + draw(st.lists(map_matches, max_size=1))
    tests = tuple(Test(match.reading, match, expected, draw(shares), draw(words), draw(nulls)) for match in chosen)
    names = tuple(draw(st.lists(words, min_size=classes, max_size=classes)))
    maps = rng.random((count, 2, 3), dtype=np.float32) if draw(st.booleans()) else None
    originals = images[:, 0] if draw(st.booleans()) else None
    return Claim(images, tests, names, draw(words), draw(words), originals=originals, maps=maps)


@given(claims())
def test_a_claim_survives_saving_and_loading_byte_for_byte(claim: Claim) -> None:
    data = claim.to_bytes()
    again = Claim.from_bytes(data)
    assert again.to_bytes() == data
    assert again.digest == claim.digest
    assert np.array_equal(again.images, claim.images)
    assert [test.null for test in again.tests] == [test.null for test in claim.tests]
    assert [test.match for test in again.tests] == [test.match for test in claim.tests]


def test_a_file_is_loaded_as_it_was_saved(tmp_path: Path) -> None:
    path, again = tmp_path / "skin.claim", tmp_path / "again.claim"
    small_claim().save(path)
    Claim.load(path).save(again)
    assert path.read_bytes() == again.read_bytes()


def test_a_file_cut_at_any_length_is_an_error() -> None:
    data = small_claim().to_bytes()
    for length in range(len(data)):
        with pytest.raises(ClaimError):
            Claim.from_bytes(data[:length])


def test_a_file_with_bytes_behind_its_end_is_an_error() -> None:
    with pytest.raises(ClaimError):
        Claim.from_bytes(small_claim().to_bytes() + b"\0")


def test_one_flipped_bit_anywhere_is_an_error() -> None:
    data = tiny_claim().to_bytes()
    for place in range(8 * len(data)):
        changed = bytearray(data)
        changed[place // 8] ^= 1 << place % 8
        with pytest.raises(ClaimError):
            Claim.from_bytes(bytes(changed))


def test_a_changed_byte_anywhere_in_a_full_claim_is_an_error() -> None:
    data = small_claim().to_bytes()
    for place in range(len(data)):
        changed = bytearray(data)
        changed[place] ^= 0x41
        with pytest.raises(ClaimError):
            Claim.from_bytes(bytes(changed))


@given(st.binary(max_size=200))
def test_no_bytes_whatever_raise_another_error(data: bytes) -> None:
    with pytest.raises(ClaimError):
        Claim.from_bytes(data)


@pytest.mark.parametrize("version", [0, 2, "1", None, [1]])
def test_an_unknown_version_is_named(version: object) -> None:
    described = opened(small_claim())["claim"] | {"version": version}
    with pytest.raises(ClaimError, match="version"):
        Claim.from_bytes(forged(small_claim(), resealed(described)))


def test_a_file_that_cannot_be_read_is_named_with_its_folder(tmp_path: Path) -> None:
    (tmp_path / "broken.claim").write_bytes(b"not a claim")
    for name in ("broken.claim", "missing.claim", "."):
        with pytest.raises(ClaimError, match=str(tmp_path)):
            Claim.load(tmp_path / name)


@pytest.mark.parametrize(
    "spoilt",
    [
        lambda text: text.replace('"version":1', '"version":1,"version":1'),
        lambda text: text.replace('"threshold":0.1', '"threshold":0.1,"threshold":0.1'),
        lambda text: text.replace('"target_score":0.5', '"target_score":NaN'),
        lambda text: text.replace('"target_score":0.5', '"target_score":1e999'),
        lambda text: text.replace('"target_score":0.5', f'"target_score":{"9" * 5000}'),
        lambda text: text.replace('"scheme":', '"scheme":"\\ud800","was":'),
        lambda text: text.replace('"scheme":"Saliency(samples=2)"', '"scheme":"\\ud800"'),
        lambda text: text.replace('"threshold":0.1', f'"threshold":{"[" * 900}{"]" * 900}'),
        lambda text: text.replace('"threshold":0.1', f'"threshold":{"[" * 100_000}{"]" * 100_000}'),
        lambda text: text.replace(":", ": "),
        lambda text: text[::-1],
        lambda _: "[]",
        lambda _: "{}",
        lambda _: '{"claim":[1]}',
        lambda _: "",
    ],
)
def test_json_that_is_not_the_one_canonical_text_is_an_error(spoilt: Callable[[str], str]) -> None:
    text = canonical(opened(small_claim()))
    assert Claim.from_bytes(forged(small_claim(), text)).to_bytes() == small_claim().to_bytes()
    assert spoilt(text) != text
    with pytest.raises(ClaimError):
        Claim.from_bytes(forged(small_claim(), spoilt(text)))


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
        {"preprocess": Preprocess((0.5,), (0.5,))},
        {"preprocess": Preprocess((0.25,), (0.25,))},
        {"built_with": ()},
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
    ]
    changes += [{"tests": (claim.tests[0], dataclasses.replace(test, **change), claim.tests[2])} for change in replaced]
    named = {name for change in changes for name in change}
    assert named == {one.name for one in dataclasses.fields(Claim)}
    assert {name for change in replaced for name in change} == {one.name for one in dataclasses.fields(Test)}
    digests = {dataclasses.replace(claim, **change).digest for change in changes}
    assert len(digests) == len(changes)
    assert claim.digest not in digests


def test_a_claim_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "skin.claim"
    small_claim().save(path)
    before = path.read_bytes()
    for owner, step in ((os, "fsync"), (Path, "replace")):
        with monkeypatch.context() as broken:
            broken.setattr(owner, step, full_disk)
            with pytest.raises(UsageError, match="No space left"):
                small_claim(scheme="another").save(path)
        assert path.read_bytes() == before
        assert [file.name for file in tmp_path.iterdir()] == ["skin.claim"]


def test_an_interrupted_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "skin.claim"
    small_claim().save(path)
    before = path.read_bytes()

    def interrupted(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        small_claim(scheme="another").save(path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["skin.claim"]


def full_disk(*_: object) -> None:
    raise OSError(28, "No space left on device")


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    for folder in ("missing", "file"):
        with pytest.raises(UsageError, match=str(tmp_path / folder)):
            small_claim().save(tmp_path / folder / "skin.claim")

    def refused(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.mkstemp", refused)
    with pytest.raises(UsageError, match=f"{tmp_path}.*Permission denied"):
        small_claim().save(tmp_path / "skin.claim")


def test_a_folder_in_the_place_of_the_file_is_an_error_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "skin.claim" / "inside").mkdir(parents=True)
    with pytest.raises(UsageError, match=r"skin\.claim"):
        small_claim().save(tmp_path / "skin.claim")
    assert [file.name for file in tmp_path.iterdir()] == ["skin.claim"]


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

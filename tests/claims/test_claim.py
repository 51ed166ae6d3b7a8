"""A claim's file: one claim has one file, and a changed, cut, foreign or malformed file is an error that says so."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from claim_files import canonical, forged, opened, resealed
from conftest import small_claim
from hypothesis import given
from hypothesis import strategies as st
from safetensors import numpy as container

from ownmark.claims.claim import Claim, Test
from ownmark.errors import ClaimError, UsageError
from ownmark.scoring.matches import Agreement, Change, Drop, Match, OnPattern
from ownmark.scoring.null_models import Innocents, Null, Uncalibrated
from ownmark.scoring.readings import Reading


def tiny_claim() -> Claim:
    """The smallest claim that can be: its file is short enough to change every bit of it."""
    images = np.zeros((1, 1, 1, 1, 1), dtype=np.uint8)
    return Claim(images, (Test(Reading.LABEL, Agreement(), np.zeros(1, dtype=np.int64), 1.0),), ("a",), "s", "m")


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


@pytest.mark.parametrize("told", [None, {"format": "pt"}])
def test_a_file_of_weights_is_told_from_a_damaged_claim(told: dict[str, str] | None) -> None:
    data = container.save({"weight": np.zeros(2, np.float32)}, told)
    with pytest.raises(ClaimError, match="not a claim file but safetensors without a claim, as files of weights are"):
        Claim.from_bytes(data)


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


def test_a_key_named_twice_is_told(tmp_path: Path) -> None:
    text = canonical(opened(small_claim())).replace('"version":1', '"version":2,"version":1')
    (tmp_path / "twice.claim").write_bytes(forged(small_claim(), text))
    with pytest.raises(ClaimError, match="has duplicate keys"):
        Claim.load(tmp_path / "twice.claim")


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

    monkeypatch.setattr("pathlib.Path.open", refused)
    with pytest.raises(UsageError, match=f"{tmp_path}.*Permission denied"):
        small_claim().save(tmp_path / "skin.claim")


def test_a_folder_in_the_place_of_the_file_is_an_error_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "skin.claim" / "inside").mkdir(parents=True)
    with pytest.raises(UsageError, match=r"skin\.claim"):
        small_claim().save(tmp_path / "skin.claim")
    assert [file.name for file in tmp_path.iterdir()] == ["skin.claim"]

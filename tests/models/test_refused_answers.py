"""Models that answer something other than one row per image are refused with a sentence that says what would serve."""

from pathlib import Path

import numpy as np
import pytest
from workshop import Ran, ownmark, shop_in

from ownmark.errors import AnswerError
from ownmark.suspects.answers import probabilities

Capture = pytest.CaptureFixture[str]
WAYS_OUT = {
    "segmenting": "segmentation",
    "segmenting_by_name": "the model answers out, aux: answers of shape",
    "encoding": "a module that pools them, with --task similarity",
    "multi_label": "protect one label",
}


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return shop_in(tmp_path / "shop", monkeypatch)


def protected(capsys: Capture, name: str) -> Ran:
    return ownmark(capsys, "protect", f"oddities:{name}", "--data", "images", "--out", "new.claim", "--references", "0")


@pytest.mark.parametrize("name", WAYS_OUT)
def test_protect_refuses_what_answers_no_single_class_and_says_what_would_serve(name: str, shop: Path, capsys: Capture) -> None:
    ran = protected(capsys, name)
    assert (ran.code, ran.out) == (2, "")
    assert WAYS_OUT[name] in ran.err.replace("\n", " ")
    assert "not foreseen" not in ran.err
    assert "What serves" in ran.err.replace("\n", " ")
    assert not (shop / "new.claim").exists()


@pytest.mark.parametrize("name", ["segmenting", "segmenting_by_name", "encoding"])
def test_a_suspect_of_another_kind_is_no_innocent_but_an_error_that_says_what_would_serve(
    name: str,
    shop: Path,  # noqa: ARG001
    capsys: Capture,
) -> None:
    ran = ownmark(capsys, "verify", "upheld.claim", f"oddities:{name}")
    assert ran.code in {2, 5}
    assert "What serves" in ran.err.replace("\n", " ")


def test_a_file_that_answers_a_class_per_pixel_is_told_as_segmentation() -> None:
    with pytest.raises(AnswerError, match=r"\(2, 21, 8, 8\).*segmentation.*What serves"):
        probabilities(np.zeros((2, 21, 8, 8)))

"""A whole bench from Python, without the command line."""

from pathlib import Path

import pytest
from benches import outcomes, quick, recipe_file

from ownmark.bench.redrawing import Redrawing, redrawn
from ownmark.bench.running import State
from ownmark.bench.store import Store
from ownmark.bench.tables import figures


def test_a_bench_that_was_made_before_is_written_down_from_python_without_making_anything_anew(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    alone = figures(outcomes(quick(tmp_path), tmp_path / "store"))
    words, place = ("saliency",), Store(tmp_path / "store")
    asked = Redrawing(
        recipe=str(recipe_file(tmp_path)), schemes=words, attacks=("prune",), out=tmp_path / "page", workers=1, store=place
    )
    asked.folder.mkdir()
    states = list[State]()
    made = redrawn(asked, lambda _: states.append)
    assert made.results.figures == alone
    assert made.page.read_text().count("tiny, smoke") > 0
    assert (states[-1].made, states[-1].failed) == (0, 0)
    assert capsys.readouterr() == ("", "")

"""The pages on schemes tell the truth: the headings that all share, and every setting with its default."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

import ownmark
from ownmark.schemes import SCHEMES
from ownmark.schemes._common.triggers import Patterns
from ownmark.scoring.null_models import KeyedLabels

FOLDER = Path(__file__).parents[2] / "docs" / "schemes"
HEADINGS = ["What", "When", "Settings", "Cost", "Limits", "Source", "Departures"]
MARKS = {kind.__name__.lower(): kind for kind in SCHEMES if kind.marks}
PAGES = sorted(FOLDER.glob("*.md"))


def test_there_is_a_page_on_the_partitioned_watermark() -> None:
    assert "partitioned.md" in {file.name for file in PAGES}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_page_has_the_same_headings(page: Path) -> None:
    assert re.findall(r"^## (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE) == HEADINGS


def test_the_page_of_the_partitioned_watermark_shows_every_setting_with_its_default() -> None:
    text, kind = (FOLDER / "partitioned.md").read_text(encoding="utf-8"), MARKS["partitioned"]
    names = {name: getattr(ownmark, name) for name in ownmark.__all__} | {"Patterns": Patterns}
    rows = re.findall(r"^\| `(\w+)` \| `([^|]+)` \|", text, re.MULTILINE)
    shown = {name: eval(default, names) for name, default in rows}  # noqa: S307 - the project's own page
    assert shown == {field.name: getattr(kind(), field.name) for field in fields(kind)}  # type: ignore[arg-type]


def test_the_numbers_of_triggers_that_the_page_on_choosing_names_are_the_fewest_that_are_enough() -> None:
    text = " ".join((FOLDER.parent / "choosing.md").read_text(encoding="utf-8").split())
    fewest = {
        classes: next(count for count in range(1, 200) if KeyedLabels("0" * 64, count, classes, 1).smallest <= 1e-6)
        for classes in (10, 100, 2)
    }
    assert f"takes {fewest[10]} triggers with 10 classes, {fewest[100]} with 100, and {fewest[2]} with two" in text

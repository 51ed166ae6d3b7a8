"""The pages that name a test for each fault name tests that are there, and miss no fault."""

import re
from pathlib import Path

import pytest

HERE = Path(__file__).parent
FAULTS = {"web-suspects.md": {*range(22, 39), 43, 48}, "threat-model.md": {*range(1, 22), *range(39, 43), *range(44, 48)}}
PAGES = {name: (HERE.parent / "docs" / name).read_text(encoding="utf-8") for name in FAULTS}
NAMED = sorted({found for page in PAGES.values() for found in re.findall(r"`(test_\w+\.py)::(test_\w+)`", page)})


@pytest.mark.parametrize("name", PAGES)
def test_no_fault_is_left_out(name: str) -> None:
    rows = {int(number): row for row, number in re.findall(r"^(\| (\d+) \|.*)$", PAGES[name], re.MULTILINE)}
    assert set(rows) == FAULTS[name]
    assert all("::test_" in row for row in rows.values())


@pytest.mark.parametrize(("file", "name"), NAMED, ids=[name for _, name in NAMED])
def test_a_test_that_is_named_for_a_fault_is_there(file: str, name: str) -> None:
    assert re.search(rf"^def {name}\(", next(HERE.rglob(file)).read_text(encoding="utf-8"), re.MULTILINE)

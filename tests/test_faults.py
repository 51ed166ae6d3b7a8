"""The pages that name a test for each fault name tests that are there, and miss no fault."""

import re
from pathlib import Path

import pytest

HERE = Path(__file__).parent
FAULTS, ATTEMPTS = ((HERE.parent / "docs" / name).read_text(encoding="utf-8") for name in ("faults.md", "threat-model.md"))
NAMED = sorted({found for page in (FAULTS, ATTEMPTS) for found in re.findall(r"`(test_\w+\.py)::(test_\w+)`", page)})


def test_no_fault_is_left_out() -> None:
    rows = {int(number): row for row, number in re.findall(r"^(\| (\d+) \|.*)$", FAULTS, re.MULTILINE)}
    assert list(rows) == list(range(1, 49))
    assert all("::test_" in row for row in rows.values())


@pytest.mark.parametrize(("file", "name"), NAMED, ids=[name for _, name in NAMED])
def test_a_test_that_is_named_for_a_fault_is_there(file: str, name: str) -> None:
    assert re.search(rf"^def {name}\(", next(HERE.rglob(file)).read_text(encoding="utf-8"), re.MULTILINE)

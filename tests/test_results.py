"""Every figure in a page comes from a committed result, and every result says how it was made."""

import json
import re

import pytest

from ownmark.statistics.p_values import clopper_pearson
from tables import MARKED, NOTED, PAGES, RESULTS, ROOT, TABLES, filled
from verdict_tables import ROUTES

FILES = sorted(RESULTS.glob("*.json"))


@pytest.mark.parametrize("name", PAGES)
def test_the_tables_of_a_page_are_those_of_the_committed_results(name: str) -> None:
    page = (ROOT / name).read_text()
    assert filled(page) == page, "run: python benchmarks/tables.py"


def test_every_kind_of_table_stands_in_a_page() -> None:
    shown = {found[2] for name in PAGES for found in MARKED.finditer((ROOT / name).read_text())}
    assert shown == set(TABLES) | set(NOTED)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_result_has_flat_numbers_and_says_how_to_make_it_again(file) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001
    kept = json.loads(file.read_text())
    assert all(isinstance(value, (int, float)) for value in kept["figures"].values())
    assert kept["seconds"] > 0
    assert kept["packages"]["torch"]
    assert kept["seeds"]
    name = re.fullmatch(r"make bench-([a-z0-9-]+)", kept["command"])
    assert name
    assert (ROOT / "benchmarks" / f"{name[1].replace('-', '_')}.py").exists()


def test_no_route_to_a_verdict_accuses_an_innocent_oftener_than_it_states() -> None:
    """But for chance: the exact 99 % interval of what was found reaches down to what is stated."""
    figures = json.loads((RESULTS / "false-accusations.json").read_text())["figures"]
    routes = {key.removesuffix(".stated") for key in figures if key.endswith(".stated")}
    assert routes == set(ROUTES)
    for name in routes:
        found, trials = figures[f"{name}.found"], int(figures[f"{name}.trials"])
        assert clopper_pearson(round(found * trials), trials, 0.99)[0] <= figures[f"{name}.stated"], name

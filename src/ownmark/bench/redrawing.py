"""A whole bench as request and result: a recipe's trials are made, whatever is missing of them, and written down as one page."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from ownmark.bench.cache import Zoo
from ownmark.bench.executors.pool import pool
from ownmark.bench.executors.worker import Workplace
from ownmark.bench.grid import Grid
from ownmark.bench.nnw import evaluated
from ownmark.bench.recipe import recipe
from ownmark.bench.results import Results
from ownmark.bench.running import Report, run, unheard
from ownmark.bench.store import Store
from ownmark.errors import UsageError

REPORTS = {"nnw": evaluated}  # what IEEE 3304-2023 asks for of watermarks


@dataclass(frozen=True, kw_only=True)
class Redrawing:
    """A recipe by name or file, at one of its scales; what was made stays in `store`, so that the same request goes on.

    `schemes`, `attacks`: only these, (): all; `out`: where tables, figures and page go, None: `bench-RECIPE-SCALE`; `workers`:
    how many at a time, None: as many as there are cores; `ray`: the address of a cluster; `report`: which of `REPORTS` is written
    beside the page.
    """

    recipe: str
    scale: str = "smoke"
    schemes: tuple[str, ...] = ()
    attacks: tuple[str, ...] = ()
    out: Path | None = None
    workers: int | None = None
    ray: str | None = None
    device: str = "cpu"
    report: str | None = None
    store: Store = field(default_factory=Store.default)

    @cached_property
    def grid(self) -> Grid:
        """What is to be made. Raises UsageError for a recipe, a scale, a scheme or an attack that is not there."""
        found = recipe(self.recipe)
        return Grid(found, found.scale(self.scale)).picked(self.schemes, self.attacks)

    def check(self) -> None:
        """Raises UsageError for a report on what the bench does not make, before hours of work."""
        if self.report is not None and self.report not in REPORTS:
            raise UsageError(f"no report {self.report!r}; there is: {', '.join(REPORTS)}")
        if self.report is not None and not self.grid.scale.watermarks:
            raise UsageError(
                f"the report {self.report} evaluates watermarks, but none is made: choose a recipe or scheme with one"
            )

    @property
    def folder(self) -> Path:
        return self.out or Path(f"bench-{self.grid.recipe.name}-{self.scale}")


@dataclass(frozen=True)
class Redrawn:
    """What came of it, the page that tells of it, and the further report, if one was asked for."""

    results: Results
    page: Path
    report: Path | None = None


def quietly(_: int) -> Report:
    """Nobody hears of progress."""
    return unheard


def redrawn(asked: Redrawing, reporting: Callable[[int], Report] = quietly) -> Redrawn:
    """Make what is missing, ask everybody, write everything. `reporting`: from the number of workers to who hears of progress."""
    asked.check()
    with pool(Workplace(asked.store.root, asked.device), workers=asked.workers, ray=asked.ray) as workers:
        outcomes = run(asked.grid.trials(), Zoo(asked.store), workers, reporting(workers.workers))
    results = Results(f"{asked.grid.recipe.name}, {asked.scale}", outcomes)
    page = results.write(asked.folder)
    if asked.report is None:
        return Redrawn(results, page)
    return Redrawn(results, page, REPORTS[asked.report](results.title, outcomes, Zoo(asked.store)).write(asked.folder))

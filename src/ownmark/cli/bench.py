"""The researcher's command: a recipe's models, copies and claims are made, everybody is asked, and one page tells of it."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

import typer

from ownmark.cli.options import AsJson, Device

if TYPE_CHECKING:
    from ownmark.bench.grid import Grid
    from ownmark.bench.results import Results
    from ownmark.bench.running import State
    from ownmark.bench.trial import Outcome


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Redraw a paper's tables and figures. Ctrl-C or worse loses nothing: the same command goes on."""

    example: ClassVar[str] = "ownmark bench skin --scale cpu"
    recipe: Annotated[
        str,
        typer.Argument(
            metavar="RECIPE", help="skin, age, face, mnist, cifar10, cifar100, digits, or a .yaml file.", show_default=False
        ),
    ]
    scale: Annotated[str, typer.Option(metavar="smoke|cpu|paper", help="How large: a minute, two cores, or a GPU.")] = "smoke"
    scheme: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Only this scheme of the recipe; may be repeated.", show_default=False),
    ] = None
    attack: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help='Only this attack, or one of your own: "Noise(scale=0.2)"; may be repeated.', show_default=False
        ),
    ] = None
    out: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Where tables, figures and page go (bench-RECIPE-SCALE).", show_default=False),
    ] = None
    workers: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="How many at a time (as many as there are cores).", show_default=False)
    ] = None
    ray: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Run on this Ray cluster; local starts one here.", show_default=False),
    ] = None
    device: Device = "cpu"
    as_json: AsJson = False

    def run(self) -> None:
        from ownmark.bench.grid import Grid
        from ownmark.bench.recipe import recipe
        from ownmark.bench.results import Results

        found = recipe(self.recipe)
        grid = Grid(found, found.scale(self.scale)).picked(tuple(self.scheme or ()), tuple(self.attack or ()))
        folder = self.out or Path(f"bench-{found.name}-{self.scale}")
        _make(folder)
        outcomes = self._outcomes(grid)
        results = Results(f"{found.name}, {self.scale}", outcomes)
        page = results.write(folder)
        if self.as_json:
            _emit(results.figures, page)
        else:
            _show(results, page)

    def _outcomes(self, grid: "Grid") -> "list[Outcome]":
        from ownmark.bench.cache import Zoo
        from ownmark.bench.executors.pool import pool
        from ownmark.bench.executors.worker import Workplace
        from ownmark.bench.running import run
        from ownmark.bench.store import Store
        from ownmark.cli.console import tell
        from ownmark.workflows.network import device

        store = Store.default()
        place = Workplace(store.root, str(device(self.device)))
        tell(f"What is made is kept in {store.root}: if this stops, the same command goes on.")
        with pool(place, workers=self.workers, ray=self.ray) as workers:
            return run(grid.trials(), Zoo(store), workers, Told(workers.workers))


class Told:
    """Says on stderr what has ended, and how far the bench is."""

    def __init__(self, workers: int) -> None:
        self._workers, self._ended = workers, -1

    def __call__(self, state: "State") -> None:
        from ownmark.bench.executors.worker import title
        from ownmark.cli.console import tell

        ended = state.made + state.failed
        if state.latest is not None and ended > self._ended:
            said = f"in {span(state.latest.seconds)}" if state.latest.error is None else f"FAILED: {state.latest.error}"
            tell(f"{title(state.latest.making)} {said}", "red" if state.latest.error else "")
        done = f"{state.found} of {state.total} were there, {state.made} made, {state.failed} failed"
        tell(f"  [{done}; {len(state.running)} running, {state.left} left; {self._estimate(state)}]", "dim")
        self._ended = ended

    def _estimate(self, state: "State") -> str:
        """What is known of the time that is left; more than that is not said."""
        at_least = "at least " if state.unknown else "about "
        not_known = f", not counting what was never made before: {', '.join(state.unknown)}" if state.unknown else ""
        return f"{at_least}{span(state.seconds_left / self._workers)} to go{not_known}"


def span(seconds: float) -> str:
    """A time as a person says it."""
    if seconds < 90:  # noqa: PLR2004 - up to a minute and a half
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02} min"  # noqa: PLR2004 - the same of an hour


def _make(folder: Path) -> None:
    """The folder, before hours of work."""
    from ownmark.errors import UsageError
    from ownmark.workflows.files import check_writable

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot make the folder {folder}: {error.strerror or error}") from error
    check_writable(folder / "report.html")


def _emit(figures: dict[str, float], page: Path) -> None:
    from ownmark.cli.console import emit

    emit({"page": str(page), "figures": figures})


def _show(results: "Results", page: Path) -> None:
    from ownmark.bench.tables import shown
    from ownmark.cli.console import show

    for table in results.tables:
        if table.name in {"summary", "failures"}:
            show(table.title, "bold")
            widths = [max(len(shown(row[at])) for row in (table.columns, *table.rows)) for at in range(len(table.columns))]
            for row in (table.columns, *table.rows):
                show("  " + "  ".join(f"{shown(cell):<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())
    show(f"Open in a browser: {page.resolve()}", "bold")

"""A bench on the command line: how far it is, and what came of it."""

from functools import partial

from ownmark.bench.executors.worker import title
from ownmark.bench.redrawing import Redrawn
from ownmark.bench.running import State
from ownmark.bench.tables import shown
from ownmark.cli.answer import Answer
from ownmark.cli.console import show, tell


class BenchProgress:
    """Says on stderr what has ended, and how far the bench is."""

    def __init__(self, workers: int) -> None:
        self._workers, self._ended = workers, -1

    def __call__(self, state: State) -> None:
        ended = state.made + state.failed
        if state.latest is not None and ended > self._ended:
            said = f"in {span(state.latest.seconds)}" if state.latest.error is None else f"FAILED: {state.latest.error}"
            tell(f"{title(state.latest.making)} {said}", "red" if state.latest.error else "")
        done = f"{state.found} of {state.total} were there, {state.made} made, {state.failed} failed"
        tell(f"  [{done}; {len(state.running)} running, {state.left} left; {self._estimate(state)}]", "dim")
        self._ended = ended

    def _estimate(self, state: State) -> str:
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


def bench_answer(made: Redrawn) -> Answer:
    """The figures, or the summary and the failures. A bench without any outcome has not done what it was asked to."""
    told: dict[str, object] = {"page": str(made.page), "figures": made.results.figures}
    told |= {} if made.report is None else {"report": str(made.report)}
    ended = made.results.ended
    return Answer(told if ended else told | {"exit_code": 2}, partial(_show, made), 0 if ended else 2)


def _show(made: Redrawn) -> None:
    for table in made.results.tables:
        if table.name in {"summary", "failures"}:
            show(table.title, "bold")
            widths = [max(len(shown(row[at])) for row in (table.columns, *table.rows)) for at in range(len(table.columns))]
            for row in (table.columns, *table.rows):
                show("  " + "  ".join(f"{shown(cell):<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())
    if made.results.outcomes and not made.results.ended:
        show("No trial has an outcome: mend what is told above, and the same command tries again.", "bold")
    for page in (made.page, made.report):
        if page is not None:
            show(f"Open in a browser: {page.resolve()}", "bold")

"""Results go to stdout, everything else to stderr: notes, warnings, errors, bars or lines with the time that is left.

Whatever is shown passes through `escaped`: a stranger's text cannot write to the terminal.
Who stops reading, or a disk that is full, ends no command and changes no exit code of a verdict.
"""

import io
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import IO, TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from ownmark.errors import escaped

if TYPE_CHECKING:
    from ownmark.protocols import Progress as Callback


class Stream:
    """A standard stream that never raises. `failure`: why what was written did not arrive, None if it did, or if nobody reads.

    `aside`: where to write instead, unless it is a `result`: with `--json` stdout holds one JSON object and nothing else,
    whatever a user's own model prints. `told`: whether a result was written.
    """

    def __init__(self, stream: IO[str] | None) -> None:
        self.failure: OSError | None = None
        self.aside: Stream | None = None
        self.told = False
        self._stream = stream if stream is not None else io.StringIO()
        self._open = True

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever a stream has: its encoding, whether it is a terminal
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write, or let it go where nobody reads."""
        if self.aside is not None:
            return self.aside.write(text)
        self._forgiven(partial(self._stream.write, text))
        return len(text)

    def flush(self) -> None:
        """What was written so far leaves this process."""
        self._forgiven(self._stream.flush)

    def result(self, text: str) -> None:
        """Write what the command was asked for."""
        self.told = True
        self._forgiven(partial(self._stream.write, text))
        self.flush()

    def _forgiven(self, step: Callable[[], object]) -> None:
        """Take the step, unless one has failed before."""
        if not self._open:
            return
        try:
            step()
        except BrokenPipeError:
            self._give_up()
        except OSError as error:
            self.failure = error
            self._give_up()

    def _give_up(self) -> None:
        """Nothing is left in a buffer that the interpreter would try to write when it ends, and fail once more."""
        self._open = False
        with suppress(OSError, ValueError):  # a stream of a test has no number
            number = self._stream.fileno()
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, number)
            os.close(nowhere)


@dataclass(frozen=True)
class Streams:
    """Both streams of a command."""

    out: Stream
    err: Stream


@contextmanager
def streams() -> Iterator[Streams]:
    """Inside, stdout and stderr are streams that never raise; at the end all that was written has left this process."""
    before = sys.stdout, sys.stderr
    for stream in before:
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a sign that the terminal's encoding lacks becomes a question mark
    ours = Streams(Stream(sys.stdout), Stream(sys.stderr))
    sys.stdout, sys.stderr = ours.out, ours.err
    try:
        yield ours
    finally:
        ours.out.flush()
        ours.err.flush()
        sys.stdout, sys.stderr = before


def result(text: str) -> None:
    """Write to stdout what a command was asked for, even where all else that is printed goes aside."""
    stream = sys.stdout
    if isinstance(stream, Stream):
        stream.result(text)
    else:
        stream.write(text)
        stream.flush()


PAUSE = 10.0  # seconds at least between two lines of progress in a log file

Cell = str | tuple[str, ...]  # a value in two columns, of several lines where it is a tuple


def _console(*, stderr: bool) -> Console:
    return Console(stderr=stderr, highlight=False, emoji=False)


def show(text: str = "", style: str = "") -> None:
    """A line of the result. Where it is not read in a terminal it is never broken."""
    _line(_console(stderr=False), text, style)


def show_command(words: str) -> None:
    """A command to copy: never broken, so that a shell can read it."""
    _console(stderr=False).print(Text(escaped(f"  ownmark {words}")), soft_wrap=True)


def tell(text: str, style: str = "") -> None:
    """A note beside the result."""
    _line(_console(stderr=True), text, style)


def fail(message: str) -> None:
    """An error, in red."""
    console = _console(stderr=True)
    console.print(Text.assemble(("Error: ", "bold red"), escaped(message)), soft_wrap=not console.is_terminal)


def emit(record: Mapping[str, Any]) -> None:
    """The one JSON object of `--json`."""
    result(json.dumps(record, indent=2, allow_nan=False) + "\n")


def facts(rows: Mapping[str, Cell]) -> None:
    """Names and values as two columns of the result; a value of several lines is a tuple of them."""
    console = _console(stderr=False)
    lines = {escaped(name): (told,) if isinstance(told, str) else told for name, told in rows.items()}
    table = Table.grid(padding=(0, 2), pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, told in lines.items():
        table.add_row(Text(f"  {name}"), Text("\n".join(map(escaped, told))))
    if console.is_terminal:
        console.print(table)
        return
    width = max(map(len, lines), default=0)
    for name, told in lines.items():
        for place, line in enumerate(told):
            show(f"  {'' if place else name:<{width}}  {line}")


@contextmanager
def working(title: str) -> Iterator["Callback"]:
    """A bar with the time left while something long goes on; where stderr is no terminal, a line of it now and then."""
    console = _console(stderr=True)
    if not console.is_terminal:
        tell(f"{title} ...")
        yield lines(title)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as bars:
        task = bars.add_task(escape(escaped(title)), total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)
        bars.update(task, completed=1, total=1)


def lines(title: str, clock: Callable[[], float] = time.monotonic) -> "Callback":
    """Progress for a log file: a line with per cent and time left, `PAUSE` seconds or more after the line before it."""
    began = said = clock()

    def progress(done: int, total: int) -> None:
        nonlocal said
        now = clock()
        if now - said < PAUSE or not 0 < done < total:
            return
        said = now
        left = round((now - began) * (total - done) / done)
        hours, rest = divmod(left, 3600)
        tell(f"{title}: {100 * done // total} %, {hours}:{rest // 60:02}:{rest % 60:02} left")

    return progress


def _line(console: Console, text: str, style: str) -> None:
    console.print(Text(escaped(text), style=style), soft_wrap=not console.is_terminal)


class Terminal:
    """The watcher of workflows that the command line is: notes and bars on stderr."""

    def note(self, text: str) -> None:
        """A line beside the result."""
        tell(text)

    def warn(self, text: str) -> None:
        """A line in yellow."""
        tell(text, "yellow")

    def step(self, title: str) -> AbstractContextManager["Callback"]:
        """A bar with the time left; in a log file a line now and then."""
        return working(title)

"""Where a command's words go. Who stops reading, or a disk that is full, ends no command and changes no verdict's exit code."""

import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import IO, Any


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

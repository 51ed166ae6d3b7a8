"""The command line: a thin shell over the library, and the only place that prints."""

import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ownmark.cli.console import Streams, streams
from ownmark.errors import OwnmarkError, escaped, in_one_line

if TYPE_CHECKING:
    from ownmark.cli.answer import Answer

USAGE, INTERRUPTED = 2, 130  # the second is what a shell gives for Ctrl-C
EXTRA = {"torch", "torchvision", "sklearn", "filelock", "joblib", "matplotlib", "pydantic"}  # of the extra `torch`
TRACEBACK = "--traceback"


@dataclass(frozen=True)
class End:
    """How a command ended: its exit code and, if it failed, what kind of error, and its one line.

    `shown`: whether the line stands on stderr already.
    """

    code: int
    kind: str = ""
    message: str = ""
    shown: bool = False


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code: 0 match or ok, 1 no match, 2 usage, 3 inconclusive, 4 rejected, 5 unreachable.

    1 is the outcome of a verdict and nothing else: whatever is raised, foreseen or not, ends in another code and in one line
    that says the cause; `--traceback`, anywhere, shows the rest.
    """
    given = sys.argv[1:] if arguments is None else list(arguments)
    words = [word for word in given if word != TRACEBACK]
    as_json = "--json" in words
    with streams() as both:
        try:
            end = _ended(words, both, as_json=as_json)
        except BaseException as error:  # noqa: BLE001 - whatever was raised, this is where it ends
            end = _failure(error)
            if len(words) < len(given):
                both.err.write("".join(traceback.format_exception(error)))
        _tell(end, as_json=as_json and not both.out.told)
        both.out.flush()
        if both.out.failure is not None and end.code != INTERRUPTED:
            end = End(USAGE, "UsageError", f"the result cannot be written to stdout: {both.out.failure.strerror}")
            _tell(end, as_json=False)
    return end.code


def _ended(words: Sequence[str], both: Streams, *, as_json: bool) -> End:
    """Read the command line, then run what it asks for outside the parser, which gives some errors exit codes of its own."""
    from ownmark.cli.app import TypedCommand, parser
    from ownmark.cli.overwriting import check_overwrites_nothing

    try:
        parser()(words, prog_name="ownmark")
    except SystemExit as stop:
        return _unread(stop)
    except TypedCommand as typed:
        command, as_json = typed.command, typed.as_json
    both.out.aside = both.err if as_json else None
    try:
        check_overwrites_nothing(command)
        return _answered(command.run(), as_json=as_json)
    finally:
        both.out.aside = None


def _answered(answer: "Answer", *, as_json: bool) -> End:
    """The answer, in the form that was asked for."""
    from ownmark.cli.console import emit

    if as_json:
        emit(answer.record)
    else:
        answer.show()
    if answer.then is not None:
        answer.then()
    return End(answer.exit_code)


def _unread(stop: SystemExit) -> End:
    """Help was asked for, or the command line cannot be read, which the parser has said."""
    if not stop.code:
        return End(0)
    said = getattr(stop.__context__, "format_message", str)()  # what is missing stands in no `message`
    cause = said.strip().rstrip(".") or "ownmark --help shows the usage"
    return End(USAGE, "UsageError", f"the command line cannot be read: {cause}", shown=True)


def _failure(error: BaseException) -> End:
    """What an error means for whoever asked."""
    if isinstance(error, KeyboardInterrupt):
        return End(INTERRUPTED, "UsageError", "interrupted")
    if isinstance(error, OwnmarkError):
        return End(error.exit_code, type(error).__name__, str(error))
    if isinstance(error, ModuleNotFoundError) and error.name in EXTRA:
        said = f"this needs {error.name}, which comes with the owner's installation: pip install 'ownmark[torch]'"
        return End(USAGE, "UsageError", said)
    if isinstance(error, MemoryError):
        return End(USAGE, "UsageError", "there is not enough memory for this: use fewer or smaller images, or a smaller network")
    if isinstance(error, OSError) and error.filename is not None and error.strerror:  # no permission, a drive that is gone
        said = f"the system does not give access to {escaped(str(error.filename))}: {error.strerror}"
        return End(USAGE, "UsageError", said)
    said = f"unexpected error: {in_one_line(error)}{_place(error)}; the same command with {TRACEBACK} shows where it comes from"
    return End(USAGE, type(error).__name__, said)


def _place(error: BaseException) -> str:
    """The file and the line where it was raised."""
    steps = traceback.extract_tb(error.__traceback__)
    return f" ({Path(steps[-1].filename).name}, line {steps[-1].lineno})" if steps else ""


def _tell(end: End, *, as_json: bool) -> None:
    """The line and, where JSON was asked for, the one object that says the same, unless a result stands there already."""
    if not end.message:
        return
    from ownmark.cli.console import emit, fail

    if not end.shown:
        fail(end.message)
    if as_json:
        emit({"error": {"kind": end.kind, "message": end.message}, "exit_code": end.code})

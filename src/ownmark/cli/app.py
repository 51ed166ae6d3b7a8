"""The program: its commands are frozen dataclasses of what can be typed, each with one verb."""

from collections.abc import Callable
from functools import cache
from inspect import Parameter, cleandoc, signature
from typing import Annotated, Any

import typer

from ownmark.cli.answer import Command
from ownmark.cli.commands.answer import Answer
from ownmark.cli.commands.attack import Attack
from ownmark.cli.commands.beacon import Beacon
from ownmark.cli.commands.bench import Bench
from ownmark.cli.commands.calibrate import Calibrate
from ownmark.cli.commands.demo import Demo
from ownmark.cli.commands.dispute import Dispute
from ownmark.cli.commands.inspect import Inspect
from ownmark.cli.commands.judge import Judge
from ownmark.cli.commands.keygen import Keygen
from ownmark.cli.commands.methods import Methods
from ownmark.cli.commands.open import Open
from ownmark.cli.commands.protect import Protect
from ownmark.cli.commands.report import Report
from ownmark.cli.commands.scan import Scan
from ownmark.cli.commands.seal import Seal
from ownmark.cli.commands.serve import Serve
from ownmark.cli.commands.verify import Verify
from ownmark.cli.options import AsJson

app = typer.Typer(
    help=(
        "ownmark gives statistical evidence that a vision model derives from yours: make a claim, calibrate it on innocent "
        "models, judge a suspect."
    ),
    epilog=(
        "Exit codes: 0 match or done, 1 no match, 2 wrong use, 3 inconclusive, 4 claim rejected, 5 suspect cannot be asked. "
        "--traceback, anywhere, shows where an error comes from."
    ),
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class TypedCommand(Exception):  # noqa: N818 - no error: it carries what was typed out of the parser, to be run outside of it
    """The command line was read."""

    def __init__(self, command: Command, *, as_json: bool) -> None:
        super().__init__(type(command).__name__)
        self.command, self.as_json = command, as_json


PANELS: dict[str, tuple[type[Command], ...]] = {  # of the help, in the order in which a newcomer needs them
    "To begin with": (Demo, Methods),
    "Your claim": (Protect, Calibrate, Inspect, Attack),
    "Suspects": (Verify, Report, Scan, Serve),
    "Evidence for others": (Keygen, Beacon, Seal, Open, Judge, Answer, Dispute),
    "Research": (Bench,),
}
COMMANDS = tuple(command for commands in PANELS.values() for command in commands)
JSON = Parameter("as_json", Parameter.KEYWORD_ONLY, default=False, annotation=AsJson)  # every command has it


def _register(kind: type[Command], panel: str) -> None:
    """Make a command of the class: its fields are what can be typed."""

    fields = signature(kind)
    wanted = fields.replace(parameters=[*fields.parameters.values(), *([] if "as_json" in fields.parameters else [JSON])])

    def call(**values: Any) -> None:  # noqa: ANN401 - whatever its fields are
        given = {name: value for name, value in values.items() if name in fields.parameters}
        raise TypedCommand(kind(**given), as_json=values["as_json"])

    call.__signature__ = wanted  # type: ignore[attr-defined]
    call.__annotations__ = {name: parameter.annotation for name, parameter in wanted.parameters.items()}
    call.__doc__ = cleandoc(kind.__doc__ or "")
    app.command(kind.__name__.lower(), epilog=f"Example:  {kind.example}", rich_help_panel=panel)(call)


for _panel, _commands in PANELS.items():
    for _command in _commands:
        _register(_command, _panel)


def _version(asked: bool) -> None:  # noqa: FBT001 - typer calls it so
    if asked:
        from importlib.metadata import version

        from ownmark.cli.console import show

        show(version("ownmark"))
        raise typer.Exit


@app.callback()
def _options(
    *, version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it and exit.")] = False
) -> None:
    """What can be said before a command."""


@cache
def parser() -> Callable[..., Any]:
    """What reads the command line: every command with its options, which takes 20 ms to put together."""
    return typer.main.get_command(app)

"""What methods there are and what each can be told, as read from the methods themselves."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, ClassVar

import typer

from ownmark.cli.options import AsJson, listed
from ownmark.method_strings import Described, Parameter, described

GROUPS = ("schemes", "attacks", "detectors")
OTHERS = ("Training", *listed("tasks").split(", "))


@dataclass(frozen=True, kw_only=True)
class Methods:
    """List the schemes, attacks and detectors; with a name, what that one can be told: its parameters, kinds, defaults."""

    example: ClassVar[str] = "ownmark methods Finetune"
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME", help="A method, or a part of one: Finetune, Saliency, Training, Descent.", show_default=False
        ),
    ] = None
    as_json: AsJson = False

    def run(self) -> None:
        from ownmark.cli.console import emit, facts, show

        groups = {group: listed(group).split(", ") for group in GROUPS} | {"others": list(OTHERS)}
        if self.name is None:
            if self.as_json:
                emit(groups)
                return
            facts({group: ", ".join(names) for group, names in groups.items()})
            show(f"What one of them can be told:  {self.example}")
            return
        found = described(self.name.partition("(")[0].strip())
        if self.as_json:
            emit(asdict(found))
        else:
            _tell(found)


def _tell(found: Described) -> None:
    """The method's own words, its parameters, and how a call looks."""
    from ownmark.cli.console import facts, show

    show(found.name, "bold")
    for line in found.doc.splitlines():
        show(f"  {line}".rstrip())
    show()
    facts({one.name: _said(one) for one in found.parameters})
    for maker, parameters in found.constructors.items():
        show(f"  or {_call(maker, parameters)}")
    show(f"  Write it like: {_call(found.name, found.parameters)}")


def _said(parameter: Parameter) -> str:
    return f"{parameter.kind}; {'must be given' if parameter.default is None else f'{parameter.default} if not said'}"


def _call(name: str, parameters: Sequence[Parameter]) -> str:
    said = (f"{one.name}={'...' if one.default is None else one.default}" for one in parameters)
    return f"{name}({', '.join(said)})"

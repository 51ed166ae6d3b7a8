"""Methods and what each can be told, as lines for people."""

from collections.abc import Mapping, Sequence

from ownmark.cli.console import facts, show
from ownmark.method_strings import Described, Parameter


def tell_methods(groups: Mapping[str, Sequence[str]], example: str) -> None:
    """The names of all methods, by group, and how to ask about one."""
    facts({group: ", ".join(names) for group, names in groups.items()})
    show(f"Parameters of one of them:  {example}")


def tell_method(found: Described) -> None:
    """The method's own words, its parameters, and how a call looks."""
    show(found.name, "bold")
    for line in found.doc.splitlines():
        show(f"  {line}".rstrip())
    show()
    facts({one.name: _said(one) for one in found.parameters})
    for maker, parameters in found.constructors.items():
        show(f"  or {_call(maker, parameters)}")
    show(f"  Write it like: {_call(found.name, found.parameters)}")


def _said(parameter: Parameter) -> str:
    return f"{parameter.kind}; {'must be given' if parameter.default is None else f'{parameter.default} by default'}"


def _call(name: str, parameters: Sequence[Parameter]) -> str:
    said = (f"{one.name}={'...' if one.default is None else one.default}" for one in parameters)
    return f"{name}({', '.join(said)})"

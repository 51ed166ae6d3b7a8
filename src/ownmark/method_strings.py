"""Methods as people type them: parses `Saliency(samples=50)` from text without running any of it.

The text is the repr of a public frozen dataclass: its name, a call of it with literals, other public dataclasses and enums, or
one of its named constructors (`Saliency.as_published()`). Class names are case-insensitive.
"""

import ast
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields, is_dataclass
from difflib import SequenceMatcher
from enum import Enum, StrEnum
from importlib import import_module
from inspect import cleandoc, getattr_static, signature
from types import UnionType
from typing import Any, Protocol, TypeVar, Union, get_args, get_origin, get_type_hints

import ownmark
from ownmark.errors import OwnmarkError, UsageError
from ownmark.registries import homes


class Choice(StrEnum):
    """An enumeration whose repr is valid code, so that the repr of a method can be parsed again."""

    __repr__ = Enum.__str__  # Aim.LEAST, not <Aim.LEAST: 'least'>


REGISTRIES = ("schemes", "attacks", "detectors", "tasks")
Kind = TypeVar("Kind")
PLAIN = {int: "a whole number", float: "a number", str: "a string", bool: "True or False", type(None): "None"}


def read(text: str, kinds: Sequence[type[Kind]]) -> Kind:
    """The method that `text` spells, an instance of one of `kinds`; `read(repr(method), kinds) == method`.

    Raises UsageError that lists the alternatives for unknown names, unknown parameters and values of a wrong type.
    """
    known = {kind.__name__: kind for kind in kinds}
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        likest = known[nearest(text.partition("(")[0], known).partition(",")[0]]
        raise UsageError(f"cannot read {text[:80]!r}; write it like {_shown(likest)}") from error
    name = _head(tree)
    if name is None or _same(name, known) is None:
        raise UsageError(f"{text!r} is not one of: {nearest(name or text, known)}")
    found: Kind = _value(tree, known)
    if isinstance(found, type):
        found = _made(found, found, [], {})
    return found


def differences(first: object, second: object, name: str = "") -> list[str]:
    """What `second` has otherwise than `first`, a method of the same class: `descent.bound=0.1`, one text per value."""
    if first == second:
        return []
    if not is_dataclass(first) or type(first) is not type(second):
        return [f"{name}={second!r}"]
    within = f"{name}." if name else ""
    pairs = ((f"{within}{part.name}", getattr(first, part.name), getattr(second, part.name)) for part in fields(first))
    return [said for part, one, other in pairs for said in differences(one, other, part)]


@dataclass(frozen=True)
class Parameter:
    """One parameter of a method: the `kind` of its value, and its `default` as typed, None if it is required."""

    name: str
    kind: str
    default: str | None


@dataclass(frozen=True)
class Described:
    """A public dataclass as a person can type it: its `parameters`, and its named `constructors` with theirs."""

    name: str
    doc: str
    parameters: tuple[Parameter, ...]
    constructors: dict[str, tuple[Parameter, ...]]


def described(name: str) -> Described:
    """The parameters and constructors of the public dataclass `name`, read from the class itself.

    Raises UsageError that lists the nearest names if no such class exists.
    """
    kind = _public(name, None)
    if issubclass(kind, Enum):
        raise UsageError(f"{kind.__name__} is not a method but an enumeration: write one of {_members(kind)}")
    makers = {f"{kind.__name__}.{maker}": _parameters(getattr(kind, maker)) for maker in _constructors(kind)}
    return Described(kind.__name__, cleandoc(kind.__doc__ or ""), _parameters(kind), makers)


def _parameters(maker: Callable[..., object]) -> tuple[Parameter, ...]:
    hints = get_type_hints(maker)
    return tuple(
        Parameter(name, _told(hints[name]), None if one.default is one.empty else repr(one.default))
        for name, one in signature(maker).parameters.items()
    )


def nearest(word: str, names: Iterable[str], most: int | None = None) -> str:
    """The `names`, most similar to `word` first, at most `most` of them, joined by commas."""
    return ", ".join(sorted(names, key=lambda name: -SequenceMatcher(None, word.lower(), name.lower()).ratio())[:most])


def _head(tree: ast.expr) -> str | None:
    """The name at the start of an expression: `Saliency` in `Saliency.as_published(50)`."""
    while isinstance(tree, ast.Call | ast.Attribute):
        tree = tree.func if isinstance(tree, ast.Call) else tree.value
    return tree.id if isinstance(tree, ast.Name) else None


def _value(tree: ast.expr, known: dict[str, type[Any]] | None = None) -> Any:  # noqa: ANN401 - a parameter may be anything
    """The value of an expression: a literal, a public class, an enum member, or the result of a call."""
    match tree:
        case ast.Name(id=name):
            return _public(name, known)
        case ast.Attribute(value=ast.Name(id=name), attr=member):
            return _member(_public(name, known), member)
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(value=ast.Name(id=name))):
            maker = _value(tree.func, known)
            positional = [_checked_part(argument) for argument in tree.args]
            named = {str(word.arg): _checked_part(word.value) for word in tree.keywords}
            return _made(_public(name, known), maker, positional, named)
        case ast.Tuple(elts=parts) | ast.List(elts=parts):
            return tuple(_checked_part(part) for part in parts)
    try:
        return ast.literal_eval(tree)
    except (ValueError, TypeError) as error:
        raise UsageError(
            f"cannot read {ast.unparse(tree)!r}: expected a number, a quoted string, a tuple or a name like Layers.LAST"
        ) from error


def _checked_part(tree: ast.expr) -> Any:  # noqa: ANN401 - a parameter may be anything
    """The value of a parameter; a bare class name means the class with its defaults."""
    found = _value(tree)
    if not isinstance(found, type):
        return found
    if issubclass(found, Enum):
        raise UsageError(f"{found.__name__} is an enumeration: write one of {_members(found)}")
    return _made(found, found, [], {})


def _public(name: str, known: dict[str, type[Any]] | None) -> type[Any]:
    """The public dataclass or enum of that name, ignoring case."""
    place = _same(name, known or (*_registered(), *ownmark.__all__))
    found = None if place is None else (known or {}).get(place) or _loaded(place)
    if isinstance(found, type) and (is_dataclass(found) or issubclass(found, Enum)):
        return found
    raise UsageError(f"there is no {name!r}; the nearest names are {nearest(name, _classes(), 40)}")


def _same(name: str, names: Iterable[str]) -> str | None:
    return next((other for other in names if other.lower() == name.lower() and other[0].isupper()), None)


def _member(kind: type[Any], name: str) -> Any:  # noqa: ANN401 - an enum's member or a constructor
    if issubclass(kind, Enum):
        if name not in kind.__members__:
            raise UsageError(f"{kind.__name__} has no member {name!r}; it has {_members(kind)}")
        return kind[name]
    if name not in _constructors(kind):
        raise UsageError(f"{kind.__name__} has no constructor {name!r}; write {_shown(kind)}")
    return getattr(kind, name)


def _constructors(kind: type[Any]) -> list[str]:
    return [name for name in dir(kind) if not name.startswith("_") and isinstance(getattr_static(kind, name), classmethod)]


def _made(kind: type[Any], maker: Any, positional: list[Any], named: dict[str, Any]) -> Any:  # noqa: ANN401 - class or method
    """The result of calling `maker` (the class `kind` or one of its constructors) with these type-checked arguments."""
    if issubclass(kind, Enum):
        raise UsageError(f"{kind.__name__} cannot be called; write one of {_members(kind)}")
    wanted = signature(maker)
    unknown = [word for word in named if word not in wanted.parameters]
    if unknown:
        known = nearest(unknown[0], wanted.parameters)
        raise UsageError(f"{kind.__name__} has no parameter {unknown[0]!r}; it has {known}{_meant(maker, named[unknown[0]])}")
    try:
        bound = wanted.bind(*positional, **named).arguments
    except TypeError as error:
        raise UsageError(f"{kind.__name__}: {error}; write it like {_shown(kind)}") from error
    hints = get_type_hints(maker)
    for name, value in bound.items():
        if not _fits(value, hints[name]):
            raise UsageError(f"{kind.__name__} expects {name}: {_told(hints[name])}; got {value!r}")
    try:
        return maker(**bound)
    except OwnmarkError as error:
        raise UsageError(f"in {kind.__name__}: {error}") from error


def _meant(maker: Any, value: object) -> str:  # noqa: ANN401 - class or method
    """Which parameters of `maker` take such a method as `value`, as a clause, "" for other values."""
    hints = {name: hint for name, hint in get_type_hints(maker).items() if name != "return" and is_dataclass(hint)}
    taking = [name for name, hint in hints.items() if type(value) is hint]
    return f", of which {' and '.join(taking)} takes a {type(value).__name__}" if taking else ""


def _fits(value: object, hint: Any) -> bool:  # noqa: ANN401 - any annotation
    """Whether `value` fits the annotation of a method's parameter."""
    origin, parts = get_origin(hint), get_args(hint)
    if origin in {Union, UnionType}:
        return any(_fits(value, part) for part in parts)
    if origin is tuple:
        expected = [parts[0]] * len(value) if isinstance(value, tuple) and parts[-1] is Ellipsis else list(parts)
        return isinstance(value, tuple) and len(value) == len(expected) and all(map(_fits, value, expected))
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if _is_protocol(hint):
        return _keeps(type(value), hint)
    return isinstance(value, hint) and isinstance(value, bool) == (hint is bool)


def _is_protocol(hint: Any) -> bool:  # noqa: ANN401 - any annotation
    return isinstance(hint, type) and Protocol in hint.__bases__


def _keeps(kind: type[Any], protocol: type[Any]) -> bool:
    """Whether a public dataclass has every member of a protocol."""
    return is_dataclass(kind) and {name for name in vars(protocol) if not name.startswith("_")} <= set(dir(kind))


def _told(hint: Any) -> str:  # noqa: ANN401 - any annotation
    """An annotation in words."""
    if get_origin(hint) in {Union, UnionType}:
        return " or ".join(map(_told, get_args(hint)))
    if isinstance(hint, type) and issubclass(hint, Enum):
        return f"one of {_members(hint)}"
    if isinstance(hint, type) and is_dataclass(hint):
        return _shown(hint)
    if _is_protocol(hint):
        return f"one of {', '.join(name for name, kind in _classes().items() if _keeps(kind, hint))}"
    return PLAIN.get(hint, hint.__name__ if isinstance(hint, type) and not get_args(hint) else str(hint))


def _classes() -> dict[str, type[Any]]:
    """Every public dataclass and enum."""
    found = {name: _loaded(name) for name in (*_registered(), *ownmark.__all__) if name[0].isupper()}
    return {name: kind for name, kind in found.items() if is_dataclass(kind) or issubclass(kind, Enum)}


def _registered() -> dict[str, str]:
    """The modules of every registered method, by name."""
    return {name: home for package in REGISTRIES for name, home in homes(package).items()}


def _loaded(name: str) -> Any:  # noqa: ANN401 - a class, an enum or a function
    return getattr(ownmark if name in ownmark.__all__ else import_module(f"ownmark.{_registered()[name]}"), name)


def _members(kind: type[Enum]) -> str:
    return ", ".join(f"{kind.__name__}.{name}" for name in kind.__members__)


def _shown(kind: type[Any]) -> str:
    """The call signature: the class with all its parameters."""
    return f"{kind.__name__}({', '.join(f'{name}=...' for name in signature(kind).parameters)})"

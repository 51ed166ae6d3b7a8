"""What a place that networks come from says about itself, and how a name is taken apart. No torch.

A place's file holds one `NETWORKS = Source(...)`, and imports its own libraries, and what needs numpy, only inside functions,
since the help of every command names all places.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from inspect import signature
from pathlib import Path
from traceback import extract_tb
from typing import TYPE_CHECKING, Any

from ownmark.claims.fitting import Fitting
from ownmark.errors import ModelError, in_one_line
from ownmark.method_strings import nearest

if TYPE_CHECKING:
    from torch import nn

    from ownmark.claims.claim import Preprocess

NEAR = 8  # suggestions in an error message


@dataclass(frozen=True)
class Intake:
    """How a network takes images, as its `origin` says: None for what it does not say."""

    preprocess: Preprocess | None = None
    fitting: Fitting | None = None
    origin: str = ""


@dataclass(frozen=True)
class Asked:
    """A network to be built: all of its `name`, for so many `classes` (None: as many as it has).

    `own`: with the weights that the name brings, if any; otherwise others will take their place, and none are fetched.
    """

    name: str
    classes: int | None = None
    own: bool = True

    @property
    def rest(self) -> str:
        """What stands behind the place."""
        return self.name.partition(":")[2]


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where networks come from.

    `place`: what stands before the colon of a name, "" for any other; `written`: such a name; `built` builds one; `intake` says
    how it takes images, None if the place says nothing of that. Both raise ModelError. `extra`: the one of ownmark's extras that
    brings `library`.
    """

    place: str
    written: str
    built: Callable[[Asked], nn.Module]
    intake: Callable[[str], Intake] | None = None
    extra: str = "torch"
    library: str = "torch"


@dataclass(frozen=True)
class Call:
    """`NAME` or `NAME(width=16)`: a name, which may hold dots, dashes and slashes, and arguments."""

    name: str
    positional: tuple[Any, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, text: str, written: str) -> Call:
        """The parts of the text. Raises ModelError that shows how such a name is `written`."""
        name, bracket, arguments = text.partition("(")
        try:
            call = ast.parse(f"f({arguments}" if bracket else "f()", mode="eval").body
            positional, options = literals(call)
            name = name if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) else ""
        except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
            name = ""
        if not name.strip() or name != name.strip():
            raise ModelError(f"invalid model name {text!r}; expected {written}")
        return cls(name, positional, options)


def literals(call: ast.expr) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments of a call. Raises ValueError for what is no literal."""
    if not isinstance(call, ast.Call):
        return (), {}
    if any(word.arg is None for word in call.keywords):
        raise ValueError("arguments are named one by one")
    options = {str(word.arg): ast.literal_eval(word.value) for word in call.keywords}
    return tuple(ast.literal_eval(argument) for argument in call.args), options


def called(name: str, factory: Callable[..., Any], positional: tuple[Any, ...], options: Mapping[str, Any]) -> object:
    """What a factory returns. Raises ModelError that names its parameters, or the cause of its failure."""
    try:
        signature(factory).bind(*positional, **options)
    except TypeError as error:
        given = ", ".join(signature(factory).parameters) or "none"
        raise ModelError(f"{name}: {error}; its parameters: {given}. Set them in the name: '{name}(name=value)'") from error
    try:
        return factory(*positional, **options)
    except (Exception, SystemExit) as error:  # a user's factory may raise any error
        raise ModelError(f"{name} cannot build its model: {where(error)}") from error


def where(error: BaseException) -> str:
    """The error and its location, in one line."""
    said, place = in_one_line(error), extract_tb(error.__traceback__)[-1]
    return said if isinstance(error, SyntaxError) else f"{said} ({Path(place.filename).name}, line {place.lineno})"


def near(word: str, names: list[str]) -> str:
    """The names that are most like a word."""
    return ", ".join(nearest(word, names).split(", ")[:NEAR]) or "none"

"""Networks of a user's own code: `module:factory` or `'module:factory(width=16)'`."""

import ast
import importlib
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ownmark.errors import ModelError
from ownmark.models.sources.source import Asked, Source, called, literals, near, where

if TYPE_CHECKING:
    from torch import nn

ADDRESS = re.compile(r"(localhost|[\w.-]+\.[\w-]+)(:\d+)?/")  # a host and a path, as an address without its scheme has
COMPILED = "_orig_mod"  # where torch.compile keeps a module
CLASSES = ("num_classes", "classes", "n_classes")  # parameter names for the number of classes


@dataclass(frozen=True)
class Named:
    """The parts of a name: `place` is a module, `path` leads to the factory, the rest are its arguments."""

    place: str
    path: tuple[str, ...]
    positional: tuple[Any, ...] = ()
    options: tuple[tuple[str, Any], ...] = ()

    @classmethod
    def read(cls, name: str) -> "Named":
        """The parts of `module:factory` or `module:factory(width=16)`. Raises ModelError."""
        place, colon, call = name.partition(":")
        positional: tuple[Any, ...] = ()
        options: dict[str, Any] = {}
        try:
            tree = ast.parse(call, mode="eval").body
            positional, options = literals(tree)
            path = tuple(ast.unparse(tree.func if isinstance(tree, ast.Call) else tree).split("."))
        except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
            path = ()
        words = (*place.split("."), *path)
        if not colon or not path or not all(word.isidentifier() for word in words):
            if ADDRESS.match(name):
                raise ModelError(f"invalid model name {name!r}; an address begins with http:// or https://")
            raise ModelError(
                f"invalid model name {name!r}; expected module:factory, 'module:factory(width=16)' or torchvision:resnet18"
            )
        return cls(place, path, positional, tuple(options.items()))

    def __str__(self) -> str:
        return f"{self.place}:{'.'.join(self.path)}"


def _built(asked: Asked) -> "nn.Module":
    """A copy, since a user's module may hand out the same network each time."""
    from torch import nn

    from ownmark.models.prepared import copied

    named = Named.read(asked.name)
    factory = _found(named)
    if isinstance(factory, nn.Module):
        return copied(_uncompiled(factory))
    options = dict(named.options)
    takes = set(signature(factory).parameters) & set(CLASSES)
    if asked.classes is not None and not named.positional and not takes & set(options):
        options |= dict.fromkeys(takes, asked.classes)
    model = called(str(named), factory, named.positional, options)
    if not isinstance(model, nn.Module):
        raise ModelError(f"{named} returns {type(model).__name__}; expected a function that returns a torch.nn.Module")
    return copied(_uncompiled(model))


def _uncompiled(model: "nn.Module") -> "nn.Module":
    """The network that torch.compile was given: its weights and layers have the names that everybody else knows."""
    inner = dict(model.named_children()).get(COMPILED) if type(model).__name__ == "OptimizedModule" else None
    return model if inner is None else inner


def _found(named: Named) -> Callable[..., Any]:
    """The object at the path in the module."""
    found = _imported(named)
    for done, word in enumerate(named.path):
        if word not in dir(found):
            place = ".".join((named.place, *named.path[:done]))
            shown = [other for other in dir(found) if not other.startswith("_") and callable(getattr(found, other))]
            raise ModelError(f"{place} has no {word!r}; similar: {near(word, shown)}")
        found = getattr(found, word)
    if not callable(found):
        raise ModelError(f"{named} is {type(found).__name__}; expected a function that returns a torch.nn.Module")
    factory: Callable[..., Any] = found
    return factory


def _imported(named: Named) -> Any:  # noqa: ANN401 - a module has whatever attributes it has
    """Imports the module, from the current folder if present; the folder stays on `sys.path` for later imports."""
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    importlib.invalidate_caches()
    try:
        return importlib.import_module(named.place)
    except (Exception, SystemExit) as error:  # a user's module may raise any error
        if named.place.endswith(".py") and Path(here, named.place).is_file():
            raise ModelError(
                f"{named.place} is a file; a module is named without .py: {str(named).replace('.py:', ':', 1)}"
            ) from error
        if isinstance(error, ModuleNotFoundError) and named.place.split(".")[0] == error.name:
            modules = [file.stem for file in Path(here).glob("*.py")]
            raise ModelError(f"no module {error.name!r} in {here} or installed; similar: {near(error.name, modules)}") from error
        raise ModelError(f"{named.place} cannot be imported: {where(error)}") from error


NETWORKS = Source(place="", written="module:factory, 'module:factory(width=16)'", built=_built)

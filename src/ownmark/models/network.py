"""Networks by name, `module:factory` or `torchvision:resnet18`: built, filled with weights and told how to normalise."""

import ast
import importlib
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from inspect import signature
from pathlib import Path
from traceback import extract_tb
from typing import Any

import torch
from torch import nn

from ownmark.claims.claim import Preprocess
from ownmark.data.images import Images
from ownmark.errors import ModelError, UsageError
from ownmark.method_strings import nearest
from ownmark.models.prepared import check_drawn, check_module, copied, prepared
from ownmark.models.weights import load_weights, unsaid

CLASSES = ("num_classes", "classes", "n_classes")  # parameter names for the number of classes
NEAR = 8  # suggestions in an error message


@dataclass(frozen=True)
class Named:
    """The parts of a name: `place` is a module or "torchvision", `path` leads to the factory, the rest are its arguments."""

    place: str
    path: tuple[str, ...]
    positional: tuple[Any, ...] = ()
    options: tuple[tuple[str, Any], ...] = ()

    @classmethod
    def read(cls, name: str) -> "Named":
        """The parts of `module:factory`, `module:factory(width=16)` or `torchvision:resnet18`. Raises ModelError."""
        place, colon, call = name.partition(":")
        try:
            tree = ast.parse(call, mode="eval").body
            inner = tree if isinstance(tree, ast.Call) else ast.Call(tree, [], [])
            options = tuple((str(word.arg), ast.literal_eval(word.value)) for word in inner.keywords)
            positional = tuple(ast.literal_eval(argument) for argument in inner.args)
            path = tuple(ast.unparse(inner.func).split("."))
        except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
            path = ()
        words = (*place.split("."), *path)
        if not colon or not path or not all(word.isidentifier() for word in words):
            raise ModelError(
                f"invalid model name {name!r}; expected module:factory, 'module:factory(width=16)' or torchvision:resnet18"
            )
        return cls(place, path, positional, options)

    def __str__(self) -> str:
        return f"{self.place}:{'.'.join(self.path)}"


def build(name: str, classes: int | None = None) -> nn.Module:
    """The model of that name in eval mode, with the weights that its factory gives it.

    `classes` is passed to a factory that accepts it (as num_classes, classes or n_classes) unless the name sets it. The module
    is imported from the current folder first, which runs its code. Raises ModelError with similar names, or with the cause.
    """
    named = Named.read(name)
    factory = _torchvision(named.path) if named.place == "torchvision" else _found(named)
    if isinstance(factory, nn.Module):
        return copied(factory).eval()
    model = _called(named, factory, classes)
    if not isinstance(model, nn.Module):
        raise ModelError(f"{named} returns {type(model).__name__}; expected a function that returns a torch.nn.Module")
    check_module(model)
    return model.eval()


def draws_weights(name: str, classes: int | None = None) -> bool:
    """Whether the factory initialises its weights at random, so that a weights file is needed."""
    drawn = [_drawn(name, classes, seed) for seed in (0, 1)]
    for model in drawn:
        check_drawn(model)
    first, second = (model.state_dict() for model in drawn)
    return any(not torch.equal(first[key], second[key]) for key in first)


def _drawn(name: str, classes: int | None, seed: int) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build(name, classes)


def _torchvision(path: tuple[str, ...]) -> Callable[..., Any]:
    """The builder of a torchvision classifier."""
    from torchvision import models

    known = models.list_models(module=models)
    if path[0] not in known or len(path) > 1:
        raise ModelError(f"torchvision has no classifier {'.'.join(path)!r}; similar: {_near('.'.join(path), known)}")
    builder: Callable[..., Any] = models.get_model_builder(path[0])
    return builder


def _found(named: Named) -> Any:  # noqa: ANN401 - whatever a user's module holds
    """The object at the path in the module."""
    found = _imported(named)
    for done, word in enumerate(named.path):
        if word not in dir(found):
            where = ".".join((named.place, *named.path[:done]))
            shown = [other for other in dir(found) if not other.startswith("_") and callable(getattr(found, other))]
            raise ModelError(f"{where} has no {word!r}; similar: {_near(word, shown)}")
        found = getattr(found, word)
    if not callable(found):
        raise ModelError(f"{named} is {type(found).__name__}; expected a function that returns a torch.nn.Module")
    return found


def _imported(named: Named) -> Any:  # noqa: ANN401 - a module has whatever attributes it has
    """Imports the module, from the current folder if present; the folder stays on `sys.path` for later imports."""
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    importlib.invalidate_caches()
    try:
        return importlib.import_module(named.place)
    except (Exception, SystemExit) as error:  # a user's module may raise any error
        if isinstance(error, ModuleNotFoundError) and named.place.split(".")[0] == error.name:
            modules = [file.stem for file in Path(here).glob("*.py")]
            raise ModelError(f"no module {error.name!r} in {here} or installed; similar: {_near(error.name, modules)}") from error
        raise ModelError(f"{named.place} cannot be imported: {_told(error)}") from error


def _called(named: Named, factory: Callable[..., Any], classes: int | None) -> object:
    """Calls the factory with the arguments in the name and, if accepted, the number of classes."""
    options = dict(named.options)
    takes = set(CLASSES[:1]) if named.place == "torchvision" else set(signature(factory).parameters) & set(CLASSES)
    if classes is not None and not named.positional and not takes & set(options):
        options |= dict.fromkeys(takes, classes)
    try:
        signature(factory).bind(*named.positional, **options)
    except TypeError as error:
        given = ", ".join(signature(factory).parameters) or "none"
        raise ModelError(f"{named}: {error}; its parameters: {given}. Set them in the name: '{named}(name=value)'") from error
    try:
        return factory(*named.positional, **options)
    except (Exception, SystemExit) as error:  # a user's factory may raise any error
        raise ModelError(f"{named} cannot build its model: {_told(error)}") from error


def _told(error: BaseException) -> str:
    """The error and its location, in one line."""
    said = f"{type(error).__name__}: {(str(error).strip() or 'no message').splitlines()[0]}"
    place = extract_tb(error.__traceback__)[-1]
    return said if isinstance(error, SyntaxError) else f"{said} ({Path(place.filename).name}, line {place.lineno})"


def _near(word: str, names: list[str]) -> str:
    return ", ".join(nearest(word, names).split(", ")[:NEAR]) or "none"


@dataclass(frozen=True)
class Network:
    """How a name becomes a module that takes images in [0, 1].

    `name`: module:factory, as in "mymodel:build(width=16)", or torchvision:resnet18; `classes`: how many numbers the module
    answers, None where its factory is not told; `output` names the one of its outputs that is meant, "" to find it.
    """

    name: str
    classes: int | None = None
    preprocess: Preprocess = Preprocess()
    device: torch.device = torch.device("cpu")
    output: str = ""

    def blank(self) -> nn.Module:
        """The module with weights as its factory leaves them."""
        return prepared(build(self.name, self.classes), self.preprocess, output=self.output).to(self.device)

    def answering(self, images: Images) -> "Network":
        """The network for the classes of these images."""
        return replace(self, classes=images.task.width(images.names))

    def loaded(self, weights: Path | None, note: Callable[[str], None] = unsaid) -> nn.Module:
        """The module with the weights in a file; without one, only if the factory itself brings weights.

        `note` hears in a sentence what of the file was not plainly there.
        """
        if weights is not None:
            try:
                return load_weights(self.blank(), weights, note)
            except ModelError as error:
                raise ModelError(
                    f"{error} (the model was built for {self.classes} classes)" if "size mismatch" in str(error) else str(error)
                ) from error
        if draws_weights(self.name, self.classes):
            raise UsageError(f"{self.name} is randomly initialised: pass the trained weights with --weights FILE")
        return self.blank()

    def filled(self, weights: nn.Module | Path | None, note: Callable[[str], None] = unsaid) -> nn.Module:
        """A module as it is, or the one with the weights in a file, as `loaded` gives it."""
        return weights if isinstance(weights, nn.Module) else self.loaded(weights, note)


def device(word: str) -> torch.device:
    """`auto` is the GPU if there is one."""
    if word not in {"auto", "cpu", "cuda"}:
        raise UsageError(f"--device must be one of auto, cpu, cuda; got {word!r}")
    if word == "cuda" and not torch.cuda.is_available():
        raise UsageError("--device cuda: no CUDA device available; leave --device out to compute on the CPU")
    return torch.device("cuda" if word != "cpu" and torch.cuda.is_available() else "cpu")

"""From the name of a network to the network: every place by what stands before the colon, one file and one import line each.

No torch, until a network is built.
"""

# ruff: noqa: F401 - what is imported as a place is registered

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from ownmark.errors import UsageError
from ownmark.models.sources.hugging_face import NETWORKS as HUGGING_FACE
from ownmark.models.sources.python import NETWORKS as PYTHON
from ownmark.models.sources.source import Asked, Intake, Source
from ownmark.models.sources.timm import NETWORKS as TIMM
from ownmark.models.sources.torchvision import NETWORKS as TORCHVISION

if TYPE_CHECKING:
    from torch import nn

Given = TypeVar("Given")
SOURCES: tuple[Source, ...] = tuple(one for one in list(vars().values()) if isinstance(one, Source))


def source_of(name: str) -> Source:
    """The place that a name begins with; any other name is a user's own module."""
    place = name.partition(":")[0]
    found = {one.place: one for one in SOURCES}
    return found.get(place, found[""])


def written() -> str:
    """How networks are named, for people."""
    return ", ".join(one.written for one in sorted(SOURCES, key=lambda one: one.place))


def built(asked: Asked) -> "nn.Module":
    """The network. Raises ModelError, and UsageError that names the extra to install where a library is missing."""
    source = source_of(asked.name)
    return _with_library(asked.name, source, lambda: source.built(asked))


def intake(name: str) -> Intake:
    """How a network of that name takes images. Raises the errors of `built`."""
    source = source_of(name)
    said = source.intake
    return Intake() if said is None else _with_library(name, source, lambda: said(name))


def _with_library(name: str, source: Source, work: Callable[[], Given]) -> Given:
    try:
        return work()
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != source.library:
            raise
        wanted = f"pip install 'ownmark[{source.extra}]'"
        raise UsageError(f"{name}: this needs {source.library}, which is not installed: {wanted}") from error

"""What is said of a suspect that is to be opened, and what a kind of suspect says about itself. No torch.

A kind's file holds one `OPENS = Opener(...)`, and imports its own libraries only inside functions, so that whoever lacks one of
them can open all other kinds.
"""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from ownmark.claims.claim import Preprocess
from ownmark.errors import UsageError
from ownmark.models.kinds import Other
from ownmark.protocols import Suspect
from ownmark.suspects.answers import Outputs
from ownmark.suspects.http.ledger import Ledger


def unheard(note: str) -> None:
    """Notes that nobody listens to."""


@dataclass(frozen=True, kw_only=True)
class Wire:
    """How a suspect behind an address is spoken to.

    `api`: a preset's name or the file of a mapping, None for the Open Inference Protocol; `header`: texts "NAME: TEXT"; `tensor`:
    "IN:TYPE:LAYOUT:OUT". `per_second` requests (0: no limit), `at_once` of them; `max_queries` images in all, repeats counted;
    `repeats`: images asked about twice; `blue_first`: channels are sent in the order blue, green, red; `binary`: whether tensors
    are sent as bytes, None: if the server lists that.
    """

    api: str | None = None
    header: tuple[str, ...] = ()
    tensor: str | None = None
    per_second: float = 0
    at_once: int = 8
    max_queries: int | None = None
    repeats: int = 3
    blue_first: bool = False
    binary: bool | None = None


@dataclass(frozen=True, kw_only=True)
class Opening:
    """A suspect to open: its `name`, and all that is said of it.

    `classes`: how many the claim knows, 0 where that is not said, and `names`, what they are called. `weights`: a file of them,
    for a network that is named itself; `model`: the network that a file of weights belongs to. `outputs`, `layer` and `output`
    are as in `Local`, `external` as in `Onnx`; `code`: whether a file may run code of its own, in a process of its own; `said`:
    whether the judge himself said how to normalise, so that a network's own name does not. `note` hears what a judge must know
    about how it was opened. `ledger`: where every query is kept, and `closing`: where the opener leaves what must be closed.
    """

    name: str
    preprocess: Preprocess = Preprocess()
    classes: int = 0
    names: tuple[str, ...] = ()
    weights: Path | None = None
    model: str | None = None
    outputs: Outputs | None = None
    layer: str = ""
    device: str = "cpu"
    output: str = ""
    external: bool = False
    code: bool = False
    said: bool = False
    note: Callable[[str], None] = unheard
    wire: Wire = Wire()
    ledger: Ledger | None = None
    closing: ExitStack = field(default_factory=ExitStack)


def check_file(opening: Opening) -> None:
    """Raises UsageError unless the suspect's name is a file."""
    if not Path(opening.name).is_file():
        raise UsageError(f"there is no file {opening.name}")


def check_beside(opening: Opening) -> None:
    """Raises UsageError unless the suspect's name is a file, with its weights in one of the same name that ends on .bin."""
    check_file(opening)
    *_, weights = beside(opening.name)
    if not weights.is_file():
        raise UsageError(f"{opening.name} keeps its weights in {weights.name}, which is not beside it")


def alone(name: str) -> tuple[Path, ...]:
    """The files of a suspect in one file."""
    return (Path(name),)


def beside(name: str) -> tuple[Path, ...]:
    """The files of a suspect that keeps its weights in another file of the same name."""
    return Path(name), Path(name).with_suffix(".bin")


@dataclass(frozen=True, kw_only=True)
class Opener:
    """A kind of suspect: how such a name is `written`, by which `schemes` it begins or `suffixes` it ends, and what opens it.

    A file is known by what it holds, whatever it is called: by the bytes of `magic` after so many others, or as a zip archive by
    what is `packed` in it. `other`: names that belong to it beside all those, None for no others. `check` raises UsageError for a
    name that can only be a slip, before anything is built; `files`: what a name that is a file is read from. `extra`: the one of
    ownmark's extras that brings its libraries, "" for those that are always there. `maps`: it shows where it looks; `built`: it
    takes a file of weights, and is told the number of classes; `remote`: it stands behind an address, so that every query is kept
    in a ledger; what is opened is then a `probing.Remote`.
    """

    written: str
    opened: Callable[[Opening], Suspect]
    schemes: tuple[str, ...] = ()
    suffixes: tuple[str, ...] = ()
    magic: tuple[int, bytes] | None = None
    packed: Other | None = None
    other: Callable[[str], bool] | None = None
    check: Callable[[Opening], None] = check_file
    files: Callable[[str], tuple[Path, ...]] = alone
    extra: str = ""
    maps: bool = False
    built: bool = False
    remote: bool = False

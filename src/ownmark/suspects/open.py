"""From what a judge types to a suspect: every kind by its suffix or scheme, one file and one import line each. No torch."""

# ruff: noqa: F401 - what is imported as a kind is registered

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import overload

from ownmark.claims.claim import Claim, Preprocess
from ownmark.errors import UsageError
from ownmark.files import check_writable
from ownmark.models.kinds import HEAD, ZIP, packed_in
from ownmark.protocols import Suspect
from ownmark.suspects.answers import Outputs
from ownmark.suspects.coreml import OPENS as COREML
from ownmark.suspects.executorch import OPENS as EXECUTORCH
from ownmark.suspects.grpc import OPENS as GRPC
from ownmark.suspects.http.address import OPENS as ADDRESS
from ownmark.suspects.http.ledger import Ledger
from ownmark.suspects.litert import OPENS as LITERT
from ownmark.suspects.mnn import OPENS as MNN
from ownmark.suspects.ncnn import OPENS as NCNN
from ownmark.suspects.network import OPENS as NETWORK
from ownmark.suspects.onnx import OPENS as ONNX
from ownmark.suspects.opener import Opener, Opening, Wire, unheard
from ownmark.suspects.openvino import OPENS as OPENVINO
from ownmark.suspects.torch_export import OPENS as TORCH_EXPORT
from ownmark.suspects.torchscript import OPENS as TORCHSCRIPT

KINDS: tuple[Opener, ...] = tuple(kind for kind in list(vars().values()) if isinstance(kind, Opener))


def opener_of(name: str) -> Opener:
    """What opens a suspect of that name: by its beginning, its content, its end, or what else it tells. Raises UsageError."""
    suffix = Path(name).suffix
    found = (
        next((kind for kind in KINDS if name.startswith(kind.schemes)), None)
        or holder_of(name)
        or next((kind for kind in KINDS if suffix in kind.suffixes), None)
        or next((kind for kind in KINDS if kind.other is not None and kind.other(name)), None)
    )
    if found is None:
        at_hand = sorted((kind for kind in KINDS if not kind.remote), key=lambda kind: kind.built)
        meant = f"a folder of transformers is named hf:{name}; " if (Path(name) / "config.json").is_file() else ""
        known = ", ".join(kind.written for kind in at_hand)
        raise UsageError(f"cannot tell what {name!r} is: {meant}a suspect is {known}, or, where one may be asked, an address")
    return found


def holder_of(name: str, kinds: Sequence[Opener] = KINDS) -> Opener | None:
    """The kind that a file is of by what it holds, whatever it is called; None if no kind tells it so."""
    try:
        with Path(name).open("rb") as stream:
            head = stream.read(HEAD)
    except (OSError, ValueError):
        return None
    for kind in kinds:
        if kind.magic is not None and head[kind.magic[0] :].startswith(kind.magic[1]):
            return kind
    packed = packed_in(Path(name)) if head.startswith(ZIP) else None
    return None if packed is None else next((kind for kind in kinds if kind.packed is packed), None)


def is_web(name: str) -> bool:
    """Whether a suspect of that name stands behind an address, so that what it is asked is kept in a ledger."""
    try:
        return opener_of(name).remote
    except UsageError:
        return False


def opened(opening: Opening, kind: Opener) -> Suspect:
    """The suspect of that kind. Raises UsageError that names the extra to install where a library is missing."""
    if opening.weights is not None and not kind.built:
        raise UsageError(f"{opening.name} holds its weights itself; leave --weights out")
    try:
        return kind.opened(opening)
    except ModuleNotFoundError as error:
        wanted = f"ownmark[{kind.extra}]" if kind.extra else "ownmark"
        raise UsageError(f"{opening.name}: this needs {error.name}, which is not installed: pip install '{wanted}'") from error


@dataclass(frozen=True)
class Access:
    """How the judge gets at the suspects of one claim: the fields are as in `Opening`.

    Its repr tells suspects in the ledger of a scan from each other, and so stays as it is.
    """

    preprocess: Preprocess
    classes: int
    model: str | None = None
    outputs: Outputs | None = None
    layer: str = ""
    device: str = "cpu"
    output: str = ""
    external: bool = False
    code: bool = field(default=False, repr=False)
    said: bool = field(default=False, repr=False)
    note: Callable[[str], None] = field(default=unheard, repr=False, compare=False)

    @classmethod
    def to(cls, claim: Claim, model: str | None = None) -> "Access":
        """As the claim says it."""
        return cls(claim.preprocess, claim.task.width(claim.classes) or 0, model)

    def opening(self, name: str, weights: Path | None = None) -> Opening:
        """A suspect of that name, to be opened."""
        return Opening(
            name=name,
            preprocess=self.preprocess,
            classes=self.classes,
            weights=weights,
            model=self.model,
            outputs=self.outputs,
            layer=self.layer,
            device=self.device,
            output=self.output,
            external=self.external,
            code=self.code,
            said=self.said,
            note=self.note,
        )

    def check(self, name: str) -> None:
        """Raises UsageError for a name that can only be a slip, before anything is built."""
        _check_near(opener_of(name), self.opening(name))

    def check_layer(self, names: Sequence[str]) -> None:
        """Raises UsageError for a layer where nobody shows one."""
        if self.layer and not any(map(_may_show_maps, names)):
            raise UsageError(f"{names[0]} shows no maps, so --layer means nothing; leave it out")

    def suspect(self, name: str, weights: Path | None = None) -> Suspect:
        """The suspect of that name, which is at hand."""
        kind, opening = opener_of(name), self.opening(name, weights)
        _check_near(kind, opening)
        return opened(opening, kind)


def _check_near(kind: Opener, opening: Opening) -> None:
    if kind.remote:
        raise UsageError(f"{opening.name}: only a suspect of verify, judge or scan has an address; name an ONNX file or weights")
    kind.check(opening)


def _may_show_maps(name: str) -> bool:
    """What nobody can open is told when it is opened."""
    try:
        return opener_of(name).maps
    except UsageError:
        return True


@dataclass(frozen=True, kw_only=True)
class Reach:
    """How one judge gets at all suspects of one claim: those at hand, and those behind an address with a ledger of every query.

    `claim_file`: beside which the ledgers lie; `near`: how models at hand are read, and what is said of all; `wire`: how those
    behind an address are spoken to. `ledger`: the file of queries, None for one per address beside the claim.
    """

    claim_file: Path
    near: Access
    wire: Wire = Wire()
    ledger: Path | None = None

    def heard_by(self, note: Callable[[str], None]) -> "Reach":
        """The same, with `note` told whatever is to be known about a suspect."""
        return replace(self, near=replace(self.near, note=note))

    def check(self, name: str) -> None:
        """Raises UsageError for a name that can only be a slip, before anybody is asked."""
        if not is_web(name):
            self.near.check(name)

    def check_near(self, names: tuple[str, ...]) -> None:
        """Raises UsageError for options of an address where no suspect has one."""
        wire = self.wire
        given = (wire.api, wire.header or None, wire.tensor, self.ledger, wire.per_second or None, wire.max_queries, wire.binary)
        if wire.blue_first or any(option is not None for option in given):
            self.check_remote(names)

    def check_remote(self, names: tuple[str, ...]) -> None:
        """Raises UsageError unless a suspect stands behind an address."""
        if not any(map(is_web, names)):
            raise UsageError(f"{names[0]} is no web address, so --api, --header, --dry-run and their like mean nothing for it")

    def file(self, name: str) -> Path:
        """The ledger's file: one for each claim and address."""
        mark = hashlib.sha256(name.encode()).hexdigest()[:8]
        return self.ledger or self.claim_file.with_name(f"{self.claim_file.name}.{mark}.ledger")

    def opening(self, name: str, claim: Claim) -> Opening:
        """A suspect behind an address, to be opened. Raises UsageError for what does not fit together; nothing is sent."""
        if not claim.task.discrete and not claim.task.located:
            raise UsageError(
                f"an address is asked for classes or boxes, and this claim is about {claim.task.name}: ask it with a function of "
                "your own in Python, verify(claim, Client(...)), or name an ONNX file or weights"
            )
        found = replace(self.near.opening(name), classes=len(claim.classes), names=claim.classes, wire=self.wire)
        opener_of(name).check(found)
        return found

    @contextmanager
    def suspect(self, name: str, claim: Claim) -> Iterator[tuple[Suspect, Ledger | None]]:
        """The suspect of that name, and the ledger of what it is asked if it stands behind an address."""
        if not is_web(name):
            yield self.near.suspect(name), None
            return
        opening, file = self.opening(name, claim), self.file(name)
        check_writable(file)
        with ExitStack() as closing:
            ledger = Ledger(file)
            closing.callback(ledger.close)
            yield opened(replace(opening, ledger=ledger, closing=closing), opener_of(name)), ledger


@dataclass(frozen=True)
class Suspects(Sequence[Suspect]):
    """Several suspects, each `built` when it is its turn, so that one model at a time is in memory."""

    built: Callable[[str], Suspect]
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.names)

    @overload
    def __getitem__(self, place: int) -> Suspect: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Suspect]: ...
    def __getitem__(self, place: int | slice) -> Suspect | Sequence[Suspect]:
        if isinstance(place, slice):
            return replace(self, names=self.names[place])
        return self.built(self.names[place])

    def __iter__(self) -> Iterator[Suspect]:
        return map(self.built, self.names)

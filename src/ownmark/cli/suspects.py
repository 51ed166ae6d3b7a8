"""From what a judge types to suspects that can be asked. torch is imported only where a suspect needs it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import overload

from ownmark.claims.claim import Claim, Preprocess
from ownmark.errors import ModelError, UsageError
from ownmark.models.kinds import Kind, kind_of
from ownmark.protocols import Suspect
from ownmark.suspects.answers import Outputs
from ownmark.workflows.files import check_readable

ONNX = ".onnx"
WEIGHTS = {".safetensors", ".pt", ".pth", ".pt2", ".bin", ".ckpt", ".tar", ".th", ".pkl", ".model"}


@dataclass(frozen=True)
class Access:
    """How the judge gets at the suspects of one claim.

    `model` names the network that weights files belong to; `outputs`, `layer` and `output` are as in `Local`, `external`
    as in `Onnx`.
    """

    preprocess: Preprocess
    classes: int
    model: str | None = None
    outputs: Outputs | None = None
    layer: str = ""
    device: str = "cpu"
    output: str = ""
    external: bool = False

    @classmethod
    def to(cls, claim: Claim, model: str | None = None) -> "Access":
        """As the claim says it."""
        return cls(claim.preprocess, len(claim.classes), model)

    def check(self, name: str) -> None:
        """Raises UsageError for a name that can only be a slip, before anything is built."""
        if name.startswith(("http://", "https://")):
            raise UsageError(f"{name}: only a suspect of verify, judge or scan has an address; name an ONNX file or weights")
        path = Path(name)
        if path.suffix != ONNX and not _holds_weights(path) and ":" not in name:
            raise UsageError(f"cannot tell what {name!r} is: a suspect is an .onnx file, module:factory or torchvision:resnet18")
        if path.suffix == ONNX or path.suffix in WEIGHTS:
            check_readable(path, "file")
        if _holds_weights(path) and self.model is None:
            kind_of(path)  # what holds no weights at all is told as what it is
            raise UsageError(
                f"{name} holds weights only; name their network: --model MODEL, or verify CLAIM MODEL --weights FILE"
            )

    def check_layer(self, names: Sequence[str]) -> None:
        """Raises UsageError for a layer where nobody shows one."""
        blind = [name for name in names if Path(name).suffix == ONNX or name.startswith(("http://", "https://"))]
        if self.layer and len(blind) == len(names):
            raise UsageError(f"{names[0]} shows no maps, so --layer means nothing; leave it out")

    def suspect(self, name: str, weights: Path | None = None) -> Suspect:
        """The suspect of that name: an ONNX file, weights of `model`, or a network that is named itself."""
        self.check(name)
        if Path(name).suffix == ONNX:
            if weights is not None:
                raise UsageError(f"{name} holds its weights itself; leave --weights out")
            return self._onnx(name)
        if _holds_weights(Path(name)) and self.model is not None:
            return self._local(self.model, Path(name))
        return self._local(name, weights)

    def _onnx(self, name: str) -> Suspect:
        from ownmark.suspects.onnx import Onnx

        return Onnx(name, self.preprocess, outputs=self.outputs, output=self.output, allow_external=self.external)

    def _local(self, name: str, weights: Path | None) -> Suspect:
        from ownmark.cli.console import tell
        from ownmark.suspects.local import Local
        from ownmark.workflows.network import Network, device

        network = Network(name, self.classes or None, self.preprocess, device(self.device), self.output)
        model = network.loaded(weights, tell)
        return Local(model, name=name if weights is None else str(weights), outputs=self.outputs, layer=self.layer)


def _holds_weights(path: Path) -> bool:
    """By the name or, of a file with another one, by the content; what is plainly something else is told when it is read."""
    if path.suffix in WEIGHTS or not path.is_file():
        return path.suffix in WEIGHTS
    try:
        return kind_of(path) is not Kind.TORCH
    except ModelError:
        return True


@dataclass(frozen=True)
class Suspects(Sequence[Suspect]):
    """Several suspects, each built when it is its turn, so that one model at a time is in memory."""

    access: Access
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
        return self.access.suspect(self.names[place])

    def __iter__(self) -> Iterator[Suspect]:
        return map(self.access.suspect, self.names)

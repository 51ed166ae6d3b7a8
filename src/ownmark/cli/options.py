"""The arguments and options that several commands share, each declared once, and how they are read. No torch."""

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Protocol, TypeVar

import typer
from typer.models import ArgumentInfo, OptionInfo

from ownmark.errors import UsageError
from ownmark.models.sources.open import written
from ownmark.registries import homes

if TYPE_CHECKING:
    from ownmark.claims.claim import Claim, Preprocess
    from ownmark.report.page import About
    from ownmark.suspects.open import Access, Reach
    from ownmark.suspects.opener import Wire


Member = TypeVar("Member", bound=Enum)
Default = TypeVar("Default")


def option(metavar: str, said: str, *names: str, panel: str | None = None) -> OptionInfo:
    """An option whose help shows no default; `names`: as it is typed, if not like the field; `panel`: where the help lists it."""
    return typer.Option(*names, metavar=metavar, help=said, show_default=False, rich_help_panel=panel)  # type: ignore[no-any-return]


def argument(metavar: str, said: str) -> ArgumentInfo:
    """An argument whose help shows no default."""
    return typer.Argument(metavar=metavar, help=said, show_default=False)  # type: ignore[no-any-return]


ClaimFile = Annotated[Path, argument("CLAIM", "The claim's file.")]
Model = Annotated[str, argument("MODEL", f"{written()}.")]
ModelOfFiles = Annotated[str | None, option("MODEL", "The network that weights files belong to, e.g. mymodel:build.", "--model")]
Weights = Annotated[Path | None, option("FILE", "The model's weights: safetensors or a state dict.")]
Data = Annotated[
    str,
    option(
        "PLACE",
        "Images: a folder (of class folders, with metadata.csv or boxes), its zip, MedMNIST's .npz, torchvision:CIFAR10, digits.",
    ),
]
TaskName = Annotated[
    str,
    typer.Option(
        "--task",
        metavar="TASK",
        help='What the model does: classification, regression, similarity, detection; e.g. "Regression(unit=20)".',
    ),
]
Size = Annotated[
    int | None, typer.Option(min=1, max=2**14, metavar="PIXELS", help="Resize all images to this size.", show_default=False)
]
Channels = Annotated[int, typer.Option(metavar="1|3", help="3 for colour, 1 for grey.")]
Mean = Annotated[str | None, option("R,G,B", "What to subtract from pixels in [0, 1], e.g. 0.485,0.456,0.406.")]
Std = Annotated[str | None, option("R,G,B", "What to divide them by, e.g. 0.229,0.224,0.225.")]
Seed = Annotated[int, typer.Option(min=0, metavar="N", help="The same seed gives the same result.")]
Device = Annotated[str, typer.Option(metavar="auto|cpu|cuda", help="Where to compute.")]
Way = Annotated[
    str | None,
    typer.Option(
        metavar="WAY",
        help="The way of asking that counts: weights, probabilities, best (the best class with its probability), labels or "
        "answers. Without it p is corrected for every way.",
        show_default=False,
    ),
]
Alpha = Annotated[float, typer.Option(metavar="RATE", help="The rate of false accusations that you accept.")]
Outputs = Annotated[
    str | None,
    option("logits|probabilities|sigmoids", "The output of the suspect's last layer; by default inferred from its answers."),
]
Output = Annotated[str, option("NAME", "Which output to read, where a model has several.")]
Layer = Annotated[str, option("NAME", "The layer of a suspect's saliency map, in place of the claim's.")]
Sequential = Annotated[
    bool,
    typer.Option("--sequential", help="Ask about a keyed watermark's triggers one by one, and stop at the first that decides."),
]
Claimant = Annotated[str, typer.Option(metavar="NAME", help="Who makes the claim, for the page.", show_default=False)]
JudgeName = Annotated[str, typer.Option("--judge", metavar="NAME", help="Who judges, for the page.", show_default=False)]
AllowExternal = Annotated[
    bool, typer.Option("--allow-external", help="Let an ONNX file read its weights from files in its own folder, and no others.")
]
AllowCode = Annotated[
    bool,
    typer.Option("--allow-code", help="Let a TorchScript or torch.export file run its own code, in a separate process."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]


def chosen(kind: type[Member], text: str, option: str) -> Member:
    """The member of an enum that an option names."""
    found = next((member for member in kind if member.value == text.lower()), None)
    if found is None:
        raise UsageError(f"{option} must be one of {', '.join(str(member.value) for member in kind)}; got {text!r}")
    return found


def listed(package: str) -> str:
    """The methods that a package registers, without loading them."""
    return ", ".join(sorted(homes(package)))


def rate(alpha: float) -> float:
    """A rate of false accusations that can be meant."""
    if not 0 < alpha < 1:
        raise UsageError(f"--alpha must lie between 0 and 1, got {alpha:g}: it is the rate of false accusations that you accept")
    return alpha


def normalisation(mean: str | None, std: str | None, default: Default, channels: int) -> "Preprocess | Default":
    """`--mean` and `--std` for images of so many channels; `default` where neither is given."""
    from ownmark.claims.claim import Preprocess

    if mean is None and std is None:
        return default
    if mean is None or std is None:
        raise UsageError("--mean and --std belong together; give both, e.g. --mean 0.5,0.5,0.5 --std 0.25,0.25,0.25")
    means, stds = _numbers(mean, "--mean", channels), _numbers(std, "--std", channels)
    if min(stds) <= 0:
        raise UsageError(f"--std must be positive, got {std}")
    longest = max(len(means), len(stds))
    return Preprocess(*(numbers * longest if len(numbers) == 1 else numbers for numbers in (means, stds)))


def _numbers(text: str, option: str, channels: int) -> tuple[float, ...]:
    from ownmark.scoring.readings import is_number

    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError:
        numbers = ()
    if not all(map(is_number, numbers)) or len(numbers) not in {1, channels}:
        raise UsageError(f"{option} needs 1 number, or {channels} with commas between them, one per channel; got {text!r}")
    return numbers


def as_bytes(binary: str | None) -> bool | None:
    """What `--binary` says. Raises UsageError."""
    if binary not in {None, "yes", "no"}:
        raise UsageError(f"--binary is yes or no, got {binary!r}")
    return None if binary is None else binary == "yes"


def about(claimant: str, judge: str) -> "About":
    """Who judges today, and for whom."""
    from datetime import UTC, datetime

    from ownmark.report.page import About

    today = datetime.now(UTC)
    return About(f"{today.day} {today:%B %Y}", claimant, judge)


class AskingAtHand(Protocol):
    """A command that asks models at hand: the options that all such commands have."""

    @property
    def outputs(self) -> str | None: ...
    @property
    def output(self) -> str: ...
    @property
    def layer(self) -> str: ...
    @property
    def allow_external(self) -> bool: ...
    @property
    def allow_code(self) -> bool: ...


class Asking(AskingAtHand, Protocol):
    """The same, where the images' normalisation and the device can be said, too."""

    @property
    def mean(self) -> str | None: ...
    @property
    def std(self) -> str | None: ...
    @property
    def device(self) -> str: ...


class AskingByWire(Protocol):
    """A command that asks suspects behind addresses: the options that all such commands have."""

    @property
    def api(self) -> str | None: ...
    @property
    def header(self) -> list[str] | None: ...
    @property
    def tensor(self) -> str | None: ...
    @property
    def binary(self) -> str | None: ...
    @property
    def per_second(self) -> float: ...
    @property
    def at_once(self) -> int: ...


class AskingFarAway(Asking, AskingByWire, Protocol):
    """A command that asks suspects at hand and behind addresses."""

    @property
    def claim(self) -> Path: ...


def near_of(asked: Asking, claim: "Claim", model: str | None = None) -> "Access":
    """What is said of all suspects; `model`: the network that weights files belong to."""
    from ownmark.suspects.answers import Outputs as Kind
    from ownmark.suspects.open import Access

    preprocess = normalisation(asked.mean, asked.std, claim.preprocess, claim.images.shape[-1])
    outputs = None if asked.outputs is None else chosen(Kind, asked.outputs, "--outputs")
    return Access(
        preprocess,
        claim.task.width(claim.classes) or 0,
        model,
        outputs,
        layer=asked.layer,
        device=asked.device,
        output=asked.output,
        external=asked.allow_external,
        code=asked.allow_code,
        said=asked.mean is not None,
    )


def reach_of(asked: AskingFarAway, claim: "Claim", model: str | None = None) -> "Reach":
    """How suspects at hand and behind addresses are got at, with one ledger per address."""
    from ownmark.suspects.open import Reach

    return Reach(claim_file=asked.claim, near=near_of(asked, claim, model), wire=wire_of(asked))


def wire_of(asked: AskingByWire) -> "Wire":
    """How suspects behind addresses are spoken to."""
    from ownmark.suspects.opener import Wire

    return Wire(
        api=asked.api,
        header=tuple(asked.header or ()),
        tensor=asked.tensor,
        per_second=asked.per_second,
        at_once=asked.at_once,
        binary=as_bytes(asked.binary),
    )

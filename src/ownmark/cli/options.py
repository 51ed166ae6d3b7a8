"""The arguments and options that several commands share, each declared once, and how their texts are read."""

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from ownmark.errors import UsageError
from ownmark.registries import homes

if TYPE_CHECKING:
    from ownmark.claims.claim import Preprocess

Member = TypeVar("Member", bound=Enum)

ClaimFile = Annotated[Path, typer.Argument(metavar="CLAIM", help="The claim's file.", show_default=False)]
Model = Annotated[
    str,
    typer.Argument(
        metavar="MODEL", help="module:factory, 'module:factory(width=16)' or torchvision:resnet18.", show_default=False
    ),
]
ModelOfFiles = Annotated[
    str | None,
    typer.Option(
        "--model", metavar="MODEL", help="The network that weights files belong to, e.g. mymodel:build.", show_default=False
    ),
]
Weights = Annotated[
    Path | None, typer.Option(metavar="FILE", help="The model's weights: safetensors or a state dict.", show_default=False)
]
Data = Annotated[
    str,
    typer.Option(
        metavar="PLACE",
        help="Images: a folder (of class folders, or with metadata.csv), its zip, MedMNIST's .npz, torchvision:CIFAR10, digits.",
        show_default=False,
    ),
]
TaskName = Annotated[
    str,
    typer.Option(
        "--task",
        metavar="TASK",
        help='What the model does: classification, regression, similarity; e.g. "Regression(unit=20)".',
    ),
]
Size = Annotated[
    int | None,
    typer.Option(min=1, max=2**14, metavar="PIXELS", help="Bring all images to this size.", show_default=False),
]
Channels = Annotated[int, typer.Option(metavar="1|3", help="3 for colour, 1 for grey.")]
Mean = Annotated[
    str | None,
    typer.Option(metavar="R,G,B", help="What to subtract from pixels in [0, 1], e.g. 0.485,0.456,0.406.", show_default=False),
]
Std = Annotated[
    str | None,
    typer.Option(metavar="R,G,B", help="What to divide them by, e.g. 0.229,0.224,0.225.", show_default=False),
]
Seed = Annotated[int, typer.Option(min=0, metavar="N", help="The same seed gives the same result.")]
Device = Annotated[str, typer.Option(metavar="auto|cpu|cuda", help="Where to compute.")]
Way = Annotated[
    str | None,
    typer.Option(
        metavar="WAY",
        help="The one way of asking that counts: weights, probabilities or labels. Without it p pays for every way.",
        show_default=False,
    ),
]
Alpha = Annotated[float, typer.Option(metavar="RATE", help="The rate of false accusations that you accept.")]
Outputs = Annotated[
    str | None,
    typer.Option(
        metavar="logits|probabilities|sigmoids",
        help="What the suspect's last layer gives; found out by the answers if not said.",
        show_default=False,
    ),
]
Output = Annotated[str, typer.Option(metavar="NAME", help="Which output to read, where a model has several.", show_default=False)]
Layer = Annotated[
    str, typer.Option(metavar="NAME", help="Where to take a suspect's map instead of the claim's layer.", show_default=False)
]
Sequential = Annotated[
    bool,
    typer.Option("--sequential", help="Ask about a keyed watermark's triggers one by one, and stop at the first that decides."),
]
AllowExternal = Annotated[
    bool, typer.Option("--allow-external", help="Let an ONNX file read its weights from files in its own folder, and no others.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]


def chosen(kind: type[Member], text: str, option: str) -> Member:
    """The member of an enum that an option names."""
    found = next((member for member in kind if member.value == text.lower()), None)
    if found is None:
        raise UsageError(f"{option} is one of {', '.join(str(member.value) for member in kind)}; got {text!r}")
    return found


def listed(package: str) -> str:
    """The methods that a package registers, without loading them."""
    return ", ".join(sorted(homes(package)))


def rate(alpha: float) -> float:
    """A rate of false accusations that can be meant."""
    if not 0 < alpha < 1:
        raise UsageError(f"--alpha must lie between 0 and 1, got {alpha:g}: it is the rate of false accusations that you accept")
    return alpha


def normalisation(mean: str | None, std: str | None, default: "Preprocess", channels: int) -> "Preprocess":
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
        raise UsageError(f"{option} needs 1 number, or {channels} with commas between them, one a channel; got {text!r}")
    return numbers

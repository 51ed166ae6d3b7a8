"""The owner's commands, and the thief's: what can be typed to make a claim, to try it, and to see the whole story."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

import typer

from ownmark.cli.files import check_readable, check_writable
from ownmark.cli.options import (
    AsJson,
    Channels,
    Data,
    Device,
    Mean,
    Model,
    Output,
    Seed,
    Size,
    Std,
    TaskName,
    Weights,
    listed,
    normalisation,
    rate,
)
from ownmark.errors import UsageError

if TYPE_CHECKING:
    from ownmark.cli.network import Network
    from ownmark.data.images import Images
    from ownmark.data.split import Split
    from ownmark.tasks import Task


@dataclass(frozen=True, kw_only=True)
class Demo:
    """Tell the whole story on handwritten digits: protect, steal, judge, and a page to open. Takes a minute or so."""

    example: ClassVar[str] = "ownmark demo --out demo"
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Where the page, the claim and the weights go.")] = Path("demo")
    seed: Seed = 0
    as_json: AsJson = False

    def run(self) -> None:
        from ownmark.cli.demo.story import told

        told(self.out, self.seed, as_json=self.as_json)


@dataclass(frozen=True, kw_only=True)
class Protect:
    """Make a claim on a model; a watermark writes marked weights, too. Ctrl-C loses nothing: the same command goes on."""

    example: ClassVar[str] = "ownmark protect mymodel:build --weights model.safetensors --data images/ --size 112 --out my.claim"
    model: Model
    weights: Weights = None
    data: Data
    task: TaskName = "classification"
    out: Annotated[Path, typer.Option(metavar="FILE", help="The claim to write.", show_default=False)]
    size: Size = None
    channels: Channels = 3
    mean: Mean = None
    std: Std = None
    scheme: Annotated[
        str,
        typer.Option(
            metavar="SCHEME", help=f'The method: {listed("schemes")}; e.g. "Saliency(samples=50)"; see `ownmark methods NAME`.'
        ),
    ] = "Saliency"
    marked: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A watermark's weights to write (the claim's name, safetensors).", show_default=False),
    ] = None
    key: Annotated[
        Path | None,
        typer.Option(
            metavar="OWNER.key",
            help="Whose secret a watermark's triggers come from; without it, a random key.",
            show_default=False,
        ),
    ] = None
    alpha: Annotated[
        float,
        typer.Option(metavar="RATE", help="The rate of false accusations that a watermark is judged by: its key depends on it."),
    ] = 1e-6
    pledge: Annotated[
        Path | None,
        typer.Option(
            metavar="PLEDGE",
            help="First writes this and stops; `ownmark beacon` gives it a public pulse; then the key takes that, too.",
            show_default=False,
        ),
    ] = None
    pledges: Annotated[
        int, typer.Option(min=1, metavar="N", help="As one of how many you pledge for this claim: p pays for each.")
    ] = 2**16
    references: Annotated[
        int | None,
        typer.Option(
            min=0, metavar="N", help="Other models to train on the images, for contrast (2 if not said).", show_default=False
        ),
    ] = None
    reference: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE", help="Weights of another model of yours, trained independently; may be repeated.", show_default=False
        ),
    ] = None
    training: Annotated[
        str, typer.Option(metavar="TRAINING", help="How other models are trained; see `ownmark methods Training`.")
    ] = "Training(epochs=20, rate=0.05)"
    seed: Seed = 0
    device: Device = "auto"
    output: Output = ""
    as_json: AsJson = False

    def run(self) -> None:
        from ownmark.cli.marking import check_asked, owner_of
        from ownmark.cli.protect import Order, check, protected
        from ownmark.method_strings import read
        from ownmark.schemes import SCHEMES, served
        from ownmark.tasks import TASKS, check_served
        from ownmark.training import Training

        if self.reference and self.references is not None:
            raise UsageError("give either --references N, to train them, or --reference FILE, to name them")
        scheme, training, task = read(self.scheme, SCHEMES), read(self.training, (Training,)), read(self.task, TASKS)
        check_served(scheme, served(scheme), task)
        workspace = self.out.with_name(f"{self.out.name}.work")
        check_writable(self.out)
        _check_files(self, *(self.reference or ()))
        marked = check_asked(self, scheme)
        owner = owner_of(self.key)
        split = self._split(task, marks=scheme.marks)
        network = _network(self, split.mine)
        wanted = tuple(self.reference) if self.reference else 2 if self.references is None else self.references
        order = Order(network, scheme, training, wanted, self.seed, workspace, owner, rate(self.alpha), self.pledge, self.pledges)
        check(order, split.mine)
        protected(order, network.loaded(self.weights), split, (self.out, marked), as_json=self.as_json)

    def _split(self, task: "Task", *, marks: bool) -> "Split":
        """A fingerprint changes no model, so that it may use all images; the cost of a watermark is measured on others."""
        from ownmark.data.images import load
        from ownmark.data.split import Split

        if marks:
            return Split.of(self.data, self.size, self.channels, task)
        images = load(self.data, size=self.size, channels=self.channels, task=task)
        return Split(images, images, "all that are given")


@dataclass(frozen=True, kw_only=True)
class Attack:
    """Be the thief: make a changed copy of a model, and see what it costs in accuracy."""

    example: ClassVar[str] = (
        "ownmark attack mymodel:build --weights model.safetensors --data images/ "
        '--attack "Prune(fraction=0.3)" --out pruned.safetensors'
    )
    model: Model
    weights: Weights = None
    data: Data
    task: TaskName = "classification"
    attack: Annotated[
        str,
        typer.Option(
            metavar="ATTACK",
            help=f'The method: {listed("attacks")}; e.g. "Finetune(epochs=5)"; see `ownmark methods NAME`.',
            show_default=False,
        ),
    ]
    out: Annotated[Path, typer.Option(metavar="FILE", help="The copy's weights to write, safetensors.", show_default=False)]
    size: Size = None
    channels: Channels = 3
    mean: Mean = None
    std: Std = None
    seed: Seed = 0
    device: Device = "auto"
    output: Output = ""
    as_json: AsJson = False

    def run(self) -> None:
        from ownmark.attacks import ATTACKS
        from ownmark.cli.thief import attacked, check
        from ownmark.data.split import Split
        from ownmark.method_strings import read
        from ownmark.tasks import TASKS

        attack, task = read(self.attack, ATTACKS), read(self.task, TASKS)
        check(attack)
        check_writable(self.out)
        _check_files(self)
        split = Split.of(self.data, self.size, self.channels, task)
        model = _network(self, split.mine).loaded(self.weights)
        attacked(attack, model, split, (self.seed, self.out), as_json=self.as_json)


def _network(asked: Protect | Attack, images: "Images") -> "Network":
    """The network of a command that also names images."""
    from ownmark.claims.claim import Preprocess
    from ownmark.cli.network import Network, device

    preprocess = normalisation(asked.mean, asked.std, Preprocess(), images.size[2])
    return Network(asked.model, images.task.width(images.names), preprocess, device(asked.device), asked.output)


def _check_files(asked: Protect | Attack, *others: Path) -> None:
    if asked.channels not in {1, 3}:
        raise UsageError(f"--channels is 3 for colour or 1 for grey, got {asked.channels}")
    for file in (asked.weights, *others):
        if file is not None:
            check_readable(file, "weights file")

"""`ownmark attack`: what a thief may do to a model."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

from ownmark.cli.answer import Answer
from ownmark.cli.options import (
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
    option,
)


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
        option("ATTACK", f'The method: {listed("attacks")}; e.g. "Finetune(epochs=5)"; see `ownmark methods NAME`.'),
    ]
    out: Annotated[Path, option("FILE", "The copy's weights to write, safetensors.")]
    size: Size = None
    channels: Channels = 3
    mean: Mean = None
    std: Std = None
    seed: Seed = 0
    device: Device = "auto"
    output: Output = ""

    def run(self) -> Answer:
        from ownmark.attacks import ATTACKS
        from ownmark.cli.console import Terminal
        from ownmark.cli.render import of_attack
        from ownmark.data.images import Place
        from ownmark.method_strings import read
        from ownmark.models.network import Network, device
        from ownmark.tasks import TASKS
        from ownmark.workflows.attack import AttackRequest, attack

        preprocess = normalisation(self.mean, self.std, None, self.channels)
        request = AttackRequest(
            network=Network(self.model, None, preprocess, device(self.device), self.output),
            model=self.weights,
            data=Place(self.data, self.size, self.channels, read(self.task, TASKS)),
            attack=read(self.attack, ATTACKS),
            out=self.out,
            seed=self.seed,
        )
        return of_attack(attack(request, Terminal()), request)

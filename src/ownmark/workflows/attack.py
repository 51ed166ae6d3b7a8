"""What a thief does: a changed copy of a model, and what the change costs in quality.

>>> from pathlib import Path
>>> from ownmark import Prune
>>> from ownmark.data.images import Place
>>> from ownmark.workflows.attack import AttackRequest, attack
>>> from ownmark.models.network import Network
>>> request = AttackRequest(
...     network=Network("mymodel:build"),
...     model=Path("model.safetensors"),
...     data=Place("images"),
...     attack=Prune(fraction=0.3),
...     out=Path("pruned.safetensors"),
... )
>>> stolen = attack(request)
>>> stolen.out.exists(), stolen.after["accuracy"] <= stolen.before["accuracy"]
(True, True)
"""

from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path

import torch
from torch import nn

from ownmark.attacks.export import Export
from ownmark.attacks.prune_filters import Removal
from ownmark.data.images import Place, Split
from ownmark.errors import UsageError
from ownmark.files import check_readable
from ownmark.models.network import Network
from ownmark.models.prepared import notes_on
from ownmark.models.weights import save_weights, weights_digest
from ownmark.protocols import Attack
from ownmark.tasks import Quality
from ownmark.workflows.measuring import quality
from ownmark.workflows.watching import NOBODY, Watcher
from ownmark.workflows.workspace import check_weights


@dataclass(frozen=True, kw_only=True)
class AttackRequest:
    """What the thief does to the `model`, with images of his own from `data`; the copy's weights go to `out`.

    `network`, `model` and `data` are as in `ProtectRequest`.
    """

    network: Network
    model: nn.Module | Path | None = None
    data: Place | Split
    attack: Attack
    out: Path
    seed: int = 0


@dataclass(frozen=True)
class AttackResult:
    """The changed `copy`, whose weights lie in `out`: their digest, and the quality on held-out images `before` and `after`."""

    copy: nn.Module
    out: Path
    digest: str
    before: Quality
    after: Quality
    split: Split


def attack(request: AttackRequest, watcher: Watcher = NOBODY) -> AttackResult:
    """Apply the attack, write the copy's weights and measure both on held-out images. The model stays as it is.

    Raises UsageError, before any work, for an attack whose result is another network, and for files that are not there.
    """
    _check(request)
    data = request.network.placed(request.data, watcher.note)
    split = data if isinstance(data, Split) else data.split()
    model = request.network.answering(split.mine).filled(request.model, watcher.note)
    before = quality(model, split.held_out)
    for note in notes_on(model):
        watcher.note(f"Of the model, {note}.")
    with watcher.step(f"{request.attack}") as progress:
        copy = request.attack.apply(model, split.mine, torch.Generator().manual_seed(request.seed), progress)
    after = quality(copy, split.held_out)
    save_weights(copy, request.out)
    return AttackResult(copy, request.out, weights_digest(copy), before, after, split)


def _check(request: AttackRequest) -> None:
    if _is_made(request.attack, lambda part: part is Removal.CUT):
        raise UsageError(
            f"{request.attack} removes filters, and the code that built the model cannot load the remaining weights: "
            "use Removal.MASK, which zeroes the same filters, or prune in Python and keep the module"
        )
    if _is_made(request.attack, lambda part: isinstance(part, Export)):
        raise UsageError(
            f"{request.attack} makes a converted file, which a file of weights cannot hold: the bench asks such files"
        )
    check_weights(request.out)
    if isinstance(request.data, Place):
        request.data.check()
    if isinstance(request.model, Path):
        check_readable(request.model, "weights file")


def _is_made(part: object, told: Callable[[object], bool]) -> bool:
    """Whether that is `told` of a method, or of a part inside it."""
    inside = [getattr(part, field.name) for field in fields(part)] if is_dataclass(part) else []
    return told(part) or any(_is_made(one, told) for one in inside)

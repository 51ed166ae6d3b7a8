"""What a thief does: a changed copy of a model, and what the change costs in accuracy."""

from dataclasses import fields, is_dataclass
from pathlib import Path

import torch
from torch import nn

from ownmark.attacks.prune_filters import Removal
from ownmark.cli.console import emit, facts, show, tell, working
from ownmark.cli.network import quality, shown
from ownmark.data.split import Split
from ownmark.errors import UsageError
from ownmark.models.plain import told
from ownmark.models.weights import save_weights, weights_digest
from ownmark.protocols import Attack


def check(attack: Attack) -> None:
    """Raises UsageError for an attack whose result is another network, so that its weights alone would be of no use."""
    if _cuts(attack):
        raise UsageError(
            f"{attack} cuts filters out, and the code that built the model cannot load what is left: "
            "take Removal.MASK, which makes the same filters zero, or cut in Python and keep the module"
        )


def _cuts(part: object) -> bool:
    """Whether filters are cut out by a method, or by one inside it."""
    inside = [getattr(part, field.name) for field in fields(part)] if is_dataclass(part) else []
    return part is Removal.CUT or any(map(_cuts, inside))


def attacked(attack: Attack, model: nn.Module, split: Split, asked: tuple[int, Path], *, as_json: bool) -> None:
    """Apply the attack, write the copy's weights and say how good both are on held-out images; `asked` is seed and place."""
    seed, out = asked
    before, headline = quality(model, split.held_out), split.held_out.task.headline
    for note in told(model):
        tell(f"Of the model, {note}.")
    with working(f"{attack}") as progress:
        copy = attack.apply(model, split.mine, torch.Generator().manual_seed(seed), progress)
    after = quality(copy, split.held_out)
    save_weights(copy, out)
    if as_json:
        emit(
            {
                "attack": repr(attack),
                "out": str(out),
                "digest": weights_digest(copy),
                f"{headline}_before": before[headline],
                f"{headline}_after": after[headline],
                "held_out": split.origin,
                "held_out_images": len(split.held_out),
                "seed": seed,
            }
        )
        return
    show(f"{out}: {attack}", "bold")
    measured = f"{len(split.held_out)} images ({split.origin})"
    facts({"before": f"{shown(before, headline)}, on {measured}", "after": shown(after, headline)})

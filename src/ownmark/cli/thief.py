"""What a thief does: a changed copy of a model, and what the change costs in accuracy."""

from pathlib import Path

import numpy as np
import torch
from torch import nn

from ownmark.cli.console import emit, facts, show, tell, working
from ownmark.cli.network import correct
from ownmark.data import Images, load, shares
from ownmark.models.weights import save_weights, weights_digest
from ownmark.protocols import Attack
from ownmark.report.words import percent

HELD_OUT = 0.2  # of the images, where their place has no test split


def thief_and_held_out(place: str, size: int | None, channels: int) -> tuple[Images, Images]:
    """The images that the thief works with and others to measure on: the place's own test split, or a fifth of all."""
    mine = load(place, size=size, channels=channels)
    other = load(place, size=size, channels=channels, train=False)
    if other.names == mine.names and not np.array_equal(other.pixels, mine.pixels):
        return mine, other
    tell(f"No test split in {place}: every fifth image is held out.")
    held, kept = shares(mine, (HELD_OUT, 1 - HELD_OUT), torch.Generator().manual_seed(0))
    return kept, held


def attacked(attack: Attack, model: nn.Module, data: tuple[Images, Images], asked: tuple[int, Path], *, as_json: bool) -> None:
    """Apply the attack, write the copy's weights and say how good both are on held-out images; `asked` is seed and place."""
    (thief, held_out), (seed, out) = data, asked
    before = correct(model, held_out)
    with working(f"{attack}") as progress:
        copy = attack.apply(model, thief, torch.Generator().manual_seed(seed), progress)
    after = correct(copy, held_out)
    save_weights(copy, out)
    if as_json:
        emit(
            {
                "attack": repr(attack),
                "out": str(out),
                "digest": weights_digest(copy),
                "accuracy_before": before,
                "accuracy_after": after,
                "held_out_images": len(held_out),
                "seed": seed,
            }
        )
        return
    show(f"{out}: {attack}", "bold")
    facts({"before": f"{percent(before)} of {len(held_out)} held-out images right", "after": f"{percent(after)}"})

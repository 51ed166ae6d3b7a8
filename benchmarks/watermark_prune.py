"""Figure 3 of the partitioned watermark's paper: survival of each mark when the least-activated neurons are pruned.

Writes `watermark-prune.json` and `docs/figures/watermark-prune.svg`.
"""

from itertools import pairwise, product

import numpy as np
import torch

import watermark_zoo as zoo
from figures import curves
from helped import helped
from ownmark.attacks.prune_neurons import PruneNeurons
from record import ROOT, record
from zoo import measured

SETS = ("mnist", "cifar10")
SHOWN = ("partitioned", "trigger_set", "entangled", "zhang")
FRACTIONS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
SEEDS = zoo.SEEDS[:1]
FALL = 0.1  # of accuracy


def main() -> None:
    """Every set, scheme, fraction and seed; means over the seeds."""
    torch.set_num_threads(1)
    figures: dict[str, float] = {}
    for name, scheme in product(SETS, SHOWN):
        found = [[row(name, scheme, fraction, seed) for fraction in FRACTIONS] for seed in SEEDS]
        for (place, fraction), key in product(enumerate(FRACTIONS), found[0][0]):
            figures[f"{name}.{scheme}.pruned_{fraction:g}.{key}"] = float(np.mean([rows[place][key] for rows in found]))
        figures[f"{name}.{scheme}.survival_at_fall"] = float(np.mean([at_fall(rows) for rows in found]))
        print(name, scheme, figures[f"{name}.{scheme}.survival_at_fall"], flush=True)
    shown = {
        name: {
            scheme: [(fraction, figures[f"{name}.{scheme}.pruned_{fraction:g}.survival"]) for fraction in FRACTIONS]
            for scheme in SHOWN
        }
        for name in SETS
    }
    curves(shown, ("share of neurons pruned", "survival"), ROOT / "docs" / "figures" / "watermark-prune.svg")
    setting = (
        f"models a set: {len(SEEDS)}; in every layer the neurons with the least mean activation on a tenth of the training "
        f"images are silenced; survival_at_fall: where accuracy has fallen by {FALL:g}, interpolated between two fractions"
    )
    record("watermark-prune", figures, seeds={"zoo": list(SEEDS)}, setting=setting)


def row(name: str, scheme: str, fraction: float, seed: int) -> dict[str, float]:
    """Accuracy and survival of one marked model after pruning."""

    def measure() -> dict[str, float]:
        model, claim = zoo.marked(name, scheme, seed)
        if fraction:
            model = PruneNeurons(fraction).apply(model, zoo.thief(name), torch.Generator().manual_seed(3))
        return {"accuracy": zoo.accuracy_of(model, name), "survival": zoo.survival_of(model, claim)}

    return measured(f"prune {name} {zoo.SETTINGS[name]} {zoo.scheme(name, scheme)} {fraction} {seed}", measure)


def at_fall(rows: list[dict[str, float]]) -> float:
    """Survival where accuracy has fallen by FALL, interpolated; at the last fraction if it never falls that far."""
    bar = rows[0]["accuracy"] - FALL
    for before, after in pairwise(rows):
        if after["accuracy"] <= bar:
            share = (before["accuracy"] - bar) / (before["accuracy"] - after["accuracy"])
            return before["survival"] + share * (after["survival"] - before["survival"])
    return rows[-1]["survival"]


if __name__ == "__main__":
    helped(__doc__)
    main()

"""Figure 2 of the partitioned watermark's paper: survival of each mark against accuracy under increasing fine-tuning.

The thief has a tenth of the training images and trains all layers for ten epochs at increasing learning rates.
Writes `watermark-finetune.json` and `docs/figures/watermark-finetune.svg`.
"""

from copy import deepcopy
from itertools import product

import numpy as np
import torch

import watermark_zoo as zoo
from figures import curves
from helped import helped
from ownmark.training import Training, train
from record import ROOT, record
from zoo import measured

RATES = (0.001, 0.005, 0.02)
EPOCHS = 10
SEEDS = zoo.SEEDS[:1]  # a row costs one epoch of the model's own training
NEAR = 0.01  # accuracy loss, relative to the marked model, that counts as none
SHOWN = ("partitioned", "trigger_set", "entangled", "zhang")


def main() -> None:
    """Every set, scheme, rate and seed; means over the seeds, and the goals for the partitioned mark."""
    torch.set_num_threads(1)
    figures: dict[str, float] = {}
    for rate, name, scheme in product((0.0, *RATES), zoo.SETTINGS, SHOWN):
        rows = [row(name, scheme, rate, seed) for seed in SEEDS]
        for key in rows[0]:
            figures[f"{name}.{scheme}.rate_{rate:g}.{key}"] = float(np.mean([found[key] for found in rows]))
        print(name, scheme, rate, rows, flush=True)
    for name in zoo.SETTINGS:
        figures |= summary(name, figures)
    curves(points(figures), ("accuracy", "survival"), ROOT / "docs" / "figures" / "watermark-finetune.svg")
    setting = (
        f"models a set: {len(SEEDS)}; a tenth of the training images, all layers, {EPOCHS} epochs of 64 images a batch, "
        f"one-cycle learning rate that peaks at {', '.join(f'{rate:g}' for rate in RATES)}; augmented as in the model's training"
    )
    record("watermark-finetune", figures, seeds={"zoo": list(SEEDS), "thief": 3}, setting=setting)


def row(name: str, scheme: str, rate: float, seed: int) -> dict[str, float]:
    """Accuracy and survival of one marked model after one fine-tuning; rate 0 is the marked model itself."""

    def measure() -> dict[str, float]:
        marked, claim = zoo.marked(name, scheme, seed)
        model = deepcopy(marked).requires_grad_(True)
        own = zoo.SETTINGS[name].training
        if rate:
            training = Training(epochs=EPOCHS, rate=rate, flips=own.flips, shift=own.shift)
            train(model, zoo.thief(name), training, torch.Generator().manual_seed(3))
        return {"accuracy": zoo.accuracy_of(model, name), "survival": zoo.survival_of(model, claim)}

    return measured(f"finetune {name} {zoo.SETTINGS[name]} {zoo.scheme(name, scheme)} {rate} {EPOCHS} {seed}", measure)


def summary(name: str, figures: dict[str, float]) -> dict[str, float]:
    """The partitioned mark's lowest survival where the thief loses least accuracy, and its lead where accuracy is kept."""

    def at(scheme: str, rate: float, key: str) -> float:
        return figures[f"{name}.{scheme}.rate_{rate:g}.{key}"]

    best = max(RATES, key=lambda rate: at("partitioned", rate, "accuracy"))
    kept = [rate for rate in RATES if at("partitioned", rate, "accuracy") >= at("partitioned", 0, "accuracy") - NEAR]
    leads = [
        at("partitioned", rate, "survival") - max(at(scheme, rate, "survival") for scheme in SHOWN if scheme != "partitioned")
        for rate in kept
    ]
    return {
        f"{name}.free_rate": best,
        f"{name}.free_fall": at("partitioned", 0, "survival") - at("partitioned", best, "survival"),
        f"{name}.least_lead": min(leads, default=float("nan")),
    }


def points(figures: dict[str, float]) -> dict[str, dict[str, list[tuple[float, float]]]]:
    """Set -> scheme -> (accuracy, survival) by increasing rate."""
    return {
        name: {
            scheme: [
                (figures[f"{name}.{scheme}.rate_{rate:g}.accuracy"], figures[f"{name}.{scheme}.rate_{rate:g}.survival"])
                for rate in (0.0, *RATES)
            ]
            for scheme in SHOWN
        }
        for name in zoo.SETTINGS
    }


if __name__ == "__main__":
    helped(__doc__)
    main()

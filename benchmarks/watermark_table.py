"""Table 1 of the partitioned watermark's paper: each scheme's cost in clean accuracy, and trigger survival.

Writes `watermark-table.json`. Models and marks come from `watermark_zoo.py` and are made if missing.
"""

import numpy as np
import torch

import watermark_zoo as zoo
from helped import helped
from ownmark.scoring.null_models import KeyedLabels
from record import record
from zoo import measured

SETTING = (
    "ResNet-18 with a 3x3 stem at 28x28 (MNIST, width 8) and 32x32 (width 16), trained on all training images; CIFAR-10 as "
    "JPEG of quality 75; tinyimagenet100: 100 classes of Tiny-ImageNet at 32x32 in the place of CIFAR-100; 100 triggers; "
    "log10_p is before the factor of 2^64 tries, and 0 for schemes whose labels are not keyed"
)


def main() -> None:
    """Every set, scheme and seed; means and spreads."""
    torch.set_num_threads(1)
    figures: dict[str, float] = {}
    for name in zoo.SETTINGS:
        for scheme in zoo.SCHEMES:
            rows = [row(name, scheme, seed) for seed in zoo.SEEDS]
            for key in rows[0]:
                values = [found[key] for found in rows]
                figures[f"{name}.{scheme}.{key}"] = float(np.mean(values))
                figures[f"{name}.{scheme}.{key}_std"] = float(np.std(values))
            print(name, scheme, {key: round(figures[f"{name}.{scheme}.{key}"], 4) for key in rows[0]}, flush=True)
    record("watermark-table", figures, seeds={"zoo": list(zoo.SEEDS)}, setting=SETTING)


def row(name: str, scheme: str, seed: int) -> dict[str, float]:
    """One marked model's figures, measured once."""

    def measure() -> dict[str, float]:
        before = zoo.accuracy_of(zoo.target(name, seed), name)
        model, claim = zoo.marked(name, scheme, seed)
        null, survival = claim.tests[0].null, zoo.survival_of(model, claim)
        return {
            "accuracy_before": before,
            "accuracy_after": zoo.accuracy_of(model, name),
            "survival": survival,
            "unmarked": zoo.survival_of(zoo.target(name, seed), claim),
            "log10_p": null.log10_p(survival) if isinstance(null, KeyedLabels) else 0.0,
        }

    return measured(f"table {name} {zoo.SETTINGS[name]} {zoo.scheme(name, scheme)} {seed}", measure)


if __name__ == "__main__":
    helped(__doc__)
    main()

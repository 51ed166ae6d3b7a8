"""False positives of keyed claims: 2,000 random keys against independent trained MNIST networks.

Each key draws its own triggers and labels and is tested on one of the unmarked targets of `watermark_zoo.py`; p is before the
factor of 2^64. Writes `watermark-false-positives.json` and `docs/figures/watermark-false-positives.svg`.
"""

import hashlib

import numpy as np
import torch
from scipy.stats import binom

import watermark_zoo as zoo
from figures import curves
from helped import helped
from ownmark.protocols import Owner
from ownmark.schemes._common.marks import survival
from ownmark.schemes._common.triggers import keyed
from ownmark.schemes.partitioned import Partitioned
from ownmark.scoring.null_models import KeyedLabels
from record import ROOT, record
from zoo import measured

NAME = "mnist"
KEYS = 2000
TRIGGERS = 100
LEVELS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
LEVEL = 0.05


def main() -> None:
    """The share of p at or below each level, compared with the exact binomial band around that level."""
    torch.set_num_threads(1)
    values = np.array(list(measured(f"false positives {NAME} {zoo.SETTINGS[NAME]} {KEYS} {TRIGGERS}", asked).values()))
    shares = {level: float(np.mean(values <= level)) for level in LEVELS}
    low, high = binom.interval(0.99, KEYS, LEVEL)
    figures = {
        "keys": float(KEYS),
        "share_at_0.05": shares[LEVEL],
        "band_low": float(low / KEYS),
        "band_high": float(high / KEYS),
        "least_p": float(values.min()),
        "adjusted_at_0.05": float(np.mean(values * 2.0**64 <= LEVEL)),
    }
    shown = {
        "measured": list(shares.items()),
        "uniform": [(level, level) for level in LEVELS],
        "99 % band": [(level, float(binom.ppf(0.995, KEYS, level)) / KEYS) for level in LEVELS],
    }
    file = ROOT / "docs" / "figures" / "watermark-false-positives.svg"
    curves({"innocent models": shown}, ("level", "share of p at or below it"), file)
    setting = f"{KEYS} random keys of {TRIGGERS} patterns each, against {len(zoo.SEEDS)} unmarked networks on {NAME}"
    record("watermark-false-positives", figures, seeds={"zoo": list(zoo.SEEDS), "keys": [0, KEYS]}, setting=setting)


def asked() -> dict[str, float]:
    """Key number -> p of its claim against one of the unmarked networks."""
    images, found = zoo.images(NAME, training=False), {}
    models = [zoo.target(NAME, seed) for seed in zoo.SEEDS]
    for number in range(KEYS):
        owner = Owner(images, key=hashlib.sha256(f"other {number}".encode()).digest())
        drawn = keyed(Partitioned(triggers=TRIGGERS, sets=1), owner, models[number % len(models)])
        if not isinstance(drawn.null, KeyedLabels):
            raise SystemExit("keyed triggers have keyed labels")
        held = survival(models[number % len(models)], drawn)
        found[str(number)] = float(10 ** drawn.null.log10_p(held))
    return found


if __name__ == "__main__":
    helped(__doc__)
    main()

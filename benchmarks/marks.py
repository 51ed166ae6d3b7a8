"""Watermarks against thieves who train on answers, and against those who train on the weights; in small.

MNIST: the owner has 6,000 images, a thief who asks the model for answers 6,000 others, a thief who has the weights 1,500.
`marks_cifar10.py` does the same on CIFAR-10 (20,000, as many others and 3,000), `marks_tinyimagenet100.py` on 100 classes of
Tiny-ImageNet (15,000, as many others and 3,000; see `mark_zoo.py`).
`score` is the share of triggers that hold; of `Undertone` that is `held`, and `score` the share of classes that the expected one
is raised above; `log10_p` the chance of that score before the allowance for tried keys (0 for schemes whose labels
are not keyed), `match` whether p is at most 1e-6 with the allowance of 2^16 that a committed key earns, `match_64` the same with
the allowance of 2^64, `needed` how many triggers would give that match in half of all cases at the same score (0: more than
10,000), `models` how many of the owner's models were asked.
Writes `marks.json`, `marks-cifar10.json` and `marks-tinyimagenet100.json`; every row is measured once and stored, so that an
interrupted run goes on.
`--minutes` ends the work early: what is measured by then is recorded.
"""

import argparse
import os
from collections.abc import Callable, Mapping
from functools import partial
from time import monotonic

import numpy as np
import torch
from torch import nn

from mark_keys import LEVEL, PLEDGED, UNPLEDGED, false_positives, needed
from mark_zoo import MNIST, THIEF, Cells, Marked, Place
from ownmark.evidence.choices import RULES, rule_of
from ownmark.protocols import silent
from ownmark.schemes._common.triggers import access_of
from ownmark.schemes.undertone import Undertone
from ownmark.scoring.null_models import KeyedLabels
from record import record
from zoo import known, measured

KEEPS = 0.03  # of accuracy that an attack may lose
SEEDS = range(int(os.environ.get("OWNMARK_SEEDS", "3")))  # of the owner's models
LAST = ("extract", "knockoff_soft", "knockoff_hard", "unlearn", "overwrite", "adversarial_train")  # which cost most


def asked(place: Place) -> list[tuple[Marked, str]]:
    """Every row of every scheme, those first that tell most."""
    rows = ("unmarked", "marked", *place.thefts)
    every = [(Marked(place, called, seed), row) for seed in SEEDS for called in place.schemes for row in rows]
    return sorted(every, key=_turn)


def _turn(one: tuple[Marked, str]) -> tuple[bool, bool, int]:
    """Before thieves of one model come those of all; the undertone, which is new, comes before its peers, and is made thrice."""
    mark, row = one
    peer = mark.called != "undertone"
    return (peer and mark.seed > 0, row in LAST, 2 * mark.seed if not peer else 1)


def rows(place: Place, until: float) -> dict[tuple[Marked, str], Cells]:
    """What was measured before, and what can be until that time."""
    found: dict[tuple[Marked, str], Cells] = {}
    for one, row in asked(place):
        cells = known(one.stored(row))
        if cells is None and monotonic() < until:
            cells = measured(one.stored(row), partial(one.measure, row))
            print(one.place.name, one.called, one.seed, row, cells, flush=True)
        if cells is not None:
            found[one, row] = cells
    return found


def figures(place: Place, found: Mapping[tuple[Marked, str], Cells]) -> dict[str, float]:
    """Means over the models of each scheme, and the share of the thefts that keep accuracy which are a match."""
    made: dict[str, float] = {}
    for called, row in dict.fromkeys((one.called, row) for one, row in found):
        cells = [values for (one, other), values in found.items() if (one.called, other) == (called, row)]
        start = f"{called}.{row}"
        made |= {f"{start}.{name}": float(np.mean([values[name] for values in cells])) for name in cells[0]}
        made[f"{start}.models"] = float(len(cells))
        if any(values["log10_p"] for values in cells):
            rule = rule_of(access_of(place.schemes[called]))
            null = KeyedLabels.read_by(rule, place.classes, "0" * 64, 1, 0, grinding=PLEDGED)
            unpledged = [values["log10_p"] + UNPLEDGED * np.log10(2) <= np.log10(LEVEL) for values in cells]
            made[f"{start}.match_64"] = float(np.mean(unpledged))
            made[f"{start}.needed"] = needed(made[f"{start}.score"], null)
    for called in dict.fromkeys(one.called for one, _ in found):
        kept_rows = [
            values
            for (one, row), values in found.items()
            if one.called == called
            and row in place.thefts
            and values["accuracy"] >= found.get((one, "marked"), {"accuracy": 1.0})["accuracy"] - KEEPS
        ]
        made[f"{called}.kept_accuracy"] = float(len(kept_rows))
        made[f"{called}.matched_of_these"] = float(sum(values["match"] for values in kept_rows))
    return made


def of_other_keys(until: float) -> dict[str, float]:
    """What 2,000 keys of others find in an innocent model, in its student, and in a model that bears one owner's mark."""
    scheme, student = MNIST.schemes["undertone"], MNIST.thefts["distill"][0]

    def taught() -> nn.Module:
        return student.apply(MNIST.target(0), MNIST.images["others"], torch.Generator().manual_seed(THIEF), silent)

    suspects: dict[str, Callable[[], nn.Module]] = {
        "innocent": partial(MNIST.target, 0),
        "other_owner": lambda: Marked(MNIST, "undertone", 0).made()[0],
        "student": taught,
    }
    made: dict[str, float] = {}
    for name, suspect in suspects.items():
        recipe = f"marks keys 4 {MNIST.identity} {scheme} {RULES[Undertone.access]} {name}"
        measure = partial(false_positives, suspect, MNIST.images["owner"], scheme)
        cells = known(recipe) if monotonic() >= until else measured(recipe, measure)
        made |= {f"{name}.{figure}": value for figure, value in (cells or {}).items()}
    return made


def bench(place: Place, name: str) -> None:
    """Every scheme and theft on a set of images, and of MNIST the keys of others."""
    torch.set_num_threads(1)
    options = argparse.ArgumentParser()
    options.add_argument("--minutes", type=float, default=float("inf"))
    until = monotonic() + 60 * options.parse_args().minutes
    others = of_other_keys(until) if place is MNIST else {}
    made = figures(place, rows(place, until)) | others
    setting = f"in small, {place.setting}; as many others for students; mean over as many of the owner's models as `models` says"
    record(name, made, seeds={"targets": list(SEEDS), "thief": THIEF}, setting=setting)


if __name__ == "__main__":
    bench(MNIST, "marks")

"""Watermarks against thieves who train on answers, and against those who train on the weights; in small.

MNIST: the owner has 6,000 images, a thief who asks the model for answers 6,000 others, a thief who has the weights 1,500;
CIFAR-10 (`cifar10.*`), of which one model and few thefts are asked: 20,000, as many others and 3,000 (see `mark_zoo.py`).
`score` is the share of triggers that match, `log10_p` the chance of that before the allowance for tried keys (0 for schemes whose
labels are not keyed), `match` whether p is at most 1e-6 with the allowance of 2^16 that a committed key earns, `match_64` the
same with the allowance of 2^64, `needed` how many triggers would give that match in half of all cases at the same score (0: more
than 10,000), `models` how many of the owner's models were asked.
Writes `marks.json`; every row is measured once and stored, so that an interrupted run goes on. `--minutes` ends the work early:
what is measured by then is recorded.
"""

import argparse
import os
from collections.abc import Callable, Mapping
from functools import partial
from time import monotonic

import numpy as np
import torch
from torch import nn

from mark_keys import CLASSES, LEVEL, UNPLEDGED, false_positives, needed
from mark_zoo import CIFAR10, MNIST, THIEF, Cells, Marked, Place
from ownmark.evidence.choices import LABELS, RULES
from ownmark.protocols import silent
from ownmark.scoring.null_models import drawn_from
from record import record
from zoo import known, measured

KEEPS = 0.03  # of accuracy that an attack may lose
SEEDS = range(int(os.environ.get("OWNMARK_SEEDS", "3")))  # of the owner's models
LAST = ("extract", "knockoff_soft", "knockoff_hard", "unlearn", "overwrite", "adversarial_train")  # which cost most
SHORT = ("unmarked", "marked", "distill", "finetune_0.02", "retrain_all", "prune_filters_4", "extract", "knockoff_soft")


def asked() -> list[tuple[Marked, str]]:
    """Every row of every scheme, those first that tell most; of CIFAR-10 one model and few rows."""
    every = [
        (Marked(MNIST, called, seed), row)
        for seed in SEEDS
        for called in MNIST.schemes
        for row in ("unmarked", "marked", *MNIST.thefts)
    ]
    return sorted(every, key=_turn) + [(Marked(CIFAR10, "undertone", 0), row) for row in SHORT]


def _turn(one: tuple[Marked, str]) -> tuple[bool, bool, int]:
    """Before thieves of one model come those of all; the undertone, which is new, comes before its peers, and is made thrice."""
    mark, row = one
    peer = mark.called != "undertone"
    return (peer and mark.seed > 0, row in LAST, 2 * mark.seed if not peer else 1)


def rows(until: float) -> dict[tuple[Marked, str], Cells]:
    """What was measured before, and what can be until that time."""
    found: dict[tuple[Marked, str], Cells] = {}
    for one, row in asked():
        cells = known(one.stored(row))
        if cells is None and monotonic() < until:
            cells = measured(one.stored(row), partial(one.measure, row))
            print(one.place.name, one.called, one.seed, row, cells, flush=True)
        if cells is not None:
            found[one, row] = cells
    return found


def figures(found: Mapping[tuple[Marked, str], Cells]) -> dict[str, float]:
    """Means over the models of each scheme, and the share of the thefts that keep accuracy which are a match."""
    made: dict[str, float] = {}
    for place, called, row in dict.fromkeys((one.place, one.called, row) for one, row in found):
        cells = [values for (one, other), values in found.items() if (one.place, one.called, other) == (place, called, row)]
        start = f"{_named(place, called)}.{row}"
        made |= {f"{start}.{name}": float(np.mean([values[name] for values in cells])) for name in cells[0]}
        made[f"{start}.models"] = float(len(cells))
        if any(values["log10_p"] for values in cells):
            labels = drawn_from(RULES[getattr(place.schemes[called], "access", LABELS)], CLASSES)
            unpledged = [values["log10_p"] + UNPLEDGED * np.log10(2) <= np.log10(LEVEL) for values in cells]
            made[f"{start}.match_64"] = float(np.mean(unpledged))
            made[f"{start}.needed"] = needed(made[f"{start}.score"], 1 / labels)
    for place, called in dict.fromkeys((one.place, one.called) for one, _ in found):
        kept_rows = [
            values
            for (one, row), values in found.items()
            if (one.place, one.called) == (place, called)
            and row in place.thefts
            and values["accuracy"] >= found.get((one, "marked"), {"accuracy": 1.0})["accuracy"] - KEEPS
        ]
        made[f"{_named(place, called)}.kept_accuracy"] = float(len(kept_rows))
        made[f"{_named(place, called)}.matched_of_these"] = float(sum(values["match"] for values in kept_rows))
    return made


def _named(place: Place, called: str) -> str:
    return called if place is MNIST else f"{place.name}.{called}"


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
        recipe = f"marks keys 3 {MNIST.identity} {scheme} {name}"
        measure = partial(false_positives, suspect, MNIST.images["owner"], scheme)
        cells = known(recipe) if monotonic() >= until else measured(recipe, measure)
        made |= {f"{name}.{figure}": value for figure, value in (cells or {}).items()}
    return made


def main() -> None:
    """The keys of others, and every scheme and theft."""
    torch.set_num_threads(1)
    options = argparse.ArgumentParser()
    options.add_argument("--minutes", type=float, default=float("inf"))
    until = monotonic() + 60 * options.parse_args().minutes
    found = rows(until)
    sets = "; ".join(place.setting for place in dict.fromkeys(one.place for one, _ in found))
    setting = f"in small, {sets}; as many others for students; mean over as many of the owner's models as `models` says"
    made = of_other_keys(until) | figures(found)
    record("marks", made, seeds={"targets": list(SEEDS), "thief": THIEF}, setting=setting)


if __name__ == "__main__":
    main()

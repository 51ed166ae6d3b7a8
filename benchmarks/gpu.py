"""Fingerprints at a paper's own scale on one GPU: ResNet-18 at 224x224 on HAM10000, several models trained side by side.

Writes `gpu.json`. It ends in time (`--seconds`): models are made until three quarters of it are over, then whoever is there is
asked, and what is finished at the end is recorded. Interrupted runs resume. Without a GPU it says so and does nothing; `--scale
tiny --device cpu` is a smoke test.
"""

import argparse
import json
import os
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import torch

from ownmark.bench.artifacts import Measured
from ownmark.bench.cache import Zoo
from ownmark.bench.executors.pool import pool
from ownmark.bench.executors.worker import Workplace, kind_of
from ownmark.bench.grid import Grid
from ownmark.bench.recipe import Recipe, Scale, Theft, recipe
from ownmark.bench.results import Results
from ownmark.bench.running import Plan, run
from ownmark.bench.store import Store
from ownmark.bench.trial import Outcome, Role, Trial
from ownmark.cli.render_bench import BenchProgress
from ownmark.method_strings import read
from ownmark.models import accelerator
from ownmark.schemes import SCHEMES
from ownmark.training import Training
from record import record

MAKING = 0.75  # share of the time in which models are made
SCHEMES_ASKED = {"traces": "Traces()", "saliency": "Saliency()"}
COPIES: dict[str, Any] = {
    "finetune_all": "Finetune(epochs=5, rate=0.01)",
    "finetune_last": "Finetune(Layers.LAST, epochs=5, rate=0.01)",
    "retrain_all": "Retrain(epochs=5, rate=0.02)",
    "retrain_last": "Retrain(Layers.LAST, epochs=5, rate=0.02)",
    "prune_0.3": "Prune(0.3)",
    "prune_0.5": "Prune(0.5, epochs=2)",
    "prune_filters_4": "PruneFilters(0.25, epochs=1)",
    "distill_1": {"attack": "Distill(epochs=EPOCHS, rate=0.05)", "seed": 1, "share": 1},
    "distill_2": {"attack": "Distill(epochs=EPOCHS, rate=0.05)", "seed": 2, "share": 1},
    "distill_3": {"attack": "Distill(epochs=EPOCHS, rate=0.05)", "seed": 3, "share": 1},
}
FURTHER: dict[str, Any] = {"extract": {"attack": "Extract(epochs=EPOCHS, rate=0.05)", "share": 1}}


@dataclass(frozen=True)
class Asked:
    """What is made, where, and for how long."""

    grid: Grid
    store: Store
    device: str
    workers: int
    seconds: float

    @property
    def trials(self) -> list[Trial]:
        """Copies and independent models in turn, so that there are both whenever it ends."""
        every = self.grid.trials()
        order: dict[str, float] = {}
        for role in Role:
            names = list(dict.fromkeys(one.suspect for one in every if one.role is role))
            order |= {name: (place + 0.5) / len(names) if role is not Role.TARGET else -1 for place, name in enumerate(names)}
        return sorted(every, key=lambda one: order[one.suspect])


def paper(epochs: int, negatives: int) -> Grid:
    """The recipe skin at the scale paper with fewer epochs, copies and repeats."""
    whole = recipe("skin")
    scale = whole.scale("paper").model_copy(
        update={
            "training": Training(epochs=epochs, batch=64, rate=0.05, decay=2e-4),
            "fingerprints": {name: read(text, SCHEMES) for name, text in SCHEMES_ASKED.items()},
            "attacks": thefts(COPIES, epochs),
            "further": thefts(FURTHER, epochs),
            "references": (1, 2, 3),
            "negatives": tuple(range(100, 100 + negatives)),
            "innocents": (),
            "detectors": {},
            "repeats": whole.scale("paper").repeats[:1],
        }
    )
    return Grid(whole, scale)


def tiny() -> Grid:
    """A smoke test on digits."""
    whole: Recipe = recipe("digits")
    scale: Scale = whole.scale("smoke")
    kept = {name: scale.attacks[name] for name in ("finetune_last", "prune_0.3")}
    fewer = {
        "attacks": kept,
        "further": {},
        "watermarks": {},
        "negatives": (100, 101),
        "innocents": (),
        "repeats": scale.repeats[:1],
    }
    return Grid(whole, scale.model_copy(update=fewer))


def thefts(texts: Mapping[str, Any], epochs: int) -> dict[str, Theft]:
    """As in a recipe, with the number of epochs."""
    told = json.loads(json.dumps(texts).replace("EPOCHS", str(epochs)))
    return {name: Theft.model_validate(one) for name, one in told.items()}


def made(asked: Asked) -> list[Outcome]:
    """Makes and asks until the time is over; the outcomes of all trials that are finished then."""
    began, trials, place = monotonic(), asked.trials, Workplace(asked.store.root, asked.device)
    for share in (MAKING, 1.0):
        zoo = Zoo(asked.store)
        ready = trials if share < 1 else [one for one in trials if all(map(zoo.found, (one.claim, one.model)))]
        plan = Plan(ends=partial(float, began + share * asked.seconds))
        with pool(place, workers=asked.workers) as workers:
            run(ready, zoo, workers, BenchProgress(asked.workers), plan)
    zoo = Zoo(asked.store)
    return [Outcome.of(one, zoo.entry(one)) for one in trials if zoo.found(one)]


def costs(asked: Asked) -> dict[str, float]:
    """Mean seconds per kind of artifact, of which several are made at once, and how many there are."""
    zoo, each = Zoo(asked.store), defaultdict(list)
    closure: dict[object, None] = {}
    waiting: list[object] = list(asked.trials)
    while waiting:
        one = waiting.pop()
        if one not in closure:
            closure[one] = None
            waiting += one.needs  # type: ignore[attr-defined]
    for making in closure:
        if zoo.found(making):  # type: ignore[arg-type]
            each[kind_of(making)].append(float(zoo.entry(making).record["seconds"]))  # type: ignore[arg-type]
    return {f"seconds.{kind}": float(np.mean(found)) for kind, found in each.items()} | {
        f"count.{kind}": len(found) for kind, found in each.items()
    }


def above(outcomes: Sequence[Outcome]) -> dict[str, float]:
    """`SCHEME.TEST.above_all`: the share of copies that score above every independent model; how many there are of each."""
    found: dict[str, float] = {}
    for scheme in dict.fromkeys(one.trial.scheme for one in outcomes):
        mine = [one for one in outcomes if one.trial.scheme == scheme]
        copies, others = ([one.scores for one in mine if one.trial.role is role] for role in (Role.POSITIVE, Role.NEGATIVE))
        found |= {f"{scheme}.copies": len(copies), f"{scheme}.independent": len(others)}
        for test in mine[0].open_tests if copies and others else ():
            highest = max(one[test] for one in others)
            found[f"{scheme}.{test}.above_all"] = float(np.mean([one[test] > highest for one in copies]))
    return found


def tell(asked: Asked, outcomes: Sequence[Outcome], taken: float, name: str) -> None:
    """Records the figures."""
    zoo, held_out = Zoo(asked.store), asked.grid.pictures(training=False)
    worth = Measured(asked.grid.target(asked.grid.scale.repeats[0]), held_out)
    quality = {f"target_{key}": value for key, value in zoo.facts(worth).items()} if zoo.found(worth) else {}
    figures = Results("gpu", outcomes).figures | above(outcomes) | costs(asked) | quality | {"seconds.all": taken}
    scale = asked.grid.scale
    where = torch.cuda.get_device_name() if asked.device == "cuda" else "the CPU"
    shared = ", which share it by MPS" if os.environ.get("CUDA_MPS_PIPE_DIRECTORY") else ""
    setting = (
        f"recipe {asked.grid.recipe.name} at the scale paper: {scale.network}, {scale.size}x{scale.size}, {scale.training}, "
        f"instead of 50 epochs; on {where}, {asked.workers} processes side by side{shared}, precision "
        f"{accelerator.precision()}; one target, {len(scale.references)} references; the thief has {scale.thief_share:.0%} of "
        f"the images; ended after {asked.seconds:.0f} s"
    )
    seeds = {"repeats": [one.model_dump() for one in scale.repeats], "negatives": list(scale.negatives)}
    record(name, figures, seeds=seeds, setting=setting)


def main(words: Sequence[str] | None = None) -> None:
    """Makes, asks and records."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seconds", type=float, default=float(os.environ.get("OWNMARK_BENCH_SECONDS", "450")))
    options.add_argument("--device", default="cuda")
    options.add_argument("--workers", type=int, default=6, help="models that are trained side by side")
    options.add_argument("--epochs", type=int, default=10)
    options.add_argument("--negatives", type=int, default=20, help="independent models, at most")
    options.add_argument("--scale", default="paper", choices=["paper", "tiny"])
    options.add_argument("--store", type=Path, help="where finished work is kept")
    given = options.parse_args(words)
    if given.device == "cuda" and not torch.cuda.is_available():
        raise SystemExit("no CUDA device available: this benchmark needs one (--scale tiny --device cpu is a smoke test)")
    grid = tiny() if given.scale == "tiny" else paper(given.epochs, given.negatives)
    with tempfile.TemporaryDirectory() as folder:
        temporary = given.scale == "tiny" and given.store is None
        store = Store(Path(folder)) if temporary else Store.default() if given.store is None else Store(given.store)
        asked, began = Asked(grid, store, given.device, given.workers, given.seconds), monotonic()
        outcomes = made(asked)
        if given.scale == "tiny":
            print(f"{len(outcomes)} of {len(asked.trials)} trials", above(outcomes), costs(asked))
            return
        if not outcomes:
            raise SystemExit(f"nothing is finished after {given.seconds:.0f} s: the same command resumes")
        tell(asked, outcomes, monotonic() - began, "gpu")


if __name__ == "__main__":
    main()

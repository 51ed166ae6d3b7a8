"""Runs a recipe at the scale `cpu` and records it as `NAME-cpu.json`.

`--scale small`, where the recipe has that, is recorded as `NAME-small.json`. `--device cuda --workers 14` trains on a GPU,
several models side by side. With `--seconds` it ends in time: what is most needed is made first, and rows that are not complete
then are left out and named.
"""

import argparse
import gzip
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import numpy.typing as npt

from ownmark.bench.artifacts import Fresh, Measured, Model
from ownmark.bench.behind import BEHIND
from ownmark.bench.cache import Zoo
from ownmark.bench.executors.pool import pool
from ownmark.bench.executors.worker import Workplace
from ownmark.bench.grid import Grid
from ownmark.bench.recipe import recipe
from ownmark.bench.results import Results
from ownmark.bench.running import UNFINISHED, Plan, run
from ownmark.bench.trial import Outcome, Role, Trial
from ownmark.cli.render_bench import BenchProgress
from ownmark.files import write_whole
from ownmark.training import predict
from record import ROOT, record
from zoo import ZOO

FIRST = ("traces", "saliency", "residual")  # fingerprints whose trials come before those of the others


@dataclass(frozen=True)
class Order:
    """First what R and U count, of this project's fingerprints and then of the others, then the further copies one by one."""

    grid: Grid

    def stage(self, trial: Trial) -> int:
        if trial.role is Role.FURTHER:
            return 2 + list(self.grid.scale.further).index(trial.suspect)
        return int(trial.scheme not in FIRST)


def bench(name: str, arguments: Sequence[str] | None = None) -> None:
    """Makes missing artifacts, runs all trials, writes `NAME-cpu.json` and the figures `docs/figures/NAME-cpu-*.svg`."""
    asked = _options().parse_args(arguments)
    grid = Grid(recipe(name), recipe(name).scale(asked.scale)).picked(tuple(asked.schemes), ())
    if asked.only_images:
        for training in (True, False):
            ZOO.entry(grid.pictures(training=training))
        return
    ends = monotonic() + asked.seconds
    plan = Plan(Order(grid).stage, lambda: ends)
    with pool(Workplace(ZOO.store.root, asked.device), workers=asked.workers) as workers:
        outcomes = run(grid.trials(), ZOO, workers, BenchProgress(workers.workers), plan)
    whole = complete(outcomes)
    if asked.outcomes:
        write_whole(asked.outcomes, gzip.compress(json.dumps([told(one) for one in outcomes]).encode(), 5))
    if not whole:
        raise SystemExit("no fingerprint has all rows: allow more --seconds")
    results = Results(f"{name}, {asked.scale}", whole)
    made = f"on {asked.device}" if asked.device != "cpu" else ""
    notes = {"left out": left_out(outcomes, whole)} if len(whole) < len(outcomes) else None
    record(
        f"{name}-{asked.scale}",
        results.figures | worth(grid),
        seeds=seeds(grid),
        setting=setting(grid, asked.scale, made),
        notes=notes,
    )
    drawn = results.pictures
    drawn.pop("samples", None)  # samples derived from other people's images are not published
    for called, svg in drawn.items():
        (ROOT / "docs" / "figures" / f"{name}-{asked.scale}-{called}.svg").write_text(svg)
    if asked.answers:
        found = answers(grid, Zoo(ZOO.store, asked.device), ends + asked.more_seconds)
        np.savez_compressed(asked.answers, allow_pickle=False, **found)


def told(outcome: Outcome) -> dict[str, Any]:
    """An outcome as plain data, without what is said behind an alarm."""
    found = outcome.to_json()
    facts = dict(found.get("facts", {}))
    readings = {name: one for name, one in facts.get("readings", {}).items() if BEHIND not in name}
    return found | {"facts": facts | {"readings": readings, "stealth": {}}}


def answers(grid: Grid, zoo: Zoo, ends: float) -> dict[str, npt.NDArray[np.float16]]:
    """By the name of a model and `.train` or `.test`: its probabilities (n, classes) of all images, as long as there is time."""
    first = grid.scale.repeats[0]
    models: dict[str, Model] = {"target": grid.target(first), **dict(grid.independent(first))}
    models |= {f"reference_{seed}": Fresh(grid.setting, seed) for seed in (*grid.scale.references, *grid.scale.more_references)}
    thefts = grid.scale.attacks | grid.scale.further
    models |= {name: grid.copy(grid.target(first), theft) for name, theft in thefts.items() if name not in grid.skipped}
    found = {}
    for name, model in models.items():
        if monotonic() < ends and zoo.found(model):
            network = zoo.model(model)
            for part, training in (("train", True), ("test", False)):
                shares = predict(network, zoo.images(grid.pictures(training=training))).softmax(dim=1)
                found[f"{name}.{part}"] = shares.numpy().astype(np.float16)
    return found


def _options() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--scale", default="cpu")
    options.add_argument("--device", default="cpu")
    options.add_argument("--workers", type=int, help="models that are trained side by side; without it one per core")
    options.add_argument("--seconds", type=float, default=float("inf"), help="after which it ends")
    options.add_argument("--schemes", nargs="*", default=(), help="only these of the recipe's fingerprints")
    options.add_argument("--outcomes", type=Path, help="a file (.json.gz) for every outcome, with the value of each sample")
    options.add_argument("--answers", type=Path, help="a file (.npz) for every model's probabilities of all images")
    options.add_argument("--more-seconds", type=float, default=60.0, help="after --seconds, for the answers")
    options.add_argument("--only-images", action="store_true", help="only read the images, for a later run")
    return options


def complete(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Those that may stand beside each other: of repeats with every row that is counted, and further rows of all of these."""
    late = [one.trial for one in outcomes if one.error == UNFINISHED]
    cut = {(one.scheme, one.repeat) for one in late if one.role is not Role.FURTHER}
    rows = {one.suspect for one in late if (one.scheme, one.repeat) not in cut}
    kept = (one for one in outcomes if (one.trial.scheme, one.trial.repeat) not in cut)
    return [one for one in kept if one.trial.role is not Role.FURTHER or one.trial.suspect not in rows]


def left_out(outcomes: Sequence[Outcome], whole: Sequence[Outcome]) -> str:
    """What the time did not suffice for."""
    kept = {(one.trial.scheme, one.trial.repeat) for one in whole}
    cut = dict.fromkeys(
        f"{one.trial.scheme} {one.trial.repeat}" for one in outcomes if (one.trial.scheme, one.trial.repeat) not in kept
    )
    suspects = {one.trial.suspect for one in whole}
    rows = dict.fromkeys(one.trial.suspect for one in outcomes if one.trial.suspect not in suspects)
    return "; ".join((*cut, *rows))


def worth(grid: Grid) -> dict[str, float]:
    """The targets' quality, and that of a constant answer."""
    held_out = grid.pictures(training=False)
    headline = held_out.task.headline
    measured = {one.target: Measured(grid.target(one), held_out) for one in grid.scale.repeats}
    found = [ZOO.facts(one)[headline] for one in measured.values() if ZOO.found(one)]
    trivial = held_out.task.trivial(ZOO.images(held_out).labels)[headline]
    return {f"target_{headline}": float(np.mean(found)), f"trivial_{headline}": trivial}


def seeds(grid: Grid) -> dict[str, object]:
    scale = grid.scale
    thefts = scale.attacks | scale.further
    return {
        "repeats": [one.model_dump() for one in scale.repeats],
        "references": list(scale.references),
        "negatives": list(scale.negatives),
        "strangers": {called: list(one.seeds) for called, one in scale.strangers.items()},
        "attacks": {called: scale.attack_seed if one.seed is None else one.seed for called, one in thefts.items()},
    }


def setting(grid: Grid, called: str, made: str) -> str:
    scale = grid.scale
    kinds = ", ".join(f"{len(one.seeds)} {kind}" for kind, one in scale.strangers.items())
    others = f" and others of other images or networks ({kinds})" if kinds else ""
    return (
        f"recipe {grid.recipe.name} at the scale {called}: {scale.network}, {scale.training}; {len(scale.attacks)} copies "
        f"({len(scale.further)} further ones are not counted in R and U) and {len(scale.negatives)} independent models{others}, "
        f"{len(scale.repeats)} repeats; the thief has {scale.thief_share:.0%} of the images{'; ' if made else ''}{made}"
    )

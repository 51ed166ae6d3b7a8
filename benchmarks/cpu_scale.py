"""Runs a recipe at the scale `cpu` and records it as `NAME-cpu.json`."""

import numpy as np

from ownmark.bench.artifacts import Measured
from ownmark.bench.executors.pool import pool
from ownmark.bench.executors.worker import Workplace
from ownmark.bench.grid import Grid
from ownmark.bench.recipe import recipe
from ownmark.bench.results import Results
from ownmark.bench.running import run
from ownmark.cli.render_bench import Told
from record import ROOT, record
from zoo import ZOO


def bench(name: str) -> None:
    """Makes missing artifacts, runs all trials, writes `NAME-cpu.json` and the figures `docs/figures/NAME-cpu-*.svg`."""
    grid = Grid(recipe(name), recipe(name).scale("cpu"))
    with pool(Workplace(ZOO.store.root)) as workers:
        outcomes = run(grid.trials(), ZOO, workers, Told(workers.workers))
    results = Results(f"{name}, cpu", outcomes)
    drawn = results.pictures
    drawn.pop("samples", None)  # samples derived from other people's images are not published
    for called, svg in drawn.items():
        (ROOT / "docs" / "figures" / f"{name}-cpu-{called}.svg").write_text(svg)
    scale, held_out = grid.scale, grid.pictures(training=False)
    headline, trivial = held_out.task.headline, held_out.task.trivial(ZOO.images(held_out).labels)
    targets = [ZOO.facts(Measured(grid.target(one), held_out))[headline] for one in scale.repeats]
    worth = {f"target_{headline}": float(np.mean(targets)), f"trivial_{headline}": trivial[headline]}
    thefts = scale.attacks | scale.further
    seeds = {
        "repeats": [one.model_dump() for one in scale.repeats],
        "references": list(scale.references),
        "negatives": list(scale.negatives),
        "attacks": {called: scale.attack_seed if one.seed is None else one.seed for called, one in thefts.items()},
    }
    copies = f"{len(scale.attacks)} copies ({len(scale.further)} further ones are not counted in R and U)"
    setting = (
        f"recipe {name} at the scale cpu: {scale.network}, {scale.training}; {copies} and {len(scale.negatives)} independent "
        f"models, {len(scale.repeats)} repeats; the thief has {scale.thief_share:.0%} of the images"
    )
    record(f"{name}-cpu", results.figures | worth, seeds=seeds, setting=setting)

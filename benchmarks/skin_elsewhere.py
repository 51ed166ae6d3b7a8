"""False positives on independent models with different training images than the protected model.

The negatives of `skin-cpu` share the protected model's training images, and so classify most of a claim's originals correctly.
These models are trained on the held-out images instead, which are fewer, so they misclassify more of them.
"""

from collections import defaultdict
from dataclasses import replace

import numpy as np
import torch

from helped import helped
from ownmark.bench.artifacts import Fresh, Measured
from ownmark.bench.executors.pool import pool
from ownmark.bench.executors.worker import Workplace
from ownmark.bench.grid import Grid
from ownmark.bench.recipe import recipe
from ownmark.bench.running import run
from ownmark.bench.trial import TESTS, Outcome, Role
from ownmark.cli.render_bench import BenchProgress
from ownmark.suspects.local import Local
from ownmark.verdicts.verify import findings
from record import record
from zoo import ZOO

SEEDS = range(300, 304)
Names = tuple[str, str]  # scheme and test


def main() -> None:
    """Trains them, verifies every claim of the recipe against them, writes `skin-elsewhere.json`."""
    grid = Grid(recipe("skin"), recipe("skin").scale("cpu"))
    with pool(Workplace(ZOO.store.root)) as workers:
        outcomes = run(grid.trials(), ZOO, workers, BenchProgress(workers.workers))
    others = [Fresh(replace(grid.setting, pictures=grid.pictures(training=False)), seed) for seed in SEEDS]
    found = known(outcomes) | elsewhere(grid, others)
    worth = [ZOO.facts(Measured(one, grid.setting.pictures))["accuracy"] for one in others]
    setting = (
        f"claims, copies and independent models of recipe skin at the scale cpu; {len(others)} more models of its network and "
        "training that learnt from the held-out images; accuracy is on the training images of the others"
    )
    record("skin-elsewhere", found | {"accuracy": float(np.mean(worth))}, seeds={"elsewhere": list(SEEDS)}, setting=setting)


def known(outcomes: list[Outcome]) -> dict[str, float]:
    """The lowest score of a copy and the highest of an independent model, means over the repeats."""
    sides: dict[tuple[Names, Role], dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for one in outcomes:
        for test in one.open_tests:
            sides[(one.trial.scheme, test), one.trial.role][one.trial.repeat].append(one.scores[test])
    ends = {Role.POSITIVE: ("lowest_copy", min), Role.NEGATIVE: ("highest_same_images", max)}
    return {
        f"{scheme}.{test}.{ends[role][0]}": float(np.mean([ends[role][1](scores) for scores in repeats.values()]))
        for ((scheme, test), role), repeats in sides.items()
        if role in ends
    }


def elsewhere(grid: Grid, others: list[Fresh]) -> dict[str, float]:
    """The highest and mean scores of the models trained on other images, means over the repeats."""
    scores: dict[Names, list[list[float]]] = defaultdict(list)
    suspects = [Local(ZOO.model(one)) for one in others]
    for name, scheme in grid.scale.fingerprints.items():
        for repeat in grid.scale.repeats:
            claim = ZOO.claim(grid.claimed(scheme, repeat))
            seen = [{one.test.reading: one.score for one in findings(claim, suspect)} for suspect in suspects]
            for reading in seen[0]:
                scores[name, TESTS.get(reading, "black_box")].append([one[reading] for one in seen])
    highest = {f"{scheme}.{test}.highest_elsewhere": float(np.mean(np.max(one, 1))) for (scheme, test), one in scores.items()}
    return highest | {f"{scheme}.{test}.mean_elsewhere": float(np.mean(one)) for (scheme, test), one in scores.items()}


if __name__ == "__main__":
    helped(__doc__)
    torch.set_num_threads(1)
    main()

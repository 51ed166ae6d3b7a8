"""What other formats and precisions leave of every scheme's score: the scale `exports` of the recipe digits, as `exported.json`.

`make bench-exported` runs this in `.venv-formats`, which holds the converters; run by another Python it skips what that lacks.
Interrupted runs resume.
"""

import torch

from helped import helped
from ownmark.bench.executors.worker import Here, Workplace
from ownmark.bench.grid import Grid
from ownmark.bench.recipe import recipe
from ownmark.bench.running import run
from ownmark.bench.trial import Outcome, Role
from ownmark.cli.render_bench import BenchProgress
from record import record
from zoo import ZOO

MAPS = "white_box"  # which no runtime shows


def main() -> None:
    """Asks every scheme's claim of every export, of the target and of independent models."""
    torch.set_num_threads(1)
    grid = Grid(recipe("digits"), recipe("digits").scale("exports"))
    for name, reason in grid.skipped.items():
        print(f"{name} is skipped: {reason}")
    place = Workplace(ZOO.store.root)
    outcomes = run(grid.trials(), place.zoo, Here(place), BenchProgress(1))
    figures: dict[str, float] = {}
    for outcome in outcomes:
        name = "independent" if outcome.trial.role is Role.NEGATIVE else outcome.trial.suspect
        for test, score in scores(outcome).items():
            key = f"{outcome.trial.scheme}.{test}.{name}"
            figures[key] = max(score, figures.get(key, 0.0))
        worth = outcome.worth[1]
        if worth is not None and outcome.trial.role is not Role.NEGATIVE:
            figures[f"{outcome.trial.scheme}.accuracy.{name}"] = worth
    notes = {f"{one.trial.scheme}.{one.trial.suspect}": one.error for one in outcomes if one.error is not None}
    scale = grid.scale
    setting = (
        f"recipe digits at the scale exports: {scale.network}, {scale.training}; 40 samples (60 residuals, 10 negatives); up to "
        f"256 of the {scale.thief_share:.0%} of the images that the thief has calibrate; the most of 3 independents"
    )
    record("exported", figures, seeds={"target": 0, "claim": 11, "negatives": [100, 101, 102]}, setting=setting, notes=notes)


def scores(outcome: Outcome) -> dict[str, float]:
    """By the test that a file answers."""
    return {test: score for test, score in outcome.scores.items() if test in outcome.open_tests and not test.startswith(MAPS)}


if __name__ == "__main__":
    helped(__doc__)
    main()

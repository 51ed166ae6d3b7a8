"""Costs of the bench in one run: two processes against two threads, memory over many trials, attacks against training.

Writes `bench-scaling.json`. `python benchmarks/bench_scaling.py tiny` is a smoke test and writes nothing.
"""

import shutil
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter

import torch

from ownmark.attacks.distill import Distill
from ownmark.attacks.finetune import Finetune
from ownmark.attacks.prune_filters import PruneFilters
from ownmark.attacks.retrain import Retrain
from ownmark.bench.artifacts import Fresh
from ownmark.bench.executors.pool import pool as pool_of
from ownmark.bench.executors.worker import Here, Workplace
from ownmark.bench.grid import Grid
from ownmark.bench.recipe import Theft, recipe
from ownmark.bench.running import run
from ownmark.bench.trial import Role, Trial
from ownmark.models.layers import Layers
from ownmark.protocols import Attack, silent
from record import record

ATTACKS: dict[str, Attack] = {
    "finetune_last": Finetune(Layers.LAST, epochs=5, rate=0.01),
    "finetune_all": Finetune(epochs=5, rate=0.01),
    "retrain_all": Retrain(epochs=5, rate=0.02),
    "prune_filters": PruneFilters(0.25, epochs=1),
    "distill": Distill(epochs=20, rate=0.05),
}


@dataclass(frozen=True)
class Size:
    """Trials per measurement, and the recipe and epochs for comparing attacks with training."""

    parallel: int = 48
    serial: int = 200
    early: int = 50  # trials before the first memory measurement
    recipe: str = "skin"
    scale: str = "cpu"
    epochs: int = 20
    attacks: tuple[str, ...] = tuple(ATTACKS)


TINY = Size(parallel=4, serial=4, early=2, recipe="digits", scale="smoke", epochs=1, attacks=("finetune_last", "prune_filters"))


def main() -> None:
    """Measures all three, or only runs them."""
    tiny = "tiny" in sys.argv[1:]
    size = TINY if tiny else Size()
    figures = parallel(size) | memory(size) | costs(size)
    if tiny:
        print(figures)
        return
    setting = (
        f"{size.parallel} and {size.serial} trials of digits (each a fine-tuning and its questions); attacks against training "
        f"on {size.recipe} at the scale {size.scale}, where the thief has 30 % of the images (for distillation all); one thread"
    )
    record("bench-scaling", figures, seeds={"attacks": list(range(size.serial))}, setting=setting)


def trials(count: int, first: int = 0) -> list[Trial]:
    """Fine-tunings of one digits model, each with its own seed, and their queries."""
    digits = recipe("digits")
    attacks = {f"finetune_{seed}": Theft(attack=Finetune(epochs=2), seed=seed) for seed in range(first, first + count)}
    network = "ownmark:ResNet18(width=16, channels=1, stem='cifar', last_stride=1)"
    changed = {
        "network": network,
        "attacks": attacks,
        "innocents": (),
        "watermarks": {},
        "repeats": digits.scale("smoke").repeats[:1],
    }
    scale = digits.scale("smoke").model_copy(update=changed)
    return [trial for trial in Grid(digits, scale).trials() if trial.role is Role.POSITIVE]


def parallel(size: Size) -> dict[str, float]:
    """Trials per hour of two single-threaded processes and of one process with two threads, from equal stores."""
    with tempfile.TemporaryDirectory() as folder:
        shared = Workplace(Path(folder) / "shared")
        run(trials(1, first=10_000), shared.zoo, Here(shared))
        rates = {}
        for workers, threads in ((2, 1), (1, 2)):
            place = Workplace(Path(folder) / f"{workers}", threads=threads)
            shutil.copytree(shared.root, place.root)
            with pool_of(place, workers=workers) as pool:
                run(trials(workers, first=20_000), place.zoo, pool)  # warm-up: the processes start and load their inputs
                started = perf_counter()
                run(trials(size.parallel), place.zoo, pool)
                rates[workers] = size.parallel / (perf_counter() - started) * 3600
    return {"two_processes": rates[2], "two_threads": rates[1], "two_processes_over_two_threads": rates[2] / rates[1]}


def memory(size: Size) -> dict[str, float]:
    """Memory growth of this process between some and many trials."""
    with tempfile.TemporaryDirectory() as folder:
        place = Workplace(Path(folder))
        run(trials(size.early), place.zoo, Here(place))
        early = resident()
        run(trials(size.serial), place.zoo, Here(place))
        late = resident()
    return {"megabytes_early": early, "megabytes_late": late, "memory_growth": late / early}


def resident() -> float:
    """Resident memory of this process in megabytes, from the kernel."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def costs(size: Size) -> dict[str, float]:
    """Time of each attack divided by the time of training the target once."""
    found = recipe(size.recipe)
    grid = Grid(found, found.scale(size.scale))
    setting = replace(grid.setting, training=replace(grid.setting.training, epochs=size.epochs))
    with tempfile.TemporaryDirectory() as folder:
        zoo = Workplace(Path(folder)).zoo
        zoo.images(setting.pictures)
        target = Fresh(setting, 0)
        training = float(zoo.entry(target).record["seconds"])
        figures = {"training_seconds": training}
        for name in size.attacks:
            attack = ATTACKS[name]
            share = 1 if isinstance(attack, Distill) else grid.scale.thief_share
            stolen, thief = zoo.model(target), zoo.thief(setting, share)
            started = perf_counter()
            attack.apply(stolen, thief, torch.Generator().manual_seed(0), silent)
            figures[f"{name}_over_training"] = (perf_counter() - started) / training
    return figures


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()

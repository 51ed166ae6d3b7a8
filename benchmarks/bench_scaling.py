"""Costs of the bench in one run: two processes against two threads, memory over many trials, attacks against training.

Writes `bench-scaling.json`. `python benchmarks/bench_scaling.py tiny` is a smoke test and writes nothing. `make
bench-side-by-side` measures only the processes.
"""

import shutil
import sys
import tempfile
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from time import perf_counter

import numpy as np
import torch

from helped import helped
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
from ownmark.data.images import Images
from ownmark.models.layers import Layers
from ownmark.models.resnet import ResNet18
from ownmark.processes import pool
from ownmark.protocols import Attack, silent
from ownmark.training import Training, train
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
    models: int = 8
    images: int = 2000
    serial: int = 200
    early: int = 50  # trials before the first memory measurement
    recipe: str = "skin"
    scale: str = "cpu"
    epochs: int = 20
    attacks: tuple[str, ...] = tuple(ATTACKS)


TINY = Size(
    parallel=4,
    models=2,
    images=64,
    serial=4,
    early=2,
    recipe="digits",
    scale="smoke",
    epochs=1,
    attacks=("finetune_last", "prune_filters"),
)


def main() -> None:
    """Measures all three, or only runs them."""
    tiny = "tiny" in sys.argv[1:]
    size = TINY if tiny else Size()
    figures = parallel(size) | references(size) | memory(size) | costs(size)
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


WAYS = {"two_processes": (2, 1), "two_threads": (1, 2), "one_process": (1, 1)}  # workers, and threads of each


def parallel(size: Size) -> dict[str, float]:
    """Trials per hour of two processes with one thread, of one with two threads, and of one with one; from equal stores."""
    with tempfile.TemporaryDirectory() as folder:
        shared = Workplace(Path(folder) / "shared")
        run(trials(1, first=10_000), shared.zoo, Here(shared))
        rates = {}
        for name, (workers, threads) in WAYS.items():
            place = Workplace(Path(folder) / name, threads=threads)
            shutil.copytree(shared.root, place.root)
            with pool_of(place, workers=workers) as crew:
                run(trials(workers, first=20_000), place.zoo, crew)  # warm-up: the processes start and load their inputs
                started = perf_counter()
                run(trials(size.parallel), place.zoo, crew)
                rates[name] = size.parallel / (perf_counter() - started) * 3600
    return rates | compared(rates)


def compared(rates: dict[str, float], of: str = "") -> dict[str, float]:
    """Two processes by two threads, which is wanted, and what either gains over one thread, which says why."""
    two, threads, one = (rates[name] for name in WAYS)
    return {f"{of}two_processes_over_two_threads": two / threads, f"{of}two_processes_over_one": two / one} | {
        f"{of}two_threads_over_one": threads / one
    }


def references(size: Size) -> dict[str, float]:
    """The same for the training of models for contrast, by models per hour."""
    rates = {}
    for name, (workers, threads) in WAYS.items():
        processes = pool(workers, threads)
        try:
            list(processes.map(partial(trained, 64, threads), range(workers)))
            started = perf_counter()
            list(processes.map(partial(trained, size.images, threads), range(size.models)))
            rates[name] = size.models / (perf_counter() - started) * 3600
        finally:
            processes.shutdown(kill_workers=True)
    return compared(rates, "references.")


def trained(count: int, threads: int, seed: int) -> None:
    """One epoch of a small network on noise."""
    torch.set_num_threads(threads)
    draw = np.random.default_rng(seed)
    pixels, labels = draw.integers(0, 256, (count, 40, 40, 3), dtype=np.uint8), draw.integers(0, 7, count)
    images = Images(pixels, labels, tuple("abcdefg"))
    train(ResNet18(7, width=16, last_stride=1), images, Training(epochs=1, rate=0.01), torch.Generator().manual_seed(seed))


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
    helped(__doc__, "tiny: a smoke test, which writes nothing")
    torch.set_num_threads(1)
    main()

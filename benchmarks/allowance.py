"""Effect of a smaller allowance for tried keys: verdicts on every attacked mark of MNIST and CIFAR-10, at alpha = 1e-6.

Nothing is trained: trigger survival comes from the results of earlier benchmarks. p is the exact binomial tail times 2^64 (one
set disclosed), 2^40 (the secret disclosed) or 2^16 (a public pulse in the key). `*.needed_of_*`: matches that reach alpha.
Both sets of `Partitioned` are pooled, which the last two cases allow; the first is pooled here for comparison.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from helped import helped
from ownmark.evidence.allowance import ANY, MOST_PLEDGES, STRETCHED
from ownmark.scoring.null_models import KeyedLabels
from record import ROOT, record

ALPHA, TRIGGERS, CLASSES = 1e-6, 100, 10
DATA, KEYED = ("mnist", "cifar10"), ("partitioned", "partitioned_as_published", "trigger_set")
ALLOWANCES = (ANY, STRETCHED, MOST_PLEDGES.bit_length() - 1)
NO_COPY = re.compile(r"target|negative_\d+|.*_std")
SURVIVAL = re.compile(rf"({'|'.join(DATA)})\.({'|'.join(KEYED)})\.((?:rate|pruned)_[\d.]+)\.survival")
SCORE = re.compile(rf"({'|'.join(KEYED)})\.label\.score\.(.+)")


@dataclass(frozen=True)
class Row:
    """A mark after an attack: the share of its triggers that hold on the attacked model."""

    name: str
    survived: float


def main() -> None:
    rows = sorted({row.name: row for row in (*from_benches(), *from_sweeps())}.values(), key=lambda row: row.name)
    figures = {f"{row.name}.survived": row.survived for row in rows}
    for bits in ALLOWANCES:
        upheld = {row.name: is_match(row, bits) for row in rows}
        figures |= {f"{name}.match_2^{bits}": float(found) for name, found in upheld.items()}
        figures[f"all.matches_2^{bits}"] = sum(upheld.values())
        figures[f"all.needed_of_{TRIGGERS}_2^{bits}"] = needed(bits)
        for data in DATA:
            figures[f"{data}.matches_2^{bits}"] = sum(found for name, found in upheld.items() if name.startswith(data))
    figures["all.rows"] = len(rows)
    figures |= {f"{data}.rows": sum(row.name.startswith(data) for row in rows) for data in DATA}
    files = "mnist-cpu, cifar10-cpu, watermark-finetune and watermark-prune"
    setting = f"alpha {ALPHA:g}, {TRIGGERS} keyed triggers of {CLASSES} classes; every copy in {files}"
    record("allowance", figures, seeds={"models": "those of the benchmarks that are named"}, setting=setting)


def from_benches() -> Iterator[Row]:
    """Copies of the bench's recipes."""
    for data in DATA:
        for name, share in figures_of(f"{data}-cpu").items():
            found = SCORE.fullmatch(name)
            if found and not NO_COPY.fullmatch(found[2]):
                yield Row(f"{data}.{found[1]}.{found[2]}", share)


def from_sweeps() -> Iterator[Row]:
    """Fine-tuning at several rates and neuron pruning at several fractions, some of which are in a recipe too."""
    for file in ("watermark-finetune", "watermark-prune"):
        for name, share in figures_of(file).items():
            found = SURVIVAL.fullmatch(name)
            if found and not found[3].endswith("_0"):
                kind, number = found[3].split("_")
                attack = f"prune_neurons_{number}" if kind == "pruned" else f"finetune_{number}_10_epochs"
                yield Row(f"{found[1]}.{found[2]}.{attack}", share)


def figures_of(name: str) -> dict[str, float]:
    """Figures of an earlier benchmark."""
    found: dict[str, float] = json.loads((ROOT / "benchmarks" / "results" / f"{name}.json").read_text())["figures"]
    return found


def null(bits: int) -> KeyedLabels:
    """The test on all triggers; its p does not depend on a key."""
    return KeyedLabels("0" * 64, TRIGGERS, CLASSES, 0, grinding=bits)


def is_match(row: Row, bits: int) -> bool:
    """Whether p is at most alpha."""
    return null(bits).p_value(row.survived) <= ALPHA


def needed(bits: int) -> int:
    """The smallest number of matches that reaches alpha."""
    return next(count for count in range(TRIGGERS + 1) if null(bits).p_value(count / TRIGGERS) <= ALPHA)


if __name__ == "__main__":
    helped(__doc__)
    main()

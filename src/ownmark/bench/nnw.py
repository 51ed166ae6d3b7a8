"""A bench's watermarks as IEEE 3304-2023 asks for them (neural network watermarking, MPAI-NNW): quality, robustness, cost.

Pure functions of outcomes and of what the store tells about how their models were made. `DEVIATIONS` says where this evaluation
departs from the standard.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from ownmark.bench.artifacts import Claimed, Fresh
from ownmark.bench.cache import Zoo
from ownmark.bench.provenance import provenance
from ownmark.bench.trial import Outcome, Role
from ownmark.errors import UsageError
from ownmark.files import write_whole
from ownmark.report.page import template
from ownmark.statistics.p_values import clopper_pearson
from ownmark.verdicts.verdict import Outcome as Decision

STANDARD = "IEEE 3304-2023 (MPAI-NNW 1.0)"
DEVIATIONS = (
    "The modifications are the recipe's attacks with its settings, not the standard's list of modifications and ranges.",
    "Each attack counts once per marked model, whether or not the copy is still of use; its quality stands beside it.",
    "A symbol is the label of one trigger. The owner knows the labels, so no payload is decoded without them.",
    "A model is detected if its verdict is a match at alpha. Other verdicts detect nothing; INCONCLUSIVE ones are told apart.",
    "Unmarked models are those that the recipe accuses; the same ones serve every repeat.",
    "Limits are exact binomial ones (Clopper, Pearson 1934), which take models, and the symbols of one model, as independent.",
    "Times are those of the run that made the models, on the processors it had.",
    "The epochs to embed are the seconds of embedding over those of one epoch of the model's own training.",
    "The peak of memory is that of the process that embedded the mark and may have made other models before.",
)
ALPHA = 0.05  # at which a bench judges


@dataclass(frozen=True)
class Rate:
    """`count` of `total` cases, as a share with its 95 % limits."""

    count: int
    total: int
    share: float
    low: float
    high: float

    @classmethod
    def of(cls, count: int, total: int) -> "Rate | None":
        """None where there is no case."""
        return cls(count, total, count / total, *clopper_pearson(count, total)) if total else None


@dataclass(frozen=True)
class Modified:
    """One kind of model under one watermark, over the repeats: its quality, its symbol errors, and how many were detected."""

    name: str
    quality: float | None
    symbol_errors: Rate | None
    detected: int
    models: int


@dataclass(frozen=True)
class Cost:
    """Of embedding, means over the repeats: bytes of the weights and of the process at its peak, seconds, and epochs."""

    weights_bytes: float
    peak_bytes: float | None
    seconds_per_epoch: float | None
    seconds: float
    epochs: float | None


@dataclass(frozen=True)
class Evaluated:
    """What the standard asks for of one watermark.

    `undecided`: modified models with an INCONCLUSIVE verdict; `symbol_errors`: of all modified models together.
    """

    watermark: str
    quality_before: float | None
    quality_after: float | None
    false_positives: Rate | None
    false_negatives: Rate | None
    undecided: int
    mean_symbol_error_rate: float | None
    symbol_errors: Rate | None
    cost: Cost
    modified: tuple[Modified, ...]


@dataclass(frozen=True)
class Evaluation:
    """All watermarks of the bench called `title`; `metric` names the quality."""

    title: str
    metric: str
    watermarks: tuple[Evaluated, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON data."""
        told = {"standard": STANDARD, "deviations": DEVIATIONS, "alpha": ALPHA, "made": provenance()}
        return {**asdict(self), **told}

    def write(self, folder: Path) -> Path:
        """Writes `nnw.json` and the page `nnw.html` into the folder; returns the page."""
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / "nnw.json", json.dumps(self.to_json(), indent=1).encode())
        page = template("nnw.html", "bench").render(
            title=f"{self.title}: watermarks",
            found=self,
            standard=STANDARD,
            deviations=DEVIATIONS,
            alpha=ALPHA,
            made=provenance(),
        )
        write_whole(folder / "nnw.html", page.encode())
        return folder / "nnw.html"


def evaluated(title: str, outcomes: Sequence[Outcome], zoo: Zoo) -> Evaluation:
    """The evaluation of every watermark. Raises UsageError if the bench has none."""
    marks: dict[str, list[Outcome]] = defaultdict(list)
    names = [one.trial.scheme for one in outcomes if one.trial.role is Role.TARGET and isinstance(one.trial.model, Claimed)]
    for one in outcomes:
        if one.trial.scheme in names and one.error is None:
            marks[one.trial.scheme].append(one)
    if not marks:
        raise UsageError("IEEE 3304 evaluates watermarks, but no watermark was made: choose a recipe or scheme with one")
    metric = outcomes[0].headline
    return Evaluation(title, metric, tuple(_evaluated(name, found, zoo) for name, found in marks.items()))


def _evaluated(name: str, outcomes: Sequence[Outcome], zoo: Zoo) -> Evaluated:
    sides: dict[Role, list[Outcome]] = defaultdict(list)
    for one in outcomes:
        sides[one.trial.role].append(one)
    copies, target = [*sides[Role.POSITIVE], *sides[Role.FURTHER]], sides[Role.TARGET]
    missed, accused = (
        sum(_detected(one) is wrong for one in side) for side, wrong in ((copies, False), (sides[Role.NEGATIVE], True))
    )
    undecided = sum(one.facts["verdict"] == Decision.INCONCLUSIVE for one in copies)
    kinds: dict[str, list[Outcome]] = defaultdict(list)
    for one in (*target, *copies):
        kinds[one.trial.suspect].append(one)
    return Evaluated(
        name,
        _mean(one.worth[0] for one in target),
        _mean(one.worth[1] for one in target),
        Rate.of(accused, len(sides[Role.NEGATIVE])),
        Rate.of(missed, len(copies)),
        undecided,
        _mean(1 - _symbols(one).count("1") / len(_symbols(one)) for one in copies if _symbols(one)),
        _errors(copies),
        _cost(target, zoo),
        tuple(_modified(kind, found) for kind, found in kinds.items()),
    )


def _modified(name: str, found: Sequence[Outcome]) -> Modified:
    return Modified(name, _mean(one.worth[1] for one in found), _errors(found), sum(map(_detected, found)), len(found))


def _cost(targets: Sequence[Outcome], zoo: Zoo) -> Cost:
    marks = [one.trial.model for one in targets if isinstance(one.trial.model, Claimed)]
    entries = [zoo.entry(one) for one in marks]
    own = [_epoch(one.target, zoo) for one in marks]
    seconds = [float(one.record["seconds"]) for one in entries]
    return Cost(
        fmean(one.file("safetensors").stat().st_size for one in entries),
        _mean(one.record.get("peak_bytes") for one in entries),
        _mean(own),
        fmean(seconds),
        _mean(None if not each else spent / each for spent, each in zip(seconds, own, strict=True)),
    )


def _epoch(target: Fresh, zoo: Zoo) -> float | None:
    """Seconds of one epoch of the model's own training."""
    epochs = target.setting.training.epochs
    return float(zoo.entry(target).record["seconds"]) / epochs if epochs else None


def _detected(outcome: Outcome) -> bool:
    return bool(outcome.facts["verdict"] == Decision.MATCH)


def _symbols(outcome: Outcome) -> str:
    """1 per trigger that matched in the test that decided, 0 per other."""
    return str(outcome.facts["readings"][outcome.open_tests[0]]["matches"]) if outcome.open_tests else ""


def _errors(outcomes: Iterable[Outcome]) -> Rate | None:
    symbols = "".join(map(_symbols, outcomes))
    return Rate.of(symbols.count("0"), len(symbols))


def _mean(values: Iterable[float | None]) -> float | None:
    known = [float(value) for value in values if value is not None]
    return fmean(known) if known else None

"""Tables and flat figures from outcomes, as pure functions. Failed trials are counted, never skipped."""

import csv
import io
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ownmark.bench.ablations import ablations
from ownmark.bench.trial import Outcome, Role
from ownmark.metrics import aruc, auc, best_robust_and_unique, true_accepts
from ownmark.scoring.readings import Floats

FALSE_POSITIVES = 0.05  # the rate at which true positives are told
Cell = str | float | int | None
Figures = dict[str, float]


@dataclass(frozen=True)
class Table:
    """Rows under named columns; `name` is the file name, `title` the heading."""

    name: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def csv(self) -> str:
        """CSV with full precision."""
        stream = io.StringIO()
        csv.writer(stream, lineterminator="\n").writerows([self.columns, *self.rows])
        return stream.getvalue()

    def markdown(self) -> str:
        """Markdown with four decimals."""
        lines = [self.columns, ("---",) * len(self.columns), *(tuple(map(shown, row)) for row in self.rows)]
        return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def shown(cell: Cell) -> str:
    """A cell formatted for people."""
    if isinstance(cell, float):
        return f"{cell:.4f}".rstrip("0").rstrip(".")
    return "" if cell is None else str(cell).replace("|", "\\|")


@dataclass
class Scores:
    """The scores of one scheme in one test and repeat; `raw`: before they were mapped, for a graded test.

    `strangers`: names of the negatives of other images or of another network than the target.
    """

    positives: dict[str, float] = field(default_factory=dict)
    further: dict[str, float] = field(default_factory=dict)
    negatives: dict[str, float] = field(default_factory=dict)
    target: float | None = None
    raw: dict[str, float] = field(default_factory=dict)
    strangers: set[str] = field(default_factory=set)
    mapped: bool = False

    def add(self, outcome: Outcome, test: str) -> None:
        score = outcome.scores[test]
        self.mapped |= test in outcome.mapped
        if test in outcome.raw:
            self.raw[outcome.trial.suspect] = outcome.raw[test]
        if outcome.trial.stranger:
            self.strangers.add(outcome.trial.suspect)
        if outcome.trial.role is Role.TARGET:
            self.target = score
        else:
            side = {Role.POSITIVE: self.positives, Role.FURTHER: self.further, Role.NEGATIVE: self.negatives}
            side[outcome.trial.role][outcome.trial.suspect] = score

    @property
    def sides(self) -> tuple[Floats, Floats]:
        """(n,) of the positives and (m,) of the negatives."""
        return np.array(list(self.positives.values())), np.array(list(self.negatives.values()))

    @property
    def alike(self) -> Floats:
        """(m,) of the negatives of the target's own images and network."""
        return np.array([score for name, score in self.negatives.items() if name not in self.strangers])

    @property
    def raw_sides(self) -> tuple[Floats, Floats]:
        """The same before mapping; of a test whose score is a share, the same."""
        positives, negatives = ([self.raw.get(name, side[name]) for name in side] for side in (self.positives, self.negatives))
        return np.array(positives), np.array(negatives)


Repeats = list[Scores]  # of one scheme and test


def by_test(outcomes: Iterable[Outcome]) -> dict[tuple[str, str], Repeats]:
    """(scheme, test) -> the scores of each repeat that has any."""
    found: dict[tuple[str, str], dict[int, Scores]] = defaultdict(lambda: defaultdict(Scores))
    for outcome in outcomes:
        for test in outcome.scores:
            found[outcome.trial.scheme, test][outcome.trial.repeat].add(outcome, test)
    return {names: list(repeats.values()) for names, repeats in found.items()}


def figures(outcomes: Sequence[Outcome]) -> Figures:
    """`SCHEME.TEST.aruc`, `.aruc_mapped`, `.best_r_and_u`, `.auc`, `.auc.SUSPECT`, `.tpr_at_5`, `.score.SUSPECT`, with `_std`.

    The spread is over the repeats. `.auc_further`: with the further copies counted; `.auc_alike`, `.best_r_and_u_alike`: against
    the negatives of the target's images and network alone, where there are others. Then the suspects' accuracies and the number
    of failed trials.
    """
    found: Figures = {"failed": sum(outcome.error is not None for outcome in outcomes)}
    for (scheme, test), repeats in by_test(outcomes).items():
        start = f"{snake(scheme)}.{test}"
        for name, values in (areas(repeats) | _each(repeats) | _scores(repeats)).items():
            found |= {f"{start}.{name}": float(np.mean(values)), f"{start}.{name}_std": float(np.std(values))}
    for (scheme, measure), values in _stealth(outcomes).items():
        found[f"{snake(scheme)}.{measure}"] = float(np.mean(values))
    for (scheme, suspect), values in _worth(outcomes).items():
        found[f"{snake(scheme)}.{outcomes[0].headline}.{snake(suspect)}"] = float(np.mean(values))
    return found


def tables(outcomes: Sequence[Outcome]) -> list[Table]:
    """All tables with at least one row."""
    made = (summary(outcomes), scores(outcomes), stealth(outcomes), varied(outcomes), failures(outcomes))
    return [table for table in made if table.rows]


def summary(outcomes: Sequence[Outcome]) -> Table:
    """How well each scheme separates copies from independent models, per test."""
    columns = ("scheme", "test", "ARUC", "spread", "best min(R, U)", "AUC", "TPR at 5 % FPR", "positives", "negatives", "repeats")
    rows: list[tuple[Cell, ...]] = []
    for (scheme, test), repeats in by_test(outcomes).items():
        found = areas(repeats)
        mean = {name: float(np.mean(values)) for name, values in found.items()}
        spread = float(np.std(found["aruc"])) if found else None
        sides = (_least(repeats, "positives"), _least(repeats, "negatives"))
        told = (mean.get(name) for name in ("best_r_and_u", "auc", "tpr_at_5"))
        rows.append((scheme, test, mean.get("aruc"), spread, *told, *sides, len(repeats)))
    return Table("summary", "Separation of copies from independent models", columns, tuple(rows))


def scores(outcomes: Sequence[Outcome]) -> Table:
    """Every suspect by name, with its quality and scores; means over the repeats."""
    tests = list(dict.fromkeys(test for outcome in outcomes for test in outcome.scores))
    cells: dict[tuple[str, str], list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        if outcome.error is None:
            cells[outcome.trial.scheme, outcome.trial.suspect].append(outcome)
    rows = [_row(names, found, tests) for names, found in cells.items()]
    headline = outcomes[0].headline if outcomes else ""
    columns = ("scheme", "suspect", "role", f"{headline} before", headline, *tests, "repeats")
    return Table("scores", "Share of the samples that match, suspect by suspect", columns, tuple(rows))


def stealth(outcomes: Sequence[Outcome]) -> Table:
    """How detectable each scheme's claims are."""
    found = _stealth(outcomes)
    measures = sorted({measure for _, measure in found})
    schemes = dict.fromkeys(scheme for scheme, _ in found)
    cells = [[found.get((scheme, measure)) for measure in measures] for scheme in schemes]
    rows = [(scheme, *map(_mean, row)) for scheme, row in zip(schemes, cells, strict=True)]
    return Table("stealth", "Detectability of the samples", ("scheme", *measures), tuple(rows))


def varied(outcomes: Sequence[Outcome]) -> Table:
    """Results for other thresholds and numbers of samples."""
    found = ablations(outcomes)
    rows = tuple((*names, point.value, point.aruc) for names, points in found.items() for point in points)
    return Table("ablations", "Other thresholds, fewer samples", ("scheme", "test", "varied", "value", "ARUC"), rows)


def failures(outcomes: Sequence[Outcome]) -> Table:
    """Trials that failed, and why."""
    failed = [one for one in outcomes if one.error is not None]
    rows = tuple((one.trial.scheme, one.trial.suspect, one.trial.repeat, one.error) for one in failed)
    return Table("failures", "Trials that failed", ("scheme", "suspect", "repeat", "error"), rows)


def snake(name: str) -> str:
    """Lower case, with underscores between words; numbers keep their decimal points."""
    return re.sub(r"[^a-z0-9_.]+", "_", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()).strip("_")


def areas(repeats: Repeats) -> dict[str, list[float]]:
    """Figures over the repeats that have suspects of both kinds; empty without any."""
    both = [one for one in repeats if one.positives and one.negatives]
    if not both:
        return {}
    sides = [one.sides for one in both]
    mapped = {"aruc_mapped": [aruc(*one) for one in sides]} if all(one.mapped for one in both) else {}
    if any(one.further for one in both):
        every = [np.array([*one.positives.values(), *one.further.values()]) for one in both]
        mapped["auc_further"] = [auc(copies, one.sides[1]) for copies, one in zip(every, both, strict=True)]
    if all(one.strangers and len(one.alike) for one in both):
        mapped["auc_alike"] = [auc(one.sides[0], one.alike) for one in both]
        mapped["best_r_and_u_alike"] = [best_robust_and_unique(one.sides[0], one.alike) for one in both]
    return mapped | {
        "aruc": [aruc(*one.raw_sides) for one in both],
        "best_r_and_u": [best_robust_and_unique(*one) for one in sides],
        "auc": [auc(*one) for one in sides],
        "tpr_at_5": [true_accepts(*one, rate=FALSE_POSITIVES) for one in sides],
    }


def _each(repeats: Repeats) -> dict[str, list[float]]:
    """`auc.SUSPECT`: of each copy alone against all independent models."""
    found: dict[str, list[float]] = defaultdict(list)
    for one in repeats:
        for suspect, score in (one.positives | one.further).items() if one.negatives else ():
            found[f"auc.{snake(suspect)}"].append(auc(np.array([score]), one.sides[1]))
    return found


def _scores(repeats: Repeats) -> dict[str, list[float]]:
    found: dict[str, list[float]] = defaultdict(list)
    for one in repeats:
        for suspect, score in (one.positives | one.further | one.negatives).items():
            found[f"score.{snake(suspect)}"].append(score)
        if one.target is not None:
            found["score.target"].append(one.target)
        if one.negatives:
            found["highest_negative"].append(max(one.negatives.values()))
    return found


def _row(names: tuple[str, str], found: Sequence[Outcome], tests: Sequence[str]) -> tuple[Cell, ...]:
    before, after = (_mean([one.worth[at] for one in found]) for at in (0, 1))
    scored = [_mean([one.scores.get(test) for one in found]) for test in tests]
    return (*names, found[0].trial.role.value, before, after, *scored, len(found))


def _stealth(outcomes: Iterable[Outcome]) -> dict[tuple[str, str], list[float]]:
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    for outcome in outcomes:
        measured: Mapping[str, Any] = outcome.facts.get("stealth", {})
        for measure, value in measured.items():
            if isinstance(value, float):
                found[outcome.trial.scheme, measure].append(value)
        for alarm, kept in measured.get("alarms", {}).items():
            rings = [views[0] > kept["threshold"] for views in kept["queries"]]
            found[outcome.trial.scheme, f"dr.{alarm}.samples"].append(float(np.mean(rings)))
    return found


def _worth(outcomes: Iterable[Outcome]) -> dict[tuple[str, str], list[float]]:
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    for outcome in outcomes:
        after = outcome.worth[1]
        if after is not None:
            found[outcome.trial.scheme, outcome.trial.suspect].append(after)
    return found


def _least(repeats: Repeats, side: str) -> int:
    """The number of suspects of that kind in every repeat."""
    return min(len(one.positives if side == "positives" else one.negatives) for one in repeats)


def _mean(values: Sequence[float | None] | None) -> float | None:
    known = [value for value in values or () if value is not None]
    return float(np.mean(known)) if known else None

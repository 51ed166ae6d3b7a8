"""Trials of a bench: does this claim match this model? A trial is a value; running it returns an outcome, errors included."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np

from ownmark.attacks._common.runtime import runtime_of
from ownmark.bench.artifacts import Cache, Calibrated, Claimed, Making, Measured, Model, Pictures
from ownmark.bench.behind import BEHIND, behind
from ownmark.bench.stealth import Noticed
from ownmark.bench.store import Entry, Made, Specification
from ownmark.claims.claim import Claim, Test
from ownmark.protocols import Suspect
from ownmark.scoring.matches import Combining, Graded, from_record, to_record
from ownmark.scoring.readings import Floats, Reading
from ownmark.suspects.local import Local
from ownmark.suspects.wrappers.wrapped import Hardened, Hardening, Transform, Transformed
from ownmark.verdicts.verdict import Finding
from ownmark.verdicts.verify import verify
from ownmark.verdicts.ways import strongest

TESTS = {  # the others: black-box
    Reading.SALIENCY: "white_box",
    Reading.BEST: "best",
    Reading.LABEL: "label",
    Reading.EMBEDDING: "embedding",
}
VERSION = 2  # of the stored outcome
Wrapper = Transform | Hardening


class Role(StrEnum):
    """Ground truth of a suspect: the owner's `TARGET`, a copy (`POSITIVE`) or an independent model (`NEGATIVE`).

    `FURTHER`: a copy that is scored, but not counted in R and U, so that these stay those of the recipe's paper.
    """

    TARGET = "target"
    POSITIVE = "positive"
    FURTHER = "further"
    NEGATIVE = "negative"


@dataclass(frozen=True)
class Trial:
    """Verifies `claim` against `model` with the thief's transforms and defences.

    `scheme`, `suspect` and `repeat` name it in tables; `before` is the stolen or marked model, if any. With `noticed`, the
    outcome also includes the findings behind each alarm.
    """

    scheme: str
    suspect: str
    repeat: int
    role: Role
    claim: Claimed | Calibrated
    model: Model
    images: Pictures
    before: Model | None = None
    behind: tuple[Wrapper, ...] = ()
    noticed: Noticed | None = None

    @property
    def needs(self) -> tuple[Making, ...]:
        models = (self.model,) if self.before is None else (self.model, self.before)
        noticed = () if self.noticed is None else (self.noticed,)
        return (self.claim, *(Measured(model, self.images) for model in models), *noticed)

    @property
    def stranger(self) -> bool:
        """Whether it is an independent model of other images or of another network than the target."""
        claimed = self.claim.claimed if isinstance(self.claim, Calibrated) else self.claim
        return self.role is Role.NEGATIVE and self.model.setting != claimed.setting

    def specification(self, zoo: Cache) -> Specification:
        """The specification without names, so that recipes share equal trials."""
        return {
            "kind": "outcome",
            "version": VERSION,
            "claim": zoo.facts(self.claim)["claim"],
            "model": zoo.weights(self.model),
            "behind": [repr(one) for one in self.behind],
            "before": None if self.before is None else zoo.weights(self.before),
            "images": zoo.facts(self.images)["digest"],
            "stealth": None if self.noticed is None else dict(self.noticed.specification(zoo)),
        }

    def make(self, zoo: Cache) -> Made:
        """Runs every test of the claim."""
        claim, model = zoo.claim(self.claim), zoo.model(self.model)
        suspect = wrapped(runtime_of(model) or Local(model, name=self.suspect), self.behind)
        verdict = verify(claim, suspect, access=strongest(claim, suspect))
        tests = (verdict.deciding, *verdict.others)
        found = {name: one for one in tests if (name := test_name(claim, one.test))}
        noticed = {} if self.noticed is None else zoo.facts(self.noticed)
        found |= {
            f"{name}{BEHIND}{alarm}": one
            for name, asked in tuple(found.items())
            for alarm, one in behind(claim, asked, noticed.get("alarms", {})).items()
        }
        readings = {name: answered(one) for name, one in found.items()}
        facts: dict[str, Any] = {"readings": readings, "verdict": verdict.outcome.value, "queries": verdict.queries}
        facts |= {
            "headline": self.images.task.headline,
            "after": zoo.facts(Measured(self.model, self.images)),
            "before": None if self.before is None else zoo.facts(Measured(self.before, self.images)),
            "stealth": noticed if self.role is Role.TARGET else {},
        }
        return Made(facts)


@dataclass(frozen=True, eq=False)
class Outcome:
    """The result of a trial: the complete record, or an error."""

    trial: Trial
    record: Mapping[str, Any] = field(default_factory=dict)
    error: str | None = None

    @classmethod
    def of(cls, trial: Trial, entry: Entry) -> "Outcome":
        return cls(trial, entry.record)

    @property
    def facts(self) -> Mapping[str, Any]:
        facts: Mapping[str, Any] = self.record.get("facts", {})
        return facts

    @property
    def scores(self) -> dict[str, float]:
        """Test -> share of samples that match, or the mapped mean of a graded match."""
        return {test: found["score"] for test, found in self.facts.get("readings", {}).items()}

    @property
    def raw(self) -> dict[str, float]:
        """Graded test -> the mean of its values before it is mapped, as far as it lies in [0, 1]."""
        readings = self.facts.get("readings", {}).items()
        graded = {test: found["values"] for test, found in readings if found["values"] and _is_graded(found)}
        return {test: float(np.clip(np.mean(values), 0, 1)) for test, values in graded.items()}

    @property
    def mapped(self) -> set[str]:
        """The tests whose score is mapped by what the claim fixes, those of the best of several tests included."""
        return {test for test, found in self.facts.get("readings", {}).items() if _is_graded(found)}

    @property
    def open_tests(self) -> list[str]:
        """The tests without an alarm."""
        return [test for test in self.scores if BEHIND not in test]

    @property
    def headline(self) -> str:
        """The name of the task's headline metric."""
        return self.trial.images.task.headline

    @property
    def worth(self) -> tuple[float | None, float | None]:
        """Quality of the stolen or marked model, and of the suspect."""
        before, after = self.facts.get("before"), self.facts.get("after")
        return (before[self.headline] if before else None, after[self.headline] if after else None)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON data."""
        names = {"scheme": self.trial.scheme, "suspect": self.trial.suspect, "repeat": self.trial.repeat}
        return {**names, "role": self.trial.role.value, "error": self.error, **self.record}


def test_name(claim: Claim, test: Test) -> str:
    """`white_box`, `black_box` or another kind of access; with the match where several tests of the claim have that.

    The best of several has the plain name: it decides.
    """
    name = TESTS.get(test.reading, "black_box")
    same = [one for one in claim.tests if TESTS.get(one.reading, "black_box") == name]
    if len(same) == 1 or isinstance(test.match, Combining):
        return name
    return f"{name}_{type(test.match).__name__.lower()}"


def wrapped(suspect: Suspect, behind: tuple[Wrapper, ...]) -> Suspect:
    """The suspect with each transform and defence, innermost first."""
    for one in behind:
        suspect = Transformed(suspect, (one,)) if _transforms(one) else Hardened(suspect, one)  # type: ignore[arg-type]
    return suspect


def _is_graded(answers: Mapping[str, Any]) -> bool:
    return isinstance(from_record(answers["match"]), Graded)


def _transforms(wrapper: Wrapper) -> bool:
    return "transform" in dir(wrapper)


def answered(finding: Finding) -> dict[str, Any]:
    """A finding as plain data with the value of each sample, so that other thresholds need no new queries."""
    best = isinstance(finding.test.match, Combining)  # of tests whose values are kept, too
    values = [] if best else [round(float(value), 6) for value in sample_values(finding)]
    matches = "" if best else "".join("1" if match else "0" for match in finding.matches)
    return {"score": finding.score, "p": finding.p, "match": to_record(finding.test.match), "matches": matches, "values": values}


def sample_values(finding: Finding) -> Floats:
    """(n,): the value that the test compares with its threshold; for other tests, whether the sample matched."""
    return finding.test.match.values(finding.observed, finding.test.expected)

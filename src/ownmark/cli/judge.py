"""What the judge does: calibrate, verify, report, inspect. No torch, unless a suspect is a torch module."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol, overload

from ownmark import soundness
from ownmark.claim import Claim
from ownmark.cli import records
from ownmark.cli.console import emit, facts, show, tell, warn, working
from ownmark.cli.suspects import Access, Suspects
from ownmark.match import Reading
from ownmark.null import Innocents, KeyedLabels
from ownmark.protocols import Suspect
from ownmark.report.page import page, write
from ownmark.report.words import counted
from ownmark.verdict import Outcome, Verdict, calibrate, verify

Evidence = Callable[[], dict[str, Any]]


class Judging(Protocol):
    """How a verdict comes about: `verify`, or that with more around it."""

    def __call__(self, claim: Claim, suspect: Suspect, *, alpha: float) -> Verdict: ...


class Measured(Sequence[Suspect]):
    """Suspects that also answer the claim's unchanged images when it is their turn: `right` keeps what came of it, by name."""

    def __init__(self, claim: Claim, suspects: Sequence[Suspect]) -> None:
        self.claim, self.suspects = claim, suspects
        self.right: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self.suspects)

    @overload
    def __getitem__(self, place: int) -> Suspect: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Suspect]: ...
    def __getitem__(self, place: int | slice) -> Suspect | Sequence[Suspect]:
        if isinstance(place, slice):
            return Measured(self.claim, self.suspects[place])
        return self._asked(self.suspects[place])

    def __iter__(self) -> Iterator[Suspect]:
        return map(self._asked, self.suspects)

    def _asked(self, suspect: Suspect) -> Suspect:
        share = soundness.right_on_originals(self.claim, suspect)
        if share is not None:
            self.right[suspect.name] = share
        return suspect


def calibrated(claim: Claim, names: Sequence[str], access: Access, out: Path, *, as_json: bool) -> None:
    """Show the claim to innocent models and write it to `out`."""
    for name in names:
        access.check(name)
    if any(isinstance(test.null, Innocents) for test in claim.tests):
        tell("The claim was calibrated before: these innocents take the place of the earlier ones.", "yellow")
    measured = Measured(claim, Suspects(access, tuple(names)))
    with working(f"Asking {counted(len(names), 'innocent model')}") as progress:
        known = calibrate(claim, measured, progress)
    doubts = (*soundness.of_innocents(claim, measured.right), *soundness.of_claim(known))
    known.save(out)
    warnings = warn(doubts)
    smallest = 1 / (len(names) + 1)
    if as_json:
        emit(records.of_claim(known, out) | {"innocents": len(names), "smallest_p": smallest, "warnings": warnings})
    else:
        show(
            f"{out} knows {counted(len(names), 'innocent model')}: p cannot fall below 1/{len(names) + 1} = {smallest:.3g}.",
            "bold",
        )
        facts(records.test_rows(known))
    _tell_left_out(known)


def _tell_left_out(claim: Claim) -> None:
    """Name the tests that not every innocent could answer; the weakest test is one that all of them could."""
    tests = [test for test in claim.tests if not isinstance(test.null, KeyedLabels)]
    asked = tests[-1].null.models if isinstance(tests[-1].null, Innocents) else ()
    for test in tests:
        if isinstance(test.null, Innocents) and test.null.models == asked:
            continue
        stays = "is still judged by the earlier innocents" if isinstance(test.null, Innocents) else "stays uncalibrated"
        tell(f"The {records.NAMES[test.reading]} {stays}, since not every innocent reveals its {test.reading}.", "yellow")


def verified(
    claim: Claim,
    suspect: Suspect,
    asked: tuple[float, Path | None],
    *,
    as_json: bool,
    ways: tuple[Judging, Evidence] = (verify, dict),
) -> Outcome:
    """Ask one suspect; `asked` is alpha and where its page goes, if anywhere; `ways`: to judge, and what else to tell."""
    (alpha, out), (judge, evidence) = asked, ways
    with working(f"Asking {suspect.name}"):
        verdict = judge(claim, suspect, alpha=alpha)
    if out is not None and not verdict.queries:
        tell(f"There is no page {out}, since nothing of the claim could be judged.", "yellow")
        out = None
    if out is not None:
        write(out, page(claim, [verdict]))
    if as_json:
        emit(records.of_verdict(verdict) | {"page": None if out is None else str(out)} | evidence())
        return verdict.outcome
    records.tell_verdict(verdict)
    facts({name.replace("_", " "): str(value) for name, value in evidence().items()})
    if _weaker(claim, verdict):
        tell("The black-box test decided, since this suspect does not show what it looks at.")
    if out is not None:
        show(f"  Open in a browser: {out.resolve()}")
    return verdict.outcome


def reported(claim: Claim, names: Sequence[str], access: Access, asked: tuple[float, Path], *, as_json: bool) -> None:
    """One page about several suspects; `asked` is alpha and where the page goes."""
    alpha, out = asked
    for name in names:
        access.check(name)
    verdicts = []
    with working(f"Asking {counted(len(names), 'suspect')}") as progress:
        for done, suspect in enumerate(Suspects(access, tuple(names)), start=1):
            verdicts.append(verify(claim, suspect, alpha=alpha))
            progress(done, len(names))
    told = [verdict for verdict in verdicts if verdict.queries]
    if told:
        write(out, page(claim, told))
    if len(told) < len(verdicts):
        tell(f"{out} shows {len(told)} of {counted(len(verdicts), 'suspect')}: of the others nothing could be judged.", "yellow")
    if as_json:
        emit({"page": str(out) if told else None, "verdicts": [records.of_verdict(verdict) for verdict in verdicts]})
        return
    for verdict in verdicts:
        records.tell_line(verdict)
    if told:
        show(f"Open in a browser: {out.resolve()}")


def planned(plan: dict[str, Any], *, as_json: bool) -> None:
    """What a verdict on a suspect behind an address would take."""
    if as_json:
        emit(plan)
        return
    cost = "" if plan["cost"] is None else f", which cost {plan['cost']:g}"
    show(f"{counted(plan['needed'], 'query', 'queries')} are needed{cost}; nothing was asked.", "bold")
    facts({name: str(value) for name, value in plan.items() if value is not None})


def inspected(claim: Claim, file: Path, *, as_json: bool) -> None:
    """What is in a claim."""
    warnings = warn(soundness.of_claim(claim))
    if as_json:
        emit(records.of_claim(claim, file) | {"warnings": warnings})
    else:
        records.tell_claim(claim, file)


def _weaker(claim: Claim, verdict: Verdict) -> bool:
    """Whether the claim holds a stronger test than the one that decided."""
    return claim.tests[0].reading is Reading.SALIENCY and verdict.deciding.test.reading is not Reading.SALIENCY

"""What the judge does: calibrate, verify, report, inspect. No torch, unless a suspect is a torch module."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from ownmark import alike
from ownmark.claim import Claim
from ownmark.cli import records
from ownmark.cli.console import emit, facts, show, tell, working
from ownmark.cli.suspects import Access, Suspects
from ownmark.match import Reading
from ownmark.null import Innocents, KeyedLabels, innocents_needed
from ownmark.protocols import Suspect
from ownmark.report.page import page, write
from ownmark.report.words import counted
from ownmark.verdict import Outcome, Verdict, calibration, verify

Evidence = Callable[[], dict[str, Any]]


class Judging(Protocol):
    """How a verdict comes about: `verify`, or that with more around it."""

    def __call__(self, claim: Claim, suspect: Suspect, *, alpha: float) -> Verdict: ...


USUAL = 0.05  # the alpha that a hint speaks of


def calibrated(claim: Claim, names: Sequence[str], access: Access, out: Path, *, as_json: bool) -> None:
    """Show the claim to innocent models and write it to `out`."""
    for name in names:
        access.check(name)
    if any(isinstance(test.null, Innocents) for test in claim.tests):
        tell("The claim was calibrated before: these innocents take the place of the earlier ones.", "yellow")
    with working(f"Asking {counted(len(names), 'innocent model')}") as progress:
        made = calibration(claim, Suspects(access, tuple(names)), progress)
    known, count = made.claim, len(made.groups)
    known.save(out)
    smallest = 1 / (count + 1)
    if as_json:
        merged = [list(group) for group in made.groups if len(group) > 1]
        emit(records.of_claim(known, out) | {"innocents": count, "smallest_p": smallest, "merged": merged})
    else:
        show(f"{out} knows {counted(count, 'innocent model')}: p cannot fall below 1/{count + 1} = {smallest:.3g}.", "bold")
        facts(records.test_rows(known))
    if merged_names := alike.told(made.groups):
        tell(f"{merged_names}.", "yellow")
    _tell_left_out(known)
    if count < innocents_needed(USUAL):
        tell(f"A verdict at alpha = {USUAL} needs at least {innocents_needed(USUAL)} innocent models.", "yellow")


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
    write(out, page(claim, verdicts))
    if len(names) > 1:
        tell("Each p is that of one suspect alone; `ownmark scan` corrects them for all that are asked.", "yellow")
    if as_json:
        emit({"page": str(out), "verdicts": [records.of_verdict(verdict) for verdict in verdicts]})
        return
    for verdict in verdicts:
        records.tell_line(verdict)
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
    if as_json:
        emit(records.of_claim(claim, file))
    else:
        records.tell_claim(claim, file)


def _weaker(claim: Claim, verdict: Verdict) -> bool:
    """Whether the claim holds a stronger test than the one that decided."""
    return claim.tests[0].reading is Reading.SALIENCY and verdict.deciding.test.reading is not Reading.SALIENCY

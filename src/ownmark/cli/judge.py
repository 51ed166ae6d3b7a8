"""What the judge does: calibrate, verify, report, inspect. No torch, unless a suspect is a torch module."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol, overload

from ownmark.claims.claim import Claim
from ownmark.cli import render
from ownmark.cli.console import emit, facts, show, tell, warn, working
from ownmark.cli.suspects import Access, Suspects
from ownmark.errors import OwnmarkError, UsageError
from ownmark.protocols import Suspect
from ownmark.report.page import page, write
from ownmark.report.words import counted
from ownmark.scoring.null_models import Innocents, KeyedLabels
from ownmark.scoring.readings import Reading
from ownmark.verdicts import duplicates, soundness
from ownmark.verdicts.calibrate import calibration
from ownmark.verdicts.verdict import Outcome, Verdict
from ownmark.verdicts.verify import verify

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


USUAL = 0.05  # the alpha that a hint speaks of
UNREACHED = 5  # the exit code where a suspect could not be judged


def calibrated(claim: Claim, names: Sequence[str], access: Access, out: Path, *, as_json: bool) -> None:
    """Show the claim to innocent models and write it to `out`."""
    access.check_layer(names)
    for name in names:
        access.check(name)
    if any(isinstance(test.null, Innocents) for test in claim.tests):
        tell("The claim was calibrated before: these innocents take the place of the earlier ones.", "yellow")
    measured = Measured(claim, Suspects(access, tuple(names)))
    with working(f"Asking {counted(len(names), 'innocent model')}") as progress:
        made = calibration(claim, measured, progress)
    known, count = made.claim, len(made.groups)
    doubts = (*soundness.of_innocents(claim, measured.right), *soundness.of_claim(known))
    known.save(out)
    warnings = warn(doubts)
    smallest = 1 / (count + 1)
    if as_json:
        merged = [list(group) for group in made.groups if len(group) > 1]
        record = render.of_claim(known, out) | {"innocents": count, "smallest_p": smallest, "merged": merged}
        emit(record | {"warnings": warnings})
    else:
        show(f"{out} knows {counted(count, 'innocent model')}: p cannot fall below 1/{count + 1} = {smallest:.3g}.", "bold")
        facts(render.test_rows(known))
    if merged_names := duplicates.told(made.groups):
        tell(f"{merged_names}.", "yellow")
    _tell_left_out(known)


def _tell_left_out(claim: Claim) -> None:
    """Name the tests that not every innocent could answer; the weakest test is one that all of them could."""
    tests = [test for test in claim.tests if not isinstance(test.null, KeyedLabels)]
    asked = tests[-1].null.models if isinstance(tests[-1].null, Innocents) else ()
    for test in tests:
        if isinstance(test.null, Innocents) and test.null.models == asked:
            continue
        stays = "is still judged by the earlier innocents" if isinstance(test.null, Innocents) else "stays uncalibrated"
        tell(f"The {render.NAMES[test.reading]} {stays}, since not every innocent reveals its {test.reading}.", "yellow")


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
        emit(render.of_verdict(verdict) | {"page": None if out is None else str(out)} | evidence())
        return verdict.outcome
    render.tell_verdict(verdict)
    facts({name.replace("_", " "): str(value) for name, value in evidence().items()})
    if _weaker(claim, verdict):
        tell("The black-box test decided, since this suspect does not show what it looks at.")
    if out is not None:
        show(f"  Open in a browser: {out.resolve()}")
    return verdict.outcome


def reported(claim: Claim, names: Sequence[str], access: Access, asked: tuple[float, Path], *, as_json: bool) -> int:
    """The exit code of one page about several suspects, those listed who could not be judged; `asked`: alpha and the page."""
    alpha, out = asked
    access.check_layer(names)
    unasked = _slips(names, access)
    verdicts = []
    with working(f"Asking {counted(len(names), 'suspect')}") as progress:
        for done, name in enumerate(names, start=1):
            found = unasked.get(name) or _verdict(claim, name, access, alpha)
            if isinstance(found, str):
                unasked[name] = found
            else:
                verdicts.append(found)
            progress(done, len(names))
    page_at = out if (told := [verdict for verdict in verdicts if verdict.queries]) else None
    unasked |= {verdict.suspect: verdict.reason for verdict in verdicts if not verdict.queries}
    if told:
        write(out, page(claim, told, unasked=tuple(unasked.items())))
    if len(told) > 1:
        tell("Each p is that of one suspect alone; `ownmark scan` corrects them for all that are asked.", "yellow")
    code = UNREACHED if unasked else 0
    if as_json:
        record = {"page": str(out) if page_at else None, "verdicts": [render.of_verdict(verdict) for verdict in verdicts]}
        emit(record | {"unasked": unasked, "exit_code": code})
        return code
    for verdict in told:
        render.tell_line(verdict)
    for name, why in unasked.items():
        tell(f"{name} could not be judged: {why}", "yellow")
    show(f"Open in a browser: {page_at.resolve()}" if page_at else "There is no page, since no suspect could be judged.")
    return code


def _slips(names: Sequence[str], access: Access) -> dict[str, str]:
    """Names that can only be slips, with what is wrong. Raises UsageError if all are."""
    slips: dict[str, UsageError] = {}
    for name in names:
        try:
            access.check(name)
        except UsageError as error:
            slips[name] = error
    if slips and len(slips) == len(set(names)):
        raise next(iter(slips.values()))
    return {name: str(error) for name, error in slips.items()}


def _verdict(claim: Claim, name: str, access: Access, alpha: float) -> Verdict | str:
    """The verdict on one suspect, or why there is none: the others are judged all the same."""
    try:
        return verify(claim, access.suspect(name), alpha=alpha)
    except OwnmarkError as error:
        return str(error)
    except Exception as error:  # noqa: BLE001 - a stranger's model may raise anything
        return f"{type(error).__name__}: {(str(error).strip() or 'no message').splitlines()[0]}"


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
        emit(render.of_claim(claim, file) | {"warnings": warnings})
    else:
        render.tell_claim(claim, file)


def _weaker(claim: Claim, verdict: Verdict) -> bool:
    """Whether the claim holds a stronger test than the one that decided."""
    return claim.tests[0].reading is Reading.SALIENCY and verdict.deciding.test.reading is not Reading.SALIENCY

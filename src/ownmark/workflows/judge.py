"""The judge's way from an opened seal to a signed verdict: check the seal, ask everybody, write what follows. No torch.

A hearing of a suspect behind an address goes on where it was cut short: its ledger holds the answers.
"""

import os
import platform
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

from ownmark.claims.claim import Claim
from ownmark.errors import UnsettledError, UsageError
from ownmark.evidence import bundle, verdict_file
from ownmark.evidence.admissibility import Checked, Trust, checked
from ownmark.evidence.owner import OwnerKey
from ownmark.evidence.ruling import NONCE, Outcome, Rules, Session, Stratum, opened_part
from ownmark.evidence.verdict_file import EXIT_CODES, Expected, Judged, Recomputed
from ownmark.files import write_whole
from ownmark.keys import Pixels
from ownmark.protocols import Suspect
from ownmark.querying.transcript import AS_SEALED, Decoys, Heard, Plan, Role, heard, heard_plainly
from ownmark.report.words import counted
from ownmark.scoring.readings import Reading
from ownmark.suspects.http.ledger import Ledger
from ownmark.suspects.wrappers.wrapped import JPEG, BitDepth, Blur
from ownmark.verdicts.competence import unfit
from ownmark.verdicts.verify import findings
from ownmark.verdicts.weighing import discounted
from ownmark.workflows.watching import NOBODY, Watcher

ACCUSED = {"signed_by": "the accused"}  # beside what computed a verdict
PURIFY = (JPEG(75), BitDepth(5))
FRONTS = {repr(one): one.transform for one in (*PURIFY, Blur(1.0))}  # what may stand before a suspect, tried on references


@dataclass(frozen=True, kw_only=True, eq=False)
class JudgeRequest:
    """Whom a judge asks, by an opened seal, and what the verdict is signed with and written to.

    `opened`: the file that the claimant handed over; `seen`: when the suspect was first seen; `ledger`: of a suspect behind an
    address, in a folder of the judge's own; `layer`: where the suspect's map is taken, which the verdict tells beside its name,
    "" for the claim's layer; `own`: the claimant's model; `references`: independent models with their strata,
    gone through once, so that a generator has one of them in memory at a time; `decoys`: ordinary images of the task.
    `accused`: the signer is whoever is accused, which the verdict tells.
    """

    opened: Path
    suspect: Suspect
    trust: Trust
    seen: datetime
    judge: OwnerKey
    out: Path
    ledger: Ledger | None = None
    layer: str = ""
    own: Suspect | None = None
    references: Iterable[tuple[Stratum, Suspect]] = ()
    decoys: Decoys | None = None
    accused: bool = False


@dataclass(frozen=True, eq=False)
class JudgeResult:
    """`found`: the verdict; None where what answers mean is not settled: then `undecided` says why, and none is signed."""

    found: Recomputed | None
    undecided: str = ""

    @property
    def outcome(self) -> Outcome:
        return Outcome.INCONCLUSIVE if self.found is None else self.found.judged.ruling.outcome

    @property
    def reason(self) -> str:
        return self.undecided if self.found is None else self.found.judged.ruling.reason

    @property
    def doubt(self) -> str:
        """Why an earlier version's verdict says nothing about whose model it is, "" if it does.

        The suspect does not do the task, or lies further from independent models than any copy. It is no part of what was signed
        then, but follows from the record; later versions rule INCONCLUSIVE.
        """
        if self.found is None or self.outcome not in {Outcome.NO_MATCH, Outcome.SUPPORTING, Outcome.STRONG}:
            return ""
        judged = self.found.judged
        opening, suspect = judged.bundle.opening, judged.session.suspect
        if opening is None:
            return ""
        told = findings(opening.claim, suspect.replayed())
        _, far = discounted(opening.claim, told)
        if self.outcome is Outcome.NO_MATCH:
            return unfit(opening.claim.task, told) or far
        return far if far and judged.ruled_by(Rules()).outcome is not self.outcome else ""

    @property
    def exit_code(self) -> int:
        return EXIT_CODES[self.outcome]


def judge(request: JudgeRequest, watcher: Watcher = NOBODY) -> JudgeResult:
    """Steps J1 to J8, and the signed verdict in `request.out`.

    Raises EvidenceError or ClaimError for a seal that is refused, UsageError before the first question where it can,
    SuspectError for a suspect that cannot be asked.
    """
    opened = bundle.read(request.opened)
    found = checked(opened, request.trust, request.seen)
    part = opened_part(found)
    check_ledger(request.opened, request.ledger)
    plan = Plan(os.urandom(NONCE), request.decoys, {repr(one): one.transform for one in PURIFY})
    _check_cap(plan, part, found)
    with watcher.step(f"Asking {request.suspect.name}"):
        try:
            suspect, plan = _heard(request, found, plan)
            everybody = [suspect]
            usual = plan.ordinary(part)
            everybody += [heard_plainly(request.own, part, Role.OWN, ordinary=usual)] if request.own else []
            everybody += [
                heard_plainly(one, part, Role.REFERENCE, stratum.value, FRONTS, usual) for stratum, one in request.references
            ]
        except UnsettledError as error:
            return JudgeResult(None, f"the meaning of the answers is ambiguous, so that there is no verdict to sign: {error}")
    if Reading.SALIENCY in request.suspect.reveals & {test.reading for test in part.tests} - set(suspect.given[AS_SEALED]):
        watcher.warn(f"The answers of {suspect.name} decide, since it shows no map.")
    taken = None if request.ledger is None else request.ledger.taken
    if taken:
        watcher.note(f"{counted(taken, 'answer')} were taken from an earlier run of this hearing.")
    decoys = request.decoys
    classes = suspect.decoys if decoys is None else decoys.labels[: len(suspect.decoys)]
    session = Session(tuple(everybody), plan.nonce, classes)
    brought = "" if decoys is None else decoys.digest
    around = surroundings(taken) | (ACCUSED if request.accused else {})
    one = Judged(opened, request.trust, request.seen, session, around, brought)
    write_whole(request.out, one.signed(request.judge).data)
    return JudgeResult(Recomputed(one, request.judge.public))


def _heard(request: JudgeRequest, found: Checked, plan: Plan) -> tuple[Heard, Plan]:
    """What the suspect answers, and how it was asked.

    The ledger of a suspect behind an address is begun for this hearing, and its nonce is the hearing's, so that a run which goes
    on asks in the same order.
    """
    part, ledger = opened_part(found), request.ledger
    if ledger is None:
        return _at_layer(heard(request.suspect, part, plan), request.layer), plan
    ledger.begin(f"a hearing about {request.suspect.name} by the seal {found.digest}, set {found.number}")
    plan = replace(plan, nonce=ledger.nonce)
    return replace(heard(request.suspect, part, plan), ledger=ledger.digest), plan


def _at_layer(suspect: Heard, layer: str) -> Heard:
    """With the layer that the judge chose told in its name, since a verdict shows what it says of whoever was heard."""
    return replace(suspect, name=f"{suspect.name}, its map taken at {layer!r}") if layer else suspect


def check_ledger(opened: Path, ledger: Ledger | None) -> None:
    """Raises UsageError for a ledger that lies with what the claimant handed over, or in no file."""
    if ledger is not None:
        check_ledger_file(opened, ledger.path)


def check_ledger_file(opened: Path, file: Path | None) -> None:
    """Raises UsageError unless the judge named a ledger of his own, which does not lie with what the claimant handed over."""
    if file is None:
        raise UsageError("name a ledger of the questions and answers: --ledger FILE, in a folder of your own")
    if file.parent.resolve() == opened.parent.resolve():
        raise UsageError(f"the ledger {file} would lie beside the evidence {opened}: name one in a folder of your own")


def surroundings(taken: int | None = None) -> dict[str, str]:
    """What computed a verdict; `taken`: answers that an earlier run of this hearing had got, None: there is no ledger."""
    names = ("ownmark", "numpy", "scipy", "cryptography")
    before = {} if taken is None else {"answers_from_before": str(taken)}
    return {"python": platform.python_version(), "system": platform.system()} | {name: version(name) for name in names} | before


def _check_cap(plan: Plan, part: Claim, found: Checked) -> None:
    most, needed = found.commitment.policy.most_queries, plan.queries(part)
    if most is not None and needed > most:
        raise UsageError(f"the owner committed to at most {most} queries per suspect, but it takes {needed}: bring fewer decoys")


@dataclass(frozen=True, kw_only=True, eq=False)
class RecomputeRequest:
    """A verdict's file and the opened seal that it is about. `expected`: by whom it must be; `pool`: what the judge had."""

    verdict: Path
    opened: Path
    expected: Expected = Expected()
    pool: Pixels | None = None


def recompute(request: RecomputeRequest) -> JudgeResult:
    """Compute a verdict anew, asking nobody. Raises EvidenceError unless it follows from its record, to the byte."""
    found = verdict_file.recomputed(verdict_file.read_whole(request.verdict), bundle.read(request.opened), request.pool)
    request.expected.check(found)
    return JudgeResult(found)

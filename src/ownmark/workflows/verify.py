"""Ask one suspect, at hand or behind an address, and give a verdict, perhaps with its page. No torch by itself."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from ownmark.claims.claim import Claim
from ownmark.errors import UsageError
from ownmark.files import check_writable
from ownmark.querying.decoys import decoys_in
from ownmark.querying.transcript import Decoys
from ownmark.report.page import About, page, write_verdicts
from ownmark.statistics.sequential import Early
from ownmark.suspects.http import probing
from ownmark.suspects.http.ledger import Ledger, whole
from ownmark.suspects.open import Reach, is_web
from ownmark.verdicts import ways
from ownmark.verdicts.verdict import Verdict
from ownmark.verdicts.verify import verify as judged
from ownmark.workflows.watching import NOBODY, Watcher


@dataclass(frozen=True, kw_only=True)
class VerifyRequest:
    """`suspect`: its name, as the registry reads it; `reach`: how it is got at; `weights`: of a network that is named itself.

    `page`: the file to write about it. `early`: stop at the first trigger that decides. `decoys`: the folder of ordinary images
    that find out what an address reveals, None for CLAIM.decoys if that is there. `about`: for the page.
    `access`: the one way of asking that counts.
    """

    claim: Claim
    suspect: str
    reach: Reach
    weights: Path | None = None
    alpha: float = 0.05
    page: Path | None = None
    early: bool = False
    decoys: Path | None = None
    about: About = About()
    access: str = ""


@dataclass(frozen=True)
class Kept:
    """Where every query of a suspect behind an address is kept; `spent` images in all, `taken` answers from an earlier run."""

    ledger: Path
    digest: str
    spent: int
    taken: int


@dataclass(frozen=True)
class VerifyResult:
    """`page`: None where none was asked for, or nothing could be judged; `kept`: None for a suspect at hand."""

    verdict: Verdict
    page: Path | None
    kept: Kept | None


@dataclass(frozen=True)
class QueryPlan:
    """What a verdict would take: `queries` at most, of which `answered` are in the ledger, `needed` are not; `spent` so far."""

    queries: int
    answered: int
    needed: int
    spent: int
    cost: float | None
    ledger: Path


def verify(request: VerifyRequest, watcher: Watcher = NOBODY) -> VerifyResult:
    """The verdict. Raises UsageError before the first question where it can."""
    _check(request, watcher)
    reach = request.reach.heard_by(watcher.note)
    if is_web(request.suspect):
        verdict, kept = _remote(request, reach, watcher)
    else:
        suspect = reach.near.suspect(request.suspect, request.weights)
        with watcher.step(f"Asking {suspect.name}"):
            early = Early() if request.early else None
            verdict = judged(request.claim, suspect, alpha=request.alpha, early=early, access=request.access)
        kept = None
    return VerifyResult(verdict, _written(request, verdict, watcher.note), kept)


def planned(request: VerifyRequest, price: float | None = None, watcher: Watcher = NOBODY) -> QueryPlan:
    """How many queries a verdict on an address would take, and what they would cost at `price` per 1000; nothing is sent."""
    _check(request, watcher)
    request.reach.check_remote((request.suspect,))
    request.reach.opening(request.suspect, request.claim)
    file, known, spent = request.reach.file(request.suspect), 0, 0
    if file.exists():
        with closing(Ledger(file)) as ledger:
            known, spent = ledger.answered, ledger.spent
    total = sum(_counted(request))
    needed = max(total - known, 0)
    return QueryPlan(total, known, needed, spent, None if price is None else round(needed * price / 1000, 6), file)


def _check(request: VerifyRequest, watcher: Watcher) -> None:
    """Raises UsageError for what does not go together."""
    reach, file = request.reach, request.reach.claim_file
    ways.check(request.claim, request.access)
    if file.with_name(f"{file.name}.scan").exists():
        watcher.warn("This claim was used in a scan: p is that of this suspect alone, not corrected for the scanned ones.")
    if request.page is not None:
        check_writable(request.page)
        if request.early:
            raise UsageError("a page shows all of a claim, of which --sequential asks only a part: leave one of them out")
    reach.check_near((request.suspect,))
    if is_web(request.suspect):
        if request.weights is not None or reach.near.layer:
            raise UsageError(f"{request.suspect} shows neither weights nor layers; leave --weights and --layer out")
        if not request.early and (why := ways.hopeless(request.claim, request.alpha, request.access)):
            watcher.warn(f"Warning: before an address is asked, {why}. A ledger keeps to the way of asking that it began with.")
        return
    if request.decoys is not None:
        reach.check_remote((request.suspect,))
    reach.near.check_layer([request.suspect])


def _remote(request: VerifyRequest, reach: Reach, watcher: Watcher) -> tuple[Verdict, Kept]:
    """The verdict on a suspect behind an address, with what its decoys found out told on the way."""
    claim, file = request.claim, reach.file(request.suspect)
    with reach.suspect(request.suspect, claim) as (suspect, ledger):
        if ledger is None:
            raise UsageError(f"{request.suspect} is not behind an address")
        early = _early(request)
        ledger.begin(_rule(request, early))
        watcher.note(f"Every query is kept in {file}.")
        with watcher.step(f"Asking {suspect.name}"):
            remote = cast("probing.Remote", suspect)  # what a kind of suspect promises that says it is remote
            decoys, access = _decoys(request), request.access
            found = probing.verify_remote(claim, remote, decoys, alpha=request.alpha, early=early, access=access)
        for note in found.notes:
            watcher.note(f"{note}.")
        return found.verdict, Kept(file, ledger.digest, ledger.spent, ledger.taken)


def _written(request: VerifyRequest, verdict: Verdict, note: Callable[[str], None]) -> Path | None:
    """The page, if one was asked for and there is anything to show."""
    if request.page is None:
        return None
    if not verdict.queries:
        note(f"There is no page {request.page}, since nothing of the claim could be judged.")
        return None
    write_verdicts(request.page, page(request.claim, [verdict], about=request.about), [verdict], note)
    return request.page


def _rule(request: VerifyRequest, early: Early | None) -> str:
    """When the test stops and by what it asks, for the ledger; it is said before anything is asked."""
    if early is None:
        return whole(request.access)
    most = _counted(request)[1]
    return f"at most {most} triggers one by one, alpha {request.alpha:g}, misses {early.miss:g}, claim {request.claim.digest}"


def _early(request: VerifyRequest) -> Early | None:
    """The rule of a test that stops early, its cap what the budget leaves for triggers."""
    most = request.reach.wire.max_queries
    if not request.early:
        return None
    beside = probing.planned(request.claim, _decoys(request), request.reach.wire.repeats, Early())[0]
    if most is None:
        return Early()
    if most <= beside:
        raise UsageError(f"--max-queries leaves nothing for the claim: decoys and repeats alone take {beside}")
    return Early(most=most - beside)


def _counted(request: VerifyRequest) -> tuple[int, int]:
    return probing.planned(request.claim, _decoys(request), request.reach.wire.repeats, _early(request))


def _decoys(request: VerifyRequest) -> Decoys | None:
    """The decoys that are named, or kept with the claim."""
    file = request.reach.claim_file
    kept = file.with_name(f"{file.name}.decoys")
    folder = request.decoys or (kept if kept.is_dir() else None)
    return None if folder is None else decoys_in(folder, request.claim)

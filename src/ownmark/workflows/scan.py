"""What a scan does: ask each suspect what it was not asked before, and keep its answers. No torch by itself.

Scanning one by one is scanning: the ledger of a claim's scans holds every suspect that was ever asked, and each scan may use only
its share of the rate. What it holds are answers, from which every p is computed again.
"""

import hashlib
import json
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from ownmark.claims.claim import Claim
from ownmark.errors import OwnmarkError, UsageError
from ownmark.evidence.scan import Found, Row, Scan
from ownmark.files import check_writable
from ownmark.finding.archives import Limits
from ownmark.protocols import Suspect
from ownmark.report.words import counted
from ownmark.statistics.multiplicity import scan_share
from ownmark.suspects.http.ledger import Ledger, whole
from ownmark.suspects.http.remembered import Remembered, key_of
from ownmark.suspects.open import Reach
from ownmark.workflows.scan_ahead import Helpers
from ownmark.workflows.scan_candidates import Candidate, Candidates, Unasked, candidates_of
from ownmark.workflows.watching import NOBODY, Watcher

ROUND = "scan"  # what a scan is called in the ledger


@dataclass(frozen=True, kw_only=True)
class ScanRequest:
    """`suspects`: their names, as the registry reads them, and apps, archives and folders, in which models are found within
    `limits`; `reach`: how they are got at; `keep`: the file of their answers.

    `rate`: of false leads among all leads, and of any false accusation; `screen`: samples that come first; `last`: use all of the
    rate that is left, so that no other scan may follow. `access`: the one way of asking that counts in all scans of the claim.
    `helpers`: who asks the suspects at hand, None: this process.
    """

    claim: Claim
    suspects: tuple[str, ...]
    reach: Reach
    keep: Path
    rate: float = 0.05
    screen: int = 20
    last: bool = False
    limits: Limits = field(default_factory=Limits)
    access: str = ""
    helpers: Helpers | None = None


@dataclass(frozen=True)
class Round:
    """One scan as the ledger has it: its suspects by key, with their names."""

    names: Mapping[str, str]
    last: bool


@dataclass(frozen=True)
class ScanResult:
    """`rows` of those who were named now, `missing`: why some could not be asked, `ever`: all suspects of so many `rounds`.

    `unasked`: what apps, archives and folders hold beside, and why it was not asked; `looked_at`: files in them.
    """

    rows: tuple[Row, ...]
    missing: Mapping[str, str]
    ever: int
    rounds: int
    rate: float
    unasked: tuple[Unasked, ...] = ()
    looked_at: int = 0


def scan(request: ScanRequest, watcher: Watcher = NOBODY) -> ScanResult:
    """Ask all who are named what they have not answered yet. A scan that was cut short goes on where it was."""
    names, reach = request.suspects, request.reach.heard_by(watcher.note)
    twice = {name for name, times in Counter(names).items() if times > 1}
    if twice:
        raise UsageError(f"{min(twice)} is named twice: each suspect counts once")
    reach.check_near(names)
    reach.near.check_layer(names)
    check_writable(request.keep)
    with tempfile.TemporaryDirectory(prefix="ownmark-") as folder:
        candidates = candidates_of(names, reach, request.claim, Path(folder), watcher, request.limits)
        try:
            found = _of(candidates, replace(request, reach=reach), watcher)
        except UsageError:
            _tell_search(candidates, watcher)
            raise
        return replace(found, unasked=candidates.unasked, looked_at=candidates.looked_at)


def _tell_search(candidates: Candidates, watcher: Watcher) -> None:
    """What was found in apps, archives and folders, for a scan that asks nobody of it."""
    if candidates.looked_at:
        watcher.note(f"These could be asked: {', '.join(one.shown for one in candidates.asked) or 'none'}.")
        for one in candidates.unasked:
            watcher.note(f"{one.place} could not: {one.why}.")


def _of(candidates: Candidates, request: ScanRequest, watcher: Watcher) -> ScanResult:
    """The table of all that can be asked, which may be nobody."""
    near, api, tensor = request.reach.near, request.reach.wire.api, request.reach.wire.tensor
    keys = {key_of(one.name, near, api, tensor, shown=one.shown): one for one in candidates.asked}
    if not keys:
        return ScanResult((), {}, 0, 0, request.rate)
    if not request.keep.exists():
        _plan(request, [Round({key: one.shown for key, one in keys.items()}, request.last)])
    with closing(Ledger(request.keep)) as ledger:
        return _asked(request, keys, ledger, watcher)


def _asked(request: ScanRequest, keys: Mapping[str, Candidate], ledger: Ledger, watcher: Watcher) -> ScanResult:
    """Everybody's answers, from the ledger or from those who were named now."""
    claim = request.claim
    questions = hashlib.sha256(claim.images.tobytes()).hexdigest()
    by = f", asked by {request.access}" if request.access else ""
    ledger.begin(f"scans by the claim of the images {questions[:16]} at the rate {request.rate:g}{by}")
    rounds = _rounds(ledger, keys, request)
    plans = [_plan(request, rounds[: place + 1]) for place in range(len(rounds))]
    found: dict[str, Found] = {}
    missing: dict[str, str] = {}
    everybody = [(plan, key) for plan, one in zip(plans, rounds, strict=True) for key in one.names]
    places = {key: place for place, key in enumerate(keys, start=1)}
    failed = _asked_aside(request, everybody, keys, ledger, watcher)
    with watcher.step(f"Asking {counted(len(keys), 'suspect')}") as progress:
        for plan, key in everybody:
            told = failed.get(key) or _one(plan, key, ledger, _opener(keys.get(key), request))
            if isinstance(told, Found):
                found[key] = told
            elif key in keys:
                missing[keys[key].shown] = told.replace(keys[key].name, keys[key].shown)
            if key in places:
                progress(places[key], len(keys))
    rows = [
        replace(row, suspect=keys[row.suspect].shown)
        for plan, one in zip(plans, rounds, strict=True)
        for row in plan.table(list(one.names), found)
        if row.suspect in keys
    ]
    rows.sort(key=lambda row: (row.named, row.triage, row.found is None, row.suspect))
    return ScanResult(tuple(rows), missing, sum(len(one.names) for one in rounds), len(rounds), request.rate)


def _asked_aside(
    request: ScanRequest, everybody: Sequence[tuple[Scan, str]], keys: Mapping[str, Candidate], ledger: Ledger, watcher: Watcher
) -> dict[str, str]:
    """Has helpers ask who is at hand, so that the ledger has their answers; why some could not be asked, by key."""
    if request.helpers is None:
        return {}
    failed: dict[str, str] = {}
    asked = [(plan, key, keys[key]) for plan, key in everybody if key in keys]
    with watcher.step(f"Asking {counted(len(asked), 'suspect')} side by side") as progress:
        for heard in request.helpers.ask(request.claim, asked, request.reach, ledger, progress):
            for note in heard.notes:
                watcher.note(note)
            if heard.why:
                failed[heard.key] = heard.why
    return failed


def _rounds(ledger: Ledger, keys: Mapping[str, Candidate], request: ScanRequest) -> list[Round]:
    """The scans of this claim; whoever was never named before makes another one, entered before anybody of it is asked."""
    rounds = [Round(one["names"], one["last"]) for one in map(json.loads, ledger.noted(ROUND))]
    known = {key for one in rounds for key in one.names}
    new = {key: one.shown for key, one in keys.items() if key not in known}
    if not new:
        return rounds
    if rounds and rounds[-1].last:
        raise UsageError(f"the last scan of this claim has been made, by --last; {min(new.values())} cannot be added to it")
    rounds.append(Round(new, request.last))
    _plan(request, rounds)
    ledger.note(ROUND, json.dumps({"names": new, "last": request.last}))
    return rounds


def _plan(request: ScanRequest, rounds: Sequence[Round]) -> Scan:
    """The newest of these scans."""
    one = rounds[-1]
    share = scan_share(len(rounds), last=one.last)
    return Scan(request.claim, len(one.names), request.rate, request.screen, share, request.access)


def _one(plan: Scan, key: str, ledger: Ledger, opener: "Opener | None") -> Found | str:
    """What one suspect answers, or why it does not: the others are asked all the same."""
    try:
        with ExitStack() as stack:
            return plan.found(Remembered(key, ledger, None if opener is None else lambda: opener(stack)))
    except OwnmarkError as error:
        return str(error)


Opener = Callable[[ExitStack], Suspect]


def _opener(one: Candidate | None, request: ScanRequest) -> Opener | None:
    """Opens a suspect that was named now; the ledger of its address has the rule by which `verify` asks it later."""

    def opened(candidate: Candidate, stack: ExitStack) -> Suspect:
        suspect, ledger = stack.enter_context(request.reach.suspect(candidate.name, request.claim))
        if ledger is not None:
            ledger.begin_unless_begun(whole(request.access))
        return candidate.sized(suspect)

    return None if one is None else partial(opened, one)

"""What a scan does: ask each suspect what it was not asked before, keep its answers, and tell the table. No torch by itself.

Scanning one by one is scanning: the ledger of a claim's scans holds every suspect that was ever asked, and each scan may use only
its share of the rate. What it holds are answers, from which every p is computed again.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ownmark.claims.claim import Claim
from ownmark.cli.console import emit, show, tell, working
from ownmark.cli.files import check_writable
from ownmark.cli.options import rate
from ownmark.cli.reach import Reach
from ownmark.cli.render import EXIT_CODES, STYLES
from ownmark.errors import OwnmarkError, UsageError
from ownmark.evidence.scan import Found, Row, Scan
from ownmark.protocols import Progress, Suspect
from ownmark.report.words import counted, percent
from ownmark.statistics.multiplicity import scan_share
from ownmark.suspects.http.ledger import Ledger
from ownmark.suspects.http.remembered import Remembered
from ownmark.verdicts.verdict import Outcome

UNREACHED = 5
ROUND = "scan"  # what a scan is called in the ledger


@dataclass(frozen=True)
class Asking:
    """How a scan is made: its rate, how many samples come first, where it is kept, and whether no other one may follow it."""

    rate: float
    few: int
    kept: Path
    last: bool = False


@dataclass(frozen=True)
class Round:
    """One scan as the ledger has it: its suspects by key, with their names."""

    names: Mapping[str, str]
    last: bool


@dataclass(frozen=True)
class Told:
    """What came of a scan: `rows` of those who were named now, `missing`: why some could not be asked, `ever`: all suspects."""

    rows: tuple[Row, ...]
    missing: Mapping[str, str]
    ever: int
    rounds: int


def scanned(claim: Claim, names: Sequence[str], reach: Reach, asking: Asking, *, as_json: bool) -> int:
    """The exit code of a whole scan."""
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise UsageError(f"{min(twice)} is named twice: each suspect counts once")
    rate(asking.rate)
    reach.check_near(tuple(names))
    reach.near.check_layer(names)
    for name in names:
        reach.check(name)
    check_writable(asking.kept)
    keys = {_key(name, reach): name for name in names}
    if not asking.kept.exists():
        _plan(claim, [Round(keys, asking.last)], asking)
    with closing(Ledger(asking.kept)) as ledger:
        told = _asked(claim, keys, reach, asking, ledger)
    _tell(told, asking.rate, as_json=as_json)
    return _exit_code(told.rows, told.missing)


def _asked(claim: Claim, keys: Mapping[str, str], reach: Reach, asking: Asking, ledger: Ledger) -> Told:
    """Everybody's answers, from the ledger or from those who were named now."""
    questions = hashlib.sha256(claim.images.tobytes()).hexdigest()
    ledger.begin(f"scans by the claim of the images {questions[:16]} at the rate {asking.rate:g}")
    rounds = _rounds(ledger, claim, keys, asking)
    plans = [_plan(claim, rounds[: place + 1], asking) for place in range(len(rounds))]
    found: dict[str, Found] = {}
    missing: dict[str, str] = {}
    everybody = [(plan, key) for plan, one in zip(plans, rounds, strict=True) for key in one.names]
    with working(f"Asking {counted(len(keys), 'suspect')}") as progress:
        for plan, key in everybody:
            told = _one(plan, key, ledger, _opener(keys.get(key), reach, claim))
            if isinstance(told, Found):
                found[key] = told
            elif key in keys:
                missing[keys[key]] = told
            _progressed(progress, key, keys)
    rows = [
        replace(row, suspect=keys[row.suspect])
        for plan, one in zip(plans, rounds, strict=True)
        for row in plan.table(list(one.names), found)
        if row.suspect in keys
    ]
    rows.sort(key=lambda row: (row.named, row.triage, row.found is None, row.suspect))
    return Told(tuple(rows), missing, sum(len(one.names) for one in rounds), len(rounds))


def _rounds(ledger: Ledger, claim: Claim, keys: Mapping[str, str], asking: Asking) -> list[Round]:
    """The scans of this claim; whoever was never named before makes another one, entered before anybody of it is asked."""
    rounds = [Round(one["names"], one["last"]) for one in map(json.loads, ledger.noted(ROUND))]
    known = {key for one in rounds for key in one.names}
    new = {key: name for key, name in keys.items() if key not in known}
    if not new:
        return rounds
    if rounds and rounds[-1].last:
        raise UsageError(f"the last scan of this claim has been made, by --last; {min(new.values())} cannot be added to it")
    rounds.append(Round(new, asking.last))
    _plan(claim, rounds, asking)
    ledger.note(ROUND, json.dumps({"names": new, "last": asking.last}))
    return rounds


def _plan(claim: Claim, rounds: Sequence[Round], asking: Asking) -> Scan:
    """The newest of these scans."""
    one = rounds[-1]
    return Scan(claim, len(one.names), asking.rate, asking.few, scan_share(len(rounds), last=one.last))


def _one(plan: Scan, key: str, ledger: Ledger, opener: "Opener | None") -> Found | str:
    """What one suspect answers, or why it does not: the others are asked all the same."""
    try:
        with ExitStack() as stack:
            return plan.found(Remembered(key, ledger, None if opener is None else lambda: opener(stack)))
    except OwnmarkError as error:
        return str(error)


Opener = Callable[[ExitStack], Suspect]


def _opener(name: str | None, reach: Reach, claim: Claim) -> Opener | None:
    """Opens a suspect that was named now."""
    return None if name is None else lambda stack: stack.enter_context(reach.suspect(name, claim))[0]


def _progressed(progress: Progress, key: str, keys: Mapping[str, str]) -> None:
    if key in keys:
        progress(list(keys).index(key) + 1, len(keys))


def _key(name: str, reach: Reach) -> str:
    """What tells a suspect from others: its name, how it is asked and, of a file, the content."""
    path = Path(name)
    how = repr((reach.near, reach.api, reach.tensor))
    content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
    return f"{name} {hashlib.sha256(how.encode()).hexdigest()[:16]} {content}"


def _tell(told: Told, share: float, *, as_json: bool) -> None:
    rows = told.rows
    if as_json:
        record = {"suspects": len(rows), "suspects_ever": told.ever, "scans": told.rounds, "rate": share}
        emit(record | {"rows": [_record(row, told.missing) for row in rows]})
        return
    screened = sum(row.found is not None and row.found.screened for row in rows)
    ever = f" of {told.ever} in {told.rounds} scans of this claim" if told.rounds > 1 else ""
    show(f"M = {len(rows)} suspects{ever}; every p is corrected for all of them. The first samples ruled out {screened}.", "bold")
    width = max(len(row.suspect) for row in rows)
    show(f"  {'suspect':<{width}}  {'score':>7}  {'p':>9}  {'triage':>9}  {'named':>9}")
    for row in rows:
        show(f"  {row.suspect:<{width}}  {_figures(row)}  {_said(row, share)}", STYLES[row.outcome] if row.found else "")
    for row in rows:
        if row.found is not None and row.found.why:
            tell(f"{row.suspect} could not be judged: {row.found.why}", "yellow")
    for name, why in told.missing.items():
        tell(f"{name} could not be asked and counts with p = 1: {why}", "yellow")


def _figures(row: Row) -> str:
    one = row.found
    if one is None:
        return f"{'-':>7}  {'-':>9}  {'-':>9}  {'-':>9}"
    share = percent(one.matched / one.samples) if one.samples else "-"
    return f"{share:>7}  {one.p:>9.3g}  {row.triage:>9.3g}  {row.named:>9.3g}"


def _said(row: Row, share: float) -> str:
    if row.found is None:
        return "not asked"
    if row.outcome is not Outcome.MATCH and row.triage <= share:
        return f"{row.outcome}: look closer"
    return f"{row.outcome}, by the first {row.found.samples} samples" if row.found.screened else row.outcome.value


def _record(row: Row, missing: Mapping[str, str]) -> dict[str, Any]:
    found = None if row.found is None else asdict(row.found) | {"outcome": row.found.outcome.value}
    shown = {
        "suspect": row.suspect,
        "outcome": row.outcome.value if row.found else None,
        "triage": row.triage,
        "named": row.named,
    }
    return {**shown, "alone": found, "error": missing.get(row.suspect)}


def _exit_code(rows: Sequence[Row], missing: Mapping[str, str]) -> int:
    """A match says so; else somebody who could not be asked; else what is not decided."""
    outcomes = {row.outcome for row in rows if row.found is not None}
    if missing and Outcome.MATCH not in outcomes:
        return UNREACHED
    return next(EXIT_CODES[one] for one in (Outcome.MATCH, Outcome.INCONCLUSIVE, Outcome.NO_MATCH) if one in outcomes)

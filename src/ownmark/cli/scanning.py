"""What a scan does: ask each suspect that was not asked before, keep what it answered, and tell the table. No torch by itself."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ownmark.claim import Claim
from ownmark.cli.console import emit, show, tell, working
from ownmark.cli.files import check_writable
from ownmark.cli.options import rate
from ownmark.cli.reach import Reach
from ownmark.cli.records import EXIT_CODES, STYLES
from ownmark.errors import OwnmarkError, UsageError
from ownmark.evidence import scan
from ownmark.evidence.scan import Found, Row, Scan
from ownmark.files import held
from ownmark.report.words import counted, percent
from ownmark.verdict import Outcome

UNREACHED = 5


def scanned(claim: Claim, names: Sequence[str], reach: Reach, asked: tuple[float, int, Path], *, as_json: bool) -> int:
    """The exit code of a whole scan; `asked`: its rate, how many samples come first, and where it is kept."""
    share, few, kept = asked
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise UsageError(f"{min(twice)} is named twice: each suspect counts once")
    plan = Scan(claim, len(names), rate(share), few)
    reach.check_near(tuple(names))
    reach.near.check_layer(names)
    for name in names:
        reach.check(name)
    check_writable(kept)
    how = repr((share, few, reach.near, reach.api, reach.tensor))
    with held(kept):
        found, missing = _asked(plan, names, reach, (kept, how))
    rows = plan.table(names, found)
    _tell(rows, share, missing, as_json=as_json)
    return _exit_code(rows, missing)


def _asked(plan: Scan, names: Sequence[str], reach: Reach, keeping: tuple[Path, str]) -> tuple[dict[str, Found], dict[str, str]]:
    """What was found, and why some could not be asked, both by name. Whoever is finished is kept at once."""
    path, how = keeping
    known = scan.read(path, plan.claim, how)
    missing: dict[str, str] = {}
    with working(f"Asking {counted(len(names), 'suspect')}") as progress:
        for done, name in enumerate(names, start=1):
            one = known.get(_key(name)) or _one(plan, name, reach)
            if isinstance(one, Found):
                known[_key(name)] = one
                scan.write(path, plan.claim, how, known)
            else:
                missing[name] = one
            progress(done, len(names))
    return {name: known[_key(name)] for name in names if name not in missing}, missing


def _one(plan: Scan, name: str, reach: Reach) -> Found | str:
    """What one suspect answers, or why it does not: the others are asked all the same."""
    try:
        with reach.suspect(name, plan.claim) as (suspect, _):
            return plan.found(suspect)
    except OwnmarkError as error:
        return str(error)


def _key(name: str) -> str:
    """What tells a suspect from others: its name and, of a file, the content."""
    path = Path(name)
    return f"{name} {hashlib.sha256(path.read_bytes()).hexdigest()}" if path.is_file() else name


def _tell(rows: Sequence[Row], share: float, missing: Mapping[str, str], *, as_json: bool) -> None:
    if as_json:
        emit({"suspects": len(rows), "rate": share, "rows": [_record(row, missing) for row in rows]})
        return
    screened = sum(row.found is not None and row.found.screened for row in rows)
    show(f"M = {len(rows)} suspects; every p is corrected for all of them. The first samples ruled out {screened}.", "bold")
    width = max(len(row.suspect) for row in rows)
    show(f"  {'suspect':<{width}}  {'score':>7}  {'p':>9}  {'triage':>9}  {'named':>9}")
    for row in rows:
        show(f"  {row.suspect:<{width}}  {_figures(row)}  {_said(row, share)}", STYLES[row.outcome] if row.found else "")
    for row in rows:
        if row.found is not None and row.found.why:
            tell(f"{row.suspect} could not be judged: {row.found.why}", "yellow")
    for name, why in missing.items():
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

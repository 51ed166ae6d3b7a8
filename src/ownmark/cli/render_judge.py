"""What the judge's commands say: results of workflows as answers, for people and for `--json`."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ownmark.claims.claim import Claim
from ownmark.claims.doubt import Doubt
from ownmark.cli import render
from ownmark.cli.answer import Answer
from ownmark.cli.console import Cell, facts, show, tell
from ownmark.evidence.scan import Row
from ownmark.report.words import before_and_after, by_chance, counted, interval, p_figure, percent
from ownmark.scoring.readings import Reading
from ownmark.verdicts import duplicates
from ownmark.verdicts.verdict import Finding, Outcome, Verdict, named
from ownmark.workflows.calibrate import CalibrateResult
from ownmark.workflows.inspect import InspectResult
from ownmark.workflows.report import ReportResult
from ownmark.workflows.scan import ScanResult
from ownmark.workflows.serve import ServeResult
from ownmark.workflows.verify import QueryPlan, VerifyResult

EXIT_CODES = {Outcome.MATCH: 0, Outcome.NO_MATCH: 1, Outcome.INCONCLUSIVE: 3}
STYLES = {Outcome.MATCH: "bold red", Outcome.NO_MATCH: "bold green", Outcome.INCONCLUSIVE: "bold yellow"}
UNREACHED = 5  # the exit code where a suspect could not be judged


def of_verdict(verdict: Verdict) -> dict[str, Any]:
    """A verdict as JSON data."""
    return {
        "outcome": verdict.outcome.value,
        "reason": verdict.reason,
        "notes": list(verdict.notes),
        "suspect": verdict.suspect,
        "suspect_digest": verdict.suspect_digest,
        "claim": verdict.claim,
        "alpha": verdict.alpha,
        "queries": verdict.queries,
        "deciding": _of_finding(verdict.deciding, whole=verdict.early is None),
        "others": [_of_finding(finding, whole=verdict.early is None) for finding in verdict.others],
        "exit_code": EXIT_CODES[verdict.outcome],
    }


def _of_finding(finding: Finding, *, whole: bool) -> dict[str, Any]:
    return {
        "reading": finding.test.reading.value,
        "samples": len(finding.matches),
        "score": finding.score,
        "interval": list(finding.interval),
        "p": finding.p,
        "smallest_p": finding.smallest,
        "target_score": finding.test.target_score,
        **({} if finding.residual is None else {"residual": finding.residual}),
        **(_logarithms(finding) if whole else {}),
    }


def _logarithms(finding: Finding) -> dict[str, float]:
    """log10 of the p of keyed labels, before and after the allowance for tried keys; nothing for another null, or for a part."""
    null, score = finding.test.null.keyed, finding.score
    if null is None or len(finding.matches) < null.count:
        return {}
    return {"log10_p": null.log10_p(score), "log10_p_adjusted": null.log10_p_adjusted(score)}


def tell_verdict(verdict: Verdict) -> None:
    """A verdict as a few lines of the result."""
    findings = (verdict.deciding, *verdict.others) if verdict.queries else ()
    rows = {named(finding.test): _told(finding, whole=verdict.early is None) for finding in findings}
    show(f"{verdict.outcome}: {verdict.suspect}", STYLES[verdict.outcome])
    for sentence in (verdict.reason, *verdict.notes):
        show(f"  {sentence}.")
    if rows:
        facts(rows | {"queries": str(verdict.queries)})


def _told(finding: Finding, *, whole: bool) -> Cell:
    """`whole`: all triggers were asked about in one go; where a test may stop early, p is not the one of its score."""
    total, own = counted(len(finding.matches), "sample"), percent(finding.test.target_score)
    score = f"score {percent(finding.score)} on {total}" if finding.graded else f"{percent(finding.score)} of {total} match"
    said = f"{score} ({interval(finding)}), p = {p_figure(finding)}; protected model {own}{by_chance(finding.test)}"
    if finding.residual is not None:
        return said, f"a residual of {finding.residual:.2f}, where the protected model has 1 and independent models 0 on average"
    null = finding.test.null.keyed
    if null is None or not whole or len(finding.matches) < null.count:
        return said
    return said, f"log10 p = {before_and_after(null, finding.score)}"


def tell_line(verdict: Verdict) -> None:
    """A verdict as one line of the result, and why it decides nothing."""
    finding = verdict.deciding
    verb = "score" if finding.graded else "match"
    score = f"{percent(finding.score)} {verb}, p = {p_figure(finding)}, {named(finding.test)}"
    if not verdict.queries:
        score = verdict.reason
    show(f"{verdict.outcome:<18}  {verdict.suspect} ({score})", STYLES[verdict.outcome])
    if verdict.outcome is Outcome.INCONCLUSIVE and verdict.queries:
        show(f"  {verdict.reason}.")


def of_calibrate(found: CalibrateResult, out: Path) -> Answer:
    """How small p can be now, and which tests the innocents could not calibrate."""
    if merged_names := duplicates.merged_clause(found.groups):
        tell(f"{merged_names}.", "yellow")
    _tell_left_out(found.claim)
    count = len(found.groups)
    merged = [list(group) for group in found.groups if len(group) > 1]
    record = render.of_claim(found.claim, out) | {"innocents": count, "smallest_p": found.smallest, "merged": merged}

    def shown() -> None:
        models, least = counted(count, "innocent model"), f"1/{count + 1} = {found.smallest:.3g}"
        show(f"{out} is calibrated on {models}: p cannot fall below {least}.", "bold")
        facts(render.test_rows(found.claim))

    return Answer(record | {"warnings": _warnings(found.doubts)}, shown)


def _tell_left_out(claim: Claim) -> None:
    """Name the tests that not every innocent could answer; the weakest test is one that all of them could."""
    tests = [test for test in claim.tests if test.null.keyed is None]
    asked = tests[-1].null.models
    for test in tests:
        if test.null.models and test.null.models == asked:
            continue
        stays = "is still judged by the earlier innocents" if test.null.models else "stays uncalibrated"
        tell(f"The {named(test)} {stays}, since not every innocent model reveals its {test.reading}.", "yellow")


def of_inspect(found: InspectResult, file: Path) -> Answer:
    """What is in a claim."""
    record = render.of_claim(found.claim, file) | {"warnings": _warnings(found.doubts)}
    return Answer(record, lambda: render.tell_claim(found.claim, file))


def of_verify(found: VerifyResult, claim: Claim) -> Answer:
    """A verdict, and where its page and its ledger lie."""
    verdict, page = found.verdict, found.page
    evidence: dict[str, Any] = {}
    if found.kept is not None:
        kept = found.kept
        counts = {"queries_spent": kept.spent, "answers_from_before": kept.taken}
        evidence = {"ledger": str(kept.ledger), "ledger_digest": kept.digest, **counts}

    rows = {name.replace("_", " "): str(value) for name, value in evidence.items()}

    def shown() -> None:
        tell_verdict(verdict)
        facts(rows)
        mapped = any(one.test.reading is Reading.SALIENCY for one in (verdict.deciding, *verdict.others))
        if claim.tests[0].reading is Reading.SALIENCY and verdict.queries and not mapped:
            tell("The black-box test decided, since this suspect does not show what it looks at.")
        if page is not None:
            show(f"  Open in a browser: {page.resolve()}")

    record = of_verdict(verdict) | {"page": None if page is None else str(page)} | evidence
    return Answer(record, shown, EXIT_CODES[verdict.outcome])


def of_plan(plan: QueryPlan) -> Answer:
    """What a verdict on a suspect behind an address would take."""
    record = asdict(plan) | {"ledger": str(plan.ledger)}

    def shown() -> None:
        cost = "" if plan.cost is None else f", which cost {plan.cost:g}"
        show(f"A verdict takes {counted(plan.needed, 'query', 'queries')}{cost}; nothing was queried.", "bold")
        facts({name: str(value) for name, value in record.items() if value is not None})

    return Answer(record, shown)


def of_report(found: ReportResult, out: Path) -> Answer:
    """One line per suspect, and where the page lies."""
    for name, why in found.unasked.items():
        tell(f"{name} could not be judged: {why}", "yellow")
    code = UNREACHED if found.unasked else 0
    page = None if found.page is None else str(out)
    verdicts = [of_verdict(verdict) for verdict in found.verdicts]

    def shown() -> None:
        for verdict in found.told:
            tell_line(verdict)
        show(f"Open in a browser: {out.resolve()}" if page else "There is no page, since no suspect could be judged.")

    return Answer({"page": page, "verdicts": verdicts, "unasked": dict(found.unasked), "exit_code": code}, shown, code)


def of_serve(found: ServeResult) -> Answer:
    """The address; the server answers from then on, until Ctrl-C."""
    return Answer({"url": found.url, "harden": found.harden.value}, lambda: show(found.url), then=found.run)


def of_scan(found: ScanResult) -> Answer:
    """The table of all who were named, the likeliest first."""
    for row in found.rows:
        if row.found is not None and row.found.why:
            tell(f"{row.suspect} could not be judged: {row.found.why}", "yellow")
    for name, why in found.missing.items():
        tell(f"{name} could not be asked and counts with p = 1: {why}", "yellow")
    record = {"suspects": len(found.rows), "suspects_ever": found.ever, "scans": found.rounds, "rate": found.rate}
    rows = [_record(row, found.missing) for row in found.rows]
    inside = {"looked_at": found.looked_at, "unasked": [asdict(one) for one in found.unasked]}
    return Answer(record | {"rows": rows} | inside, lambda: _show_scan(found), _scan_code(found))


def _show_scan(found: ScanResult) -> None:
    if found.rows:
        _show_rows(found)
    else:
        show(f"Found no model to ask about this claim, in {counted(found.looked_at, 'file')}.", "bold")
    if found.unasked:
        show(f"{counted(len(found.unasked), 'file')} of {found.looked_at} not asked:", "bold")
    for one in found.unasked:
        show(f"  {one.place}: {f'{one.what}; ' if one.what else ''}{one.why}")


def _show_rows(found: ScanResult) -> None:
    rows = found.rows
    screened = sum(row.found is not None and row.found.screened for row in rows)
    ever = f" of {found.ever} in {found.rounds} scans of this claim" if found.rounds > 1 else ""
    show(f"M = {len(rows)} suspects{ever}; every p is corrected for all of them. The first samples ruled out {screened}.", "bold")
    width = max(len(row.suspect) for row in rows)
    show(f"  {'suspect':<{width}}  {'score':>7}  {'p':>9}  {'triage':>9}  {'named':>9}")
    for row in rows:
        said = f"  {row.suspect:<{width}}  {_figures(row)}  {_said(row, found.rate)}"
        show(said, STYLES[row.outcome] if row.found else "")


def _figures(row: Row) -> str:
    one = row.found
    if one is None:
        return f"{'-':>7}  {'-':>9}  {'-':>9}  {'-':>9}"
    share = percent(one.score) if one.samples else "-"
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


def _scan_code(found: ScanResult) -> int:
    """A match says so; else somebody who could not be asked; else what is not decided."""
    outcomes = {row.outcome for row in found.rows if row.found is not None}
    if found.missing and Outcome.MATCH not in outcomes:
        return UNREACHED
    ranked = (Outcome.MATCH, Outcome.INCONCLUSIVE, Outcome.NO_MATCH)
    return next((EXIT_CODES[one] for one in ranked if one in outcomes), EXIT_CODES[Outcome.INCONCLUSIVE])


def _warnings(doubts: Sequence[Doubt]) -> list[dict[str, Any]]:
    return [asdict(doubt) for doubt in doubts]

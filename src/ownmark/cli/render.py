"""Claims and verdicts as plain data for `--json`, and as lines for people."""

from pathlib import Path
from statistics import median
from typing import Any

from ownmark.claims.claim import Claim, Test
from ownmark.cli.console import Told, facts, show
from ownmark.metrics import psnr
from ownmark.querying.stealth import changed_from
from ownmark.report.words import before_and_after, counted, figure, interval, kind, p_figure, percent
from ownmark.scoring.matches import Graded, OnPattern
from ownmark.scoring.null_models import Innocents, KeyedLabels
from ownmark.scoring.readings import Reading
from ownmark.verdicts.verdict import Finding, Outcome, Verdict

EXIT_CODES = {Outcome.MATCH: 0, Outcome.NO_MATCH: 1, Outcome.INCONCLUSIVE: 3}
STYLES = {Outcome.MATCH: "bold red", Outcome.NO_MATCH: "bold green", Outcome.INCONCLUSIVE: "bold yellow"}
NAMES = dict.fromkeys(Reading, "black-box test") | {Reading.SALIENCY: "white-box test", Reading.LABEL: "label test"}


def named(test: Test) -> str:
    """A test's name, which differs from those of the claim's other tests."""
    return NAMES[test.reading] + kind(test)


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
        "deciding": _of_finding(verdict.deciding),
        "others": [_of_finding(finding) for finding in verdict.others],
        "exit_code": EXIT_CODES[verdict.outcome],
    }


def _of_finding(finding: Finding) -> dict[str, Any]:
    return {
        "reading": finding.test.reading.value,
        "samples": len(finding.matches),
        "score": finding.score,
        "interval": list(finding.interval),
        "p": finding.p,
        "smallest_p": finding.smallest,
        "target_score": finding.test.target_score,
        **_logarithms(finding),
    }


def _logarithms(finding: Finding) -> dict[str, float]:
    """log10 of the p of keyed labels, before and after the allowance for tried keys; nothing for another null, or for a part."""
    null, score = finding.test.null, finding.score
    if not isinstance(null, KeyedLabels) or len(finding.matches) < null.count:
        return {}
    return {"log10_p": null.log10_p(score), "log10_p_adjusted": null.log10_p_adjusted(score)}


def tell_verdict(verdict: Verdict) -> None:
    """A verdict as a few lines of the result."""
    show(f"{verdict.outcome}: {verdict.suspect}", STYLES[verdict.outcome])
    for sentence in (verdict.reason, *verdict.notes):
        show(f"  {sentence}.")
    if not verdict.queries:
        return
    findings = (verdict.deciding, *verdict.others)
    facts({named(finding.test): _told(finding) for finding in findings} | {"queries": str(verdict.queries)})


def _told(finding: Finding) -> Told:
    total, own = counted(len(finding.matches), "sample"), percent(finding.test.target_score)
    score = f"score {percent(finding.score)} on {total}" if finding.graded else f"{percent(finding.score)} of {total} match"
    said = f"{score} ({interval(finding)}), p = {p_figure(finding)}; protected model {own}"
    null = finding.test.null
    if not isinstance(null, KeyedLabels) or len(finding.matches) < null.count:
        return said
    return said, f"log10 p = {before_and_after(null, finding.score)}"


def of_claim(claim: Claim, path: Path) -> dict[str, Any]:
    """A claim as JSON data: all but its arrays."""
    count, views, height, width, channels = claim.images.shape
    originals = changed_from(claim)
    return {
        "file": str(path),
        "digest": claim.digest,
        "scheme": claim.scheme,
        "model": claim.model,
        "built_with": list(claim.built_with),
        "task": claim.task.name,
        "samples": count,
        "views": views,
        "size": {"height": height, "width": width, "channels": channels},
        "classes": list(claim.classes),
        "mean": list(claim.preprocess.mean),
        "std": list(claim.preprocess.std),
        "psnr_db": None if originals is None else psnr(originals, claim.images[:, 0]),
        "calibrated": claim.calibrated,
        "tests": [_of_test(test) for test in claim.tests],
    }


def _of_test(test: Test) -> dict[str, Any]:
    innocents = test.null if isinstance(test.null, Innocents) else None
    return {
        "reading": test.reading.value,
        "match": repr(test.match),
        "meaning": test.match.meaning,
        "layer": test.layer,
        "target_score": test.target_score,
        "null": type(test.null).__name__,
        "innocents": len(innocents.scores) if innocents else 0,
        "highest_innocent_score": max(innocents.scores) if innocents else None,
        "median_innocent_score": median(innocents.scores) if innocents else None,
        "lowest_innocent_score": min(innocents.scores) if innocents else None,
        "map": list(test.match.grid) if isinstance(test.match, OnPattern) else None,
        "corner_share": _corner(test.match) if isinstance(test.match, OnPattern) else None,
        "smallest_p": test.null.smallest,
    }


def tell_claim(claim: Claim, path: Path) -> None:
    """A claim as lines of the result."""
    record = of_claim(claim, path)
    height, width, channels = claim.images.shape[2:]
    views = counted(record["views"], "view")
    rows = {
        "digest": claim.digest,
        "scheme": claim.scheme,
        "protected model": claim.model,
        "built with": f"{counted(len(claim.built_with), 'other model')}, which cannot calibrate it",
        "images": f"{counted(record['samples'], 'sample')} of {views}, {width}x{height}, {counted(channels, 'channel')}",
        "task": claim.task.name,
        "classes": f"{len(claim.classes)}: {', '.join(claim.classes)}",
        "preprocessing": f"mean {_joined(claim.preprocess.mean)}, std {_joined(claim.preprocess.std)}",
    }
    if record["psnr_db"] is not None:
        rows["PSNR"] = f"{record['psnr_db']:.1f} dB between fingerprint and original"
    show(str(path), "bold")
    facts(rows | test_rows(claim))


def test_rows(claim: Claim) -> dict[str, Told]:
    """A claim's tests, strongest first: what each asks, how the protected model does, and how innocent models do."""
    return {named(test): _test_told(test) for test in claim.tests}


def tell_line(verdict: Verdict) -> None:
    """A verdict as one line of the result."""
    finding = verdict.deciding
    verb = "score" if finding.graded else "match"
    score = f"{percent(finding.score)} {verb}, p = {p_figure(finding)}, {named(finding.test)}"
    if not verdict.queries:
        score = verdict.reason
    show(f"{verdict.outcome:<18}  {verdict.suspect} ({score})", STYLES[verdict.outcome])


def _test_told(test: Test) -> Told:
    where = f", at layer {test.layer}" if test.layer else ""
    if isinstance(test.match, OnPattern):
        rows, columns = test.match.grid
        where += f"; the map is {rows}x{columns}, the corner {percent(_corner(test.match))} of it"
    counts = "the score says how far" if isinstance(test.match, Graded) else "a sample counts if"
    asked = f"{counts} the suspect {test.match.meaning}{where}"
    own = f"protected model {percent(test.target_score)}"
    if isinstance(test.null, KeyedLabels):
        return asked, f"{own}, exact by its key, smallest p {figure(test.null.smallest, test.null, 1)}"
    if not isinstance(test.null, Innocents):
        return asked, f"{own}, not calibrated"
    count, scores = len(test.null.scores), test.null.scores
    spread = f"at most {percent(max(scores))} (median {percent(median(scores))}, least {percent(min(scores))})"
    return asked, f"{own}, {counted(count, 'innocent model')} {spread}, smallest p {test.null.smallest:.3g}"


def _corner(match: OnPattern) -> float:
    """The share of a map that the marked corner is."""
    return len(set(match.cells)) / (match.grid[0] * match.grid[1])


def _joined(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:g}" for value in values)

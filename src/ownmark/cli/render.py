"""Claims, and what the owner's and the thief's commands make, as plain data for `--json` and as lines for people."""

from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from ownmark.claims.claim import Claim, Test
from ownmark.cli.answer import Answer
from ownmark.cli.console import Cell, facts, show, show_command
from ownmark.metrics import psnr
from ownmark.report.words import before_and_after, by_chance, counted, figure, percent
from ownmark.scoring.matches import Graded
from ownmark.statistics.p_values import innocents_needed
from ownmark.verdicts.verdict import named

if TYPE_CHECKING:
    from ownmark.data.images import Split
    from ownmark.workflows.attack import AttackRequest, AttackResult
    from ownmark.workflows.protect import Mark, PledgeResult, ProtectResult


ENOUGH = innocents_needed(0.05)  # innocent models that a verdict needs at the usual alpha


def of_claim(claim: Claim, path: Path) -> dict[str, Any]:
    """A claim as JSON data: all but its arrays."""
    count, views, height, width, channels = claim.images.shape
    originals = claim.changed_from
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
        "fitting": None if claim.fitting is None else claim.fitting.record(),
        "psnr_db": None if originals is None else psnr(originals, claim.images[:, 0]),
        "calibrated": claim.calibrated,
        "tests": [_of_test(test) for test in claim.tests],
    }


def _of_test(test: Test) -> dict[str, Any]:
    scores, area = test.null.scores, test.match.area
    return {
        "reading": test.reading.value,
        "match": repr(test.match),
        "meaning": test.match.meaning,
        "layer": test.layer,
        "target_score": test.target_score,
        "null": type(test.null).__name__,
        "innocents": len(scores),
        "highest_innocent_score": max(scores) if scores else None,
        "median_innocent_score": median(scores) if scores else None,
        "lowest_innocent_score": min(scores) if scores else None,
        "map": None if area is None else list(area.grid),
        "corner_share": None if area is None else area.share,
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
        **_answered(claim),
        "preprocessing": f"mean {_joined(claim.preprocess.mean)}, std {_joined(claim.preprocess.std)}",
    }
    if claim.fitting is not None:
        rows["pictures"] = str(claim.fitting)
    if record["psnr_db"] is not None:
        rows["PSNR"] = f"{record['psnr_db']:.1f} dB between fingerprint and original"
    show(str(path), "bold")
    facts(rows | test_rows(claim))


def _answered(claim: Claim) -> dict[str, str]:
    """The claim's classes, or the name of its number; nothing for people, who stay anonymous."""
    if not claim.classes:
        return {}
    names = ", ".join(claim.classes)
    return {"classes": f"{len(claim.classes)}: {names}"} if claim.task.named_labels else {"number": names}


def test_rows(claim: Claim) -> dict[str, Cell]:
    """A claim's tests, strongest first: what each asks, how the protected model does, and how innocent models do."""
    return {named(test): _test_told(test) for test in claim.tests}


def _test_told(test: Test) -> Cell:
    where = f", at layer {test.layer}" if test.layer else ""
    if (area := test.match.area) is not None:
        rows, columns = area.grid
        where += f"; the map is {rows}x{columns}, the corner {percent(area.share)} of it"
    counts = "the score says how far" if isinstance(test.match, Graded) else "a sample counts if"
    asked = f"{counts} the suspect {test.match.meaning}{where}"
    own = f"protected model {percent(test.target_score)}{by_chance(test)}"
    if test.null.keyed is not None:
        return asked, f"{own}, exact by its key, smallest p {figure(test.null.smallest, test.null, 1)}"
    if not test.null.scores:
        return asked, f"{own}, not calibrated"
    count, scores = len(test.null.scores), test.null.scores
    spread = f"at most {percent(max(scores))} (median {percent(median(scores))}, least {percent(min(scores))})"
    return asked, f"{own}, {counted(count, 'innocent model')} {spread}, smallest p {test.null.smallest:.3g}"


def _joined(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:g}" for value in values)


def of_protect(made: "ProtectResult", network: str) -> Answer:
    """A claim that was made on a model whose network has that name, and what a watermark cost."""
    record = of_claim(made.claim, made.out)
    rows = {"digest": record["digest"], "samples held": str(record["samples"]), "seconds": f"{made.seconds:.1f}"}
    if record["psnr_db"] is not None:
        rows["PSNR"] = f"{record['psnr_db']:.1f} dB"
    marked = {} if made.mark is None else _mark_rows(made.mark, made.claim, made.split)
    shown = partial(_tell_claim, record, rows | marked | test_rows(made.claim), network)
    record |= {"seconds": made.seconds, "warnings": list(map(asdict, made.doubts))}
    more = made.quality if made.mark is None else _mark_record(made.mark, made.claim, made.split)
    return Answer({**record, **more}, shown)


def _tell_claim(record: Mapping[str, Any], rows: Mapping[str, Cell], network: str) -> None:
    """The claim and, of a watermark, what it cost; then what to do next."""
    out = record["file"]
    show(f"{out} claims the model {record['model'][:12]}.", "bold")
    facts(rows)
    if record["calibrated"]:
        show("The claim needs no innocent models: its labels come from a key. Publish the marked weights only. Next:")
        show_command(f"verify {out} {network} --weights SUSPECT.safetensors")
        return
    show(f"The claim is uncalibrated: no verdict can uphold it before it is calibrated on {ENOUGH} innocent models. Next:")
    show_command(f"calibrate {out} INNOCENT.safetensors... --model {network}")


def _mark_record(mark: "Mark", claim: Claim, split: "Split") -> dict[str, Any]:
    """No logarithm of p where the labels come from no key."""
    score, keyed = claim.tests[0].target_score, claim.tests[0].null.keyed
    return {
        "marked": str(mark.weights),
        "accuracy_before": mark.before,
        "accuracy_after": mark.after,
        "held_out": split.origin,
        "held_out_images": len(split.held_out),
        "survival": score,
        "log10_p": None if keyed is None else keyed.log10_p(score),
        "log10_p_adjusted": None if keyed is None else keyed.log10_p_adjusted(score),
        "key": None if keyed is None else "owner" if mark.own_key else "random",
    }


def survived(test: Test) -> str:
    """How far the marked model carries its own mark."""
    score, count = test.target_score, len(test.expected)
    held = by_chance(test) if isinstance(test.match, Graded) else f": {round(score * count)} of {count} triggers"
    return f"{percent(score)}{held}"


def _mark_rows(mark: "Mark", claim: Claim, split: "Split") -> dict[str, str]:
    score, keyed = claim.tests[0].target_score, claim.tests[0].null.keyed
    said = {
        "marked weights": str(mark.weights),
        "accuracy before": f"{percent(mark.before)} of {len(split.held_out)} images ({split.origin})",
        "accuracy after": percent(mark.after),
        "survival": survived(claim.tests[0]),
    }
    if keyed is not None:
        where = "derived from your secret" if mark.own_key else "random, and in the claim only: keep the claim secret"
        said |= {"log10 p": before_and_after(keyed, score), "key": where}
    return said


def of_pledge(made: "PledgeResult") -> Answer:
    """A pledge that was made, and how it gets its pulse."""
    record = {"pledge": str(made.file), "pledges": made.pledges, "warnings": list(map(asdict, made.doubts))}
    return Answer(record, partial(_tell_pledge, made))


def _tell_pledge(made: "PledgeResult") -> None:
    show(f"{made.file} pledges what the key will depend on, as one of {made.pledges}. Next:", "bold")
    show_command(f"beacon {made.file} --tsa URL")
    show_command(f"beacon {made.file} --pulse PULSE")
    show("and then the same command again.")


def of_attack(made: "AttackResult", request: "AttackRequest") -> Answer:
    """A copy that was made, and what that cost."""
    headline = made.split.task.headline
    record = {
        "attack": repr(request.attack),
        "out": str(made.out),
        "digest": made.digest,
        f"{headline}_before": made.before[headline],
        f"{headline}_after": made.after[headline],
        "held_out": made.split.origin,
        "held_out_images": len(made.split.held_out),
        "seed": request.seed,
    }
    return Answer(record, partial(_tell_attack, made, request))


def _tell_attack(made: "AttackResult", request: "AttackRequest") -> None:
    from ownmark.workflows.measuring import shown

    headline = made.split.task.headline
    show(f"{made.out}: {request.attack}", "bold")
    measured = f"{len(made.split.held_out)} images ({made.split.origin})"
    facts({"before": f"{shown(made.before, headline)}, on {measured}", "after": shown(made.after, headline)})

"""What the owner's and the thief's commands come to: JSON data, and lines for people. No torch."""

from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

from ownmark.claims.claim import Claim
from ownmark.cli import render
from ownmark.cli.answer import Answer
from ownmark.cli.console import facts, show, show_command
from ownmark.report.words import before_and_after, percent
from ownmark.scoring.null_models import KeyedLabels
from ownmark.statistics.p_values import innocents_needed

if TYPE_CHECKING:
    from ownmark.data.split import Split
    from ownmark.workflows.attack import AttackRequest, AttackResult
    from ownmark.workflows.protect import Mark, PledgeResult, ProtectResult


def of_protect(made: "ProtectResult", network: str) -> Answer:
    """A claim that was made on a model whose network has that name, and what a watermark cost."""
    record = render.of_claim(made.claim, made.out)
    record |= {"seconds": made.seconds, "warnings": list(map(asdict, made.doubts))}
    more = made.quality if made.mark is None else _mark_record(made.mark, made.claim, made.split)
    return Answer({**record, **more}, partial(_tell_claim, made, network))


def _tell_claim(made: "ProtectResult", network: str) -> None:
    """The claim and, of a watermark, what it cost; then what to do next."""
    claim, out, record = made.claim, made.out, render.of_claim(made.claim, made.out)
    show(f"{out} claims the model {claim.model[:12]}.", "bold")
    rows = {"digest": claim.digest, "samples held": str(record["samples"]), "seconds": f"{made.seconds:.1f}"}
    if record["psnr_db"] is not None:
        rows["PSNR"] = f"{record['psnr_db']:.1f} dB"
    facts(rows | ({} if made.mark is None else _mark_rows(made.mark, claim, made.split)) | render.test_rows(claim))
    if claim.calibrated:
        show("The claim needs no innocent models: its labels come from a key. Publish the marked weights only. Next:")
        show_command(f"verify {out} {network} --weights SUSPECT.safetensors")
        return
    show(f"The claim is uncalibrated: no verdict can uphold it before it knows {innocents_needed(0.05)} innocent models. Next:")
    show_command(f"calibrate {out} INNOCENT.safetensors... --model {network}")


def _mark_record(mark: "Mark", claim: Claim, split: "Split") -> dict[str, Any]:
    """No logarithm of p where the labels come from no key."""
    score, null = claim.tests[0].target_score, claim.tests[0].null
    keyed = null if isinstance(null, KeyedLabels) else None
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


def _mark_rows(mark: "Mark", claim: Claim, split: "Split") -> dict[str, str]:
    score, null = claim.tests[0].target_score, claim.tests[0].null
    count = len(claim.images)
    said = {
        "marked weights": str(mark.weights),
        "accuracy before": f"{percent(mark.before)} of {len(split.held_out)} images ({split.origin})",
        "accuracy after": percent(mark.after),
        "survival": f"{percent(score)}: {round(score * count)} of {count} triggers",
    }
    if isinstance(null, KeyedLabels):
        where = "derived from your secret" if mark.own_key else "random, and in the claim only: keep the claim secret"
        said |= {"log10 p": before_and_after(null, score), "key": where}
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
    from ownmark.workflows.quality import shown

    headline = made.split.task.headline
    show(f"{made.out}: {request.attack}", "bold")
    measured = f"{len(made.split.held_out)} images ({made.split.origin})"
    facts({"before": f"{shown(made.before, headline)}, on {measured}", "after": shown(made.after, headline)})

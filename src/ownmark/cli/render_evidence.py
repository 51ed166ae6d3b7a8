"""Keys, seals, verdicts of a judge and disputes: as plain data for `--json`, and as lines for people. No torch."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from ownmark.cli.answer import Answer
from ownmark.cli.console import facts, show, tell
from ownmark.evidence.dispute import Dispute, Prevails
from ownmark.evidence.records.facts import terms_of
from ownmark.evidence.ruling import Outcome
from ownmark.evidence.verdict_file import EXIT_CODES, Recomputed, ruling_record
from ownmark.workflows.judge import JudgeResult
from ownmark.workflows.seal import Keys, OpenResult, SealResult, retry

UNRESOLVED = 3  # the exit code of what is inconclusive
STYLES = {Outcome.STRONG: "bold red", Outcome.SUPPORTING: "bold red", Outcome.NO_MATCH: "bold green"}
HEARD = "The judge got the answers himself"
READ = (
    "Computed anew from the record, which is consistent: whether the answers in it are true cannot be known without asking again"
)
MARKS = {True: "passed", False: "FAILED", None: "for information"}


def keys_answer(made: Keys) -> Answer:
    """A key that was made, and what must not be lost."""
    rows = {"key file": str(made.file), "public file": str(made.public_file), "public key": made.public}
    tell(f"Keep {made.file} and its passphrase offline, in two places: nobody can remake them, and no seal holds without them.")
    return _of_facts("An owner's key", rows)


def seal_answer(made: SealResult) -> Answer:
    """A seal: what was committed to, and when."""
    committed = made.bundle.commitment
    times = [f"{stamp.time:%Y-%m-%d %H:%M:%S} UTC, {stamp.url}" for stamp in made.bundle.stamps]
    rows = {
        "file": str(made.path),
        "digest": made.bundle.digest,
        "owner": committed.owner,
        "claim": committed.claim,
        "model": committed.model,
        "model file": committed.model_file or "not sealed",
        "triggers": str(committed.leaves),
        "sets": str(committed.sets) if committed.sets else "none: opened as a whole",
        "alpha": f"{committed.policy.alpha:g}",
        "timestamp": "; ".join(times) or "untimestamped: nothing shows when it was sealed",
    }
    if not times:
        tell(f"A seal without a timestamp proves nothing against a suspect. To have one: {retry(made.path, 'URL')}")
    return _of_facts("Sealed", rows)


def opened_answer(made: OpenResult) -> Answer:
    """What was opened, and what is left."""
    committed, opening = made.noted.commitment, made.handed.opening
    left = [str(number) for number in range(max(committed.sets, 1)) if number not in made.noted.opened]
    rows = {
        "file": str(made.path),
        "seal": made.noted.digest,
        "opened": "the whole claim" if opening is None or opening.number is None else f"set {opening.number}",
        "triggers": str(committed.size if opening is None else len(opening.claim.images)),
        "secret": "shown: p pays for 2^40 tried keys" if opening is not None and opening.secret else "not shown",
        "left": ", ".join(left) or "nothing",
    }
    return _of_facts("Opened", rows)


def judged_answer(made: JudgeResult, path: Path, *, heard: bool) -> Answer:
    """The verdict in the file `path`; `heard`: whether the answers were got just now."""
    if made.found is None:
        record: dict[str, Any] = {
            "verdict": None,
            "outcome": made.outcome.value,
            "reason": made.reason,
            "exit_code": made.exit_code,
        }
        return Answer(record, partial(_tell_undecided, made), made.exit_code)
    ruling, terms, was = made.found.judged.ruling, terms_of(made.found), made.found.judged.was
    then = None if was is None else was["outcome"]
    told = {"judge": made.found.judge, "terms": terms, "answers": HEARD if heard else READ, "ruled_by_version_1": then}
    code = EXIT_CODES[ruling.outcome]
    record = {"verdict": str(path), **ruling_record(ruling), **told, "doubt": made.doubt, "exit_code": code}
    return Answer(record, partial(_tell_judged, made.found, path, terms, made.doubt, heard=heard), code)


def _tell_undecided(made: JudgeResult) -> None:
    show(made.outcome.value, STYLES.get(made.outcome, "bold yellow"))
    show(made.reason)


def _tell_judged(found: Recomputed, path: Path, terms: Mapping[str, str], doubt: str, *, heard: bool) -> None:
    """The verdict, its reason and a doubt about it, every step, and by whose terms."""
    one, ruling = found.judged, found.judged.ruling
    show(ruling.outcome.value, STYLES.get(ruling.outcome, "bold yellow"))
    show(ruling.reason)
    if doubt:
        tell(f"This {ruling.outcome.value} says nothing about whose model it is: {doubt}.", "yellow")
    if one.was is not None:
        show(f"Version 1 ruled {one.was['outcome']}; what stands above is what its record deserves now.")
    if not heard:
        tell(f"{READ}.", "yellow")
    facts({step.name: f"{MARKS[step.passed]}: {step.told}" for step in ruling.steps})
    missing = ", ".join(stratum.value for stratum in ruling.missing)
    facts({"strata without a reference": missing or "none", **terms, "suspect": one.session.suspect.name, "file": str(path)})


def dispute_answer(one: Dispute) -> Answer:
    """The table, and who prevails."""
    rows = {
        "mark of the first in the second's model": one.table.first_in_second.value,
        "mark of the second in the first's model": one.table.second_in_first.value,
        "mark of the first in the suspect": one.table.first_in_suspect.value,
        "mark of the second in the suspect": one.table.second_in_suspect.value,
    }
    record = {"prevails": one.prevails.value, "reason": one.reason, "table": rows}
    return Answer(record, partial(_tell_dispute, one, rows), UNRESOLVED if one.prevails is Prevails.UNRESOLVED else 0)


def _tell_dispute(one: Dispute, rows: Mapping[str, str]) -> None:
    show(one.prevails.value, "bold")
    show(one.reason)
    facts(rows)


def _of_facts(title: str, rows: Mapping[str, str]) -> Answer:
    record: dict[str, Any] = {name.replace(" ", "_"): value for name, value in rows.items()}
    return Answer(record, partial(_tell_facts, title, rows))


def _tell_facts(title: str, rows: Mapping[str, str]) -> None:
    show(title, "bold")
    facts(rows)

"""What the commands of a dispute need: who is asked, in which order, and how a verdict is told to a person. No torch."""

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from cryptography.hazmat.primitives.hashes import SHA256

from ownmark.claims.claim import Claim
from ownmark.cli.console import emit, facts, show, tell, working
from ownmark.errors import UsageError
from ownmark.evidence import beacon, bundle, inputs, owner, timestamp
from ownmark.evidence.admissibility import Checked, Trust, checked
from ownmark.evidence.dispute import Dispute, disputed
from ownmark.evidence.ruling import NONCE, Outcome, Session, Stratum, opened_part
from ownmark.evidence.verdict_file import EXIT_CODES, Judged, Recomputed, ruling_record
from ownmark.querying.decoys import decoys_in
from ownmark.querying.transcript import Heard, Plan, Role, heard, heard_plainly
from ownmark.report.words import counted
from ownmark.suspects.open import Access, is_web
from ownmark.suspects.wrappers.wrapped import JPEG, BitDepth
from ownmark.workflows.reach import Reach

PURIFY = (JPEG(75), BitDepth(5))
STYLES = {Outcome.STRONG: "bold red", Outcome.SUPPORTING: "bold red", Outcome.NO_MATCH: "bold green"}
HEARD = "The judge got the answers himself"
READ = (
    "Computed anew from the record, which is consistent: whether the answers in it are true cannot be known without asking again"
)
MARKS = {True: "passed", False: "FAILED", None: "for information"}


@dataclass(frozen=True)
class Known:
    """What a judge knows before anybody is asked: whom he believes, and when the suspect was first seen."""

    trust: Trust
    seen: datetime

    @classmethod
    def of(cls, root: Path | None, public: Path | None, pool: Path | None, seen: datetime | None) -> "Known":
        """From files. Raises UsageError unless it is said when the suspect was first seen: no seal is in time before that."""
        if seen is None:
            raise UsageError("say when the suspect was first seen, --seen DATE (UTC): only a seal that is older is in time")
        now = datetime.now(UTC)
        roots = () if root is None else timestamp.roots_in(root)
        known = "" if public is None else owner.public_key(public)
        chosen_from = None if pool is None else inputs.read_pool(pool)
        return cls(Trust(roots, known, pool=chosen_from, now=now), seen.replace(tzinfo=UTC))

    def by(self, alpha: float | None, certificates: Path | None, pledges: int) -> "Known":
        """The same for a judge who judges by no larger rate of false accusations, and believes these beacons."""
        beacons = () if certificates is None else beacon.certificates_in(certificates)
        return replace(self, trust=replace(self.trust, alpha=alpha, beacons=beacons, pledges=pledges))


@dataclass(frozen=True)
class Parties:
    """Whom a judge asks: names as `Access` reads them; `references` as stratum=name."""

    suspect: str
    own: str | None
    references: tuple[str, ...]
    decoys: Path | None


def judged(file: Path, known: Known, parties: Parties, how: Reach) -> Judged:
    """Steps J1 to J8: check the seal, then ask everybody. Raises UsageError before the first question where it can."""
    opened = bundle.read(file)
    found = checked(opened, known.trust, known.seen)
    part = opened_part(found)
    named = [_stratum_of(text) for text in parties.references]
    how.check(parties.suspect)
    for name in (*([parties.own] if parties.own else []), *(name for _, name in named)):
        how.near.check(name)
    how.check_near((parties.suspect,))
    _check_ledger(file, parties.suspect, how)
    decoys = None if parties.decoys is None else decoys_in(parties.decoys, part)
    plan = Plan(os.urandom(NONCE), decoys, {repr(one): one.transform for one in PURIFY})
    _check_cap(plan, part, found)
    with working(f"Asking {parties.suspect}"):
        suspect, plan, before = _heard(parties.suspect, found, plan, how)
        asked = [suspect]
        asked += [heard_plainly(how.near.suspect(parties.own), part, Role.OWN)] if parties.own else []
        asked += [heard_plainly(how.near.suspect(name), part, Role.REFERENCE, stratum.value) for stratum, name in named]
    return _recorded((opened, known), asked, plan, before)


def _heard(name: str, found: Checked, plan: Plan, how: Reach) -> tuple[Heard, Plan, int]:
    """What the suspect answers, how it was asked, and how many answers an earlier run of the same hearing had got.

    The ledger of a suspect behind an address is begun for this hearing, and its nonce is the hearing's, so that a run which goes
    on asks in the same order.
    """
    part = opened_part(found)
    with how.suspect(name, part) as (suspect, ledger):
        if ledger is None:
            return heard(suspect, part, plan), plan, 0
        ledger.begin(f"a hearing about {name} by the seal {found.digest}, set {found.number}")
        plan = replace(plan, nonce=ledger.nonce)
        one = replace(heard(suspect, part, plan), ledger=ledger.digest)
        if ledger.taken:
            tell(f"{counted(ledger.taken, 'answer')} were taken from an earlier run of this hearing.")
        return one, plan, ledger.taken


def _check_ledger(file: Path, name: str, how: Reach) -> None:
    """Raises UsageError unless the judge named a ledger of his own, which does not lie with what the claimant handed over."""
    if not is_web(name):
        return
    if how.ledger is None:
        raise UsageError("name your ledger of what is asked and answered: --ledger FILE, in a folder of your own")
    if how.ledger.parent.resolve() == file.parent.resolve():
        raise UsageError(f"the ledger {how.ledger} would lie beside the evidence {file}: name one in a folder of your own")


def _recorded(basis: tuple[bundle.Bundle, Known], asked: Sequence[Heard], plan: Plan, before: int) -> Judged:
    """`before`: answers that were got by an earlier run of this hearing, which the verdict says."""
    opened, known = basis
    surroundings = environment() | ({"answers_from_before": str(before)} if asked[0].ledger else {})
    count, decoys = len(asked[0].decoys), plan.decoys
    classes = asked[0].decoys if decoys is None else decoys.labels[:count]
    session = Session(tuple(asked), plan.nonce, classes)
    return Judged(opened, known.trust, known.seen, session, surroundings, "" if decoys is None else decoys.digest)


def weighed(files: tuple[Path, Path], known: Known, names: tuple[str, str, str], how: Sequence[Access]) -> Dispute:
    """Two claims and, by name, the first claimant's model, the second's, and the suspect; `how` each claim's models are asked."""
    first, second = (checked(bundle.read(file), known.trust, known.seen) for file in files)
    for access, name in ((how[0], names[0]), (how[1], names[1]), (how[0], names[2])):
        access.check(name)
    models = (how[0].suspect(names[0]), how[1].suspect(names[1]))
    return disputed(first, second, models, how[0].suspect(names[2]))


def part_of(file: Path) -> Claim:
    """The claim in an opened seal, which is not checked yet."""
    opening = bundle.read(file).opening
    if opening is None:
        raise UsageError(f"nothing of {file} is opened: the owner writes a judge's file with `ownmark open`")
    return opening.claim


def environment() -> dict[str, str]:
    """What computed a verdict."""
    names = ("ownmark", "numpy", "scipy", "cryptography")
    return {"python": platform.python_version(), "system": platform.system()} | {name: version(name) for name in names}


def tell_judged(found: Recomputed, path: Path, *, as_json: bool, heard: bool) -> None:
    """The verdict, its reason, every step, and by whose terms; `heard`: whether the answers were got just now."""
    one = found.judged
    ruling, terms = one.ruling, _terms(found)
    if as_json:
        then = None if one.was is None else one.was["outcome"]
        told = {"judge": found.judge, "terms": terms, "answers": HEARD if heard else READ, "ruled_by_version_1": then}
        emit({"verdict": str(path), **ruling_record(ruling), **told, "exit_code": EXIT_CODES[ruling.outcome]})
        return
    show(ruling.outcome.value, STYLES.get(ruling.outcome, "bold yellow"))
    show(ruling.reason)
    if one.was is not None:
        show(f"Version 1 ruled {one.was['outcome']}; what stands above is what its record deserves now.")
    if not heard:
        tell(f"{READ}.", "yellow")
    facts({step.name: f"{MARKS[step.passed]}: {step.told}" for step in ruling.steps})
    missing = ", ".join(stratum.value for stratum in ruling.missing)
    facts({"strata without a reference": missing or "none", **terms, "suspect": one.session.suspect.name, "file": str(path)})


def _terms(found: Recomputed) -> dict[str, str]:
    """By whose rules: the judge's and the claimant's, and what the judge brought."""
    trust, policy = found.judged.trust, found.judged.bundle.commitment.policy
    roots = [root.fingerprint(SHA256()).hex()[:16] for root in trust.roots]
    return {
        "judge's key": found.judge,
        "alpha of the claimant": f"{policy.alpha:g}",
        "alpha of the judge": "no cap" if trust.alpha is None else f"at most {trust.alpha:g}",
        "claimant's key": "checked" if trust.owner else "whoever signed: --owner names the key that you know",
        "roots": ", ".join(roots) or "none",
        "references": counted(len(found.judged.session.references), "independent model"),
    }


def tell_dispute(one: Dispute, *, as_json: bool) -> None:
    """The table, and who prevails."""
    rows = {
        "mark of the first in the second's model": one.table.first_in_second.value,
        "mark of the second in the first's model": one.table.second_in_first.value,
        "mark of the first in the suspect": one.table.first_in_suspect.value,
        "mark of the second in the suspect": one.table.second_in_suspect.value,
    }
    if as_json:
        emit({"prevails": one.prevails.value, "reason": one.reason, "table": rows})
        return
    show(one.prevails.value, "bold")
    show(one.reason)
    facts(rows)


def _stratum_of(text: str) -> tuple[Stratum, str]:
    stratum, _, name = text.partition("=")
    known = next((one for one in Stratum if one.value == stratum), None)
    if known is None or not name:
        raise UsageError(f"--reference needs STRATUM=FILE, where STRATUM is one of {', '.join(Stratum)}; got {text!r}")
    return known, name


def _check_cap(plan: Plan, part: Claim, found: Checked) -> None:
    most, needed = found.commitment.policy.most_queries, plan.queries(part)
    if most is not None and needed > most:
        raise UsageError(f"the owner committed to at most {most} queries a suspect, but {needed} are needed: bring fewer decoys")

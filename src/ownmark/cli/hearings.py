"""From the names that a judge types to models that can be asked, and to a hearing. No torch, unless a model needs it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Protocol

from ownmark.claims.claim import Claim
from ownmark.cli.console import Terminal
from ownmark.cli.options import AskingAtHand, chosen
from ownmark.errors import UsageError
from ownmark.evidence import bundle, inputs, owner, timestamp
from ownmark.evidence.admissibility import Trust
from ownmark.evidence.owner import OwnerKey
from ownmark.evidence.ruling import Stratum
from ownmark.evidence.verdict_file import Expected
from ownmark.protocols import Suspect
from ownmark.querying.decoys import decoys_in
from ownmark.suspects.answers import Outputs
from ownmark.suspects.open import Access, Reach, is_web
from ownmark.workflows.judge import JudgeRequest, JudgeResult, RecomputeRequest, check_ledger_file, judge, recompute


@dataclass(frozen=True)
class Parties:
    """Whom a judge asks, by name; `references` as STRATUM=FILE; `decoys`: a folder of ordinary images; `layer`: of maps."""

    suspect: str
    own: str | None
    references: Sequence[str] | None
    decoys: Path | None
    layer: str = ""


class AskingModels(AskingAtHand, Protocol):
    """A command that asks the models of a dispute."""

    @property
    def model(self) -> str | None: ...


def near_of(asked: AskingModels, opened: Path) -> Access:
    """How the models of an opened seal's claim are asked, at the claim's layer; the seal is not checked yet."""
    part = _part_of(opened)
    kind = None if asked.outputs is None else chosen(Outputs, asked.outputs, "--outputs")
    external, code = asked.allow_external, asked.allow_code
    return Access(part.preprocess, len(part.classes), asked.model, kind, output=asked.output, external=external, code=code)


def at_layer(near: Access, layer: str, suspect: str) -> Access:
    """The same, with the suspect's map taken at `layer`, if one is named. Raises UsageError for a suspect that shows none."""
    named = replace(near, layer=layer)
    named.check_layer([suspect])
    return named


def heard(
    reach: Reach, parties: Parties, trust: Trust, seen: datetime, signer: OwnerKey, out: Path, *, accused: bool = False
) -> JudgeResult:
    """Ask everybody who is named; `accused`: the signer is whose model it is.

    Raises UsageError for names and files that can only be slips, before anything is opened.
    """
    opened, near = reach.claim_file, reach.near
    strata = [_stratum_of(text) for text in parties.references or ()]
    reach.check(parties.suspect)
    for name in (*([parties.own] if parties.own else []), *(name for _, name in strata)):
        near.check(name)
    reach.check_near((parties.suspect,))
    special = replace(reach, near=at_layer(near, parties.layer, parties.suspect))
    if is_web(parties.suspect):
        check_ledger_file(opened, reach.ledger)
    part = _part_of(opened)
    decoys = None if parties.decoys is None else decoys_in(parties.decoys, part)
    with special.suspect(parties.suspect, part) as (suspect, ledger):
        request = JudgeRequest(
            opened=opened,
            suspect=suspect,
            trust=trust,
            seen=seen,
            judge=signer,
            out=out,
            ledger=ledger,
            layer=parties.layer,
            own=near.suspect(parties.own) if parties.own else None,
            references=_references(strata, near),
            decoys=decoys,
            accused=accused,
        )
        return judge(request, Terminal())


def check_offline(*given: object) -> None:
    """Raises UsageError for options of a hearing where a verdict is only read."""
    if any(one is not None for one in given):
        raise UsageError(
            "--offline takes the opened seal and perhaps --pool, --judge, --owner and --root: all else stands in the verdict"
        )


def reread(
    verdict: Path, opened: Path, pool: Path | None, *, judge_key: Path | None, owner_key: Path | None, roots: Path | None
) -> JudgeResult:
    """A verdict that was read and computed anew; whoever says whom he expects sees that it is from them."""
    expected = Expected(
        "" if judge_key is None else owner.public_key(judge_key),
        "" if owner_key is None else owner.public_key(owner_key),
        None if roots is None else timestamp.roots_in(roots),
    )
    had = None if pool is None else inputs.read_pool(pool)
    return recompute(RecomputeRequest(verdict=verdict, opened=opened, expected=expected, pool=had))


def _part_of(opened: Path) -> Claim:
    """The claim in an opened seal, which is not checked yet."""
    opening = bundle.read(opened).opening
    if opening is None:
        raise UsageError(f"nothing of {opened} is opened: the owner writes a judge's file with `ownmark open`")
    return opening.claim


def _references(strata: list[tuple[Stratum, str]], near: Access) -> Iterator[tuple[Stratum, Suspect]]:
    """Each opened when it is its turn, so that one model at a time is in memory."""
    for stratum, name in strata:
        yield stratum, near.suspect(name)


def _stratum_of(text: str) -> tuple[Stratum, str]:
    stratum, _, name = text.partition("=")
    known = next((one for one in Stratum if one.value == stratum), None)
    if known is None or not name:
        raise UsageError(f"expected --reference STRATUM=FILE, where STRATUM is one of {', '.join(Stratum)}; got {text!r}")
    return known, name

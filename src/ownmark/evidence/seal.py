"""The owner's side: seal a claim before accusing anybody, timestamp it, and open one set of triggers in a dispute. No torch."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from cryptography.x509 import Certificate

from ownmark import canonical
from ownmark.claims.claim import Claim
from ownmark.errors import EvidenceError, UsageError
from ownmark.evidence import bound, choices, claim_record, commitment, envelope, inputs, merkle, timestamp
from ownmark.evidence.bundle import MOST_STAMPS, Bundle, Opening
from ownmark.evidence.commitment import Commitment, Policy
from ownmark.evidence.merkle import Proof
from ownmark.evidence.owner import OwnerKey
from ownmark.evidence.pledge import Pledge
from ownmark.evidence.timestamp import Post
from ownmark.keys import Pixels


@dataclass(frozen=True, eq=False)
class Beside:
    """What is sealed along with the claim, by digest. `model_file`: the protected model's.

    `pool`: the images that the keys of the sets chose from, if they did; `previous`: the owner's last seal, so that none can be
    omitted later; `pledge`: what was timestamped before the pulse that enters the key.
    """

    model_file: Path | None = None
    pool: Pixels | None = None
    previous: Bundle | None = None
    pledge: Pledge | None = None


def seal(claim: Claim, owner: OwnerKey, policy: Policy, beside: Beside = Beside()) -> Bundle:
    """The claim's sealed bundle, without a timestamp. Raises UsageError for a claim that could support no verdict."""
    check_sealable(claim)
    if beside.pool is not None:
        inputs.check_chosen(claim, beside.pool, commitment.VERSION)
    keyed = claim_record.keyed(claim)
    committed = Commitment(
        owner=owner.public,
        claim=claim.digest,
        model=claim.model,
        model_file="" if beside.model_file is None else _file_digest(beside.model_file),
        root=merkle.root(claim_record.leaves(claim, claim_record.blinds(claim, owner))).hex(),
        leaves=len(claim.images),
        sets=claim_record.sets(claim),
        key=canonical.sha256(bytes.fromhex(keyed.key)) if keyed else "",
        cells=inputs.pattern_cells(claim),
        pool=_pool(claim, beside),
        terms=claim_record.terms(claim),
        policy=policy,
        previous="" if beside.previous is None else beside.previous.digest,
        tool=f"ownmark {version('ownmark')}",
        choices=None if claim.choices is None else dict(claim.choices),
        beacon=None if beside.pledge is None else beside.pledge.record,
    )
    _check_bound(claim, committed)
    payload = committed.to_bytes()
    commitment.from_bytes(payload)  # never sign what could not be read again
    return Bundle(envelope.signed(payload, owner))


def _pool(claim: Claim, beside: Beside) -> str:
    """The digest of the pool: of the one given, or of the one that the key was derived from."""
    if beside.pool is not None:
        return inputs.pool_digest(beside.pool, commitment.VERSION)
    return "" if claim.choices is None else str(claim.choices.get("pool", ""))


def _check_bound(claim: Claim, committed: Commitment) -> None:
    """Raises UsageError for a seal that no judge would accept, since its key was derived from other choices."""
    try:
        bound.bound(claim, committed)
    except EvidenceError as error:
        raise UsageError(f"{error}: seal it as it was marked, or mark the model again") from error


def stamped(bundle: Bundle, url: str, post: Post, roots: Sequence[Certificate] = ()) -> Bundle:
    """The bundle with one more timestamp, which must be valid under one of the roots, if any are given.

    Raises EvidenceError for an invalid answer or timestamp, and whatever `post` raises.
    """
    if len(bundle.stamps) == MOST_STAMPS:
        raise UsageError(f"this seal already has {MOST_STAMPS} timestamps, the limit")
    stamp = timestamp.asked(bundle.envelope.data, url, post)
    if roots:
        timestamp.proven(stamp, bundle.envelope.data, roots, datetime.now(UTC))
    return replace(bundle, stamps=(*bundle.stamps, stamp))


def opened(bundle: Bundle, claim: Claim, owner: OwnerKey, number: int | None) -> Bundle:
    """What a judge gets: the bundle with set `number` opened, or the whole claim (None) if it has no sets.

    Raises UsageError if the claim is not the sealed one, or if there is no such set.
    """
    committed = bundle.commitment
    if bundle.opening is not None:
        raise UsageError("expected the seal itself, got an opened file made for a judge")
    if (claim.digest, owner.public) != (committed.claim, committed.owner):
        raise UsageError("this claim and this key are not the sealed ones: use the claim's file as it was when sealed")
    earlier, blinds = _before(bundle, number or 0), claim_record.blinds(claim, owner)
    if not committed.sets:
        if number is not None:
            raise UsageError("this claim has no sets of keyed triggers and is opened as a whole: leave --part out")
        return replace(bundle, opened=earlier, opening=Opening(claim, None, blinds, ()))
    if number is None or not 0 <= number < committed.sets:
        raise UsageError(f"expected a set from 0 to {committed.sets - 1} to open, got {number}; the others stay secret")
    leaves = claim_record.leaves(claim, blinds)
    rows = range(number * committed.size, (number + 1) * committed.size)
    proofs: tuple[Proof, ...] = tuple(merkle.proof(leaves, row) for row in rows)
    opening = Opening(claim.part(number), number, blinds[rows.start : rows.stop], proofs)
    return replace(bundle, opened=earlier, opening=opening)


def opened_whole(bundle: Bundle, claim: Claim, owner: OwnerKey) -> Bundle:
    """What a judge gets who needs to see that the key came through scrypt: every set, and the claim's own secret.

    Nothing of the claim can be used in another dispute, but other claims of the same owner can. Raises UsageError if the key was
    derived from a secret other than the owner's.
    """
    committed = bundle.commitment
    if (claim.digest, owner.public) != (committed.claim, committed.owner) or bundle.opening is not None:
        raise UsageError("this claim and this key are not the sealed ones, or this is an opened file: use the seal itself")
    labels = claim_record.keyed(claim)
    if labels is None or committed.choices is None:
        rest = "open one set" if committed.sets else "it is opened as a whole without --whole"
        raise UsageError(f"the claim's key was not derived from what the seal commits to, so there is no secret to show: {rest}")
    chosen = choices.from_record(committed.choices)
    secret = chosen.secret(owner.secret)
    if chosen.null_of(secret).key != labels.key:
        raise UsageError("the claim's key was not derived from this owner's secret (as by ownmark protect --key): open one set")
    everything = set(range(max(committed.sets, 1)))
    earlier = () if everything <= set(bundle.opened) else bundle.opened
    return replace(bundle, opened=earlier, opening=Opening(claim, None, claim_record.blinds(claim, owner), (), secret))


def noted_whole(bundle: Bundle) -> Bundle:
    """The owner's own bundle, with every set recorded as opened."""
    left = (number for number in range(max(bundle.commitment.sets, 1)) if number not in bundle.opened)
    return replace(bundle, opened=(*bundle.opened, *left))


def noted(bundle: Bundle, number: int | None) -> Bundle:
    """The owner's own bundle, with the set recorded as opened: it never counts again."""
    one = number or 0
    return bundle if one in bundle.opened else replace(bundle, opened=(*bundle.opened, one))


def _before(bundle: Bundle, number: int) -> tuple[int, ...]:
    """The sets that were opened before this one."""
    place = bundle.opened.index(number) if number in bundle.opened else len(bundle.opened)
    return bundle.opened[:place]


def check_sealable(claim: Claim) -> None:
    """Raises UsageError for a claim on which no judge could decide."""
    if not canonical.is_digest(claim.model):
        raise UsageError("the claim does not name its model by a SHA-256 digest, so no seal could tie them together")
    if not claim.task.discrete:
        raise UsageError(f"judges decide on labels only so far: a claim on {claim.task.name} cannot be sealed yet")
    if len(claim.classes) < 2:  # noqa: PLR2004 - with one class every answer is correct
        raise UsageError("every model matches a claim of one class: it shows nothing and is not sealed")
    if claim_record.ground_too_little(claim):
        raise UsageError(
            f"the claim counts fewer than 2^{claim_record.LEAST_GRINDING} tried keys, and no judge could verify that"
        )
    if not claim.calibrated:
        raise UsageError(
            "the claim is not calibrated, and calibration would change it: run ownmark calibrate first, then seal it"
        )


def _file_digest(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise UsageError(f"cannot read the model's file {path}: {error.strerror or error}") from error

"""The judge's first three steps: is the bundle intact and signed, is it old enough, was the opened set made honestly? No torch.

A seal that was tampered with raises EvidenceError, or ClaimError for the claim in it (REJECTED); a genuine seal that came too
late is a value (INADMISSIBLE).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from cryptography.x509 import Certificate

from ownmark import canonical
from ownmark.claims.claim import Claim
from ownmark.errors import EvidenceError, UsageError
from ownmark.evidence import claim_record, envelope, inputs, merkle, pledge, timestamp
from ownmark.evidence.allowance import MOST_PLEDGES, Allowance, allowances
from ownmark.evidence.beacon import Trusted
from ownmark.evidence.bound import Bound, bound
from ownmark.evidence.bundle import Bundle, Opening
from ownmark.evidence.commitment import Commitment
from ownmark.keys import Pixels


class Standing(StrEnum):
    """Whether a genuine seal may be used against a suspect first seen at a given time."""

    IN_TIME = "sealed before the suspect was seen"
    LATE = "sealed after the suspect was seen"
    UNTIMESTAMPED = "untimestamped: nothing shows when it was sealed"
    ALREADY_OPEN = "this set was opened before, so that anybody may know it"


@dataclass(frozen=True)
class Trust:
    """What a judge brings. `roots`: of the timestamp authorities that the judge trusts.

    `owner`: the claimant's known public key ("": any signer). `withdrawn`: owners' keys that were lost or expired, and when:
    what they sealed before remains valid. `opened`: the sets of this seal known to be public (0: a claim without sets). `pool`:
    the images from which, according to the owner, the key chose. `now`: the time of judging, which a verdict records so that it
    can be recomputed in any year. `alpha`: the judge's largest rate of false accusations, whatever the claimant committed to;
    None: no limit. `beacons`: the public beacons that the judge trusts; `pledges`: the least number of pledges to
    count, whatever the owner states.
    """

    roots: tuple[Certificate, ...] = ()
    owner: str = ""
    withdrawn: Mapping[str, datetime] = field(default_factory=dict)
    opened: frozenset[int] = frozenset()
    pool: Pixels | None = None
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    alpha: float | None = None
    beacons: tuple[Trusted, ...] = ()
    pledges: int = MOST_PLEDGES

    def __post_init__(self) -> None:
        if self.alpha is not None and not 0 < self.alpha < 1:
            raise UsageError(f"alpha lies between 0 and 1, got {self.alpha!r}: it is the rate of false accusations")
        if not 1 <= self.pledges <= MOST_PLEDGES:
            raise UsageError(f"a pledge counts as one of 1 to {MOST_PLEDGES}, got {self.pledges}")


@dataclass(frozen=True)
class Checked:
    """A genuine bundle. `time`: the earliest time at which it provably existed; `part`: the claim of the opened set, if any.

    `remade`: whether the images of the part, too, were remade from its key (keyed labels always are); `bound`: whether that key
    was derived last, from all that was committed to; `allowances`: how many keys may have been tried; `cap`: the judge's own
    alpha, None: none.
    """

    commitment: Commitment
    digest: str
    time: datetime | None
    standing: Standing
    part: Claim | None
    number: int | None
    remade: bool
    bound: Bound
    allowances: tuple[Allowance, ...]
    cap: float | None = None

    @property
    def alpha(self) -> float:
        """The rate of false accusations to judge by: the smaller of the claimant's and the judge's."""
        return min(self.commitment.policy.alpha, 1.0 if self.cap is None else self.cap)

    @property
    def terms(self) -> str:
        """Whose alpha applies, in words."""
        theirs = "no cap of the judge's" if self.cap is None else f"at most {self.cap:g} by the judge"
        return f"alpha = {self.alpha:g}: {self.commitment.policy.alpha:g} was committed to, {theirs}"

    @property
    def exact(self) -> bool:
        """Whether the test of keyed labels is valid against a dishonest claimant; otherwise innocent models decide."""
        return self.remade and self.bound.choices is not None

    def is_of(self, digest: str) -> bool:
        """Whether this is the digest of the protected model, by its tensors or by its file."""
        return digest in {self.commitment.model, self.commitment.model_file} - {""}


def checked(bundle: Bundle, trust: Trust, seen: datetime) -> Checked:
    """Steps J1 to J3 on a bundle, for a suspect that was first `seen` then. Raises EvidenceError or ClaimError."""
    committed = bundle.commitment
    _check_signature(bundle, trust)
    time = _time(bundle, trust)
    _check_withdrawn(committed.owner, time, trust)
    opening = bundle.opening
    if opening is not None:
        _check_opening(opening, committed)
    tied = Bound(None, "nothing is opened") if opening is None else bound(opening.claim, committed)
    remade = opening is not None and _remade(opening.claim, committed, trust.pool)
    secret = opening is not None and _stretched(opening, tied)
    choice = committed.sets if opening is not None and opening.number is not None else 1
    return Checked(
        commitment=committed,
        digest=bundle.digest,
        time=time,
        standing=_standing(bundle, time, seen, trust),
        part=opening.claim if opening else None,
        number=opening.number if opening else None,
        remade=remade,
        bound=tied,
        allowances=allowances(secret=secret, pledges=_pledges(opening, committed, trust), sets=choice),
        cap=trust.alpha,
    )


def _check_signature(bundle: Bundle, trust: Trust) -> None:
    owner = bundle.commitment.owner
    if trust.owner and trust.owner != owner:
        raise EvidenceError(f"sealed by the key {owner[:16]}..., but the claimant's is {trust.owner[:16]}...")
    bundle.envelope.check(owner)


def _time(bundle: Bundle, trust: Trust) -> datetime | None:
    """The earliest time that a root vouches for. A token without a trusted root is an error only if no other token is valid."""
    times, failures = [], []
    for stamp in bundle.stamps:
        try:
            times.append(timestamp.proven(stamp, bundle.envelope.data, trust.roots, trust.now))
        except EvidenceError as error:
            failures.append(error)
    if failures and not times:
        raise failures[0]
    return min(times, default=None)


def _check_withdrawn(owner: str, time: datetime | None, trust: Trust) -> None:
    since = trust.withdrawn.get(owner)
    if since is not None and (time is None or time >= since):
        raise EvidenceError(
            f"the owner's key {envelope.keyid(owner)[:16]}... was withdrawn on {since:%Y-%m-%d}, and this was not sealed before"
        )


def _standing(bundle: Bundle, time: datetime | None, seen: datetime, trust: Trust) -> Standing:
    if time is None:
        return Standing.UNTIMESTAMPED
    if time >= seen:
        return Standing.LATE
    if bundle.opening and _shown(bundle.opening, bundle.commitment) & (trust.opened | set(bundle.opened)):
        return Standing.ALREADY_OPEN
    return Standing.IN_TIME


def _check_opening(opening: Opening, committed: Commitment) -> None:
    part = opening.claim
    if canonical.dumps(claim_record.terms(part)) != canonical.dumps(committed.terms):
        raise EvidenceError("the opened claim asks or judges in another way than was committed to")
    if claim_record.ground_too_little(part):
        raise EvidenceError(f"the claim counts fewer keys than the 2^{claim_record.LEAST_GRINDING} that its owner may have tried")
    whole = not committed.sets or bool(opening.secret)
    count = committed.leaves if whole else committed.size
    if len(part.images) != count or len(opening.blinds) != count or (opening.number is None) != whole:
        raise EvidenceError(f"{count} triggers with their blinds were to be opened, got {len(part.images)}")
    leaves = claim_record.leaves(part, opening.blinds)
    if opening.number is None:
        _check_whole(part, leaves, committed)
    else:
        _check_set(opening, opening.number, leaves, committed)


def _shown(opening: Opening, committed: Commitment) -> set[int]:
    """The sets that the opening shows; a claim without sets counts as set 0."""
    return set(range(max(committed.sets, 1))) if opening.number is None else {opening.number}


def _stretched(opening: Opening, tied: Bound) -> bool:
    """Whether the key came through scrypt, which takes a second to check; False if no secret is shown."""
    labels = claim_record.keyed(opening.claim)
    if not opening.secret:
        return False
    if tied.choices is None or labels is None or tied.choices.null_of(opening.secret).key != labels.key:
        raise EvidenceError("the key was not derived from the secret that is shown")
    return True


def _pledges(opening: Opening | None, committed: Commitment, trust: Trust) -> int | None:
    """The number of pledges to count for the pulse; None: there is no pledge, or the judge trusts no beacon."""
    labels = None if opening is None else claim_record.keyed(opening.claim)
    if opening is None or labels is None or committed.beacon is None or not trust.beacons:
        return None
    found = pledge.from_record(committed.beacon)
    found.check_seeds(labels, opening.number, opening.secret)
    return max(found.pledges(trust.roots, trust.beacons, trust.now), trust.pledges)


def _remade(part: Claim, committed: Commitment, pool: Pixels | None) -> bool:
    """Whether the images derive from the key, as was committed to; False if that cannot be checked.

    A pool that nobody brought may be the part's own images, where the key picked all of them; its digest tells.
    """
    own = inputs.own(part)
    if pool is None and committed.pool and inputs.pool_digest(own, committed.version) == committed.pool:
        pool = own
    if committed.cells:
        wrong = inputs.unlike_patterns(part, committed.cells)
    elif committed.pool and pool is not None:
        if inputs.pool_digest(pool, committed.version) != committed.pool:
            raise EvidenceError("the pool is not the one that the images were chosen from when the claim was sealed")
        wrong = inputs.unlike_choice(part, pool, committed.version)
    else:
        return False
    if wrong is not None:
        raise EvidenceError(f"the image of trigger {wrong} does not come from the key")
    return True


def _check_whole(claim: Claim, leaves: list[bytes], committed: Commitment) -> None:
    if claim.digest != committed.claim or merkle.root(leaves).hex() != committed.root:
        raise EvidenceError("the opened claim is not the one that was sealed")


def _check_set(opening: Opening, number: int, leaves: list[bytes], committed: Commitment) -> None:
    """Check that every trigger is at its place in the tree. Its label was checked against the key when the claim was read."""
    if number >= committed.sets or len(opening.proofs) != len(leaves):
        raise EvidenceError(f"set {number} of {committed.sets} with a proof for each trigger was to be opened")
    for place, (leaf, path) in enumerate(zip(leaves, opening.proofs, strict=True)):
        if merkle.led_to(leaf, number * committed.size + place, committed.leaves, path).hex() != committed.root:
            raise EvidenceError(f"trigger {place} of set {number} is not the one that was sealed")

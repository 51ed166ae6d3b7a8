"""What a judge believes, from files: roots, keys, beacons and a pool. No torch."""

from pathlib import Path

from ownmark.evidence import beacon, inputs, owner, timestamp
from ownmark.evidence.admissibility import Trust
from ownmark.evidence.allowance import MOST_PLEDGES


def trusted(
    *,
    roots: Path | None = None,
    owner_key: Path | None = None,
    pool: Path | None = None,
    alpha: float | None = None,
    beacons: Path | None = None,
    pledges: int = MOST_PLEDGES,
) -> Trust:
    """As `Trust` has it, from PEM files, an owner's public file and a pool's file. Raises UsageError for what cannot be read."""
    return Trust(
        roots=() if roots is None else timestamp.roots_in(roots),
        owner="" if owner_key is None else owner.public_key(owner_key),
        pool=None if pool is None else inputs.read_pool(pool),
        alpha=alpha,
        beacons=() if beacons is None else beacon.trusted_in(beacons),
        pledges=pledges,
    )

"""Images remade from their sets' keys: patterns, or a choice from a pool that was committed to. No torch.

If the images come from the key alone, the labels played no part in making them, and the test of keyed labels is exact, provided
that the key was drawn after the pool, which `bound` checks. Version-1 pools have an order: arranging it after the key would
determine what the key chooses.
"""

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors import numpy as container

from ownmark import keys
from ownmark.claims.claim import Claim
from ownmark.errors import UsageError
from ownmark.evidence.claim_record import keyed
from ownmark.evidence.commitment import CELLS
from ownmark.keys import Pixels

DIMENSIONS = (4, 5)  # of a pool of images, or of groups of images
ARRANGED = 1  # the version in which a pool has an order
Made = Callable[[bytes, int], Pixels]  # that many images of a set, from its key


def read_pool(path: Path) -> Pixels:
    """(n, height, width, channels) uint8, or (n, views, ...) of groups: the tensor `images` of a safetensors file.

    Raises UsageError.
    """
    try:
        pool = container.load(path.read_bytes())["images"]
    except (OSError, SafetensorError, KeyError) as error:
        raise UsageError(f"{path} is not a pool: expected a safetensors file with one tensor, images ({error})") from error
    if pool.dtype != np.uint8 or pool.ndim not in DIMENSIONS or not pool.size:
        raise UsageError(
            f"{path}: the pool's images must be uint8 (n, height, width, channels), or (n, images, height, width, channels) for "
            f"groups of images, got {pool.dtype} {pool.shape}"
        )
    return pool


def pool_digest(pool: Pixels, version: int) -> str:
    """The digest of a pool in a seal of that version; in version 1: SHA-256 over its shape and pixels, in order."""
    if version > ARRANGED:
        return keys.pool_digest(pool)
    return sha256(f"{pool.dtype.str} {pool.shape} ".encode() + np.ascontiguousarray(pool).tobytes()).hexdigest()


def own(claim: Claim) -> Pixels:
    """(n, height, width, channels) the claim's images, or (n, views, ...) where it asks about groups of them."""
    return claim.images[:, 0] if claim.images.shape[1] == 1 else claim.images


def pattern_cells(claim: Claim) -> int:
    """The `cells` with which `keys.patterns` makes all images from the keys of their sets; 0 if there is none."""
    alone = keyed(claim)
    if alone is None:
        return 0
    key, shape = alone.set_keys[0], _shape(claim)
    found = (cells for cells in CELLS if np.array_equal(keys.patterns(key, 1, shape, cells), claim.images[0]))
    cells = next(found, 0)
    return cells if cells and unlike_patterns(claim, cells) is None else 0


def check_chosen(claim: Claim, pool: Pixels, version: int) -> None:
    """Raises UsageError unless the key of each set chose that set's images from the pool."""
    wrong = unlike_choice(claim, pool, version)
    if wrong is not None:
        labels = keyed(claim)
        number, row = (0, wrong) if labels is None else divmod(wrong, labels.triggers)
        raise UsageError(f"image {row} of set {number} is not the one that the key chooses from this pool")


def unlike_patterns(claim: Claim, cells: int) -> int | None:
    """The first image that is not the pattern of its set's key; None if all are."""
    shape = _shape(claim)
    return _first_unlike(claim, lambda key, count: keys.patterns(key, count, shape, cells))


def unlike_choice(claim: Claim, pool: Pixels, version: int) -> int | None:
    """The first image that its set's key does not choose from the pool; None if it chooses all."""
    labels = keyed(claim)
    if labels is None or pool.shape[1:] != own(claim).shape[1:] or len(pool) < labels.triggers:
        return 0
    arranged = pool if version == ARRANGED else pool[keys.by_digest(pool)]
    return _first_unlike(claim, lambda key, count: arranged[keys.chosen(key, count, len(pool))])


def _first_unlike(claim: Claim, made: Made) -> int | None:
    """Compares the images of all sets, in order."""
    labels, shown = keyed(claim), own(claim)
    if labels is None:
        return 0
    images = np.concatenate([made(key, labels.triggers) for key in labels.set_keys])
    if images.shape != shown.shape:
        return 0
    wrong = np.flatnonzero((images != shown).reshape(len(shown), -1).any(axis=1))
    return int(wrong[0]) if len(wrong) else None


def _shape(claim: Claim) -> tuple[int, int, int]:
    height, width, channels = claim.images.shape[2:]
    return height, width, channels

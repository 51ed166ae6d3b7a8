"""A set's images made anew from its key: patterns, or a choice from a pool that was committed to. No torch.

If the images come from the key alone, the labels had no part in their making, and the test of keyed labels is exact.
"""

from hashlib import sha256
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors import numpy as container

from ownmark import keys
from ownmark.claim import Claim
from ownmark.errors import UsageError
from ownmark.evidence.commitment import CELLS
from ownmark.evidence.terms import keyed, sets
from ownmark.keys import Pixels

IMAGE_DIMENSIONS = 4


def read_pool(path: Path) -> Pixels:
    """(n, height, width, channels) uint8: the tensor `images` of a safetensors file. Raises UsageError."""
    try:
        pool = container.load(path.read_bytes())["images"]
    except (OSError, SafetensorError, KeyError) as error:
        raise UsageError(f"{path} is no pool: needed is a safetensors file with one tensor, images ({error})") from error
    if pool.dtype != np.uint8 or pool.ndim != IMAGE_DIMENSIONS or not pool.size:
        raise UsageError(f"{path}: the pool's images are uint8 (n, height, width, channels), got {pool.dtype} {pool.shape}")
    return pool


def pool_digest(pool: Pixels) -> str:
    """SHA-256 over the pool's shape and pixels, as `docs/claim-format.md` gives it for every array."""
    return sha256(f"{pool.dtype.str} {pool.shape} ".encode() + np.ascontiguousarray(pool).tobytes()).hexdigest()


def pattern_cells(claim: Claim) -> int:
    """The `cells` with which `keys.patterns` makes all images from the keys of their sets; 0 if none does."""
    parts = _parts(claim)
    alone = keyed(parts[0])
    if alone is None:
        return 0
    key, shape = bytes.fromhex(alone.key), _shape(claim)
    found = (cells for cells in CELLS if np.array_equal(keys.patterns(key, 1, shape, cells), claim.images[0]))
    cells = next(found, 0)
    return cells if cells and all(unlike_patterns(part, cells) is None for part in parts) else 0


def check_chosen(claim: Claim, pool: Pixels) -> None:
    """Raises UsageError unless the key of each set chose that set's images from the pool."""
    for number, part in enumerate(_parts(claim)):
        wrong = unlike_choice(part, pool)
        if wrong is not None:
            raise UsageError(f"image {wrong} of set {number} is not the one that the key chooses from this pool")


def unlike_patterns(part: Claim, cells: int) -> int | None:
    """The first image that is not the pattern of this one set's key; None if all are."""
    labels = keyed(part)
    if labels is None:
        return 0
    return _first_unlike(part, keys.patterns(bytes.fromhex(labels.key), len(part.images), _shape(part), cells))


def unlike_choice(part: Claim, pool: Pixels) -> int | None:
    """The first image that this one set's key does not choose from the pool; None if it chooses all."""
    labels = keyed(part)
    if labels is None or pool.shape[1:] != part.images.shape[2:] or len(pool) < len(part.images):
        return 0
    return _first_unlike(part, pool[keys.chosen(bytes.fromhex(labels.key), len(part.images), len(pool))])


def _first_unlike(part: Claim, made: Pixels) -> int | None:
    """Compares images of one view each."""
    if part.images.shape[1] != 1:
        return 0
    wrong = np.flatnonzero((made != part.images[:, 0]).any(axis=(1, 2, 3)))
    return int(wrong[0]) if len(wrong) else None


def _shape(claim: Claim) -> tuple[int, int, int]:
    height, width, channels = claim.images.shape[2:]
    return height, width, channels


def _parts(claim: Claim) -> list[Claim]:
    return [claim.part(number) for number in range(sets(claim))] or [claim]

"""What derives from an owner's secret, bit for bit on every machine: keys, trigger labels, trigger images. No torch.

secret -> scrypt -> master key -> HKDF -> one seed per trigger set -> HKDF with the commitment -> the set's key -> HMAC -> labels.
Labels are uniform and independent of every image and every model, which makes the test of a keyed watermark exact. The commitment
enters last: changing any committed choice changes all labels. Only integer arithmetic is used.
"""

import hashlib
import hmac

import numpy as np
import numpy.typing as npt
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from ownmark.errors import UsageError

Pixels = npt.NDArray[np.uint8]
KEY_BYTES = 32
WORD_BYTES = 4
WORD = 2 ** (8 * WORD_BYTES)
SCRYPT_COST = 2**17  # about a second and 128 MiB per secret that a forger tries
FRACTION = 2**16  # of a cell, in the fixed-point arithmetic of `patterns`


def stretched(secret: bytes, context: bytes) -> bytes:
    """The master key (32 bytes) of a `secret` in a `context`: scrypt with N = 2^17, r = 8, p = 1 (RFC 7914)."""
    _check_key(secret)
    return hashlib.scrypt(secret, salt=context, n=SCRYPT_COST, r=8, p=1, maxmem=2**28, dklen=KEY_BYTES)


def derived(key: bytes, purpose: str, number: int) -> bytes:
    """A 32-byte key for one purpose: HKDF-Expand with SHA-256 (RFC 5869), info = purpose followed by `number` in 4 bytes."""
    return HKDFExpand(SHA256(), KEY_BYTES, _named(purpose, number)).derive(_check_key(key))


def set_key(master: bytes, number: int) -> bytes:
    """The key of trigger set `number`: publishing it opens that set and no other."""
    return derived(master, "round", number)


def bound(seed: bytes, context: str) -> bytes:
    """The key of a trigger set whose seed is bound to a `context` (64 hexadecimal digits): a different key per context."""
    return derived(seed, f"bound {context}", 0)


def labels(key: bytes, count: int, classes: int) -> npt.NDArray[np.int64]:
    """(count,) labels in [0, classes), uniform and independent: HMAC-SHA-256 with rejection, so no label is favoured."""
    if not 0 < classes < WORD:
        raise UsageError(f"expected a number of classes from 1 to {WORD - 1}, got {classes}")
    _check_key(key)
    return np.array([_uniform(key, "y", number, classes) for number in range(count)], dtype=np.int64)


def chosen(key: bytes, count: int, pool: int) -> npt.NDArray[np.int64]:
    """(count,) distinct rows out of `pool`, in random order: a Fisher-Yates shuffle driven by the key."""
    if not 0 <= count <= pool:
        raise UsageError(f"cannot choose {count} images from {pool}: use a larger pool")
    _check_key(key)
    rows = np.arange(pool, dtype=np.int64)
    for place in range(count):
        other = place + _uniform(key, "pool", place, pool - place)
        rows[[place, other]] = rows[[other, place]]
    return rows[:count]


def image_digest(image: Pixels) -> bytes:
    """SHA-256 of one image's pixels, behind the header that `docs/claim-format.md` defines for arrays."""
    return hashlib.sha256(f"{image.dtype.str} {image.shape} ".encode() + np.ascontiguousarray(image).tobytes()).digest()


def by_digest(pool: Pixels) -> npt.NDArray[np.int64]:
    """(n,) the rows of a pool sorted by their images' digests, so that the order of the files carries no information."""
    digests = [image_digest(image) for image in pool]
    return np.array(sorted(range(len(digests)), key=digests.__getitem__), dtype=np.int64)


def pool_digest(pool: Pixels) -> str:
    """SHA-256 over the sorted SHA-256 digests of the images: the same for the same images in any order."""
    return hashlib.sha256(b"".join(sorted(map(image_digest, pool)))).hexdigest()


def picked(key: bytes, count: int, pool: Pixels) -> Pixels:
    """(count, height, width, channels): the images that the key chooses from a pool, independent of the pool's order."""
    return np.ascontiguousarray(pool[by_digest(pool)[chosen(key, count, len(pool))]])


def patterns(key: bytes, count: int, size: tuple[int, int, int], cells: int) -> Pixels:
    """Abstract images (count, height, width, channels) uint8: `cells` x `cells` random colours, linearly interpolated."""
    height, width, channels = size
    if cells < 2 or min(size) < 1:  # noqa: PLR2004 - interpolation needs two end points
        raise UsageError(f"expected at least 2 cells and a positive size, got {cells} and {size}")
    drawn = (hashlib.shake_256(derived(key, "x", number)).digest(cells * cells * channels) for number in range(count))
    grid = np.frombuffer(b"".join(drawn), dtype=np.uint8).reshape(count, cells, cells, channels).astype(np.int64)
    tall = _blended(grid, height, cells)
    wide = _blended(tall.swapaxes(1, 2), width, cells).swapaxes(1, 2)
    return np.ascontiguousarray((wide + FRACTION**2 // 2) // FRACTION**2, dtype=np.uint8)


def _blended(grid: npt.NDArray[np.int64], length: int, cells: int) -> npt.NDArray[np.int64]:
    """Axis 1 of `grid` interpolated from `cells` to `length` values, each scaled by FRACTION."""
    place = np.arange(length, dtype=np.int64) * (cells - 1) * FRACTION // max(length - 1, 1)
    low = np.minimum(place // FRACTION, cells - 2)
    share = (place - low * FRACTION).reshape(1, -1, *[1] * (grid.ndim - 2))
    return np.asarray(grid[:, low] * (FRACTION - share) + grid[:, low + 1] * share)


def _uniform(key: bytes, purpose: str, number: int, below: int) -> int:
    """An integer in [0, below), uniformly distributed; nearly always the first word of the first block is enough."""
    limit, named, block = WORD - WORD % below, _named(purpose, number), 0
    while True:
        digest = hmac.digest(key, named + block.to_bytes(4, "big"), "sha256")
        for place in range(0, len(digest), WORD_BYTES):
            word = int.from_bytes(digest[place : place + WORD_BYTES], "big")
            if word < limit:
                return word % below
        block += 1


def _named(purpose: str, number: int) -> bytes:
    return purpose.encode() + number.to_bytes(4, "big")


def _check_key(key: bytes) -> bytes:
    if len(key) != KEY_BYTES:
        raise UsageError(f"expected a key of {KEY_BYTES} bytes, got {len(key)}")
    return key

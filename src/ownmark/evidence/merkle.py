"""A Merkle tree as in RFC 6962, 2.1: one digest commits to many leaves, and each can be revealed without the others. No torch."""

import hashlib
from collections.abc import Sequence

from ownmark.errors import EvidenceError

Proof = tuple[bytes, ...]


def leaf(content: bytes) -> bytes:
    """The digest of a leaf; its first byte differs from a node's, so that neither passes for the other."""
    return hashlib.sha256(b"\x00" + content).digest()


def root(leaves: Sequence[bytes]) -> bytes:
    """The digest over one or more leaves."""
    if len(leaves) == 1:
        return leaves[0]
    half = _split(len(leaves))
    return _node(root(leaves[:half]), root(leaves[half:]))


def proof(leaves: Sequence[bytes], place: int) -> Proof:
    """The digests that lead from the leaf at `place` to the root, from the bottom up."""
    if len(leaves) == 1:
        return ()
    half = _split(len(leaves))
    if place < half:
        return (*proof(leaves[:half], place), root(leaves[half:]))
    return (*proof(leaves[half:], place - half), root(leaves[:half]))


def led_to(start: bytes, place: int, count: int, path: Proof) -> bytes:
    """The root that a proof leads to from the leaf `start` at `place` of `count`. Raises EvidenceError for a wrong length."""
    if count == 1 and not path:
        return start
    if count == 1 or not path:
        raise EvidenceError("the proof has the wrong length")
    half = _split(count)
    if place < half:
        return _node(led_to(start, place, half, path[:-1]), path[-1])
    return _node(path[-1], led_to(start, place - half, count - half, path[:-1]))


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def _split(count: int) -> int:
    """The largest power of two below `count`."""
    return int(1 << (count - 1).bit_length() - 1)

"""The certificates of a timestamp in the order that DER demands of a set, however their authority wrote them. No torch.

`openssl ts -reply -chain` and authorities built on it write the chain as it was given to them, which a strict reader takes for a
broken token. No signature covers that order, nor the set itself: sorted or not, the same certificates prove the same time.
"""

from collections.abc import Iterator
from dataclasses import dataclass

CERTIFICATES = 0xA0  # the tag of [0] in a SignedData
LONG = 0x80  # the bit of a length that is written in so many bytes more
MOST = 4  # bytes of a length


@dataclass(frozen=True)
class _Part:
    """One value: its tag, where its header begins, where its content begins and where it ends."""

    tag: int
    start: int
    inside: int
    end: int


def in_order(token: bytes) -> bytes:
    """The response of an authority with the certificates in its token sorted; any other bytes as they are."""
    try:
        held = _certificates(token)
        parts = list(_parts(token, held.inside, held.end))
    except ValueError:
        return token
    found = sorted(token[part.start : part.end] for part in parts)
    return token[: held.inside] + b"".join(found) + token[held.end :]


def _certificates(token: bytes) -> _Part:
    """The set of certificates: TimeStampResp -> timeStampToken -> [0] -> SignedData -> [0]. Raises ValueError."""
    response = _part(token, 0, len(token))
    _, content = _some(token, response, 2)
    _, wrapped = _some(token, content, 2)
    (signed,) = _some(token, wrapped, 1)
    return _some(token, signed, 4, CERTIFICATES)[3]


def _some(token: bytes, part: _Part, count: int, tag: int | None = None) -> list[_Part]:
    """The first values in a part, the last of that tag. Raises ValueError."""
    found = [one for one, _ in zip(_parts(token, part.inside, part.end), range(count), strict=False)]
    if len(found) < count or (tag is not None and found[-1].tag != tag):
        raise ValueError("no certificates")
    return found


def _parts(token: bytes, at: int, end: int) -> Iterator[_Part]:
    while at < end:
        part = _part(token, at, end)
        yield part
        at = part.end


def _part(token: bytes, at: int, end: int) -> _Part:
    """The value at `at`. Raises ValueError for one that ends beyond `end`, or has a length of no certain end."""
    if at + 2 > end:
        raise ValueError("cut short")
    size, inside = token[at + 1], at + 2
    if size & LONG:
        count = size & ~LONG
        if not 1 <= count <= MOST or inside + count > end:
            raise ValueError("no length")
        size, inside = int.from_bytes(token[inside : inside + count], "big"), inside + count
    if inside + size > end:
        raise ValueError("cut short")
    return _Part(token[at], at, inside, inside + size)

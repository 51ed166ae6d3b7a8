"""What goes over the web besides questions: requests to timestamp authorities, and public pulses. No torch."""

from ownmark.evidence.timestamp import MEDIA_TYPE, Post
from ownmark.suspects.http.request import Request, check_address
from ownmark.suspects.http.transport import Limits, Transport

LIMITS = Limits(silence=10, longest=30, attempts=3, most_bytes=2**20, patience=10)


def posting(url: str) -> Post:
    """How a request gets to a timestamp authority. Raises UsageError for what is no address."""
    check_address(url)

    def post(body: bytes) -> bytes:
        return _answer(Request("POST", url, body, (("content-type", MEDIA_TYPE),)))

    return post


def fetched(url: str) -> bytes:
    """What lies at an address, at most a mebibyte of it. Raises UsageError or SuspectError."""
    check_address(url)
    return _answer(Request("GET", url))


def _answer(request: Request) -> bytes:
    transport = Transport(LIMITS)
    try:
        return transport.send(request).body
    finally:
        transport.close()

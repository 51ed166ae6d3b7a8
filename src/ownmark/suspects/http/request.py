"""A request to a foreign server as plain data. It only names secrets; the environment supplies their values. No torch."""

import hashlib
import json
import os
import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from urllib.parse import urlsplit

from ownmark.errors import UsageError, escaped

REFERENCE = re.compile(r"\$\{(\w+)\}")
SECRET = re.compile(r"authorization|cookie|key|token|secret|password|signature", re.IGNORECASE)  # names of headers and parameters
SHORTEST = 6  # characters; anything shorter would occur by chance and is no secret
HIDDEN = "***"
ENTITIES = {"&": "amp", "<": "lt", ">": "gt", '"': "quot", "'": "apos"}
SAID = 200  # characters of a server's error to show


@dataclass(frozen=True)
class Request:
    """`url` and `headers` may contain ${NAME} for an environment variable; `queries`: images asked about.

    `repeat` distinguishes an intentional repetition from the first request.
    """

    method: str
    url: str
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    queries: int = 0
    repeat: int = 0

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the question, independent of the access key: a new key does not make a new question."""
        public = sorted((name.lower(), value) for name, value in self.headers if not REFERENCE.search(value))
        head = json.dumps([self.method, self.url, public, self.repeat], separators=(",", ":"))
        return hashlib.sha256(head.encode() + b"\n" + self.body).hexdigest()


def check_address(url: str, *more: str) -> None:
    """Raises UsageError unless `url` is an address without secrets, of the web or of one of `more` schemes."""
    try:
        parts = urlsplit(url)
        known = parts.scheme in {"http", "https", *more} and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        known = False
    if not known:
        raise UsageError(f"expected a web address that starts with http:// or https:// and names a server, got {url!r}")
    if parts.username or parts.password:
        raise UsageError("the address contains a user name or password; put it in a header: 'Authorization: ${NAME}'")
    for part in parts.query.split("&"):
        name, _, value = part.partition("=")
        if value and SECRET.search(name) and not REFERENCE.search(value):
            raise UsageError(f"the address contains a secret ({name}); set an environment variable and write {name}=${{NAME}}")


def check_headers(headers: tuple[tuple[str, str], ...]) -> None:
    """Raises UsageError for a secret written directly in a header, or for a header that cannot be sent."""
    for name, value in headers:
        if not re.fullmatch(r"[!#$%&'*+.^`|~\w-]+", name, re.ASCII) or not value.isascii() or not value.isprintable():
            raise UsageError(f"expected a header name and printable ASCII text, got {name!r}")
        if SECRET.search(name) and not REFERENCE.search(value):
            raise UsageError(f"the header {name} contains a secret; set an environment variable and write '{name}: ${{NAME}}'")


def filled(text: str) -> str:
    """`text` with every ${NAME} replaced by that environment variable."""

    def value(found: re.Match[str]) -> str:
        known = os.environ.get(found[1])
        if not known:
            raise UsageError(f"the environment variable {found[1]} is not set: export {found[1]}=...")
        if not known.isascii() or not known.isprintable():
            raise UsageError(f"the environment variable {found[1]} must be printable ASCII text to fit in a header")
        return known

    return REFERENCE.sub(value, text)


def secrets(request: Request) -> tuple[str, ...]:
    """The values that must not be written anywhere."""
    named = (name for text in (request.url, *(value for _, value in request.headers)) for name in REFERENCE.findall(text))
    return tuple(known for name in named if len(known := os.environ.get(name, "")) >= SHORTEST)


def scrubbed(text: str, hidden: tuple[str, ...]) -> str:
    """Foreign text for a message: one line without secrets, its control characters escaped."""
    return escaped(" ".join(redacted(text, hidden).split())[:SAID]) or "no reason given"


def redacted(text: str, hidden: tuple[str, ...]) -> str:
    """`text` without the secrets, in any encoding that a server may have used."""
    return redacted_bytes(text.encode("utf-8", "surrogatepass"), hidden).decode("utf-8", "surrogatepass")


def redacted_bytes(data: bytes, hidden: tuple[str, ...]) -> bytes:
    """The same for the bytes of an answer, before anything is parsed, stored or shown."""
    return _spellings(hidden).sub(HIDDEN.encode(), data) if hidden else data


@lru_cache(maxsize=8)
def _spellings(hidden: tuple[str, ...]) -> re.Pattern[bytes]:
    """Every encoding of the secrets; the longest first, so that no remainder of one stays."""
    longest = sorted(hidden, key=len, reverse=True)
    return re.compile(b"|".join(b"".join(map(_spelling, secret)) for secret in longest), re.IGNORECASE)


def _spelling(sign: str) -> bytes:
    """One character as itself, behind backslashes, as an escape of JSON, of an address or of HTML, also in UTF-16."""
    number, entity = ord(sign), ENTITIES.get(sign)
    back, ampersand, hash_sign, end = map(_once_more, "\\&#;")
    ways = [rf"{back}*{_once_more(sign)}", rf"{back}+(?:u00|x){number:02x}"]
    ways += [rf"{ampersand}(?:amp{end})*{hash_sign}(?:x0*{number:x}|0*{number}){end}?"]
    ways += [f"{ampersand}(?:amp{end})*{entity}{end}"] if entity else []
    return f"\0*(?:{'|'.join(ways)})\0*".encode()


def _once_more(sign: str) -> str:
    """A character as itself or percent-encoded, any number of times."""
    return rf"(?:{re.escape(sign)}|%(?:25)*{ord(sign):02x})"

"""A request to a stranger's server as plain data. Secrets are only named in it and filled in from the environment. No torch."""

import hashlib
import json
import os
import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from urllib.parse import urlsplit

from ownmark.errors import UsageError
from ownmark.escaped import escaped

REFERENCE = re.compile(r"\$\{(\w+)\}")
SECRET = re.compile(r"authorization|cookie|key|token|secret|password|signature", re.IGNORECASE)  # names of headers and parameters
SHORTEST = 6  # characters: what is shorter would turn up by chance, and is no secret
HIDDEN = "***"
ENTITIES = {"&": "amp", "<": "lt", ">": "gt", '"': "quot", "'": "apos"}
SAID = 200  # characters of a server's error that a message shows


@dataclass(frozen=True)
class Request:
    """`url` and `headers` may hold ${NAME}, which stands for a variable of the environment; `queries`: images asked about.

    `repeat` tells a question that is asked again on purpose from the first time.
    """

    method: str
    url: str
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    queries: int = 0
    repeat: int = 0

    @cached_property
    def digest(self) -> str:
        """SHA-256 of what is asked, whatever key opens the door: a new key makes no new question."""
        public = sorted((name.lower(), value) for name, value in self.headers if not REFERENCE.search(value))
        head = json.dumps([self.method, self.url, public, self.repeat], separators=(",", ":"))
        return hashlib.sha256(head.encode() + b"\n" + self.body).hexdigest()


def check_address(url: str) -> None:
    """Raises UsageError unless `url` is a web address that holds no secret."""
    try:
        parts = urlsplit(url)
        known = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        known = False
    if not known:
        raise UsageError(f"a web address starts with http:// or https:// and names a server, got {url!r}")
    if parts.username or parts.password:
        raise UsageError("the address holds a user name or password; put it into a header: 'Authorization: ${NAME}'")
    for part in parts.query.split("&"):
        name, _, value = part.partition("=")
        if value and SECRET.search(name) and not REFERENCE.search(value):
            raise UsageError(f"the address holds a secret ({name}); set a variable of the environment and write {name}=${{NAME}}")


def check_headers(headers: tuple[tuple[str, str], ...]) -> None:
    """Raises UsageError for a secret that stands in a header itself, or for a header that cannot be sent."""
    for name, value in headers:
        if not re.fullmatch(r"[!#$%&'*+.^`|~\w-]+", name, re.ASCII) or not value.isascii() or not value.isprintable():
            raise UsageError(f"a header is a name and printable ASCII text, got {name!r}")
        if SECRET.search(name) and not REFERENCE.search(value):
            raise UsageError(f"the header {name} holds a secret; set a variable of the environment and write '{name}: ${{NAME}}'")


def filled(text: str) -> str:
    """`text` with every ${NAME} replaced by that variable of the environment."""

    def value(found: re.Match[str]) -> str:
        known = os.environ.get(found[1])
        if not known:
            raise UsageError(f"the variable {found[1]} is not set in the environment: export {found[1]}=...")
        if not known.isascii() or not known.isprintable():
            raise UsageError(f"the variable {found[1]} holds something else than printable ASCII text, which no header can carry")
        return known

    return REFERENCE.sub(value, text)


def secrets(request: Request) -> tuple[str, ...]:
    """The values that must not be written anywhere."""
    named = (name for text in (request.url, *(value for _, value in request.headers)) for name in REFERENCE.findall(text))
    return tuple(known for name in named if len(known := os.environ.get(name, "")) >= SHORTEST)


def scrubbed(text: str, hidden: tuple[str, ...]) -> str:
    """A stranger's words for a message: one line without secrets, its control characters as escapes."""
    return escaped(" ".join(redacted(text, hidden).split())[:SAID]) or "no reason given"


def redacted(text: str, hidden: tuple[str, ...]) -> str:
    """`text` without the secrets, in whatever way a server may have written them."""
    return redacted_bytes(text.encode("utf-8", "surrogatepass"), hidden).decode("utf-8", "surrogatepass")


def redacted_bytes(data: bytes, hidden: tuple[str, ...]) -> bytes:
    """The same for the bytes of an answer, before anything is read from them, kept or shown."""
    return _spellings(hidden).sub(HIDDEN.encode(), data) if hidden else data


@lru_cache(maxsize=8)
def _spellings(hidden: tuple[str, ...]) -> re.Pattern[bytes]:
    """Every way of writing one of the secrets; the longest first, so that no rest of it stays."""
    longest = sorted(hidden, key=len, reverse=True)
    return re.compile(b"|".join(b"".join(map(_spelling, secret)) for secret in longest), re.IGNORECASE)


def _spelling(sign: str) -> bytes:
    """One character as itself, behind backslashes, as an escape of JSON, of an address or of HTML, in UTF-16 too."""
    number, entity = ord(sign), ENTITIES.get(sign)
    back, ampersand, hash_sign, end = map(_once_more, "\\&#;")
    ways = [rf"{back}*{_once_more(sign)}", rf"{back}+(?:u00|x){number:02x}"]
    ways += [rf"{ampersand}(?:amp{end})*{hash_sign}(?:x0*{number:x}|0*{number}){end}?"]
    ways += [f"{ampersand}(?:amp{end})*{entity}{end}"] if entity else []
    return f"\0*(?:{'|'.join(ways)})\0*".encode()


def _once_more(sign: str) -> str:
    """A character as itself or as addresses write it, however often."""
    return rf"(?:{re.escape(sign)}|%(?:25)*{ord(sign):02x})"

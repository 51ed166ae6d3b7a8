"""Every error that ownmark raises on purpose.

OwnmarkError
├── UsageError           the call cannot be carried out as asked (exits with 2)
│   ├── DataError        images, labels or a folder are not what the call needs
│   ├── ModelError       a model cannot be built, loaded, traced or queried
│   │   └── MapError     a model yields no saliency map: `verify` falls back to its answers, if the claim has such a test
│   └── ProtectError     the scheme could not make the requested claim
│       ├── TooFewError    fewer samples hold on the model than asked for, but a smaller claim can be made
│       └── ResidualError  the model cannot be told from independent ones by its residuals
├── ClaimError           a claim file is corrupt, modified or of an unknown version (exits with 4)
│   └── EvidenceError    a seal is corrupt, modified or not signed by its owner, or what is opened is not what was sealed
└── SuspectError         a suspect cannot be reached or its answers cannot be used (exits with 5)
    ├── SizeError        the suspect takes images of another size
    └── AnswerError      the answers violate what the reading promises
        └── UnsettledError   the meaning of the answers is ambiguous: `verify` returns an INCONCLUSIVE verdict
            ├── KindError    cannot distinguish logits from probabilities
            └── RandomError  the same images get other answers each time
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


SAID = 300  # characters of a foreign message to show


class OwnmarkError(Exception):
    """Base of all errors of this package; the message says what was expected, what was found and what to do."""

    exit_code = 2


class UsageError(OwnmarkError):
    """The call cannot be carried out as asked."""


class DataError(UsageError):
    """Images, labels or a folder are not what the call needs."""


class ModelError(UsageError):
    """A model cannot be built, loaded, traced or queried."""


class MapError(ModelError):
    """A model yields no saliency map at any layer."""


class ProtectError(UsageError):
    """The scheme could not make the requested claim."""


class TooFewError(ProtectError):
    """Not as many samples as asked for hold on the model itself; `held`: how many do, so that a smaller claim can be made."""

    def __init__(self, message: str, held: int) -> None:
        super().__init__(message)
        self.held = held


class ResidualError(ProtectError):
    """The model, or a copy of it, cannot be told from independent models by its residuals."""


class ClaimError(OwnmarkError):
    """A claim file is corrupt, modified or of an unknown version."""

    exit_code = 4


class EvidenceError(ClaimError):
    """A seal is corrupt, modified or not signed by its owner, or what is opened is not what was sealed."""


class SuspectError(OwnmarkError):
    """A suspect cannot be reached or its answers cannot be used."""

    exit_code = 5


class SizeError(SuspectError):
    """The suspect takes images of another `size`: height, width."""

    def __init__(self, message: str, size: tuple[int, int]) -> None:
        Exception.__init__(self, message)
        self.size = size


class AnswerError(SuspectError):
    """The answers violate what the reading promises."""


class UnsettledError(AnswerError):
    """The meaning of the answers is ambiguous, so nothing can be judged."""


class KindError(UnsettledError):
    """Cannot distinguish logits from probabilities."""


class RandomError(UnsettledError):
    """The same images get other answers each time."""


def in_one_line(error: BaseException) -> str:
    """An exception in one printable line: its type and the first line of its message."""
    line = _line(error) or "no message"
    shown = "".join(sign if sign.isprintable() else "?" for sign in line[:SAID])
    return f"{type(error).__name__}: {shown}"


def first_line(error: BaseException) -> str:
    """The first line of an exception's message, or its type where it has none."""
    return _line(error) or type(error).__name__


def _line(error: BaseException) -> str:
    try:
        said = str(error).strip()
    except Exception:  # noqa: BLE001 - even the `str` of a foreign error may raise
        return ""
    return said.splitlines()[0] if said else ""


@contextmanager
def blamed(kind: type[OwnmarkError], what: str) -> Iterator[None]:
    """Turn whatever foreign code or foreign bytes raise inside the block into a `kind` that says `what`.

    Foreign code can raise anything; even its `sys.exit` does not end this program. Errors of this tree and Ctrl-C pass unchanged.
    """
    try:
        yield
    except OwnmarkError:
        raise
    except (Exception, SystemExit) as error:
        raise kind(f"{what}: {in_one_line(error)}") from error


SPACE = "\N{NO-BREAK SPACE}"  # shown as an ordinary space, so that users can search the output


def escaped(text: str) -> str:
    """`text` with every unprintable character escaped: control characters, line breaks, bidi controls, lone surrogates."""
    return "".join(
        sign if sign.isprintable() else sign.encode("unicode_escape", "surrogatepass").decode("ascii")
        for sign in text.replace(SPACE, " ")
    )

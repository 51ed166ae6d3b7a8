"""Every error that ownmark raises on purpose.

OwnmarkError
├── UsageError           the call cannot be carried out as it was asked (exit code 2)
│   ├── DataError        images, labels or a folder are not what is needed
│   ├── ModelError       a model cannot be built, loaded, traced or asked
│   │   └── MapError     a model shows no map: `verify` judges by its answers instead, where the claim has such a test
│   └── ProtectError     the scheme could not make the claim that was asked for
├── ClaimError           a claim file is broken, changed or of an unknown version (exit code 4)
│   └── EvidenceError    a seal is broken, changed, not signed by its owner, or opened to something else than was sealed
└── SuspectError         a suspect cannot be reached or its answers cannot be used (exit code 5)
    └── AnswerError      answers came, but they are not what the reading promises
        └── UnsettledError   nor can what they mean be settled: `verify` gives a verdict that is INCONCLUSIVE
            └── KindError    whether scores are logits or probabilities cannot be told
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

SAID = 300  # characters of a foreign message that are shown


class OwnmarkError(Exception):
    """Base of all errors of this package; the message says what was needed, what was got and what to do."""

    exit_code = 2


class UsageError(OwnmarkError):
    """The call cannot be carried out as it was asked."""


class DataError(UsageError):
    """Images, labels or a folder are not what is needed."""


class ModelError(UsageError):
    """A model cannot be built, loaded, traced or asked."""


class MapError(ModelError):
    """A model shows no map of what it looks at, at whichever layer."""


class ProtectError(UsageError):
    """The scheme could not make the claim that was asked for."""


class ClaimError(OwnmarkError):
    """A claim file is broken, was changed, or is of an unknown version."""

    exit_code = 4


class EvidenceError(ClaimError):
    """A seal is broken or was changed, its owner did not sign it, or what is opened is not what was sealed."""


class SuspectError(OwnmarkError):
    """A suspect cannot be reached or its answers cannot be used."""

    exit_code = 5


class AnswerError(SuspectError):
    """Answers came, but they are not what the reading promises."""


class UnsettledError(AnswerError):
    """What the answers mean cannot be settled, so that nothing can be judged."""


class KindError(UnsettledError):
    """Whether scores are logits or probabilities cannot be told."""


def told(error: BaseException) -> str:
    """What was raised, in one printable line: its type and the first line of its message."""
    try:
        said = str(error).strip()
    except Exception:  # noqa: BLE001 - a stranger's error may fail even to tell itself
        said = ""
    line = said.splitlines()[0] if said else "no message"
    shown = "".join(sign if sign.isprintable() else "?" for sign in line[:SAID])
    return f"{type(error).__name__}: {shown}"


@contextmanager
def blamed(kind: type[OwnmarkError], what: str) -> Iterator[None]:
    """Inside, a stranger's bytes are read or a stranger's code is run: whatever it raises becomes a `kind` that says `what`.

    Nobody can foresee all that it may raise; `sys.exit` in it does not end this program either. Errors of this tree, and Ctrl-C,
    pass as they are.
    """
    try:
        yield
    except OwnmarkError:
        raise
    except (Exception, SystemExit) as error:
        raise kind(f"{what}: {told(error)}") from error

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
"""


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

"""Every choice that could bend a watermark's labels or images, committed to before its key is drawn. No torch.

The master key is scrypt(secret, salt = SHA-256 of the canonical JSON of the choices), and the key of every set is bound to that
digest once more, so that a judge who is shown one set alone sees it, too. To change a choice is to draw another key.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from hashlib import sha256
from typing import Any

from ownmark import canonical, keys
from ownmark.claims.claim import Preprocess
from ownmark.errors import EvidenceError
from ownmark.scoring import matches
from ownmark.scoring.matches import Agreement
from ownmark.scoring.null_models import KeyedLabels
from ownmark.scoring.readings import Reading

VERSION = 2
LABELS = "labels"  # all that a watermark's triggers are ever asked for


@dataclass(frozen=True)
class Choices:
    """What an owner chooses freely.

    `owner`: the public key, "": none; `scheme`: the watermark with its source and all settings; `classes`: their names, in
    order; `cells`: of patterns that the key makes, 0: none; `pool`: digest of the images that the key picks from, "": none;
    `sets` of `triggers` each; `size`: (height, width, channels) of an image; `model`: digest of its tensors before it was
    marked; `alpha`: the rate of false accusations; `test`: the reading and the rule by which an answer counts.
    """

    owner: str
    scheme: str
    classes: tuple[str, ...]
    cells: int
    pool: str
    sets: int
    triggers: int
    size: tuple[int, int, int]
    model: str
    preprocess: Preprocess
    alpha: float
    access: str = LABELS
    version: int = VERSION

    @property
    def record(self) -> dict[str, Any]:
        """JSON data."""
        test = {"reading": Reading.LABEL.value, "match": matches.to_record(Agreement())}
        plain = {name: list(value) for name, value in asdict(self.preprocess).items()}
        return asdict(self) | {
            "classes": list(self.classes),
            "size": list(self.size),
            "preprocess": plain,
            "test": test,
        }

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON, 64 hexadecimal digits."""
        return canonical.sha256(canonical.dumps(self.record))

    def secret(self, owners: bytes) -> bytes:
        """The secret of this claim alone: it can be shown to a judge without the owner's, which other claims come from, too."""
        return keys.derived(owners, f"secret {self.digest}", 0)

    def null(self, owners: bytes, pulse: bytes = b"") -> KeyedLabels:
        """The keyed labels that follow from the owner's secret and, if there is one, from a public pulse. Takes a second."""
        return self.null_of(self.secret(owners), pulse)

    def null_of(self, secret: bytes, pulse: bytes = b"") -> KeyedLabels:
        """The same from the secret of this claim alone."""
        master = keys.stretched(secret, bytes.fromhex(self.digest))
        return KeyedLabels(master.hex(), self.triggers, len(self.classes), self.sets, context=self.context(pulse))

    def context(self, pulse: bytes = b"") -> str:
        """What the keys of all sets are bound to."""
        return canonical.sha256(bytes.fromhex(self.digest) + pulse) if pulse else self.digest


def from_record(value: object) -> Choices:
    """The choices that `Choices.record` described. Raises EvidenceError for any others."""
    names = frozenset(field.name for field in fields(Choices)) | {"test"}
    record = canonical.record_of(value, names, "what was committed to before the key")
    if not canonical.is_version(record["version"], VERSION):
        raise EvidenceError(f"these are choices of version {record['version']!r}; this ownmark reads {VERSION}: update ownmark")
    try:
        made = {name: record[name] for name in names - {"test"}}
        made |= {"classes": tuple(record["classes"]), "size": tuple(record["size"])}
        made |= {"preprocess": Preprocess(**{name: tuple(values) for name, values in record["preprocess"].items()})}
        choices = Choices(**made)
        same = canonical.dumps(choices.record) == canonical.dumps(record)
    except (TypeError, ValueError, AttributeError) as error:
        raise EvidenceError(f"what was committed to before the key cannot be read: {error}") from error
    if not same:
        raise EvidenceError("what was committed to before the key asks or judges in a way that this ownmark does not know")
    return choices


def unlike(choices: Choices, sealed: Mapping[str, Any]) -> str | None:
    """The first thing in which a seal's fields differ from what was committed to before the key; None: they agree."""
    plain = choices.record
    return next((name for name, value in sealed.items() if canonical.dumps(plain[name]) != canonical.dumps(value)), None)


def digest_of(secret: bytes) -> str:
    """What can be shown of a secret before it is told."""
    return sha256(secret).hexdigest()

"""Every choice that could bias a watermark's labels or images, committed to before its key is drawn. No torch.

The master key is scrypt(secret, salt = SHA-256 of the canonical JSON of the choices), and every set's key is bound to that digest
again, so that a judge who sees only one set can check it, too. Changing a choice means drawing another key.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from hashlib import sha256
from typing import Any

from ownmark import canonical, keys
from ownmark.claims.claim import Preprocess
from ownmark.errors import EvidenceError
from ownmark.scoring import matches
from ownmark.scoring.matches import Agreement, Match, RaisedOther, RankedGroup, RankedOther, RelativeRunnerUp, RunnerUp
from ownmark.scoring.null_models import KeyedLabels

VERSION = 2
# What a watermark's suspect is asked for, and by which rule an answer counts.
LABELS, PROBABILITIES, RELATIVE, OTHERS = "labels", "probabilities", "relative probabilities", "probabilities of other classes"
RANKS, GROUPS = "ranks of other classes", "ranks of other classes by groups"
RULES: dict[str, Match] = {
    LABELS: Agreement(),
    PROBABILITIES: RunnerUp(),
    RELATIVE: RelativeRunnerUp(),
    OTHERS: RaisedOther(),
    RANKS: RankedOther(),
    GROUPS: RankedGroup(),
}


def rule_of(access: str) -> Match:
    """By which an answer counts where suspects are asked for `access`; an unknown one is refused where choices are read."""
    return RULES.get(access, RULES[LABELS])


@dataclass(frozen=True)
class Choices:
    """What an owner chooses freely.

    `owner`: the public key, "": none; `scheme`: the watermark with its source and all settings; `classes`: their names, in
    order; `cells`: of patterns made by the key, 0: none; `pool`: digest of the images that the key picks from, "": none;
    `sets` of `triggers` each; `size`: (height, width, channels) of an image; `model`: digest of its tensors before marking;
    `alpha`: the rate of false accusations; `access`: what a suspect is asked for, which decides the rule by which an answer
    counts (`test` in the record).
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
    def rule(self) -> Match:
        """By which an answer counts."""
        return rule_of(self.access)

    @property
    def record(self) -> dict[str, Any]:
        """JSON data."""
        rule = self.rule
        test = {"reading": rule.reading.value, "match": matches.to_record(rule)}
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
        """The secret of this claim alone: a judge can see it without learning the owner's, on which other claims depend."""
        return keys.derived(owners, f"secret {self.digest}", 0)

    def null(self, owners: bytes, pulse: bytes = b"") -> KeyedLabels:
        """The keyed labels that follow from the owner's secret and, if given, a public pulse. Takes a second."""
        return self.null_of(self.secret(owners), pulse)

    def null_of(self, secret: bytes, pulse: bytes = b"") -> KeyedLabels:
        """The same from the secret of this claim alone."""
        master = keys.stretched(secret, bytes.fromhex(self.digest))
        context = self.context(pulse)
        return KeyedLabels.read_by(self.rule, len(self.classes), master.hex(), self.triggers, self.sets, context=context)

    def context(self, pulse: bytes = b"") -> str:
        """What the keys of all sets are bound to."""
        return canonical.sha256(bytes.fromhex(self.digest) + pulse) if pulse else self.digest


def from_record(value: object) -> Choices:
    """The choices that `Choices.record` described. Raises EvidenceError for an invalid record."""
    names = frozenset(field.name for field in fields(Choices)) | {"test"}
    record = canonical.record_of(value, names, "what was committed to before the key")
    if not canonical.is_version(record["version"], VERSION):
        raise EvidenceError(f"choices of version {record['version']!r}, but this ownmark reads {VERSION}: update ownmark")
    try:
        made = {name: record[name] for name in names - {"test"}}
        made |= {"classes": tuple(record["classes"]), "size": tuple(record["size"])}
        made |= {"preprocess": Preprocess(**{name: tuple(values) for name, values in record["preprocess"].items()})}
        choices = Choices(**made)
        same = canonical.dumps(choices.record) == canonical.dumps(record)
    except (TypeError, ValueError, AttributeError) as error:
        raise EvidenceError(f"cannot read what was committed to before the key: {error}") from error
    if not same:
        raise EvidenceError("what was committed to before the key uses a reading or a rule unknown to this ownmark")
    return choices


def unlike(choices: Choices, sealed: Mapping[str, Any]) -> str | None:
    """The first field in which a seal differs from what was committed to before the key; None: they agree."""
    plain = choices.record
    return next((name for name, value in sealed.items() if canonical.dumps(plain[name]) != canonical.dumps(value)), None)


def digest_of(secret: bytes) -> str:
    """A digest that can be published before the secret is revealed."""
    return sha256(secret).hexdigest()

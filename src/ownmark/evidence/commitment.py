"""What an owner commits to before a dispute: an in-toto statement about a claim and a model that keeps both secret. No torch."""

from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any

from ownmark import canonical
from ownmark.errors import EvidenceError, UsageError

VERSION = 2
STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATES = {f"urn:ownmark:sealed-claim:{version}": version for version in range(1, VERSION + 1)}
NEW_FIELDS = {"choices", "beacon"}  # of version 2, which version 1 does not have; a policy's is "access"
STATEMENT_KEYS = frozenset({"_type", "subject", "predicateType", "predicate"})
LEAST_FAVOURABLE = "least favourable"
CELLS = range(2, 33)  # of the patterns that a judge makes anew


class Way(StrEnum):
    """The access by which a claim asks: each shows another reading, and choosing among them afterwards is a try more."""

    WEIGHTS = "weights"
    PROBABILITIES = "probabilities"
    LABELS = "labels"


@dataclass(frozen=True)
class Policy:
    """How a judge is to decide, chosen before anybody is accused.

    `alpha`: the rate of false accusations; `survival`: the share of triggers that a copy should still answer, for a test that
    stops early; `most_queries`: images that a judge may ask one suspect about, None: no cap; `strata`: which group of innocent
    models decides; `access`: the one way of asking that counts, "": none was named, so that p pays for all of them. Test, match
    and preprocessing stand in the commitment's terms.
    """

    alpha: float
    survival: float = 0.5
    most_queries: int | None = None
    strata: str = LEAST_FAVOURABLE
    access: str = ""

    def __post_init__(self) -> None:
        if type(self.alpha) is not float or not 0 < self.alpha < 1:
            raise UsageError(f"alpha lies between 0 and 1, got {self.alpha!r}: it is the rate of false accusations")
        if type(self.survival) is not float or not 0 < self.survival < 1:
            raise UsageError(f"the share of triggers that survive lies between 0 and 1, got {self.survival!r}")
        if self.most_queries is not None and not canonical.is_count(self.most_queries, 1):
            raise UsageError(f"a cap on queries is a whole number above 0, got {self.most_queries!r}")
        if self.strata != LEAST_FAVOURABLE:
            raise UsageError(f"this version knows one rule for strata, {LEAST_FAVOURABLE!r}, got {self.strata!r}")
        if self.access not in {"", *Way}:
            raise UsageError(f"the access is one of {', '.join(Way)}, got {self.access!r}")


@dataclass(frozen=True)
class Commitment:
    """All digests are SHA-256 as 64 hexadecimal digits.

    `owner`: the public key; `claim`: the claim's digest; `model`: of the protected model's tensors; `model_file`: of its file,
    "" if unknown; `root` over `leaves` triggers in `sets` sets (0: opened as a whole); `key`: digest of the key of keyed labels,
    "" without one; `cells`: of the patterns that the key makes, 0: the images are something else; `pool`: of the images that
    the key chose from, "" if it did not; `previous`: the owner's seal before this one, "" if it is the first; `tool`: name and
    version of what sealed it; `choices`: what the key was derived from, last of all (`choices`), None: it was not, or there is
    no key; `beacon`: the pledge and the public pulse that the key takes as well (`pledge`), None: it takes none.
    """

    owner: str
    claim: str
    model: str
    model_file: str
    root: str
    leaves: int
    sets: int
    key: str
    cells: int
    pool: str
    terms: dict[str, Any]
    policy: Policy
    previous: str
    tool: str
    choices: dict[str, Any] | None = None
    beacon: dict[str, Any] | None = None
    version: int = VERSION

    def __post_init__(self) -> None:
        needed, optional = (self.owner, self.claim, self.model, self.root), (self.model_file, self.key, self.pool, self.previous)
        if not all(canonical.is_digest(one) for one in (*needed, *(one for one in optional if one != ""))):
            raise EvidenceError("owner, claim, model, root and their like are 64 hexadecimal digits, in lower case")
        if not canonical.is_count(self.leaves, 1) or not canonical.is_count(self.sets):
            raise EvidenceError("leaves and sets are whole numbers")
        if type(self.cells) is not int or self.cells not in {0, *CELLS}:
            raise EvidenceError(f"patterns have from {CELLS.start} to {CELLS.stop - 1} cells, got {self.cells!r}")
        if self.sets and self.leaves % self.sets:
            raise EvidenceError(f"{self.leaves} triggers cannot be {self.sets} sets of equal size")
        if not isinstance(self.terms, dict) or not isinstance(self.tool, str):
            raise EvidenceError("the terms are a JSON object and the tool is named by a string")
        if not all(isinstance(one, dict | None) for one in (self.choices, self.beacon)) or (self.beacon and not self.choices):
            raise EvidenceError("choices and beacon are JSON objects or null, and there is no beacon without choices")
        if self.version not in PREDICATES.values():
            raise EvidenceError(f"this is a commitment of version {self.version!r}; this ownmark reads up to {VERSION}")
        if self.version == 1 and (self.choices, self.beacon, self.policy.access) != (None, None, ""):
            raise EvidenceError("a commitment of version 1 knows neither choices nor a beacon nor a way of asking")

    @property
    def size(self) -> int:
        """How many triggers one set has."""
        return self.leaves // max(self.sets, 1)

    def to_bytes(self) -> bytes:
        """The in-toto statement."""
        subject = [_subject("claim", self.claim), _subject("model tensors", self.model)]
        subject += [_subject("model file", self.model_file)] if self.model_file else []
        predicate = asdict(self)
        if self.version == 1:
            predicate = {name: value for name, value in predicate.items() if name not in NEW_FIELDS}
            predicate["policy"].pop("access")
        kind = next(name for name, version in PREDICATES.items() if version == self.version)
        return canonical.dumps({"_type": STATEMENT, "subject": subject, "predicateType": kind, "predicate": predicate})


def from_bytes(data: bytes) -> Commitment:
    """The commitment in a statement. Raises EvidenceError unless it is exactly what `Commitment.to_bytes` writes."""
    record = canonical.record_of(canonical.loads(data), STATEMENT_KEYS, "a statement")
    version = PREDICATES.get(record["predicateType"]) if isinstance(record["predicateType"], str) else None
    if version is None or not isinstance(record["predicate"], dict):
        raise EvidenceError(
            f"the statement is about {record['predicateType']!r}; this ownmark reads {', '.join(PREDICATES)}: update ownmark"
        )
    left_out = NEW_FIELDS if version == 1 else set()
    found = canonical.record_of(record["predicate"], _names(Commitment) - left_out, "a commitment")
    policy = canonical.record_of(found["policy"], _names(Policy) - ({"access"} if version == 1 else set()), "a policy")
    if not canonical.is_version(found["version"], version):
        raise EvidenceError(f"this is a commitment of version {found['version']!r}; this ownmark reads {VERSION}: update ownmark")
    try:
        commitment = Commitment(**found | {"policy": Policy(**policy)})
    except UsageError as error:
        raise EvidenceError(f"the commitment's policy cannot be meant: {error}") from error
    if commitment.to_bytes() != data:
        raise EvidenceError("the statement does not tell of what its predicate commits to")
    return commitment


def _names(kind: type[Commitment | Policy]) -> frozenset[str]:
    return frozenset(field.name for field in fields(kind))


def _subject(name: str, digest: str) -> dict[str, Any]:
    return {"name": name, "digest": {"sha256": digest}}

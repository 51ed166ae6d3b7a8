"""What an owner commits to before a dispute: an in-toto statement about a claim and a model that reveals neither. No torch."""

from dataclasses import asdict, dataclass, fields
from typing import Any

from ownmark import canonical
from ownmark.errors import EvidenceError, UsageError
from ownmark.verdicts.ways import Way

VERSION = 2
STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATES = {f"urn:ownmark:sealed-claim:{version}": version for version in range(1, VERSION + 1)}
NEW_FIELDS = {"choices", "beacon"}  # new in version 2; a policy's new field is "access"
STATEMENT_KEYS = frozenset({"_type", "subject", "predicateType", "predicate"})
LEAST_FAVOURABLE = "least favourable"
SEALED = (Way.WEIGHTS, Way.PROBABILITIES, Way.BEST, Way.LABELS)  # the ways that a judge supports
CELLS = range(2, 33)  # of the patterns that a judge can remake


@dataclass(frozen=True)
class Policy:
    """How a judge must decide, fixed before anybody is accused.

    `alpha`: the rate of false accusations; `survival`: the share of triggers that a copy should still match, for a sequential
    test; `most_queries`: the limit of queries to one suspect, None: no limit; `strata`: which group of innocent models decides;
    `access`: the one way of asking that counts, "": none was named, so p pays for all of them. Test, match and preprocessing are
    in the commitment's terms.
    """

    alpha: float
    survival: float = 0.5
    most_queries: int | None = None
    strata: str = LEAST_FAVOURABLE
    access: str = ""

    def __post_init__(self) -> None:
        if type(self.alpha) is not float or not 0 < self.alpha < 1:
            raise UsageError(f"expected alpha, the rate of false accusations, between 0 and 1, got {self.alpha!r}")
        if type(self.survival) is not float or not 0 < self.survival < 1:
            raise UsageError(f"expected a share of surviving triggers between 0 and 1, got {self.survival!r}")
        if self.most_queries is not None and not canonical.is_count(self.most_queries, 1):
            raise UsageError(f"the limit of queries must be an integer above 0, got {self.most_queries!r}")
        if self.strata != LEAST_FAVOURABLE:
            raise UsageError(f"expected the rule {LEAST_FAVOURABLE!r} for strata, got {self.strata!r}")
        if self.access not in {"", *SEALED}:
            raise UsageError(f"the access must be one of {', '.join(SEALED)}, got {self.access!r}")


@dataclass(frozen=True)
class Commitment:
    """All digests are SHA-256 as 64 hexadecimal digits.

    `owner`: the public key; `claim`: the claim's digest; `model`: of the protected model's tensors; `model_file`: of its file, ""
    if unknown; `root` over `leaves` triggers in `sets` sets (0: opened as a whole); `key`: digest of the key of keyed labels, ""
    without one; `cells`: of the patterns made by the key, 0: the images are something else; `pool`: of the images that the key
    chose from, "" if it did not; `previous`: the owner's seal before this one, "" if it is the first; `tool`: name and version of
    the software that sealed it; `choices`: what the key was derived from, last of all (`choices`), None: it was not, or there is
    no key; `beacon`: the pledge and the public pulse that enter the key (`pledge`), None: there are none.
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
            raise EvidenceError("owner, claim, model, root and the other digests must be 64 lower-case hexadecimal digits")
        if not canonical.is_count(self.leaves, 1) or not canonical.is_count(self.sets):
            raise EvidenceError("leaves and sets must be integers")
        if type(self.cells) is not int or self.cells not in {0, *CELLS}:
            raise EvidenceError(f"expected patterns of {CELLS.start} to {CELLS.stop - 1} cells, got {self.cells!r}")
        if self.sets and self.leaves % self.sets:
            raise EvidenceError(f"cannot split {self.leaves} triggers into {self.sets} sets of equal size")
        if not isinstance(self.terms, dict) or not isinstance(self.tool, str):
            raise EvidenceError("the terms must be a JSON object and the tool a string")
        if not all(isinstance(one, dict | None) for one in (self.choices, self.beacon)) or (self.beacon and not self.choices):
            raise EvidenceError("choices and beacon must be JSON objects or null, and a beacon requires choices")
        if self.version not in PREDICATES.values():
            raise EvidenceError(f"commitment of version {self.version!r}, but this ownmark reads up to {VERSION}")
        if self.version == 1 and (self.choices, self.beacon, self.policy.access) != (None, None, ""):
            raise EvidenceError("a commitment of version 1 has neither choices nor a beacon nor a way of asking")

    @property
    def size(self) -> int:
        """The number of triggers per set."""
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
        raise EvidenceError(f"commitment of version {found['version']!r}, but this ownmark reads {VERSION}: update ownmark")
    try:
        commitment = Commitment(**found | {"policy": Policy(**policy)})
    except UsageError as error:
        raise EvidenceError(f"the commitment's policy is invalid: {error}") from error
    if commitment.to_bytes() != data:
        raise EvidenceError("the statement's subjects are not what its predicate commits to")
    return commitment


def _names(kind: type[Commitment | Policy]) -> frozenset[str]:
    return frozenset(field.name for field in fields(kind))


def _subject(name: str, digest: str) -> dict[str, Any]:
    return {"name": name, "digest": {"sha256": digest}}

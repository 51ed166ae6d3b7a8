"""A commitment has one text, and every field of it can be meant."""

import json
from pathlib import Path
from typing import Any

import pytest
from sealing import OWNER, POLICY, fingerprint, keyed_claim, resealed, sealed

from ownmark import canonical
from ownmark.errors import EvidenceError, UsageError
from ownmark.evidence import commitment, seal
from ownmark.evidence.commitment import Policy
from ownmark.evidence.seal import Beside

CHANGED: dict[str, Any] = {"choices": None, "beacon": {"a": 1}}  # what a seal may hold, though no judge may believe it
OTHERS: tuple[Any, ...] = (None, [], -1, 1.5, True, "no digest", {"a": 1})
PREDICATE = json.loads(sealed().envelope.payload)["predicate"]


def statement(**changes: Any) -> bytes:
    whole = json.loads(sealed().envelope.payload)
    return canonical.dumps(whole | {"predicate": whole["predicate"] | changes})


def test_it_is_an_in_toto_statement_about_the_claim_and_the_model(tmp_path: Path) -> None:
    (tmp_path / "weights").write_bytes(b"weights")
    one = seal.seal(keyed_claim(), OWNER, POLICY, Beside(tmp_path / "weights", previous=sealed(fingerprint())))
    told = json.loads(one.envelope.payload)
    assert told["_type"] == "https://in-toto.io/Statement/v1"
    assert {one["name"]: one["digest"]["sha256"] for one in told["subject"]} == {
        "claim": keyed_claim().digest,
        "model tensors": "ab" * 32,
        "model file": canonical.sha256(b"weights"),
    }
    assert one.commitment.previous == sealed(fingerprint()).digest
    assert (one.commitment.leaves, one.commitment.sets, one.commitment.cells) == (12, 3, 4)
    assert one.commitment.tool.startswith("ownmark ")


def test_the_same_claim_gives_the_same_seal() -> None:
    assert sealed().to_bytes() == sealed().to_bytes()


@pytest.mark.parametrize("name", sorted(PREDICATE))
def test_a_field_that_is_missing_or_of_another_kind_is_an_error(name: str) -> None:
    record = json.loads(sealed().envelope.payload)
    assert commitment.from_bytes(canonical.dumps(record)) == sealed().commitment
    for wrong in OTHERS:
        if name in {"terms", "tool", "choices", "beacon"} and (
            type(wrong) is type(PREDICATE[name]) or wrong == CHANGED.get(name)
        ):
            continue
        with pytest.raises(EvidenceError):
            commitment.from_bytes(statement(**{name: wrong}))
    del record["predicate"][name]
    with pytest.raises(EvidenceError):
        commitment.from_bytes(canonical.dumps(record))


@pytest.mark.parametrize(
    "changes",
    [
        {"sets": 5},
        {"cells": 1},
        {"cells": 33},
        {"cells": 10**9},
        {"leaves": 0},
        {"version": 1},
        {"version": 3},
        {"policy": POLICY.__dict__ | {"alpha": 2.0}},
    ],
)
def test_numbers_that_cannot_be_meant_are_an_error(changes: dict[str, Any]) -> None:
    with pytest.raises(EvidenceError):
        commitment.from_bytes(statement(**changes))


@pytest.mark.parametrize("name", ["_type", "subject", "predicateType", "predicate"])
def test_a_statement_about_something_else_is_an_error(name: str) -> None:
    whole = json.loads(sealed().envelope.payload)
    for wrong in OTHERS:
        with pytest.raises(EvidenceError):
            commitment.from_bytes(canonical.dumps(whole | {name: wrong}))


def test_a_commitment_with_other_fields_signed_by_its_owner_reads_as_what_it_says() -> None:
    assert resealed(sealed(), policy=Policy(1e-6, 0.6, 300)).commitment.policy == Policy(1e-6, 0.6, 300)


def test_a_model_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="missing"):
        seal.seal(keyed_claim(), OWNER, POLICY, Beside(tmp_path / "missing"))

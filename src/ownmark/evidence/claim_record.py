"""What a claim says apart from its triggers and its key, as JSON; and its triggers as the leaves of a Merkle tree. No torch."""

from dataclasses import asdict
from typing import Any

import numpy as np

from ownmark import keys
from ownmark.claims.claim import Claim
from ownmark.evidence import merkle
from ownmark.evidence.owner import OwnerKey
from ownmark.scoring import matches, null_models
from ownmark.scoring.null_models import KeyedLabels

SECRET = {"key", "sets"}  # fields of keyed labels that an opened set does not share with the whole claim
LEAST_GRINDING = 64  # bits: a single opened set does not show that its key came through scrypt


def terms(claim: Claim) -> dict[str, Any]:
    """Everything that a claim and each of its sets, opened alone, have in common."""
    return {
        "scheme": claim.scheme,
        "model": claim.model,
        "built_with": list(claim.built_with),
        "classes": list(claim.classes),
        "shape": list(claim.images.shape[1:]),
        "preprocess": {name: list(values) for name, values in asdict(claim.preprocess).items()},
        "tests": [
            {
                "reading": test.reading.value,
                "match": matches.to_record(test.match),
                "null": {name: value for name, value in null_models.to_record(test.null).items() if name not in SECRET},
                "layer": test.layer,
                "target_score": test.target_score,
                **({} if test.rows is None else {"rows": list(test.rows)}),
            }
            for test in claim.tests
        ],
    }


def keyed(claim: Claim) -> KeyedLabels | None:
    """The keyed labels shared by all tests, if they share them."""
    found = {test.null for test in claim.tests}
    return claim.tests[0].null.keyed if len(found) == 1 else None


def ground_too_little(claim: Claim) -> bool:
    """Whether a keyed null counts fewer keys than the owner may have tried."""
    return any(key.grinding < LEAST_GRINDING for test in claim.tests if (key := test.null.keyed) is not None)


def sets(claim: Claim) -> int:
    """How many sets can be opened one by one; 0: the claim is opened as a whole."""
    labels = keyed(claim)
    return labels.sets if labels else 0


def leaves(claim: Claim, blinds: tuple[bytes, ...]) -> list[bytes]:
    """A leaf per trigger: its pixels, its expected answers, and a blind, without which the leaf reveals nothing about them."""
    answers = [b""] * len(claim.images)
    for test in claim.tests:
        kind = ">f8" if test.expected.dtype == np.float64 else ">i8"
        rows = range(len(answers))[test.samples]
        for row, expected in zip(rows, test.expected.reshape(len(rows), -1).astype(kind), strict=True):
            answers[row] += expected.tobytes()
    return [
        merkle.leaf(keys.image_digest(image) + told + blind)
        for image, told, blind in zip(claim.images, answers, blinds, strict=True)
    ]


def blinds(claim: Claim, owner: OwnerKey) -> tuple[bytes, ...]:
    """The blind of each trigger: for keyed labels from its set's key, else from the owner's secret and the claim's digest."""
    labels = keyed(claim)
    if labels is None:
        return _blinds(keys.derived(owner.secret, f"claim {claim.digest}", 0), len(claim.images))
    return tuple(blind for one in labels.set_keys for blind in _blinds(one, labels.triggers))


def _blinds(key: bytes, count: int) -> tuple[bytes, ...]:
    return tuple(keys.derived(key, "blind", number) for number in range(count))

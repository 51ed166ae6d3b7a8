"""What the tests of evidence share: an owner, a claim of keyed labels, a fingerprint, and their seals."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
from conftest import small_claim
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ownmark import canonical, keys
from ownmark.claims.claim import Claim, Preprocess, Test
from ownmark.evidence import seal
from ownmark.evidence.bundle import Bundle
from ownmark.evidence.choices import Choices
from ownmark.evidence.commitment import Commitment, Policy
from ownmark.evidence.envelope import signed
from ownmark.evidence.owner import OwnerKey
from ownmark.scoring.matches import Agreement
from ownmark.scoring.null_models import Innocents, KeyedLabels
from ownmark.scoring.readings import Reading

MASTER = bytes(range(32))
OWNER = OwnerKey(Ed25519PrivateKey.from_private_bytes(b"signs" + bytes(27)), b"hides" + bytes(27))
THIEF = OwnerKey(Ed25519PrivateKey.from_private_bytes(b"steals" + bytes(26)), bytes(32))
POLICY = Policy(0.05, access="labels")
SETS, SIZE = 3, 4
SEEN = datetime(2100, 1, 1, tzinfo=UTC)


def choices(sets: int = SETS, **changes: Any) -> Choices:
    """What the key of `keyed_claim` is bound to."""
    fields: dict[str, Any] = {
        "owner": OWNER.public,
        "scheme": "Keyed()",
        "classes": tuple("abcdefghij"),
        "cells": 4,
        "pool": "",
        "sets": sets,
        "triggers": SIZE,
        "size": (3, 3, 1),
        "model": "cd" * 32,
        "preprocess": Preprocess(),
        "alpha": POLICY.alpha,
    }
    return Choices(**fields | changes)


def keyed_claim(sets: int = SETS, chosen: Choices | None = None, **changes: Any) -> Claim:
    """Four patterns per set, and their labels, all from the key, which is bound to `chosen`; no scrypt, which takes a second."""
    chosen = chosen or choices(sets)
    null = KeyedLabels(MASTER.hex(), SIZE, 10, sets, context=chosen.context())
    images = np.concatenate([keys.patterns(key, SIZE, (3, 3, 1), 4) for key in null.set_keys])[:, None]
    test = Test(Reading.LABEL, Agreement(), null.labels(), 1.0, null=null)
    fields: dict[str, Any] = {
        "images": images,
        "tests": (test,),
        "classes": tuple("abcdefghij"),
        "scheme": "Keyed()",
        "model": "ab" * 32,
        "choices": chosen.record,
    }
    return Claim(**fields | changes)


def fingerprint() -> Claim:
    """A claim that innocent models calibrate, to be opened as a whole."""
    claim = small_claim(count=2, size=1)
    return claim.with_nulls(dict.fromkeys(range(3), Innocents((0.0,) * 19, tuple(f"{number:064}" for number in range(19)))))


def sealed(claim: Claim | None = None, owner: OwnerKey = OWNER) -> Bundle:
    whole = claim or keyed_claim()
    return seal.seal(whole, owner, POLICY)


def opened(number: int = 1) -> Bundle:
    """A set of the keyed claim, opened."""
    return seal.opened(sealed(), keyed_claim(), OWNER, number)


def resealed(one: Bundle, **changes: Any) -> Bundle:
    """The bundle with other fields in its commitment, signed anew by its owner, as an owner who means ill would do."""
    record = {name: getattr(one.commitment, name) for name in Commitment.__dataclass_fields__}
    return replace(one, envelope=signed(Commitment(**record | changes).to_bytes(), OWNER))


def line_of(record: dict[str, Any]) -> bytes:
    """The line of a bundle with a digest that fits, as somebody who knows the format would write it."""
    covered = {name: value for name, value in record.items() if name != "digest"}
    return canonical.dumps(covered | {"digest": canonical.sha256(canonical.dumps(covered))}) + b"\n"

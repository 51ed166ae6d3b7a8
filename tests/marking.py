"""A watermark made by the command line in the furnished shop, and its owner's key."""

from pathlib import Path

import pytest
from workshop import MODEL, Ran, ownmark

from ownmark.claims.claim import Claim
from ownmark.evidence import owner
from ownmark.scoring.null_models import KeyedLabels

Capture = pytest.CaptureFixture[str]
PASSPHRASE = "correct horse battery"  # noqa: S105 - of a key that only a test uses
MARK = "Partitioned(triggers=60, sets=1, stages=1, steps=1, clean=8, least=0.0)"


def marking(*more: str, out: str = "my.claim") -> list[str]:
    model = ["protect", MODEL, "--weights", "model.safetensors", "--data", "images"]
    return [*model, "--scheme", MARK, "--out", out, *more]


def null_of(claim: Claim) -> KeyedLabels:
    null = claim.tests[0].null
    assert isinstance(null, KeyedLabels)
    return null


def marked(capsys: Capture, *more: str) -> Ran:
    ran = ownmark(capsys, *marking(*more))
    assert ran.code == 0, ran.err
    return ran


def owners_key(shop: Path, monkeypatch: pytest.MonkeyPatch) -> owner.OwnerKey:
    monkeypatch.setenv("OWNMARK_PASSPHRASE", PASSPHRASE)
    return owner.create(shop / "OWNER.key", PASSPHRASE)

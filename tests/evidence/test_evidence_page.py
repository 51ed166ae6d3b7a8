"""The page of the format is right: its checker agrees with ownmark, and it names every key."""

import hashlib
import json
import re
import subprocess
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from authority import needs_openssl
from cryptography.exceptions import InvalidSignature
from sealing import choices, opened, resealed, sealed

from ownmark import canonical
from ownmark.evidence import beacon, bundle, commitment, envelope, pledge, timestamp, verdict_file
from ownmark.evidence.bundle import read
from ownmark.evidence.claim_record import terms
from ownmark.evidence.commitment import Commitment, Policy
from ownmark.evidence.ruling import Stratum
from ownmark.querying import transcript
from ownmark.querying.transcript import Role

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "evidence-format.md").read_text(encoding="utf-8")
GOLDEN = sorted((ROOT / "tests" / "claims").glob("v1/*.[so]*ed"))


@pytest.fixture(scope="module")
def check_seal() -> Callable[[Path], dict[str, Any]]:
    names: dict[str, Any] = {"__name__": "page"}
    exec(compile("".join(re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)), "page", "exec"), names)  # noqa: S102 - ours
    check: Callable[[Path], dict[str, Any]] = names["check_seal"]
    return check


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.name)
def test_the_checker_of_the_page_accepts_what_was_sealed(path: Path, check_seal: Callable[[Path], dict[str, Any]]) -> None:
    assert check_seal(path) == json.loads(read(path).envelope.payload)["predicate"]


def test_the_checker_of_the_page_refuses_what_ownmark_refuses(
    tmp_path: Path, check_seal: Callable[[Path], dict[str, Any]]
) -> None:
    data = opened().to_bytes()
    for place in [*range(0, len(data), 31), len(data) - 1]:
        (tmp_path / "file").write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        with pytest.raises((ValueError, KeyError, TypeError, AttributeError, InvalidSignature)):
            check_seal(tmp_path / "file")
    resealed(opened(), root="00" * 32).save(tmp_path / "file")
    with pytest.raises(ValueError, match="not the one that was sealed"):
        check_seal(tmp_path / "file")


def test_the_page_names_every_key() -> None:
    parts = (bundle.KEYS, bundle.OPENING_KEYS, envelope.KEYS, envelope.SIGNATURE_KEYS, timestamp.KEYS, commitment.STATEMENT_KEYS)
    keys = {key for part in parts for key in part} | {field.name for kind in (Commitment, Policy) for field in fields(kind)}
    told = terms(opened().opening.claim) if opened().opening else {}  # type: ignore[union-attr]
    keys |= set(told) | {key for test in told["tests"] for key in test}
    assert [key for key in sorted(keys) if f"`{key}`" not in PAGE] == []
    keys |= set(choices().record) | pledge.RECORD_KEYS | pledge.KEYS | beacon.KEYS | beacon.EXTERNAL | set(beacon.LISTED)
    assert [key for key in sorted(keys) if f"`{key}`" not in PAGE] == []
    for value in (
        bundle.FORMAT,
        envelope.PAYLOAD_TYPE,
        *commitment.PREDICATES,
        pledge.PREDICATE,
        commitment.STATEMENT,
        commitment.LEAST_FAVOURABLE,
    ):
        assert f"`{value}`" in PAGE


def test_the_page_names_every_key_of_a_verdict() -> None:
    keys = verdict_file.KEYS | verdict_file.TRUST_KEYS | verdict_file.SESSION_KEYS | transcript.KEYS | transcript.ARRAY_KEYS
    written = (ROOT / "tests" / "claims" / "v1" / "copy.verdict").read_bytes()
    ruling = json.loads(envelope.from_record(canonical.loads(written)).payload)["predicate"]["ruling"]
    keys |= set(ruling) | {key for step in ruling["steps"] for key in step}
    words = {*verdict_file.PREDICATES, transcript.AS_SEALED, *map(str, Stratum), *map(str, Role), *transcript.DTYPES.values()}
    assert [word for word in sorted(keys | words) if f"`{word}`" not in PAGE] == []


def test_the_page_names_every_limit() -> None:
    assert f"at most {bundle.MOST_LINE // 2**20} MiB, the claim at most {bundle.MOST_CLAIM // 2**30} GiB" in PAGE
    assert f"at most {bundle.MOST_STAMPS}" in PAGE
    assert f"from {commitment.CELLS.start} to {commitment.CELLS.stop - 1}" in PAGE
    assert f"at most {timestamp.SKEW.seconds // 60} minutes after the time of judging" in PAGE


@needs_openssl
def test_openssl_checks_a_timestamp_in_the_way_that_the_page_tells(tmp_path: Path) -> None:
    folder = ROOT / "tests" / "claims" / "v1"
    one = read(folder / "keyed.sealed")
    (tmp_path / "token").write_bytes(one.stamps[0].token)
    for data, code in ((one.envelope.data, 0), (sealed().envelope.payload, 1)):
        digest = hashlib.sha256(data).hexdigest()
        call = ["openssl", "ts", "-verify", "-digest", digest, "-in", "token", "-CAfile", str(folder / "root.pem")]
        at = ["-attime", str(int(one.stamps[0].time.timestamp()))]
        assert subprocess.run([*call, *at], cwd=tmp_path, capture_output=True, check=False).returncode == code

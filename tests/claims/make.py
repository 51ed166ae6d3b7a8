"""Writes the claims, seals and verdict of this version, which later ones must read: `PYTHONPATH=tests python -m claims.make v1`.

A folder that is there is never written to again. The owner's key is the tests' own and keeps nothing secret; the timestamps
need `openssl`.
"""

import json
import sys
import tempfile
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from authority import Authority, authority
from claims.findings import told
from cryptography.hazmat.primitives.serialization import Encoding
from judging import decoys, keyed, marked, reference, session
from sealing import OWNER, POLICY, SEEN, THIEF, fingerprint, keyed_claim, sealed

from ownmark.evidence import seal
from ownmark.evidence.admissibility import Trust
from ownmark.evidence.bundle import Bundle
from ownmark.evidence.timestamp import Stamp
from ownmark.evidence.verdict_file import Judged

URL = "http://127.0.0.1/tsr"
JUDGE = THIEF  # another key than the owner's


def bundles(stamp: Stamp, other: Stamp) -> dict[str, Bundle]:
    """Every kind of file that there is: stamped and not, keyed and not, opened and not."""
    keyed, print_, single = keyed_claim(), fingerprint(), keyed_claim(sets=0)
    kept = replace(sealed(keyed), stamps=(stamp,))
    first = seal.opened(kept, keyed, OWNER, 1)
    kept = seal.noted(kept, 1)
    return {
        "keyed-untimestamped.sealed": sealed(keyed),
        "keyed.sealed": kept,
        "keyed-set-1.opened": first,
        "keyed-set-0.opened": seal.opened(kept, keyed, OWNER, 0),
        "fingerprint.sealed": replace(sealed(print_), stamps=(other,)),
        "fingerprint.opened": seal.opened(replace(sealed(print_), stamps=(other,)), print_, OWNER, None),
        "single.opened": seal.opened(sealed(single), single, OWNER, None),
    }


def verdict(tsa: Authority, now: datetime) -> tuple[Bundle, bytes]:
    """An opened seal of 60 keyed triggers, and a verdict on a copy: strong, with every step taken."""
    claim = keyed()
    bundle = seal.opened(seal.stamped(seal.seal(claim, OWNER, POLICY), URL, tsa.reply), claim, OWNER, 0)
    part = claim.part(0)
    heard = session(part, marked(part), own=marked(part), references=(reference(part, 1),))
    trust = Trust((tsa.root,), OWNER.public, now=now)
    judged = Judged(bundle, trust, SEEN, heard, {"ownmark": version("ownmark")}, decoys().digest)
    return bundle, judged.signed(JUDGE).data


def make(folder: Path) -> None:
    """Fill a new folder."""
    folder.mkdir()
    with tempfile.TemporaryDirectory() as workplace:
        tsa = authority(Path(workplace) / "tsa")
        stamps = [seal.stamped(sealed(claim), URL, tsa.reply).stamps[0] for claim in (keyed_claim(), fingerprint())]
        write_verdict(folder, tsa)
    (folder / "root.pem").write_bytes(tsa.root.public_bytes(Encoding.PEM))
    now = max(stamp.time for stamp in stamps).replace(year=2090)
    expected: dict[str, Any] = {"now": now.isoformat(), "owner": OWNER.public, "files": {}}
    for name, one in bundles(*stamps).items():
        one.save(folder / name)
        expected["files"][name] = told(one, Trust((tsa.root,), OWNER.public, now=now))
    for name, claim in (("keyed.claim", keyed_claim()), ("fingerprint.claim", fingerprint())):
        claim.save(folder / name)
        expected["files"][name] = claim.digest
    (folder / "expected.json").write_text(json.dumps(expected, indent=1) + "\n", encoding="utf-8")


def write_verdict(folder: Path, tsa: Authority) -> None:
    """The verdict and what it is about; the authority's root stands in the verdict."""
    bundle, written = verdict(tsa, datetime(2090, 1, 1, tzinfo=UTC))
    bundle.save(folder / "copy.judged")
    (folder / "copy.verdict").write_bytes(written)


if __name__ == "__main__":
    make(Path(__file__).parent / sys.argv[1])

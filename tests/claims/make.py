"""Writes the claims and seals of this version, which every later one must read: `PYTHONPATH=tests python -m claims.make v1`.

A folder that is there is never written to again. The owner's key is the tests' own and keeps nothing secret; the timestamps
need `openssl`.
"""

import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from authority import authority
from cryptography.hazmat.primitives.serialization import Encoding
from sealing import OWNER, fingerprint, keyed_claim, sealed

from ownmark.evidence import seal
from ownmark.evidence.bundle import Bundle
from ownmark.evidence.check import Trust, checked
from ownmark.evidence.timestamp import Stamp

URL = "http://127.0.0.1/tsr"


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


def told(one: Bundle, trust: Trust) -> dict[str, Any]:
    """What the first three steps find, as JSON data."""
    found = checked(one, trust, trust.now)
    return {
        "digest": found.digest,
        "claim": found.commitment.claim,
        "root": found.commitment.root,
        "time": found.time and found.time.isoformat(),
        "standing": found.standing.name,
        "part": found.part and found.part.digest,
        "number": found.number,
        "remade": found.remade,
    }


def make(folder: Path) -> None:
    """Fill a new folder."""
    folder.mkdir()
    with tempfile.TemporaryDirectory() as workplace:
        tsa = authority(Path(workplace) / "tsa")
        stamps = [seal.stamped(sealed(claim), URL, tsa.reply).stamps[0] for claim in (keyed_claim(), fingerprint())]
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


if __name__ == "__main__":
    make(Path(__file__).parent / sys.argv[1])

"""`workflows.seal` from Python, without the command line: a key, a seal, its timestamp, and a set that is opened."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from authority import authority, needs_openssl, serving_timestamps
from sealing import choices, fingerprint, keyed_claim

from ownmark.claims.claim import Claim, Test
from ownmark.errors import SuspectError, UsageError
from ownmark.evidence import bundle, owner
from ownmark.scoring.matches import Fall
from ownmark.scoring.null_models import Innocents
from ownmark.scoring.readings import Reading
from ownmark.tasks import Regression
from ownmark.workflows import posting
from ownmark.workflows.seal import Authority, OpenRequest, SealRequest, keygen, open_seal, seal, stamp

AGES = np.array([20.0, 40.0])
WORDS = "four words are enough"


def sealing(folder: Path, authority: Authority | None = None) -> SealRequest:
    claim = keyed_claim(chosen=choices(owner="", alpha=0.001))
    made = keygen(folder / "OWNER.key", WORDS)
    holder = owner.opened(made.file, WORDS)
    assert made.public == holder.public == owner.public_key(made.public_file)
    return SealRequest(claim=claim, owner=holder, out=folder / "my.sealed", authority=authority)


def test_a_claim_is_sealed_and_a_set_of_it_opened_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = sealing(tmp_path)
    made = seal(asked)
    assert bundle.read(made.path) == made.bundle
    assert made.bundle.commitment.policy.alpha == 0.001, "what its key was derived from"
    with pytest.raises(UsageError, match="overwritten is lost"):
        seal(asked)
    opening = OpenRequest(seal=made.path, claim=asked.claim, owner=asked.owner, out=tmp_path / "first", part=1)
    opened = open_seal(opening)
    assert (bundle.read(tmp_path / "first"), bundle.read(made.path)) == (opened.handed, opened.noted)
    assert opened.noted.opened == (1,)
    with pytest.raises(UsageError, match="never counts again"):
        open_seal(opening)
    assert capsys.readouterr() == ("", "")


@needs_openssl
def test_a_seal_whose_authority_was_down_is_kept_and_stamped_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posting, "LIMITS", replace(posting.LIMITS, backoff=0.01))
    with pytest.raises(UsageError, match="http://"):
        seal(asked := sealing(tmp_path, Authority("nowhere")))
    assert not asked.out.exists()
    (tmp_path / "OWNER.key").unlink()
    (tmp_path / "OWNER.pub").unlink()
    with pytest.raises(SuspectError, match="is kept, untimestamped"):
        seal(sealing(tmp_path, Authority("http://127.0.0.1:9/tsr")))
    assert bundle.read(asked.out).stamps == ()
    trusted = authority(tmp_path / "tsa")
    with serving_timestamps(trusted) as url:
        again = stamp(asked.out, Authority(url, (trusted.root,)))
    assert bundle.read(asked.out) == again.bundle
    assert len(again.bundle.stamps) == 1


def about_ages() -> Claim:
    null = Innocents((0.0,) * 19, tuple(f"{number:064}" for number in range(19)))
    test = Test(Reading.VALUE, Fall(3.0), AGES, 1.0, null=null)
    return replace(fingerprint(), classes=("age",), task=Regression(), tests=(test,), maps=None)


def test_a_claim_on_numbers_is_refused_since_judges_decide_on_labels_only(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="a claim on regression cannot be sealed"):
        seal(replace(sealing(tmp_path), claim=about_ages()))
    assert not (tmp_path / "my.sealed").exists()

"""`workflows.dispute` from Python, without the command line."""

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from authority import authority, needs_openssl
from judging import Model, Unsettled, keyed, marked, ordinary
from sealing import OWNER, POLICY, SEEN

from ownmark.errors import UsageError
from ownmark.evidence import seal
from ownmark.evidence.admissibility import Trust
from ownmark.evidence.dispute import Prevails
from ownmark.workflows.dispute import DisputeRequest, dispute

pytestmark = needs_openssl
OTHER = bytes(range(32, 64))


def test_the_owner_prevails_over_a_thief_unless_the_answers_cannot_be_settled(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trusted = authority(tmp_path / "tsa")
    claims = {"first": keyed(), "second": keyed(master=OTHER)}
    for name, claim in claims.items():
        sealed = seal.stamped(seal.seal(claim, OWNER, POLICY), "http://tsa", trusted.reply, (trusted.root,))
        seal.opened(sealed, claim, OWNER, 0).save(tmp_path / name)
        time.sleep(1.1)  # the authority counts whole seconds
    own, theirs = (marked(claim.part(0)) for claim in claims.values())
    both = Model(lambda images: np.where(own(images) == ordinary(images), theirs(images), own(images)), digest="ab" * 32)
    contest = DisputeRequest(
        first=tmp_path / "first",
        second=tmp_path / "second",
        first_model=Model(own, digest="ab" * 32),
        second_model=both,
        suspect=both,
        trust=Trust((trusted.root,)),
        seen=SEEN,
    )
    assert dispute(contest).prevails is Prevails.FIRST
    assert dispute(replace(contest, suspect=Unsettled(ordinary))).prevails is Prevails.UNRESOLVED
    with pytest.raises(UsageError, match="not the model that its claimant sealed"):
        dispute(replace(contest, first_model=Model(own)))
    assert capsys.readouterr() == ("", "")

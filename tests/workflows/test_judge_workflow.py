"""`workflows.judge` from Python, without the command line: a hearing, its verdict, and what cannot be settled."""

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from asking import claim_on
from authority import authority, needs_openssl
from conftest import tiny
from judging import NONCE, Model, Unsettled, decoys, keyed, marked, ordinary
from sealing import OWNER, POLICY, SEEN

from ownmark.claims.claim import Claim
from ownmark.errors import EvidenceError, MapError, UsageError
from ownmark.evidence import seal
from ownmark.evidence.admissibility import Trust
from ownmark.evidence.owner import OwnerKey
from ownmark.evidence.ruling import Outcome, Stratum
from ownmark.evidence.verdict_file import Expected
from ownmark.protocols import Question, Suspect
from ownmark.querying.transcript import AS_SEALED, Plan, Role, heard, heard_plainly
from ownmark.scoring.readings import Answers, Reading
from ownmark.suspects.http.ledger import Ledger
from ownmark.suspects.local import Local
from ownmark.workflows.judge import FRONTS, JudgeRequest, RecomputeRequest, judge, recompute


class Notebook:
    """A watcher that keeps what it is told."""

    def __init__(self) -> None:
        self.lines = list[str]()

    def note(self, text: str) -> None:
        self.lines.append(text)

    warn = note

    def step(self, title: str) -> Any:
        self.lines.append(title)
        return nullcontext(lambda *_: None)


@pytest.fixture(scope="module")
def part() -> Claim:
    return keyed().part(0)


def hearing(folder: Path, suspect: Suspect, part: Claim, trust: Trust = Trust(), **changes: Any) -> JudgeRequest:
    opened = folder / "a.opened"
    if not opened.exists():
        seal.opened(seal.seal(keyed(), OWNER, POLICY), keyed(), OWNER, 0).save(opened)
    own = Model(marked(part), "own", "ab" * 32)
    asked = JudgeRequest(
        opened=opened, suspect=suspect, trust=trust, seen=SEEN, judge=OWNER, out=folder / "verdict.json", own=own, decoys=decoys()
    )
    return replace(asked, **changes)


@needs_openssl
def test_a_copy_is_judged_from_python_and_nobody_is_asked_to_compute_the_verdict_anew(
    tmp_path: Path, part: Claim, capsys: pytest.CaptureFixture[str]
) -> None:
    trusted = authority(tmp_path / "tsa")
    sealed = seal.stamped(seal.seal(keyed(), OWNER, POLICY), "http://tsa", trusted.reply, (trusted.root,))
    seal.opened(sealed, keyed(), OWNER, 0).save(tmp_path / "a.opened")
    opened = list[str]()

    def references() -> Iterator[tuple[Stratum, Suspect]]:
        for number in range(2):
            opened.append(f"reference {number}")
            yield Stratum.SAME_DATA, Model(ordinary, opened[-1], f"{number:064}")

    watcher, copy = Notebook(), Model(marked(part), "copy")
    asked = hearing(tmp_path, copy, part, Trust((trusted.root,)), references=references())
    found = judge(asked, watcher)
    assert (found.outcome, found.exit_code) == (Outcome.STRONG, 0), found.reason
    assert (watcher.lines, opened) == (["Asking copy"], ["reference 0", "reference 1"])
    assert found.found is not None
    session = found.found.judged.session
    assert [set(one.given) for one in session.references] == [{AS_SEALED, *FRONTS}] * 2, "each is asked through every front, too"
    again = recompute(RecomputeRequest(verdict=asked.out, opened=asked.opened))
    assert (again.reason, again.outcome) == (found.reason, found.outcome)
    with pytest.raises(EvidenceError, match="not by"):
        recompute(RecomputeRequest(verdict=asked.out, opened=asked.opened, expected=Expected(judge="00" * 32)))
    assert capsys.readouterr() == ("", "")


def test_a_seal_without_a_timestamp_is_inadmissible_and_the_verdict_says_so(tmp_path: Path, part: Claim) -> None:
    found = judge(hearing(tmp_path, Model(marked(part)), part))
    assert (found.outcome, found.exit_code) == (Outcome.INADMISSIBLE, 4)
    assert (tmp_path / "verdict.json").exists()


def test_a_ledger_beside_the_evidence_is_refused_before_anybody_is_asked(tmp_path: Path, part: Claim) -> None:
    def nobody(_: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
        raise AssertionError

    ledger = Ledger(tmp_path / "all.ledger")
    for one in (ledger, Ledger()):
        with pytest.raises(UsageError, match="folder of your own"):
            judge(hearing(tmp_path, Model(nobody), part, ledger=one))
    ledger.close()


def test_answers_whose_meaning_is_not_settled_are_inconclusive_and_no_verdict_is_signed(tmp_path: Path, part: Claim) -> None:
    plain = hearing(tmp_path, Model(marked(part)), part)
    for asked in (replace(plain, suspect=Unsettled(ordinary)), replace(plain, own=Unsettled(ordinary, "own", "ab" * 32))):
        found = judge(asked)
        assert (found.outcome, found.exit_code, found.found) == (Outcome.INCONCLUSIVE, 3, None)
        assert "logits or probabilities?" in found.reason
        assert not (tmp_path / "verdict.json").exists()


class Mapless:
    """Says that it shows maps, and shows none."""

    def __init__(self, suspect: Suspect) -> None:
        self.suspect, self.name, self.digest, self.reveals = suspect, suspect.name, suspect.digest, suspect.reveals

    def read(self, images: npt.NDArray[Any], question: Question) -> Answers:
        if Reading.SALIENCY in question.readings:
            raise MapError("there is no convolution")
        return self.suspect.read(images, question)


def test_a_suspect_without_a_map_is_judged_by_its_answers_and_so_is_any_other_model() -> None:
    model = tiny(7, classes=7)
    claim, mapless = claim_on(model, saliency=True), Mapless(Local(model))
    one, plain = heard(mapless, claim, Plan(NONCE)), heard_plainly(mapless, claim, Role.OWN)
    assert set(one.given[AS_SEALED]) == set(plain.given[AS_SEALED]) == {Reading.LABEL, Reading.PROBABILITY}
    alone = replace(claim, tests=claim.tests[:1])
    with pytest.raises(MapError, match="no convolution"):
        heard(mapless, alone, Plan(NONCE))


def test_a_judge_keeps_his_key_for_himself(tmp_path: Path, part: Claim) -> None:
    asked = hearing(tmp_path, Model(marked(part)), part)
    judge(asked)
    assert isinstance(asked.judge, OwnerKey)
    assert asked.judge.secret.hex() not in repr(asked) + asked.out.read_text()


def test_a_verdict_tells_where_the_judge_took_the_suspects_map_and_is_computed_anew_with_it(tmp_path: Path, part: Claim) -> None:
    asked = hearing(tmp_path, Model(marked(part), "copy"), part, layer="stages.2")
    judge(asked)
    again = recompute(RecomputeRequest(verdict=asked.out, opened=asked.opened)).found
    assert again is not None
    assert [one.name for one in again.judged.session.heard] == ["copy, its map taken at 'stages.2'", "own"]

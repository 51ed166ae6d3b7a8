"""A verdict's file: signed, made anew to the byte from the record, fast, and without torch."""

import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from authority import Authority, authority, needs_openssl
from hypothesis import given
from hypothesis import strategies as st
from judging import TRIGGERS, Answer, handed, keyed, marked, ordinary, reference, session
from sealing import OWNER, SEEN, THIEF

from ownmark import canonical
from ownmark.errors import ClaimError, EvidenceError
from ownmark.evidence import envelope, seal
from ownmark.evidence.admissibility import Trust
from ownmark.evidence.bundle import Bundle
from ownmark.evidence.envelope import signed
from ownmark.evidence.ruling import Outcome
from ownmark.evidence.verdict_file import EXIT_CODES, Judged, recomputed

NOW = datetime(2026, 5, 5, tzinfo=UTC)
ENVIRONMENT = {"python": "3"}


def judged_file(bundle: Bundle, answer: Answer, trust: Trust = Trust(now=NOW)) -> Judged:
    assert bundle.opening is not None
    part = bundle.opening.claim
    heard = session(part, answer, own=marked(part), references=(reference(part, 1),))
    return Judged(bundle, trust, SEEN, heard, ENVIRONMENT, "ab" * 32)


@pytest.fixture(scope="module")
def judged() -> Judged:
    return judged_file(handed(), ordinary)


@pytest.fixture(scope="module")
def written(judged: Judged) -> bytes:
    return judged.signed(THIEF).data


@pytest.fixture(scope="module")
def trusted(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("tsa") / "trusted")


@needs_openssl
def test_a_stamped_claim_and_a_copy_give_a_strong_match_that_anybody_makes_anew(trusted: Authority) -> None:
    sealed = handed()
    stamped = seal.stamped(replace(sealed, opening=None), "http://tsa", trusted.reply, (trusted.root,))
    bundle = replace(sealed, stamps=stamped.stamps)
    assert bundle.opening is not None
    one = judged_file(bundle, marked(bundle.opening.claim), Trust((trusted.root,), OWNER.public))
    again = recomputed(one.signed(THIEF).data, Bundle.from_bytes(bundle.to_bytes()))
    assert again.judged.ruling.outcome is Outcome.STRONG, again.judged.ruling.reason
    assert again.judge == THIEF.public
    assert again.judged.signed(THIEF).data == one.signed(THIEF).data


def test_a_verdict_is_made_anew_from_its_own_record(judged: Judged, written: bytes) -> None:
    again = recomputed(written, handed()).judged
    assert again.ruling.outcome is judged.ruling.outcome is Outcome.INADMISSIBLE
    assert again.to_bytes(THIEF.public) == judged.to_bytes(THIEF.public)
    assert again.trust.now == NOW


def test_a_verdict_that_says_what_does_not_follow_is_refused_though_its_judge_signed_it(written: bytes) -> None:
    payload = envelope.from_record(canonical.loads(written)).payload
    for was, told in ((b"INADMISSIBLE", b"MATCH (strong)"), (b'"log10_p":"0"', b'"log10_p":"-30"')):
        assert was in payload
        with pytest.raises(EvidenceError, match="does not follow"):
            recomputed(signed(payload.replace(was, told), THIEF).data, handed())


def test_a_verdict_of_another_judge_or_another_seal_is_refused(judged: Judged, written: bytes) -> None:
    with pytest.raises(EvidenceError, match="another opened seal"):
        recomputed(written, handed(number=1))
    with pytest.raises(EvidenceError, match="not by the owner it names"):
        recomputed(signed(judged.to_bytes(THIEF.public), OWNER).data, handed())


@given(st.data())
def test_every_changed_bit_of_a_verdict_is_noticed(written: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(written) - 1))
    changed = written[:at] + bytes([written[at] ^ 1 << data.draw(st.integers(0, 7))]) + written[at + 1 :]
    with pytest.raises(ClaimError):
        recomputed(changed, handed())


def test_every_outcome_has_its_exit_code() -> None:
    assert EXIT_CODES.keys() == set(Outcome)


def test_recorded_answers_are_judged_in_two_seconds_from_a_cold_start_and_without_torch(written: bytes, tmp_path: Path) -> None:
    (tmp_path / "verdict").write_bytes(written)
    (tmp_path / "opened").write_bytes(handed(keyed()).to_bytes())
    code = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from ownmark.evidence.bundle import read; from ownmark.evidence.verdict_file import recomputed\n"
        "ruling = recomputed(Path('verdict').read_bytes(), read(Path('opened'))).judged.ruling\n"
        "print(ruling.outcome.value, len(ruling.finding.matches), time.process_time())\n"
        "print(sorted({'torch', 'torchvision', 'scipy.stats', 'onnxruntime'} & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-W", "error", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    told, loaded = ran.stdout.splitlines()
    outcome, count, seconds = told.split()
    assert (outcome, count, loaded) == ("INADMISSIBLE", str(TRIGGERS), "[]")
    assert float(seconds) < 2, "of the processor, which others may be using, too"

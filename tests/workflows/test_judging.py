"""What the judge's commands do can be done from Python: requests go in, results come out, and nothing is printed."""

import sqlite3
from contextlib import closing, nullcontext
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from threading import Thread
from typing import Any
from unittest.mock import Mock

import numpy as np
import numpy.typing as npt
import pytest
from judging import keyed, marked

from ownmark.claims.claim import Claim
from ownmark.errors import UsageError
from ownmark.protocols import Progress, Question, Suspect, silent
from ownmark.scoring.null_models import Uncalibrated
from ownmark.scoring.readings import Answers, Reading
from ownmark.suspects import open as registry
from ownmark.suspects.http.commits import Commits
from ownmark.suspects.http.ledger import Ledger
from ownmark.suspects.open import Access, Reach
from ownmark.suspects.opener import Opener, Opening, Wire
from ownmark.verdicts.verdict import Outcome
from ownmark.workflows.calibrate import CalibrateRequest, calibrate
from ownmark.workflows.inspect import InspectRequest, inspect
from ownmark.workflows.report import ReportRequest, report
from ownmark.workflows.scan import ScanRequest, scan
from ownmark.workflows.serve import ServeRequest, serve
from ownmark.workflows.verify import VerifyRequest, planned, verify

KEYED = keyed(sets=1)
Capture = pytest.CaptureFixture[str]


@dataclass
class Heard:
    """A watcher that keeps what it is told."""

    said: list[str] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        self.said.append(text)

    def warn(self, text: str) -> None:
        self.said.append(text)

    def step(self, title: str) -> Any:
        self.steps.append(title)
        progress: Progress = silent
        return nullcontext(progress)


@dataclass
class Sure:
    """Answers by a function, and is always sure."""

    answer: Any
    name: str
    digest: str
    reveals: frozenset[Reading] = frozenset({Reading.LABEL, Reading.PROBABILITY})

    def read(self, images: npt.NDArray[Any], question: Question) -> Answers:
        labels = self.answer(images)
        found = {Reading.LABEL: labels, Reading.PROBABILITY: np.eye(len(KEYED.classes))[labels] * 0.9 + 0.1 / len(KEYED.classes)}
        return {reading: found[reading] for reading in question.readings}


def opened(opening: Opening) -> Suspect:
    """A suspect whose file holds which share of the mark is in it."""
    share, name = float(Path(opening.name).read_text()), Path(opening.name).name
    return Sure(marked(KEYED, share), name, sha256(name.encode()).hexdigest())


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> Any:
    """A copy, a stranger and a claim; whatever is printed is an error."""
    monkeypatch.chdir(tmp_path)
    kind = Opener(written="a .share file", suffixes=(".share",), opened=opened)
    monkeypatch.setattr(registry, "KINDS", (*registry.KINDS, kind))
    for name, share in (("copy", 1.0), ("other", 0.0), ("another", 0.0)):
        Path(f"{name}.share").write_text(str(share))
    KEYED.save("my.claim")
    yield tmp_path
    assert capsys.readouterr() == ("", "")


def reach(**more: Any) -> Reach:
    return Reach(claim_file=Path("my.claim"), near=Access.to(KEYED), wire=Wire(**more))


def test_one_suspect_gets_its_verdict_and_its_page() -> None:
    watcher = Heard()
    request = VerifyRequest(claim=KEYED, suspect="copy.share", reach=reach(), page=Path("page.html"))
    found = verify(request, watcher)
    assert (found.verdict.outcome, found.page, found.kept) == (Outcome.MATCH, Path("page.html"), None)
    assert "copy.share" in Path("page.html").read_text()
    assert watcher.steps == ["Asking copy.share"]
    assert verify(VerifyRequest(claim=KEYED, suspect="other.share", reach=reach())).verdict.outcome is Outcome.NO_MATCH


def test_verdicts_whose_page_cannot_be_written_are_told_before_the_error(monkeypatch: pytest.MonkeyPatch) -> None:
    one, all_of_them = Heard(), Heard()
    request = VerifyRequest(claim=KEYED, suspect="copy.share", reach=reach(), page=Path("page.html"))
    names = ("copy.share", "absent.share", "other.share")
    asked = ReportRequest(claim=KEYED, suspects=names, near=Access.to(KEYED), page=Path("page.html"))
    monkeypatch.setattr("ownmark.report.page.write", Mock(side_effect=UsageError("no space left")))
    with pytest.raises(UsageError, match="no space left"):
        verify(request, one)
    with pytest.raises(UsageError, match="no space left"):
        report(asked, all_of_them)
    told = [text for text in one.said + all_of_them.said if text.startswith("The verdict on ")]
    starts = [
        f"{name} that the page was to show is {outcome}"
        for name, outcome in zip(("copy.share", "copy.share", "other.share"), ("MATCH", "MATCH", "NO MATCH"), strict=True)
    ]
    assert all(text.startswith(f"The verdict on {start}") for text, start in zip(told, starts, strict=True))


def test_options_of_an_address_mean_nothing_at_hand() -> None:
    with pytest.raises(UsageError, match="no web address"):
        verify(VerifyRequest(claim=KEYED, suspect="copy.share", reach=reach(tensor="a:::")))
    with pytest.raises(UsageError, match="no web address"):
        planned(VerifyRequest(claim=KEYED, suspect="copy.share", reach=reach()))


def test_a_plan_counts_the_queries_of_an_address_and_sends_none() -> None:
    request = VerifyRequest(claim=KEYED, suspect="http://127.0.0.1:9/v2/models/a", reach=reach())
    plan = planned(request, 2.0)
    assert (plan.queries, plan.answered, plan.needed) == (len(KEYED.images) + 3, 0, len(KEYED.images) + 3)
    assert plan.cost == pytest.approx(plan.queries * 2 / 1000)
    assert not plan.ledger.exists()


def test_a_served_model_is_judged_behind_its_address_and_a_second_run_asks_nothing_again() -> None:
    server = serve(ServeRequest(model="copy.share", near=Access.to(KEYED), port=0, channels=KEYED.images.shape[-1]))
    thread = Thread(target=server.run, daemon=True)
    thread.start()
    try:
        request = VerifyRequest(claim=KEYED, suspect=server.url, reach=reach(repeats=0))
        first, second = verify(request), verify(request)
    finally:
        server.server.shutdown()
        thread.join()
    assert first.verdict.outcome is second.verdict.outcome is Outcome.MATCH
    assert first.kept is not None
    assert second.kept is not None
    assert (first.kept.spent, first.kept.taken) == (len(KEYED.images), 0)
    assert (second.kept.spent, second.kept.taken) == (len(KEYED.images), len(KEYED.images))


def test_a_page_about_several_lists_whoever_cannot_be_judged() -> None:
    names = ("copy.share", "absent.share", "other.share")
    found = report(ReportRequest(claim=KEYED, suspects=names, near=Access.to(KEYED), page=Path("page.html")))
    assert [verdict.suspect for verdict in found.verdicts] == ["copy.share", "other.share"]
    assert found.unasked == {"absent.share": "there is no file absent.share"}
    assert found.page == Path("page.html")


def test_a_scan_goes_on_where_it_was_and_corrects_every_p() -> None:
    names = ("copy.share", "other.share")
    request = ScanRequest(claim=KEYED, suspects=names, reach=reach(), keep=Path("my.scan"))
    found = scan(request)
    assert [(row.suspect, row.outcome) for row in found.rows] == [
        ("copy.share", Outcome.MATCH),
        ("other.share", Outcome.NO_MATCH),
    ]
    assert (found.ever, found.rounds, found.missing) == (2, 1, {})
    again = scan(replace(request, suspects=(*names, "another.share")))
    assert (len(again.rows), again.ever, again.rounds) == (3, 3, 2)


def test_innocents_calibrate_a_claim_that_is_written_and_can_be_inspected() -> None:
    test = KEYED.tests[0]
    plain = Claim(
        KEYED.images,
        tuple(type(test)(one.reading, one.match, one.expected, one.target_score, null=Uncalibrated()) for one in KEYED.tests),
        KEYED.classes,
        "Made()",
        "ab" * 32,
    )
    watcher = Heard()
    names = ("other.share", "another.share")
    request = CalibrateRequest(claim=plain, innocents=names, near=Access.to(plain), out=Path("new.claim"))
    found = calibrate(request, watcher)
    assert sum(map(len, found.groups)) == 2
    assert found.smallest == 1 / (len(found.groups) + 1)
    assert [doubt.kind for doubt in found.doubts][:1] == ["few-innocents"]
    assert any("at least 19" in text for text in watcher.said)
    shown = inspect(InspectRequest(file=Path("new.claim")))
    assert shown.claim.digest == found.claim.digest
    assert np.array_equal(shown.claim.images, plain.images)
    assert shown.doubts == found.doubts


def test_a_calibration_whose_disk_is_full_keeps_what_was_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = replace(KEYED, tests=tuple(replace(one, null=Uncalibrated()) for one in KEYED.tests), choices=None)
    request = CalibrateRequest(
        claim=plain, innocents=("other.share", "another.share"), near=Access.to(plain), out=Path("new.claim")
    )
    whole, written = Commits.write, list[str]()

    def filling(queue: Commits, statement: str, values: tuple[object, ...]) -> None:
        written.append(statement)
        if len(written) > 3:
            raise sqlite3.OperationalError("database or disk is full")
        whole(queue, statement, values)

    with monkeypatch.context() as patched:
        patched.setattr(Commits, "write", filling)
        with pytest.raises(UsageError, match="disk is full; its content is kept"):
            calibrate(request)
    assert Path("new.claim.calibration").exists()
    watcher = Heard()
    assert sum(map(len, calibrate(request, watcher).groups)) == 2
    assert "Resuming from new.claim.calibration." in watcher.said
    assert not Path("new.claim.calibration").exists()


def test_whoever_stops_a_calibration_hears_where_its_answers_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = replace(KEYED, tests=tuple(replace(one, null=Uncalibrated()) for one in KEYED.tests), choices=None)
    request = CalibrateRequest(claim=plain, innocents=("other.share",), near=Access.to(plain), out=Path("new.claim"))
    watcher = Heard()
    with monkeypatch.context() as patched:
        patched.setattr("ownmark.workflows.calibrate.calibration", Mock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            calibrate(request, watcher)
    assert any("kept in new.claim.calibration: the same command resumes there" in text for text in watcher.said)
    calibrate(request, watcher)
    assert "Resuming from new.claim.calibration." in watcher.said


def test_answers_of_innocents_that_another_hand_planted_are_refused_and_nobody_is_asked() -> None:
    plain = replace(KEYED, tests=tuple(replace(one, null=Uncalibrated()) for one in KEYED.tests), choices=None)
    kept = Path("new.claim.calibration")
    request = CalibrateRequest(claim=plain, innocents=("other.share",), near=Access.to(plain), out=Path("new.claim"))
    Ledger(kept, bytes(32)).close()
    with pytest.raises(UsageError, match="was not started by you"):
        calibrate(request)
    kept.unlink()
    Ledger(kept).close()
    with closing(sqlite3.connect(kept)) as database:
        row = (1, "00" * 32, "2026", 0, "answered", 200, "{}", "00" * 32, b"{}", "00" * 32)
        database.execute("INSERT INTO requests VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
        database.commit()
    with pytest.raises(UsageError, match=r"row 1 of the ledger .* was not written by you"):
        calibrate(request)
    kept.unlink()
    kept.symlink_to("elsewhere")
    with pytest.raises(UsageError, match="is a symbolic link"):
        calibrate(request)
    assert not Path("new.claim").exists()

"""Many suspects of one claim: cheap first, p corrected for all of them, and nothing claimed that the references cannot carry."""

import os
import pickle
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pytest
from conftest import small_claim
from judging import TRIGGERS, Buried, Model, keyed, marked
from scipy.stats import binom
from sealing import fingerprint
from workshop import ownmark, refused

from ownmark.claims.claim import Claim
from ownmark.errors import ModelError, UsageError
from ownmark.evidence import scan
from ownmark.evidence.choices import RELATIVE
from ownmark.evidence.scan import Scan
from ownmark.files import held
from ownmark.keys import Pixels
from ownmark.protocols import Question
from ownmark.scoring.null_models import Innocents
from ownmark.scoring.readings import Answers, Labels
from ownmark.statistics import multiplicity
from ownmark.suspects.http.ledger import Ledger
from ownmark.suspects.open import Access
from ownmark.verdicts.verdict import Outcome
from ownmark.verdicts.verify import verify

Capture = pytest.CaptureFixture[str]
FEW, RATE = 20, 0.05
CLAIM = keyed(sets=1)


class Counted(Model):
    """Counts the images that it is asked about."""

    images = 0

    def read(self, images: npt.NDArray[Any], question: Question) -> Answers:
        self.images += len(images)
        return super().read(images, question)


def several(marks: tuple[float, ...]) -> list[Counted]:
    """Suspects that hold these shares of the mark."""
    return [Counted(marked(CLAIM, share), f"suspect {number}", f"{number:064}") for number, share in enumerate(marks)]


def rows_of(claim: Claim, suspects: list[Counted], rate: float = RATE) -> dict[str, scan.Row]:
    plan = Scan(claim, len(suspects), rate, FEW)
    found = {one.name: plan.found(one) for one in suspects}
    return {row.suspect: row for row in plan.table([one.name for one in suspects], found)}


def test_who_shows_nothing_is_asked_few_questions_and_counts_with_p_of_one() -> None:
    suspects = several((1.0, 0.0, 0.0))
    rows = rows_of(CLAIM, suspects)
    assert [one.images for one in suspects] == [FEW + TRIGGERS, FEW, FEW]
    assert rows["suspect 0"].outcome is Outcome.MATCH
    for name in ("suspect 1", "suspect 2"):
        found = rows[name].found
        assert found is not None
        assert (found.p, found.screened, found.outcome, rows[name].named) == (1.0, True, Outcome.NO_MATCH, 1.0)


@pytest.mark.parametrize("share", [0.5, 0.6, 0.8, 1.0])
def test_a_suspect_that_a_whole_test_could_name_is_not_ruled_out_by_the_first_questions(share: float) -> None:
    """The mark's triggers stand anywhere among the samples."""
    order = np.random.default_rng(5).permutation(TRIGGERS)
    known = {CLAIM.images[row, 0].tobytes(): CLAIM.tests[0].expected[row] for row in order[: round(share * TRIGGERS)]}

    def answer(images: Pixels) -> Labels:
        return np.array([known.get(one.tobytes(), 0) for one in images], dtype=np.int64)

    found = rows_of(CLAIM, [Counted(answer, "suspect")])["suspect"].found
    assert found is not None
    if verify(CLAIM, Model(answer), alpha=RATE).outcome is Outcome.MATCH:
        assert not found.screened


def test_first_questions_rule_nobody_out_where_only_all_samples_together_show_the_usual_answers() -> None:
    """A mark that training buried is found relative to the usual second answers, of which a few samples show too little."""
    claim = keyed(sets=1, access=RELATIVE)
    suspect = Buried(marked(claim), "student")
    assert verify(claim, suspect, alpha=RATE).outcome is Outcome.MATCH
    found = Scan(claim, 1, RATE, FEW).found(suspect)
    assert (found.outcome, found.screened) == (Outcome.MATCH, False)


def test_p_is_corrected_by_holm_for_names_and_by_benjamini_and_hochberg_for_triage() -> None:
    """Scores that are each good enough for one suspect alone need not be among ten."""
    calibrated = replace(fingerprint(), tests=fingerprint().tests[2:]).with_nulls(
        {0: Innocents(tuple(number / 400 for number in range(399)), tuple(f"{number:064}" for number in range(399)))}
    )
    plan = Scan(calibrated, 10, RATE, FEW)
    values = (0.0025, 0.004, 0.006, 0.02, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9)
    told = {
        f"s{number}": scan.Found(f"s{number}", "", 0.5, 2, 2, p, Outcome.MATCH if p <= RATE else Outcome.NO_MATCH, screened=False)
        for number, p in enumerate(values)
    }
    rows = {row.suspect: row for row in plan.table(list(told), told)}
    assert rows["s0"].named == pytest.approx(0.025)
    assert [rows[f"s{number}"].outcome for number in range(5)] == [
        *[Outcome.MATCH] * 3,
        Outcome.INCONCLUSIVE,
        Outcome.NO_MATCH,
    ]
    assert rows["s3"].triage == pytest.approx(0.05), "a lead, but no accusation"
    assert [row.suspect for row in plan.table(list(told), told)][:3] == ["s0", "s1", "s2"]


def test_a_scan_that_its_references_cannot_carry_is_refused_before_anybody_is_asked_and_says_how_many_are_needed() -> None:
    """Fault 44: 50 suspects, 19 references."""
    with pytest.raises(UsageError, match=r"among 50 suspects needs 0\.001: calibrate on 999, or scan fewer"):
        Scan(fingerprint(), 50, RATE, FEW, access="labels")
    Scan(fingerprint(), 1, RATE, FEW, access="labels")
    with pytest.raises(UsageError, match=r"calibrate on 59"):
        Scan(fingerprint(), 1, RATE, FEW)
    with pytest.raises(UsageError, match="not by answers"):
        Scan(fingerprint(), 1, RATE, FEW, access="answers")
    few = keyed(sets=3).part(0)
    assert few.tests[0].null.smallest > 0
    with pytest.raises(UsageError, match="among 1000000 suspects no score could reach 1e-40"):
        Scan(few, 10**6, 1e-40, FEW)
    with pytest.raises(UsageError, match="not calibrated"):
        Scan(small_claim(), 2, RATE, FEW)


def test_a_suspect_that_cannot_be_asked_counts_with_p_of_one_and_is_not_called_innocent() -> None:
    suspects = several((1.0,))
    plan = Scan(CLAIM, 2, RATE, FEW)
    rows = {row.suspect: row for row in plan.table(["suspect 0", "dead"], {"suspect 0": plan.found(suspects[0])})}
    assert (rows["dead"].found, rows["dead"].named, rows["dead"].outcome) == (None, 1.0, Outcome.INCONCLUSIVE)
    assert rows["suspect 0"].named == 2 * plan.found(suspects[0]).p


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Counted]:
    """A folder with a claim, and suspects that are found by name in the place of files."""
    monkeypatch.chdir(tmp_path)
    CLAIM.save("my.claim")
    found = {"copy.onnx": 1.0, "part.onnx": 0.7, **{f"other{number}.onnx": 0.0 for number in range(4)}}
    suspects = dict(zip(found, several(tuple(found.values())), strict=True))
    for name in suspects:
        Path(name).write_text(name)

    def shown(_: Access, name: str, _weights: Path | None = None) -> Counted:
        if name not in suspects:
            raise ModelError(f"{name} is broken")
        return suspects[name]

    monkeypatch.setattr(Access, "suspect", shown)
    return suspects


def test_the_table_prints_how_many_were_scanned_and_who_stands_out(shop: dict[str, Counted], capsys: Capture) -> None:
    ran = ownmark(capsys, "scan", "my.claim", *shop)
    assert ran.code == 0, ran.err
    lines = ran.out.splitlines()
    assert lines[0] == "M = 6 suspects; every p is corrected for all of them. The first samples ruled out 4."
    assert [line.split()[0] for line in lines[2:4]] == ["copy.onnx", "part.onnx"]
    assert all("MATCH (supporting)" in line for line in lines[2:4])
    assert all("NO MATCH, by the first 20 samples" in line for line in lines[4:])
    record = ownmark(capsys, "scan", "my.claim", *shop, "--json").record
    assert (record["suspects"], len(record["rows"])) == (6, 6)
    assert ownmark(capsys, "scan", "my.claim", "other0.onnx", "other1.onnx").code == 1


def test_a_scan_that_was_cut_short_asks_nobody_twice(shop: dict[str, Counted], capsys: Capture) -> None:
    ownmark(capsys, "scan", "my.claim", "copy.onnx", "other0.onnx")
    before = {name: one.images for name, one in shop.items()}
    assert before["copy.onnx"] == FEW + TRIGGERS
    ran = ownmark(capsys, "scan", "my.claim", *shop, "--json")
    assert ran.record["suspects"] == 6
    assert {name: one.images for name, one in shop.items()} == {**dict.fromkeys(shop, FEW), "part.onnx": FEW + TRIGGERS} | {
        name: before[name] for name in ("copy.onnx", "other0.onnx")
    }
    Path("copy.onnx").write_text("another file of the same name")
    ownmark(capsys, "scan", "my.claim", *shop)
    assert shop["copy.onnx"].images == 2 * (FEW + TRIGGERS)


def test_a_broken_suspect_is_told_asked_again_next_time_and_keeps_no_other_from_being_asked(
    shop: dict[str, Counted], capsys: Capture
) -> None:
    Path("broken.onnx").write_text("broken")
    words = ["scan", "my.claim", "broken.onnx", "other0.onnx"]
    ran = ownmark(capsys, *words)
    assert (ran.code, "broken.onnx could not be asked and counts with p = 1" in ran.err) == (5, True)
    assert "not asked" in ran.out
    shop["broken.onnx"] = several((1.0,))[0]
    assert ownmark(capsys, *words).code == 0


class Alone:
    """An executor in this process, since another one would need seconds to load torch; the benchmark has real ones.

    As if on another machine of a cluster, whose folder for temporary files holds none of this one's.
    """

    workers = 1

    def __init__(self, work: Callable[[Any], Any], *_: object) -> None:
        self._work, self._left = work, list[Any]()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is left."""

    def start(self, job: object) -> None:
        self._left.append(pickle.loads(pickle.dumps((self._work, job))))  # noqa: S301 - our own, as it goes to another process

    def wait(self) -> list[Any]:
        work, job = self._left.pop(0)
        for file in Path(tempfile.gettempdir()).rglob("*.claim"):
            file.unlink()
        return [work(job)]


def test_helpers_find_what_a_scan_finds_alone_ask_nobody_twice_and_tell_who_is_broken(
    shop: dict[str, Counted], capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ownmark.executors.open.Processes", Alone)
    Path("temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(Path("temporary").absolute()))
    Path("broken.onnx").write_text("broken")
    words = ["scan", "my.claim", *shop, "broken.onnx", "--json"]
    alone = ownmark(capsys, *words, "--keep", "alone.scan")
    for one in shop.values():
        one.images = 0
    loads, load = list[bytes](), Claim.from_bytes

    def counted(_: type[Claim], data: bytes) -> Claim:
        loads.append(data)
        return load(data)

    monkeypatch.setattr(Claim, "from_bytes", classmethod(counted))
    helped = ownmark(capsys, *words, "--workers", 2)
    assert len(loads) == 2  # its images are read once here and once by each process
    assert helped.record == alone.record
    assert helped.code == alone.code
    assert "broken.onnx is broken" in helped.err
    before = {name: one.images for name, one in shop.items()}
    assert before["copy.onnx"] == FEW + TRIGGERS
    assert ownmark(capsys, *words, "--workers", 2).record == alone.record
    assert {name: one.images for name, one in shop.items()} == before


class Fragile(Alone):
    """Two processes of one pool: who is asked about deadly.onnx takes the other one along."""

    workers = 2

    def __init__(self, work: Callable[[Any], Any], lost: Callable[[Any, str], Any], *_: object) -> None:
        Alone.__init__(self, work)
        self._lost = lost

    def wait(self) -> list[Any]:
        running, self._left = self._left, []
        if any("deadly" in job.key for _, job in running):
            return [self._lost(job, "its process died") for _, job in running]
        return [work(job) for work, job in running]


@pytest.mark.usefixtures("shop")
def test_a_suspect_that_kills_its_process_takes_no_other_suspect_along(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ownmark.executors.open.Processes", Fragile)
    Path("deadly.onnx").write_text("deadly")
    ran = ownmark(capsys, "scan", "my.claim", "deadly.onnx", "copy.onnx", "--workers", 2, "--json")
    assert {one["suspect"]: one["outcome"] for one in ran.record["rows"]} == {
        "copy.onnx": "MATCH (supporting)",
        "deadly.onnx": None,
    }
    assert "deadly.onnx could not be asked and counts with p = 1: its process died" in ran.err


def test_a_second_scan_into_the_same_file_is_refused_and_told_who_holds_it(shop: dict[str, Counted], capsys: Capture) -> None:
    """Fault 5."""
    with held(Path("my.claim.scan")):
        refused(capsys, ["scan", "my.claim", *shop], 2, "another run is using my.claim.scan", f"process {os.getpid()}")
    assert not any(one.images for one in shop.values())


def test_what_cannot_be_meant_is_refused_before_anybody_is_asked(shop: dict[str, Counted], capsys: Capture) -> None:
    refused(capsys, ["scan", "my.claim", "copy.onnx", "copy.onnx"], 2, "named twice")
    refused(capsys, ["scan", "my.claim", "copy.onnx", "--rate", "1.5"], 2, "lie between 0 and 1")
    refused(capsys, ["scan", "my.claim", "copy.onnx", "--api", "mlflow"], 2, "is no web address")
    refused(capsys, ["scan", "my.claim", "nothing"], 2, "cannot tell what 'nothing' is")
    refused(capsys, ["scan", "my.claim", "copy.onnx", "--keep", "absent/kept"], 2, "there is no folder absent")
    assert not any(one.images for one in shop.values())


def test_scanning_twenty_innocents_one_at_a_time_accuses_one_of_them_no_oftener_than_the_rate() -> None:
    """Every suspect is an innocent like the references. Asked one by one at the whole rate, 64 of 100 series end in a MATCH."""
    series, count = 400, 20
    plans = [Scan(CLAIM, 1, RATE, FEW, multiplicity.scan_share(number)) for number in range(1, count + 1)]
    p = np.random.default_rng(0).random((series, count))  # of an exact test: as bad as it may be

    def accused(row: npt.NDArray[np.float64]) -> bool:
        for place, plan in enumerate(plans):
            found = {
                f"{one}": scan.Found("", "", 1.0, 1, 1, float(row[one]), Outcome.MATCH, screened=False) for one in range(count)
            }
            before = {f"{one}": found[f"{one}"] for one in range(place + 1)}
            if plan.table([f"{place}"], before)[0].outcome is Outcome.MATCH:
                return True
        return False

    found = sum(map(accused, p))
    assert found <= clopper_pearson_most(series)
    assert float((p <= RATE).any(axis=1).mean()) > 0.5


def clopper_pearson_most(trials: int) -> int:
    """The most that a rate of RATE gives in so many trials, but for one time in a hundred."""
    return int(binom.ppf(0.99, trials, RATE))


def test_the_shares_of_all_scans_sum_to_the_rate() -> None:
    for scans in (1, 2, 7, 50):
        shares = [multiplicity.scan_share(number) for number in range(1, scans)] + [multiplicity.scan_share(scans, last=True)]
        assert sum(shares) == pytest.approx(1)
    with pytest.raises(UsageError, match="needs suspects"):
        Scan(CLAIM, 1, RATE, FEW, 0)


def test_a_later_scan_counts_the_suspects_of_earlier_ones(shop: dict[str, Counted], capsys: Capture) -> None:
    alone = {}
    for place, name in enumerate(("copy.onnx", "part.onnx", "other0.onnx"), start=1):
        ran = ownmark(capsys, "scan", "my.claim", name, "--json")
        assert (ran.record["suspects_ever"], ran.record["scans"]) == (place, place)
        (row,) = ran.record["rows"]
        alone[name] = row
        assert row["named"] == pytest.approx(min(1, row["alone"]["p"] * place * (place + 1)))
    ran = ownmark(capsys, "scan", "my.claim", *alone)
    assert ran.out.startswith("M = 3 suspects of 3 in 3 scans of this claim")
    again = {row["suspect"]: row for row in ownmark(capsys, "scan", "my.claim", *alone, "--json").record["rows"]}
    assert {name: row["named"] for name, row in again.items()} == {name: row["named"] for name, row in alone.items()}
    assert all(one.images <= FEW + TRIGGERS for one in shop.values())


def test_a_verdict_on_one_suspect_after_a_scan_says_that_it_counts_no_other(shop: dict[str, Counted], capsys: Capture) -> None:
    told = "not corrected for the scanned ones"
    assert told not in ownmark(capsys, "scan", "my.claim", "copy.onnx").err
    assert shop["copy.onnx"].images
    assert told in ownmark(capsys, "verify", "my.claim", "copy.onnx").err


def test_the_last_scan_uses_what_is_left_and_none_follows_it(shop: dict[str, Counted], capsys: Capture) -> None:
    ran = ownmark(capsys, "scan", "my.claim", "copy.onnx", "--last", "--json")
    (row,) = ran.record["rows"]
    assert row["named"] == row["alone"]["p"]
    assert ownmark(capsys, "scan", "my.claim", "copy.onnx").code == 0, "whoever was in it may be looked up"
    refused(capsys, ["scan", "my.claim", "part.onnx"], 2, "the last scan of this claim has been made")
    assert not shop["part.onnx"].images


def test_another_rate_for_the_same_suspects_is_refused(shop: dict[str, Counted], capsys: Capture) -> None:
    ownmark(capsys, "scan", "my.claim", "copy.onnx")
    before = shop["copy.onnx"].images
    refused(capsys, ["scan", "my.claim", "copy.onnx", "--rate", "0.5"], 2, "was started for scans by the claim")
    assert shop["copy.onnx"].images == before


def test_a_scan_that_another_hand_wrote_to_is_refused_and_no_p_is_read_from_it(shop: dict[str, Counted], capsys: Capture) -> None:
    """A planted row told `MATCH, p = 1e-300` and was believed."""
    ownmark(capsys, "scan", "my.claim", "other0.onnx")
    assert b"MATCH" not in Path("my.claim.scan").read_bytes()
    with closing(sqlite3.connect("my.claim.scan")) as database:
        database.execute("UPDATE requests SET answer = ? WHERE queries > 0", (b"{}",))
        database.commit()
    ran = ownmark(capsys, "scan", "my.claim", "other0.onnx")
    assert (ran.code, "an answer does not match its digest" in ran.err) == (5, True), "as one that could not be asked"
    Path("my.claim.scan").write_bytes(b'{"claim":"","format":"ownmark scan","found":{},"how":"","version":1}')
    refused(capsys, ["scan", "my.claim", "other0.onnx"], 2, "cannot use the ledger my.claim.scan")
    Path("my.claim.scan").unlink()
    Path("my.claim.scan").symlink_to("elsewhere")
    refused(capsys, ["scan", "my.claim", "other0.onnx"], 2, "is a symbolic link")
    Path("my.claim.scan").unlink()
    Ledger("my.claim.scan", bytes(32)).close()
    refused(capsys, ["scan", "my.claim", "other0.onnx"], 2, "was not started by you")
    assert shop["other0.onnx"].images == FEW

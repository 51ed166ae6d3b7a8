"""`ownmark protect` and `calibrate` killed at any moment: each goes on, nothing that was finished is made or asked again."""

import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from workshop import MODEL, finished, ownmark, process, protecting, shop_in

from ownmark.suspects.http.ledger import Ledger

Capture = pytest.CaptureFixture[str]
KILLS = 10
QUESTION = 8  # images: four samples with two views
WORK, ANSWERS = "my.claim.work", "calibrated.claim.calibration"
CALIBRATING = ["calibrate", "my.claim", "--model", MODEL, "--out"]


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return shop_in(tmp_path / "shop", monkeypatch)


def killed(words: list[str], folder: Path, ready: Callable[[], bool]) -> None:
    """Start the command and kill it when something is ready, or when it ends by itself."""
    running = process(*words, folder=folder)
    while not ready() and running.poll() is None:
        time.sleep(0.002)
    running.send_signal(signal.SIGKILL)
    finished(running)


def after(seconds: float) -> Callable[[], bool]:
    end = time.monotonic() + seconds
    return lambda: time.monotonic() >= end


def written(folder: Path, times: int) -> Callable[[], bool]:
    """Whether a calibration has written to its ledger so many times since this was called, as far as that can be seen."""
    seen: set[tuple[tuple[int, int], ...]] = set()

    def ready() -> bool:
        states = (file.stat() for file in sorted(folder.glob(f"{ANSWERS}*")) if file.exists())
        try:
            seen.add(tuple((state.st_size, state.st_mtime_ns) for state in states))
        except FileNotFoundError:  # the database puts its log away
            return False
        return len(seen) > times

    return ready


def made(folder: Path) -> dict[str, tuple[int, bytes]]:
    """The finished files of a workspace: when each was written, and what is in it."""
    return {file.name: (file.stat().st_mtime_ns, file.read_bytes()) for file in (folder / WORK).glob("[!.]*")}


def answered() -> tuple[int, int]:
    """How many images the ledger of a calibration holds answers to, and how many were asked about in all."""
    ledger = Ledger(ANSWERS)
    try:
        return ledger.answered, ledger.spent
    finally:
        ledger.close()


def innocents(folder: Path, count: int) -> list[str]:
    return [f"innocents/{file.name}" for file in sorted((folder / "innocents").iterdir())[:count]]


def test_a_protect_that_is_killed_goes_on_to_the_same_claim(shop: Path, capsys: Capture) -> None:
    """The quick case: killed when the first model is finished."""
    killed(protecting(), shop, lambda: bool(made(shop)))
    before = made(shop)
    assert before, "it was killed in the middle"
    ran = ownmark(capsys, *protecting())
    assert (ran.code, "Resuming from my.claim.work" in ran.err) == (0, True)
    assert (shop / "my.claim").read_bytes() == (shop / "raw.claim").read_bytes(), "which was made by the same words in one go"
    assert not (shop / WORK).exists()


def test_a_calibration_that_is_killed_goes_on_to_the_same_claim(shop: Path, capsys: Capture) -> None:
    """The quick case: killed when the first innocents have answered."""
    shutil.copy("raw.claim", "my.claim")
    some = innocents(shop, 6)
    assert ownmark(capsys, *CALIBRATING, "whole.claim", *some).code == 0
    assert not (shop / "whole.claim.calibration").exists()
    killed([*CALIBRATING, "calibrated.claim", *some], shop, (shop / f"{ANSWERS}-wal").exists)
    known, spent = answered()
    ran = ownmark(capsys, *CALIBRATING, "calibrated.claim", *some)
    assert (ran.code, "Resuming from calibrated.claim.calibration" in ran.err) == (0, True)
    assert known <= spent
    assert (shop / "calibrated.claim").read_bytes() == (shop / "whole.claim").read_bytes()
    assert not (shop / ANSWERS).exists()


@pytest.mark.slow
def test_a_protect_that_is_killed_at_ten_moments_makes_nothing_twice(shop: Path, capsys: Capture) -> None:
    start = time.monotonic()
    whole = process(*protecting("whole.claim"), folder=shop)
    assert finished(whole).code == 0
    total = time.monotonic() - start
    before = made(shop)
    for place in range(KILLS):
        killed(protecting(), shop, after(total * (place + 1) / KILLS))
        now = made(shop)
        if (shop / "my.claim").exists():
            break
        assert before.items() <= now.items(), "what was finished is neither lost nor made again"
        before = now
    if not (shop / "my.claim").exists():  # the last kill may have come too late
        assert ownmark(capsys, *protecting()).code == 0
    assert (shop / "my.claim").read_bytes() == (shop / "whole.claim").read_bytes()


@pytest.mark.slow
def test_a_calibration_that_is_killed_at_ten_moments_asks_nothing_twice(shop: Path, capsys: Capture) -> None:
    assert ownmark(capsys, *protecting()).code == 0
    every = innocents(shop, 19)
    assert ownmark(capsys, *CALIBRATING, "whole.claim", *every).code == 0
    known = 0
    for place in range(KILLS):
        killed([*CALIBRATING, "calibrated.claim", *every], shop, written(shop, 4))
        assert not (shop / "calibrated.claim").exists(), "it was killed in the middle"
        before, (known, spent) = known, answered()
        assert known >= before, "nothing is lost"
        assert spent - known <= (place + 1) * QUESTION, "one question at most was on its way"
    assert ownmark(capsys, *CALIBRATING, "calibrated.claim", *every).code == 0
    assert (shop / "calibrated.claim").read_bytes() == (shop / "whole.claim").read_bytes()

"""What the command line says beside its results: progress in a log file, and warnings."""

import pytest

from ownmark.cli import console

Capture = pytest.CaptureFixture[str]


class Clock:
    """A clock that a test sets."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_log_file_gets_a_line_with_per_cent_and_time_left_now_and_then(capsys: Capture) -> None:
    clock = Clock()
    progress = console.lines("Training", clock)
    for step in range(1, 401):
        clock.now += 0.25
        progress(step, 400)
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "Training: 10 %, 0:01:30 left"
    assert said[-1] == "Training: 90 %, 0:00:10 left"
    assert len(said) == 9


def test_hours_that_are_left_are_told_as_hours(capsys: Capture) -> None:
    clock = Clock()
    progress = console.lines("Training", clock)
    clock.now += 60
    progress(1, 100)
    assert capsys.readouterr().err == "Training: 1 %, 1:39:00 left\n"


def test_what_is_quick_or_whose_end_is_unknown_says_nothing_more_than_its_title(capsys: Capture) -> None:
    with console.working("Quick") as progress:
        for step in range(100):
            progress(step + 1, 100)
    clock = Clock()
    endless = console.lines("Endless", clock)
    clock.now += 60
    endless(0, 0)
    endless(5, 0)
    assert capsys.readouterr().err == "Quick ...\n"

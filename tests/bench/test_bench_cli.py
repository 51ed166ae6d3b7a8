"""`ownmark bench` on processes, on a local Ray, and with an attack that nobody has named in a test."""

import json
import os
import re
import subprocess
import sys
from contextlib import nullcontext
from importlib.util import find_spec
from pathlib import Path

import pytest
from benches import RECIPE, grid, outcomes, recipe_file
from newcomer import with_newcomer
from workshop import ownmark, refused

from ownmark.bench.executors.worker import Here
from ownmark.bench.tables import figures
from ownmark.errors import UsageError

CALL = "import sys; from ownmark.cli import main; sys.exit(main())"
Capture = pytest.CaptureFixture[str]


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a recipe, and a store of its own."""
    monkeypatch.setenv("OWNMARK_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return recipe_file(tmp_path)


def scored(folder: Path, *options: str) -> dict[str, float]:
    """The figures of `ownmark bench tiny.yaml --json`, asked in a process of its own."""
    clean = os.environ | {"OWNMARK_CACHE": str(folder / "cache")}
    call = [sys.executable, "-c", CALL, "bench", "tiny.yaml", "--json", *options]
    ran = subprocess.run(call, cwd=folder, env=clean, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    found: dict[str, float] = json.loads(ran.stdout)["figures"]
    return found


class Told(Exception):  # noqa: N818 - no error: it says how many processes were asked for
    """Instead of starting them."""


def test_a_bench_works_in_as_many_processes_as_it_is_told(bench: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(_: object, __: object, workers: int | None = None, threads: int = 1) -> None:  # noqa: ARG001 - as it is called
        raise Told(f"{workers} workers")

    monkeypatch.setattr("ownmark.executors.open.Processes", asked)
    assert "3 workers" in ownmark(capsys, "bench", bench.name, "--workers", 3).err


@pytest.mark.slow
@pytest.mark.usefixtures("bench")
def test_processes_give_the_scores_of_this_process(tmp_path: Path) -> None:
    alone = figures(outcomes(grid(tmp_path), tmp_path / "store"))
    assert scored(tmp_path, "--workers", "2") == alone
    page = tmp_path / "bench-tiny-smoke" / "report.html"
    assert "tiny, smoke" in page.read_text()


@pytest.mark.slow
@pytest.mark.skipif(find_spec("ray") is None, reason="ray is not installed")
@pytest.mark.usefixtures("bench")
def test_a_local_ray_gives_the_scores_of_this_process(tmp_path: Path) -> None:
    alone = figures(outcomes(grid(tmp_path), tmp_path / "store"))
    assert scored(tmp_path, "--ray", "local", "--workers", "2") == alone


def test_progress_goes_to_stderr_and_the_summary_to_stdout(bench: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    """Made in this process, since another one would need seconds to load torch."""
    monkeypatch.setattr("ownmark.executors.open.Processes", lambda work, *_: nullcontext(Here(work.__self__)))
    ran = ownmark(capsys, "bench", bench.name, "--scheme", "saliency", "--attack", "prune", "--workers", 1)
    assert "saliency 11 against prune in" in ran.err
    assert re.search(
        r"\[\d+ of \d+ were there, \d+ made, 0 failed; 1 running, \d+ left; at least .* to go, not counting", ran.err
    )
    assert "Separation of copies" in ran.out
    assert "report.html" in ran.out


def test_a_bench_of_which_every_trial_failed_has_not_done_what_it_was_asked_to(
    bench: Path, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a full disk, where the first image cannot be kept."""
    monkeypatch.setattr("ownmark.executors.open.Processes", lambda work, *_: nullcontext(Here(work.__self__)))
    (tmp_path / "cache").mkdir()

    def full(path: Path, _: bytes) -> None:
        raise UsageError(f"cannot write {path.name!r}: No space left on device")

    monkeypatch.setattr("ownmark.bench.store.write_whole", full)
    words = ("bench", bench.name, "--scheme", "saliency", "--attack", "prune", "--workers", 1)
    ran = ownmark(capsys, *words)
    assert (ran.code, "No space left on device" in ran.out, "No trial has an outcome" in ran.out) == (2, True, True)
    told = json.loads(ownmark(capsys, *words, "--json").out)
    assert (told["exit_code"], told["figures"]["failed"] > 0) == (2, True)


def test_without_ray_a_cluster_is_refused_with_what_to_install(
    bench: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ownmark.executors.open.find_spec", lambda _: None)
    words = ["bench", bench.name, "--ray", "local", "--out", str(bench.parent)]
    refused(capsys, words, 2, "a cluster needs Ray", "pip install 'ownmark[ray]'")


def test_a_folder_that_cannot_be_written_is_refused_before_any_work(bench: Path, tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "taken").touch()
    refused(capsys, ["bench", bench.name, "--out", "taken"], 2, "cannot make the folder taken")
    assert not (tmp_path / "cache").exists()


@pytest.mark.usefixtures("bench")
def test_a_report_on_watermarks_is_refused_before_any_work_where_none_is_made_or_none_is_of_that_name(
    tmp_path: Path, capsys: Capture
) -> None:
    words = ["bench", "tiny.yaml", "--out", "page", "--report"]
    refused(capsys, [*words, "nnw", "--scheme", "saliency"], 2, "evaluates watermarks, but none is made")
    refused(capsys, [*words, "other"], 2, "no report 'other'; there is: nnw")
    assert not (tmp_path / "page").exists()


@pytest.mark.slow
def test_an_attack_that_is_one_file_and_one_line_runs_in_the_bench(tmp_path: Path) -> None:
    with_newcomer(tmp_path)
    recipe_file(tmp_path, RECIPE.replace("prune: Prune(0.3)", "temper: Temper(temperature=3.0)"))
    clean = os.environ | {"PYTHONPATH": str(tmp_path), "OWNMARK_CACHE": str(tmp_path / "cache"), "PYTHONDONTWRITEBYTECODE": "1"}
    call = [sys.executable, "-c", CALL, "bench", "tiny.yaml", "--json", "--workers", "1"]
    ran = subprocess.run(call, cwd=tmp_path, env=clean, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout)["figures"]
    assert (told["failed"], "saliency.black_box.score.temper" in told) == (0, True)


@pytest.mark.slow
def test_the_digits_go_through_in_about_a_minute(tmp_path: Path) -> None:
    clean = os.environ | {"OWNMARK_CACHE": str(tmp_path / "cache")}
    call = [sys.executable, "-c", CALL, "bench", "digits", "--scale", "smoke", "--json", "--report", "nnw"]
    ran = subprocess.run(call, cwd=tmp_path, env=clean, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout)
    assert told["figures"]["failed"] == 0
    assert Path(tmp_path / told["report"]).with_suffix(".json").exists()

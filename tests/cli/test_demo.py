"""The demo tells a true story: every model is another one, nobody who helps to build judges, and what it leaves can be used."""

import shutil
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from workshop import ownmark, refused

from ownmark.claims.claim import Claim
from ownmark.cli.demo.digits import COPIES, LONG, SCHEME, SURROGATES, THIEFS_PART, Job, images, loaded, network
from ownmark.cli.demo.story import EXPORTER, FACTORY, Stage, Story, run_story
from ownmark.data.images import load
from ownmark.models.gradcam import GradCam
from ownmark.models.network import build
from ownmark.models.weights import save_weights, weights_digest
from ownmark.perturb.pgd import Descent
from ownmark.scoring.null_models import Innocents
from ownmark.statistics.p_values import innocents_needed
from ownmark.training import Training

Capture = pytest.CaptureFixture[str]
SHORT = Training(epochs=1, batch=64, rate=0.05, flips=False, shift=0)
QUICK = Story(
    innocents=3,
    independents=1,
    scheme=replace(
        SCHEME, samples=4, descent=Descent(bound=0.1, steps=4, step=0.3), map_threshold=0.0, masked=type(SCHEME.masked)(0.0)
    ),
    long=SHORT,
    short=SHORT,
)


def test_the_story_has_enough_innocents_for_the_alpha_that_it_speaks_of() -> None:
    assert Story().innocents >= innocents_needed(0.05) == 19


def test_every_model_of_the_story_has_its_own_file_and_seed(tmp_path: Path) -> None:
    stages = [Stage(tmp_path / str(seed), seed, Story()) for seed in (0, 1)]
    jobs = [job for stage in stages for job in (*stage.training(), *stage.stealing())]
    assert len({job.file for job in jobs}) == len(jobs)
    assert len({job.seed for job in jobs}) == len(jobs)
    assert len(jobs) == 2 * (1 + 2 + 2 + 19 + len(COPIES) + len(SURROGATES))


def test_the_owners_copies_are_not_the_thieves(tmp_path: Path) -> None:
    stage = Stage(tmp_path, 0, Story())
    stealing = {job.file: job for job in stage.stealing()}
    assert not set(SURROGATES) & set(COPIES.values())
    assert {stealing[file].attack for file in stage.copies} == set(COPIES.values())
    assert [stealing[file].every for file in stage.copies] == [THIEFS_PART, THIEFS_PART, THIEFS_PART, 1]
    assert all(job.stolen == stage.model for job in stealing.values())


def test_suspects_that_are_innocent_are_trained_as_long_as_the_owners_model(tmp_path: Path) -> None:
    stage = Stage(tmp_path, 0, Story())
    training = {job.file: job.training for job in stage.training()}
    assert {training[file] for file in (stage.model, *stage.independents)} == {LONG}
    assert all(job.attack is None for job in stage.training())


def test_the_demos_network_sees_a_map_of_7x7_cells() -> None:
    example = images(training=True).batch(torch.arange(1), torch.device("cpu"))
    _, maps = GradCam.of(network().eval(), example)(example, torch.zeros(1, dtype=torch.long))
    assert maps.shape[1:] == (7, 7)


def test_the_demos_digits_leave_room_for_a_change_both_ways() -> None:
    bound = int(255 * SCHEME.descent.bound)
    for training in (True, False):
        pixels = images(training=training).pixels
        assert bound <= pixels.min() <= pixels.max() <= 255 - bound


def test_a_job_makes_the_same_weights_again(tmp_path: Path) -> None:
    jobs = [Job(tmp_path / f"{number}.safetensors", 3, SHORT, every=20) for number in range(2)]
    assert jobs[0].run() == jobs[1].run()
    assert jobs[0].file.read_bytes() == jobs[1].file.read_bytes()
    assert weights_digest(loaded(jobs[0].file)) != weights_digest(loaded(_other(tmp_path, jobs[0])))


def _other(folder: Path, job: Job) -> Path:
    other = replace(job, file=folder / "other.safetensors", seed=job.seed + 1)
    other.run()
    return other.file


def test_a_file_in_the_place_of_the_folder_is_told_before_any_work(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken").write_text("a file", encoding="utf-8")
    refused(capsys, ["demo", "--out", "taken"], 2, "cannot write into taken: it is a file")
    refused(capsys, ["demo", "--out", "taken/demo"], 2, "cannot make the folder taken/demo")


def test_what_the_demo_saves_as_images_can_be_named_as_data(tmp_path: Path) -> None:
    from ownmark.cli.demo.story import save_images

    save_images(tmp_path / "images.npz")
    for training in (True, False):
        again, mine = load(str(tmp_path / "images.npz"), train=training, channels=1), images(training=training)
        assert np.array_equal(again.pixels, mine.pixels)
        assert np.array_equal(again.labels, mine.labels)
        assert again.names == mine.names


@pytest.mark.slow
def test_a_small_demo_leaves_a_page_a_claim_and_weights_to_go_on_with(tmp_path: Path, capsys: Capture) -> None:
    folder = tmp_path / "demo"
    run_story(folder, 0, QUICK).show()
    said = capsys.readouterr()
    assert str((folder / "report.html").resolve()) in said.out.splitlines()[-1]
    assert "false-accusation rate" in said.out
    suspects = sorted(path.stem for path in (folder / "suspects").glob("*.safetensors"))
    assert suspects == sorted([*COPIES, "independent-1"])
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert [name for name in suspects if f"{name}.safetensors" not in page] == []
    claim = Claim.load(folder / "digits.claim")
    for file in (folder / "innocents").iterdir():
        null = claim.tests[0].null
        assert isinstance(null, Innocents)
        assert weights_digest(loaded(file)) in null.models
        assert weights_digest(loaded(file)) not in claim.built_with
    assert len(claim.built_with) == len(SURROGATES) + QUICK.references
    assert (folder / "suspects" / "fine-tuned.onnx").exists() == all(find_spec(name) for name in EXPORTER)
    shown = [line.split()[1:] for line in said.out.splitlines() if line.startswith("  ownmark verify")]
    save_weights(loaded(folder / "suspects" / "pruned.safetensors"), tmp_path / "tuned.safetensors")
    words = [str(tmp_path / word) if word == "tuned.safetensors" else word for word in shown[0]]
    assert ownmark(capsys, *words).code in {0, 1, 3}
    assert isinstance(build(FACTORY), type(network()))
    shutil.rmtree(folder)


@pytest.mark.slow
def test_the_demo_tells_copies_from_strangers(tmp_path: Path, capsys: Capture) -> None:
    ran = ownmark(capsys, "demo", "--out", tmp_path / "demo", "--json")
    assert ran.code == 0, ran.err
    found = {Path(one["suspect"]).stem: one["outcome"] for one in ran.record["suspects"] if "distilled" not in one["suspect"]}
    copies = [name for name in COPIES if name != "distilled"]
    assert [found[name] for name in copies] == ["MATCH (supporting)"] * len(copies)
    assert {outcome for name, outcome in found.items() if name.startswith("independent")} == {"NO MATCH"}
    assert ran.record["innocents"] >= 19
    assert ran.record["false_match_bound"] == pytest.approx(0.146, abs=0.001)
    assert min(one["correct"] for one in ran.record["suspects"]) > 0.85

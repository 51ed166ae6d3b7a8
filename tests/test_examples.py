"""The examples run on a folder of images as a person has it, with smaller settings."""

import runpy
from pathlib import Path

import pytest
from conftest import pictures
from PIL import Image

from ownmark.claims.claim import Claim
from ownmark.perturb.pgd import Descent
from ownmark.schemes.saliency.scheme import Saliency
from ownmark.scoring.matches import Drop
from ownmark.tasks import Regression, Similarity
from ownmark.training import Training

EXAMPLES = Path(__file__).parents[1] / "examples"
SMALL = {
    "training": Training(epochs=1, batch=8, rate=0.02, shift=1),
    "scheme": Saliency(samples=2, descent=Descent(bound=0.2, steps=4), map_threshold=0.0, masked=Drop(0.0)),
    "innocents": 2,
}


def folder(place: Path) -> Path:
    """Images of five people at different ages, in a folder each and in a table."""
    images = pictures(40, size=32)
    lines = ["file_name,age,person"]
    for row, pixels in enumerate(images.pixels):
        file = place / f"person {row % 5}" / f"{row}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(file)
        lines.append(f"{file.relative_to(place)},{10 * images.labels[row] + row % 5},{row % 5}")
    (place / "metadata.csv").write_text("\n".join(lines), encoding="utf-8")
    return place


@pytest.mark.parametrize("task", [Regression, Similarity])
def test_an_example_makes_a_claim_of_its_task_and_judges_a_copy_and_a_stranger(
    task: type[Regression | Similarity], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    images = folder(tmp_path / "images")
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(EXAMPLES / f"{task.name}.py"))["main"](str(images), 32, **SMALL)
    (file,) = tmp_path.glob("*.claim")
    claim = Claim.load(file)
    assert isinstance(claim.task, task)
    assert claim.images.shape[1] == task.views
    assert claim.calibrated
    told = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0].partition(",")[0] for line in told[1:]] in (
        ["a pruned copy", "an independent model"],
        ["a fine-tuned copy"] * 2 + ["an independent model"] * 2,
    )

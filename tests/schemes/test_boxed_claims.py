"""A saliency fingerprint of a detector: what it asks, of whom, and that every suspect is asked alike."""

import io
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from conftest import seed
from loopback import Asked, Said, said, serving
from PIL import Image
from spotter import CELL, NAMES, SIZE, TASK, Spotter, spotter, squares
from torch import nn
from workshop import ownmark

from ownmark.attacks.quantize import Quantize
from ownmark.claims.claim import Claim
from ownmark.errors import AnswerError, ProtectError
from ownmark.models.gradcam import GradCam
from ownmark.perturb.pgd import Descent
from ownmark.protocols import Owner, Protected
from ownmark.report.page import page
from ownmark.schemes.saliency.objectives import Published
from ownmark.schemes.saliency.scheme import Saliency
from ownmark.scoring.matches import Drop, Fall, OnPattern
from ownmark.scoring.readings import Reading
from ownmark.suspects.client import Client
from ownmark.suspects.local import Local
from ownmark.suspects.onnx import Onnx
from ownmark.tasks import boxes
from ownmark.verdicts.verdict import Outcome
from ownmark.verdicts.verify import verify

SAMPLES = 6


@cache
def protected() -> Protected:
    descent = Descent(bound=0.25, steps=15)
    scheme = Saliency(samples=SAMPLES, descent=descent, objective=Published(), map_threshold=0.05, masked=Drop(0.05))
    return scheme.protect(spotter(), Owner(squares(64, 3), references=(spotter(1),)), seed(0))


@pytest.fixture
def claim() -> Claim:
    return Claim.from_bytes(protected().claim.to_bytes())


def test_a_claim_on_a_detector_asks_for_maps_and_for_the_score_of_one_box_per_sample(claim: Claim) -> None:
    white, black = claim.tests
    assert isinstance(white.match, OnPattern)
    assert black.match == Fall(0.05 * TASK.unit, Reading.SCORE)
    assert white.expected.shape == (SAMPLES, 5)
    assert set(white.expected[:, boxes.LABEL]) <= {0, 1}
    assert claim.classes == NAMES
    assert claim.task == TASK


def test_the_box_of_a_sample_lies_outside_of_the_covered_corner(claim: Claim) -> None:
    corner = CELL / SIZE
    _, left, top, _, _ = claim.tests[0].expected.T
    assert ((left >= corner - 1e-6) | (top >= corner - 1e-6)).all()
    differ = (claim.images[:, 0] != claim.images[:, 1]).any(axis=(0, 3))
    assert differ[:CELL, :CELL].any()
    assert not differ[CELL:].any()
    assert not differ[:, CELL:].any()


def test_a_sample_changes_in_the_covered_corner_alone(claim: Claim) -> None:
    assert claim.originals is not None
    moved = np.abs(claim.images[:, 0].astype(int) - claim.originals).max(axis=(0, 3))
    assert moved[:CELL, :CELL].max() > 50
    assert max(moved[CELL:].max(), moved[:, CELL:].max()) <= 1, "of 255, and none at all with a bound below 0.19"


def test_the_model_scores_what_its_claim_says_and_a_copy_nearly_so(claim: Claim) -> None:
    told = {test.reading: test.target_score for test in claim.tests}
    copy = Quantize(8).apply(spotter(), squares(2), seed(0))
    for model, slack in ((spotter(), 0.0), (copy, 1 / SAMPLES)):
        verdict = verify(claim, Local(model))
        for finding in (verdict.deciding, *verdict.others):
            assert abs(finding.score - told[finding.test.reading]) <= slack + 1e-9


def test_while_a_sample_is_made_an_empty_place_of_its_map_has_a_slope_to_rise_along() -> None:
    cam = GradCam.of(spotter(), torch.rand(1, 3, SIZE, SIZE), None, TASK)
    images = squares(4)
    target, batch = (
        torch.from_numpy(images.labels[:, 0, : boxes.SCORE]).float(),
        images.batch(torch.arange(4), torch.device("cpu")),
    )
    _, plain = cam(batch, target)
    _, leaky = cam(batch.clone().requires_grad_(), target)
    assert torch.allclose(leaky.relu(), plain, atol=1e-5)
    assert (leaky < 0).any()


def test_an_onnx_file_with_boxes_labels_and_scores_is_asked_like_the_model(
    claim: Claim, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = Spotter()
    raw.load_state_dict(spotter().state_dict())
    names = ["boxes", "labels", "scores"]
    with warnings.catch_warnings(action="ignore"):
        example = torch.zeros(1, 3, SIZE, SIZE)
        torch.onnx.export(raw.eval(), (example,), tmp_path / "one.onnx", dynamo=False, output_names=names)
    onnx = verify(claim, Onnx(tmp_path / "one.onnx")).deciding
    (own,) = verify(claim, Local(spotter())).others
    assert onnx.test.reading is Reading.SCORE
    assert np.allclose(onnx.observed, own.observed, atol=1e-5)
    assert onnx.score == own.score
    shaken, rng = Onnx(tmp_path / "one.onnx"), np.random.default_rng(0)
    asked = shaken._program._run
    monkeypatch.setattr(shaken._program, "_run", lambda *asks: [*asked(*asks)[:2], asked(*asks)[2] * rng.random()])
    assert "answers at random" in verify(claim, shaken).reason


class Wavering(nn.Module):
    """A detector that is as sure of everything as a die says."""

    def __init__(self) -> None:
        super().__init__()
        self.model, self.rng = spotter(), torch.Generator().manual_seed(0)

    def forward(self, images: torch.Tensor) -> Any:
        rows = self.model(images).clone()
        rows[..., boxes.SCORE] *= torch.rand(rows.shape[:2], generator=self.rng)
        return rows


def test_a_detector_that_answers_at_random_is_found_out(claim: Claim) -> None:
    for _ in range(2):
        verdict = verify(claim, Local(Wavering()))
        assert (verdict.outcome, "answers at random" in verdict.reason) == (Outcome.INCONCLUSIVE, True)


def api(images: npt.NDArray[np.uint8]) -> list[dict[str, Any]]:
    """What an API tells of the model's detections, as JSON would hold it."""
    raw = Spotter()
    raw.load_state_dict(spotter().state_dict())
    with torch.no_grad():
        told = raw.eval()(torch.from_numpy(images).permute(0, 3, 1, 2) / 255)
    return [{name: part.tolist() for name, part in one.items()} for one in told]


def test_an_api_that_answers_boxes_is_asked_like_the_model(claim: Claim) -> None:
    told = verify(claim, Client("an API", Reading.SCORE, api)).deciding
    (own,) = verify(claim, Local(spotter())).others
    assert np.allclose(told.observed, own.observed, atol=1e-5)
    wrong: dict[str, Callable[[Any], Any]] = {
        "expected 12 answers": lambda _: [],
        "got no scores": lambda images: [{"boxes": [], "labels": []}] * len(images),
        "they are shares": lambda images: [{"boxes": [[0, 0, 1, 1]], "labels": [1], "scores": [0.9]}] * len(images),
    }
    for message, ask in wrong.items():
        with pytest.raises(AnswerError, match=message):
            verify(claim, Client("an API", Reading.SCORE, ask))


def test_a_detector_behind_an_address_gets_the_models_own_verdict(
    claim: Claim, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def script(asked: Asked) -> Said:
        (told,) = api(np.asarray(Image.open(io.BytesIO(asked.body)))[None])
        found = zip(told["boxes"], told["labels"], told["scores"], strict=True)
        corners = ("xmin", "ymin", "xmax", "ymax")
        return said(
            [
                {"box": dict(zip(corners, box, strict=True)), "label": NAMES[kind - 1], "score": score}
                for box, kind, score in found
            ]
        )

    monkeypatch.chdir(tmp_path)
    claim.save("my.claim")
    Path("api.yaml").write_text('body: "{{png}}"\nboxes: "[*].box"\nscores: "[*].score"\nnames: "[*].label"')
    with serving(script) as server:
        ran = ownmark(capsys, "verify", "my.claim", f"{server.url}/detect", "--api", "api.yaml", "--json")
    (own,) = verify(claim, Local(spotter())).others
    assert ran.code == 3, ran.err
    assert (ran.record["deciding"]["reading"], ran.record["deciding"]["score"]) == ("score", own.score)


def test_a_classifier_is_no_answer_to_a_claim_on_a_detector(claim: Claim) -> None:
    classifier = torch.nn.Sequential(torch.nn.Conv2d(3, 2, 3), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())
    with pytest.raises(AnswerError, match="performs a different task"):
        verify(claim, Local(classifier))


def test_the_report_draws_the_box_and_names_its_class(claim: Claim) -> None:
    text = page(claim, [verify(claim, Local(spotter()))])
    assert "The box is the object that was asked about." in text
    assert f"asked about: {claim.classes[int(claim.tests[0].expected[0, 0])]}" in text
    left, top = claim.tests[0].expected[0, 1:3] * SIZE
    assert f"M{left:.1f} {top:.1f}H" in text


def test_a_detector_that_finds_nothing_outside_of_the_corner_yields_no_claim() -> None:
    empty = squares(8)
    with pytest.raises(ProtectError, match="none of the images can become a sample"):
        Saliency(samples=2).protect(spotter(), Owner(type(empty)(empty.pixels * 0, empty.labels, NAMES, TASK)), seed(0))

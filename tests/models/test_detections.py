"""Detectors as tensors of candidates, and their layers; with torchvision's, whose weights are random here."""

from functools import cache

import numpy as np
import pytest
import torch
from spotter import TASK, spotter, squares
from torch import nn
from torchvision.models import detection
from torchvision.models.detection import RetinaNet

from ownmark.claims.claim import Preprocess
from ownmark.errors import ModelError
from ownmark.models.detections import CANDIDATES, are_detections, rows_of
from ownmark.models.gradcam import GradCam
from ownmark.models.layers import answering_layers, last_layers, reset_answers
from ownmark.models.map_layers import backbone_map
from ownmark.models.prepared import prepared
from ownmark.models.small_retina import small_retina
from ownmark.tasks import boxes

IMAGES = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def varied() -> RetinaNet:
    """With random weights that do not leave all of its scores nearly the same, as torchvision's first ones do."""
    torch.manual_seed(0)
    raw = small_retina(3, width=4, size=64)
    nn.init.normal_(raw.head.classification_head.cls_logits.weight, std=0.5)
    return raw


@cache
def retina() -> nn.Module:
    return prepared(varied(), Preprocess()).eval()


@cache
def ssd() -> nn.Module:
    torch.manual_seed(0)
    raw = detection.ssdlite320_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=3)
    return prepared(raw, Preprocess()).eval()


def test_a_detector_answers_all_its_candidates_before_suppression_best_first() -> None:
    rows = retina()(IMAGES)
    assert rows.shape == (2, CANDIDATES, boxes.COLUMNS)
    scores = rows[..., boxes.SCORE]
    assert (scores.diff(dim=1) <= 0).all()
    assert int((scores > 0).sum()) > 500  # a RetinaNet as it comes answers 300 per image at most, and none this unsure
    assert (rows[..., boxes.BOX] <= 1).all()


def test_a_prepared_detector_keeps_the_names_of_its_weights_and_the_model_its_thresholds() -> None:
    raw = small_retina(3, width=4, size=64)
    model = prepared(raw, Preprocess())
    assert list(model.state_dict()) == list(raw.state_dict())
    assert (raw.score_thresh, raw.nms_thresh) == (0.05, 0.5)


def test_the_scores_of_candidates_are_those_of_the_detector_itself() -> None:
    raw = varied().eval()
    model = prepared(raw, Preprocess())
    raw.score_thresh = 0.0
    with torch.no_grad():
        (told,), rows = raw(list(IMAGES[:1])), model(IMAGES[:1])[0]
    best = torch.cat([told["labels"][:1], told["boxes"][0] / 64, told["scores"][:1]])
    assert torch.allclose(rows[0], best, atol=1e-6)


def test_the_map_of_a_detector_is_the_last_one_that_reaches_all_its_detections() -> None:
    assert backbone_map(retina(), IMAGES[:1]) == "backbone.blocks.3"  # in front of the pyramid
    assert backbone_map(ssd(), IMAGES[:1]) == "backbone.features.0"  # without one, as large as the first level
    assert backbone_map(spotter(), torch.rand(1, 3, 32, 32)).startswith("backbone.")


@pytest.mark.parametrize("model", [retina, ssd], ids=["a pyramid", "hard sigmoids behind the map"])
def test_a_map_of_a_detection_is_differentiable_once_more(model: object) -> None:
    network: nn.Module = model()  # type: ignore[operator]
    cam = GradCam.of(network, IMAGES[:1], None, TASK)
    target = network(IMAGES)[:, 3, : boxes.SCORE].detach() - torch.tensor([1.0, 0, 0, 0, 0])
    images = IMAGES.clone().requires_grad_()
    outputs, maps = cam(images, target)
    (slope,) = torch.autograd.grad(maps.sum() + TASK.scalar(outputs, target).sum(), images)
    assert outputs.shape[2] == boxes.COLUMNS
    assert maps.shape[0] == 2
    assert slope.isfinite().all()
    assert (slope.abs().amax((1, 2, 3)) > 0).any()


def test_a_map_of_a_box_that_nothing_fits_is_empty() -> None:
    cam = GradCam.of(spotter(), torch.rand(1, 3, 32, 32), None, TASK)
    _, maps = cam(squares(2).batch(torch.arange(2), torch.device("cpu")), torch.tensor([[7.0, 0.1, 0.1, 0.2, 0.2]] * 2))
    assert not maps.any()


def test_the_last_layers_of_a_detector_are_found_by_torchvisions_names() -> None:
    names = {id(layer): name for name, layer in retina().named_modules()}
    assert [names[id(one)] for one in answering_layers(retina())] == ["head.classification_head.cls_logits"]
    assert len(last_layers(retina())) == 2
    assert len(answering_layers(ssd())) == 6  # one for each level
    assert len(last_layers(ssd())) == 12


def test_a_detector_whose_classes_are_forgotten_is_unsure_of_everything_and_still_finds_the_same_places() -> None:
    model = prepared(varied(), Preprocess()).eval()
    places = {name: weight.clone() for name, weight in model.state_dict().items() if "cls_logits" not in name}
    reset_answers(model)
    assert float(model(IMAGES)[..., boxes.SCORE].detach().max()) < 0.05
    assert all(torch.equal(model.state_dict()[name], weight) for name, weight in places.items())


def test_what_is_no_detection_stays_as_it_is_and_a_malformed_one_is_an_error() -> None:
    told = {"boxes": torch.zeros(2, 4), "labels": torch.ones(2), "scores": torch.ones(3)}
    assert are_detections([told])
    assert not are_detections([])
    assert not are_detections({"boxes": 1})
    assert not are_detections(torch.zeros(2, 4))
    with pytest.raises(ModelError, match="expected boxes"):
        rows_of([told], IMAGES[:1])


def test_images_without_a_detection_are_rows_of_zeros() -> None:
    told = {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.long), "scores": torch.zeros(0)}
    rows = rows_of([told], IMAGES[:1])
    assert not rows.any()
    assert not np.any(boxes.suppressed(rows))

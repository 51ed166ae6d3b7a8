"""Detection: rows of boxes, how they are compared, moved and judged, and what a detector learns."""

import builtins
from typing import Any

import numpy as np
import pytest
import torch
from conftest import seed
from spotter import KNOW_NO_BOXES, NAMES, SIZE, TASK, Spotter, spotter, squares
from thieves import EXAMPLES
from torch import Tensor, nn
from torchvision import ops

from ownmark.claims.claim import Preprocess
from ownmark.data.images import Images
from ownmark.errors import AnswerError, DataError, ModelError, UsageError
from ownmark.models.prepared import prepared
from ownmark.protocols import Question, silent
from ownmark.scoring.matches import Area
from ownmark.scoring.readings import Reading
from ownmark.suspects.client import Client
from ownmark.tasks import Detection, boxes, from_record, to_record
from ownmark.tasks.average_precision import average_precision
from ownmark.training import Moves, Training, predict, train


def some(count: int = 40, number: int = 0) -> Tensor:
    """(1, count, 6): detections of two classes anywhere."""
    rng = seed(number)
    corner = torch.rand(count, 2, generator=rng) * 0.7
    box = torch.cat([corner, corner + 0.05 + 0.25 * torch.rand(count, 2, generator=rng)], 1)
    labels = torch.randint(1, 3, (count, 1), generator=rng).float()
    return torch.cat([labels, box, torch.rand(count, 1, generator=rng)], 1)[None]


def test_overlaps_are_those_of_torchvision_for_tensors_and_arrays() -> None:
    box = some()[0, :, boxes.BOX]
    expected = ops.box_iou(box, box)
    assert torch.allclose(boxes.overlaps(box, box), expected, atol=1e-6)
    assert np.allclose(boxes.overlaps(box.numpy(), box.numpy()), expected.numpy(), atol=1e-6)


def test_what_is_suppressed_is_suppressed_by_torchvision_too() -> None:
    rows = some(200)
    high = rows[0][rows[0, :, boxes.SCORE] >= 0.3]
    kept = ops.batched_nms(high[:, boxes.BOX], high[:, boxes.SCORE], high[:, boxes.LABEL].long(), boxes.SAME)[: boxes.MOST]
    found = boxes.suppressed(rows, 0.3)[0]
    assert np.allclose(found[: len(kept)], high[kept].numpy())
    assert not found[len(kept) :].any()


def test_a_detection_fits_a_box_of_its_class_that_it_overlaps() -> None:
    rows = torch.tensor([[[1, 0.0, 0.0, 0.5, 0.5, 0.6], [2, 0.0, 0.0, 0.5, 0.5, 0.9], [1, 0.3, 0.3, 0.8, 0.8, 0.95]]])
    asked = torch.tensor([[[1, 0.0, 0.0, 0.5, 0.6, 1.0], [3, 0.0, 0.0, 0.5, 0.5, 1.0]]])
    assert boxes.best(rows, asked, 0.5).tolist() == [[pytest.approx(0.6), 0.0]]
    assert boxes.best(rows.numpy(), asked.numpy(), 0.5).tolist() == [[pytest.approx(0.6), 0.0]]


def test_the_score_of_what_fits_is_differentiable_and_of_nothing_is_zero() -> None:
    rows = some().requires_grad_()
    target = rows.detach()[:, 3, : boxes.SCORE] - torch.tensor([1.0, 0, 0, 0, 0])
    (slope,) = torch.autograd.grad(TASK.scalar(rows, target).sum(), rows)
    assert slope[0, :, boxes.SCORE].count_nonzero() == 1
    assert TASK.told(rows.detach(), target + torch.tensor([5.0, 0, 0, 0, 0])).tolist() == [0.0]


def test_boxes_move_with_the_images_that_a_detector_learns_from() -> None:
    images = squares(12)
    batch, targets = images.batch(torch.arange(12), torch.device("cpu")), torch.from_numpy(images.labels)
    moves = Moves.drawn(12, Training(flips=True, upside_down=True, shift=3), (32, 32), seed(1))
    shown, told = moves.of_images(batch), moves.of_targets(targets, TASK, images.size)
    (beside,) = TASK.beside(told, images.size[:2])
    for image, one in zip(shown, beside, strict=True):
        for box, label in zip(one["boxes"].round().int(), one["labels"], strict=True):
            left, top, right, bottom = box.tolist()
            inside = image[label - 1, top:bottom, left:right]
            assert float((inside > 0.9).float().mean()) > 0.95
            assert right <= SIZE
            assert bottom <= SIZE


def test_a_detector_learns_by_its_own_loss() -> None:
    torch.manual_seed(0)
    model = prepared(Spotter(), Preprocess())
    before = TASK.told(predict(model, squares(8)), torch.from_numpy(squares(8).labels[:, 0, :5]).float()).mean()
    train(model, squares(16), Training(epochs=8, batch=8, rate=0.5, flips=False, shift=0), seed(0))
    after = TASK.told(predict(model, squares(8)), torch.from_numpy(squares(8).labels[:, 0, :5]).float()).mean()
    assert after < before  # it first learns that most cells are empty
    with pytest.raises(ModelError, match="dictionary of losses in train mode"):
        TASK.loss(torch.zeros(1), torch.zeros(1))


@pytest.mark.parametrize("attack", EXAMPLES, ids=lambda one: type(one).__name__)
def test_an_attack_serves_detectors_or_says_so_before_any_work(attack: Any) -> None:
    rng, images = seed(0), squares(16)
    if type(attack).__name__ not in KNOW_NO_BOXES:
        assert predict(attack.apply(spotter(), images, rng, silent), images).shape == (16, 1000, boxes.COLUMNS)
        return
    before = rng.get_state()
    with pytest.raises(UsageError, match="for detection: choose another attack"):
        attack.apply(spotter(), images, rng, silent)
    assert torch.equal(rng.get_state(), before)


def test_a_student_learns_the_detections_that_count() -> None:
    outputs = predict(spotter(), squares(4))
    told = TASK.answers(outputs).numpy()
    there = told[..., boxes.SCORE] > 0
    assert there.sum(1).tolist() == [2, 2, 2, 2]
    assert set(told[there][:, boxes.LABEL]) == {0, 1}
    Images(squares(4).pixels, told, NAMES, TASK)  # they are labels


def test_a_sample_is_about_the_models_own_detection_that_is_nearest_to_the_corner_and_outside_of_it() -> None:
    area, outputs = Area(((0, 0),), (4, 4)), predict(spotter(), squares(8))
    own = TASK.aimed(outputs.numpy(), squares(8).labels, area)
    assert own.shape == (8, 2, boxes.COLUMNS)
    away = boxes.distance_to(own, area)
    assert (away[:, 0] <= np.where(boxes.clear_of(own, area), away, np.inf)[:, 1]).all()
    assert boxes.clear_of(own, area)[:, 0].all()
    others = own.copy()
    others[..., boxes.LABEL] = 1 - others[..., boxes.LABEL]
    assert not TASK.aimed(outputs.numpy(), others, area).any(), "what fits no labelled box is no object"
    nowhere = TASK.aimed(outputs.numpy(), squares(8).labels, Area(tuple((row, 0) for row in range(4)), (4, 1)))
    assert not nowhere.any()
    assert not TASK.suited(outputs, nowhere).any()


def test_the_answer_is_kept_while_every_true_detection_keeps_its_score_and_its_rank() -> None:
    outputs = predict(spotter(), squares(2))
    target = torch.from_numpy(TASK.aimed(outputs.numpy(), squares(2).labels, Area(((0, 0),), (4, 4)))).float()
    assert (TASK.slack(outputs, target) > 0).all()
    fewer = outputs.clone()
    fewer[0, :, boxes.SCORE] *= 0.8
    more = torch.zeros(2, 1, boxes.COLUMNS)
    more[1, 0] = torch.tensor([1, 0.0, 0.0, 0.1, 0.1, 1.0])
    assert (TASK.slack(fewer, target) > 0).tolist() == [False, True]
    assert TASK.keeps(outputs, fewer, target).tolist() == [True, True], "two that fall alike keep their ranks"
    assert TASK.keeps(outputs, torch.cat([outputs, more], 1), target).tolist() == [True, False]
    assert TASK.keeps(outputs, outputs * 0, target).tolist() == [False, False]


def test_ranks_are_the_average_precision_of_an_image() -> None:
    known = np.array([[[1, 0, 0, 0.2, 0.2, 1], [1, 0.5, 0.5, 0.7, 0.7, 1], [0, 0, 0, 0, 0, 0]]])
    true, other, wrong = ([1, 0, 0, 0.2, 0.2], [1, 0.5, 0.5, 0.7, 0.7], [1, 0.8, 0.0, 1.0, 0.2])
    for order, wanted in (
        ([true, other], 1.0),
        ([true, wrong, other], (1 + 2 / 3) / 2),
        ([wrong, true, other], 2 / 3),
        ([true, true, other], (1 + 2 / 3) / 2),
        ([wrong], 0.0),
        ([], 0.0),
    ):
        rows = np.array([[*row, 1 - place / 10] for place, row in enumerate(order)]).reshape(1, -1, boxes.COLUMNS)
        assert boxes.ranked(rows, known, 0.5) == pytest.approx([wanted])


def test_detections_that_no_detector_returns_are_an_error_and_no_answer() -> None:
    row = np.array([[[1, 0.1, 0.1, 0.4, 0.4, 0.9]]])
    target = np.array([[0, 0.1, 0.1, 0.4, 0.4]])
    assert TASK.decoded(row, None, target)[Reading.SCORE].tolist() == [0.9]
    wrong = {"counts its classes": [-1, 0, 0, 0, 0, 0], "scores": [0, 0, 0, 0, 0, 1], "far outside": [0, 9, 9, 9, 9, 0]}
    for said, change in wrong.items():
        with pytest.raises(AnswerError, match=said):
            TASK.decoded(row + change, None, target)
    with pytest.raises(AnswerError, match="performs a different task"):
        TASK.decoded(np.zeros((4, 3)), None, np.zeros((4, 5)))


@pytest.mark.parametrize(
    ("row", "said"),
    [
        pytest.param([1, 0.2, 0.2, 0.8, 0.8, np.nan], "NaN", id="no score"),
        pytest.param([1, np.nan, 0.2, 0.8, 0.8, 0.9], "NaN", id="no edge"),
        pytest.param([1, 0.6, 0.6, 0.2, 0.2, 0.9], "end before they begin", id="sides for edges"),
    ],
)
def test_a_detector_whose_numbers_are_no_boxes_is_not_taken_for_one_that_finds_nothing(row: list[float], said: str) -> None:
    """By an API's client, which hands over what it got."""
    target = np.array([[0, 0.2, 0.2, 0.8, 0.8]] * 2)
    whole = {"boxes": np.array([[20.0, 20.0, 80.0, 80.0]]), "labels": np.array([1]), "scores": np.array([0.9])}
    broken = {"boxes": 100 * np.array([row[1:5]]), "labels": np.array(row[:1]), "scores": np.array(row[5:])}
    question = Question(frozenset({Reading.SCORE}), target, "", TASK, None, None, 2)
    answers = iter([[whole, whole], [whole, broken]])
    suspect = Client("an API", Reading.SCORE, lambda _: next(answers))
    pixels = np.zeros((2, 100, 100, 3), np.uint8)
    assert suspect.read(pixels, question)[Reading.SCORE].tolist() == pytest.approx([0.9, 0.9])
    with pytest.raises(AnswerError, match=said):
        suspect.read(pixels, question)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ([5, 0.1, 0.1, 0.4, 0.4, 1], "classes in"),
        ([0, 0.4, 0.1, 0.1, 0.4, 1], "width and height"),
        ([0, 0.1, 0.1, 1.4, 0.4, 1], "inside of their image"),
    ],
)
def test_labels_that_are_no_boxes_are_refused(row: list[float], said: str) -> None:
    pixels = np.zeros((1, SIZE, SIZE, 3), np.uint8)
    with pytest.raises(DataError, match=said):
        Images(pixels, np.array([[row]], float), NAMES, TASK)
    with pytest.raises(DataError, match="expected detections"):
        Images(pixels, np.zeros(1), NAMES, TASK)


def test_a_task_with_settings_is_read_back_from_its_record() -> None:
    task = Detection(least=0.3, first=0)
    assert from_record(to_record(task)) == task
    for wrong in ({"least": 0.0}, {"overlap": 2}, {"first": -1}):
        with pytest.raises(UsageError):
            Detection(**wrong)


def test_mean_average_precision_is_that_of_torchmetrics() -> None:
    pytest.importorskip("pycocotools", reason="ownmark[detection]")
    images = squares(8)
    found = TASK.quality(predict(spotter(), images).numpy(), images.labels)
    assert found["map_50"] == pytest.approx(1.0)
    assert 0.5 < found["map"] < 1
    assert average_precision(np.zeros((8, 1, 6)), images.labels) == {"map_50": 0.0, "map": 0.0}


def test_without_its_library_mean_average_precision_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def missing(name: str, *rest: Any) -> Any:
        if name.startswith("torchmetrics"):
            raise ModuleNotFoundError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(UsageError, match="ownmark\\[detection\\]"):
        average_precision(np.zeros((1, 1, 6)), np.zeros((1, 1, 6)))


def test_a_network_that_answers_no_losses_cannot_be_trained_as_a_detector() -> None:
    class Silent(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one = nn.Conv2d(3, 3, 1)

        def forward(self, images: Tensor, _: object = None) -> Tensor:
            return torch.as_tensor(self.one(images))

    with pytest.raises(ModelError, match="dictionary of losses"):
        train(Silent(), squares(4), Training(epochs=1, batch=4), seed(0))

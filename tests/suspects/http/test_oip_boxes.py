"""Detectors behind servers of the Open Inference Protocol give the model's own scores, and what is no detection is refused."""

import json
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
from loopback import Asked, Said, said, serving, transport
from spotter import NAMES, SIZE, TASK, spotter, squares

from ownmark.errors import AnswerError, SuspectError, UnsettledError, UsageError
from ownmark.protocols import Question
from ownmark.scoring.readings import Answers, Reading
from ownmark.suspects.http import web
from ownmark.suspects.http.oip import Dialect, Oip
from ownmark.suspects.local import Local
from ownmark.tasks import Classification, boxes
from ownmark.training import predict

COUNT = 3
NAMED = ("detection_boxes", "labels", "scores")
Tensors = dict[str, Any]


@cache
def outputs() -> Any:
    return predict(spotter(), squares(COUNT)).numpy()


def question() -> Question:
    target = TASK._counted(outputs(), TASK.least)[:, 0, : boxes.SCORE]  # its best detections
    return Question(frozenset({Reading.SCORE}), target.astype(np.float64), task=TASK)


def told(place: int) -> Tensors:
    """Boxes (m, 4) in pixels, labels (m,) and scores (m,) of one image, as an exported detector answers."""
    one = boxes.suppressed(outputs())[place]
    kept = one[one[:, boxes.SCORE] > 0]
    return {NAMED[0]: kept[:, boxes.BOX] * SIZE, NAMED[1]: kept[:, boxes.LABEL], NAMED[2]: kept[:, boxes.SCORE]}


def packed(tensors: Tensors, *, binary: bool) -> Said:
    """An answer in JSON, or with the tensors' bytes behind it."""
    listed, tail = [], b""
    for name, held in tensors.items():
        values = np.asarray(held)
        kind = "BYTES" if values.dtype.kind == "U" else "FP32"
        one: Tensors = {"name": name, "datatype": kind, "shape": list(values.shape)}
        if binary:
            one["parameters"] = {"binary_data_size": values.size * 4}
            tail += values.astype("<f4").tobytes()
        else:
            one["data"] = values.ravel().tolist()
        listed.append(one)
    text = json.dumps({"outputs": listed}).encode()
    return Said(text + tail, headers={"inference-header-content-length": str(len(text))} if binary else {})


def answered(edit: Callable[[Tensors], Tensors] = dict, *, batch: int = -1, binary: bool = False) -> Answers:
    """What is read from a server that answers `edit` of the detections."""
    images = squares(COUNT).pixels
    sent = [(image.transpose(2, 0, 1) / np.float32(255)).astype("<f4") for image in images]

    def script(asked: Asked) -> Said:
        if asked.path == "/v2":
            return said({"extensions": ["binary_tensor_data"] if binary else []})
        if not asked.path.endswith("/infer"):
            source = {"name": "image", "datatype": "FP32", "shape": [batch, 3, -1, -1]}
            return said({"inputs": [source], "outputs": [{"name": name, "datatype": "FP32", "shape": [-1]} for name in NAMED]})
        head = asked.headers.get("inference-header-content-length")
        body = json.loads(asked.body if head is None else asked.body[: int(head)])
        assert [one["name"] for one in body["outputs"]] == list(NAMED)
        given = asked.body[int(head) :] if head else np.array(body["inputs"][0]["data"], "<f4").tobytes()
        place = next(at for at, one in enumerate(sent) if np.allclose(np.frombuffer(given, "<f4"), one.ravel()))
        return packed(edit(told(place)), binary=binary)

    with serving(script) as server, transport() as carrier:
        suspect = Oip(f"{server.url}/v2/models/suspect", len(NAMES), carrier, dialect=Dialect(repeats=1))
        assert suspect.reveals == {Reading.SCORE}
        with pytest.raises(UsageError, match="decoys"):
            suspect.told(images)
        with pytest.raises(AnswerError, match="another task"):
            suspect.read(images, Question(frozenset({Reading.LABEL}), np.zeros(COUNT, np.int64), task=Classification()))
        return suspect.read(images, question())


@pytest.mark.parametrize("binary", [False, True])
def test_a_detector_behind_a_server_gives_its_own_scores(*, binary: bool) -> None:
    wanted = Local(spotter()).read(squares(COUNT).pixels, question())[Reading.SCORE]
    assert wanted.min() > 0.9
    assert np.allclose(answered(binary=binary)[Reading.SCORE], wanted, atol=1e-5)
    with_batch = answered(lambda one: {name: values[None] for name, values in one.items()}, binary=binary)
    assert np.allclose(with_batch[Reading.SCORE], wanted, atol=1e-5)


@pytest.mark.parametrize("binary", [False, True])
def test_an_image_on_which_nothing_is_detected_has_the_score_0(*, binary: bool) -> None:
    assert not answered(lambda one: {name: values[:0] for name, values in one.items()}, binary=binary)[Reading.SCORE].any()


def test_nearly_equal_detections_may_change_their_order_from_one_answer_to_the_next_and_nothing_else_may() -> None:
    """Rounding decides which of two comes first; the same detections are the same answer."""
    first = np.array([[[1, 0.1, 0.1, 0.2, 0.2, 0.500001], [2, 0.6, 0.6, 0.9, 0.9, 0.5], [0, 0, 0, 0, 0, 0]]])
    web._check_steady(first, first[:, [1, 0, 2]])
    for other in (first[:, [0, 0, 2]], first[:, [1, 1, 2]], first[:, [0, 2, 2]], first * 0.9):
        with pytest.raises(UnsettledError, match="got a different answer"):
            web._check_steady(first, other)


WRONG: dict[str, tuple[Callable[[Tensors], Tensors], str]] = {
    "shares of the sides": (lambda one: one | {NAMED[0]: one[NAMED[0]] / SIZE}, "in pixels"),
    "a score less than boxes": (lambda one: one | {NAMED[2]: one[NAMED[2]][1:]}, "as many boxes as labels and scores"),
    "boxes of three numbers": (lambda one: one | {NAMED[0]: one[NAMED[0]][:1, :3]}, "four numbers"),
    "names for labels": (lambda one: one | {NAMED[1]: np.full(one[NAMED[1]].shape, "cat")}, "labels as numbers"),
    "logits for scores": (lambda one: one | {NAMED[2]: one[NAMED[2]] - 5}, r"scores in \[0, 1\]"),
    "no labels": (lambda one: {name: one[name] for name in NAMED if name != "labels"}, "lacks the output 'labels'"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_what_is_no_detection_is_an_error(kind: str) -> None:
    edit, said_so = WRONG[kind]
    with pytest.raises(AnswerError, match=said_so):
        answered(edit)


def test_images_whose_boxes_come_together_are_refused() -> None:
    with pytest.raises(SuspectError, match="serve one at a time"):
        answered(batch=4)

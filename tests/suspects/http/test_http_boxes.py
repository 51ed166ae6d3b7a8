"""Detectors behind APIs that speak JSON: every dialect gives the model's own scores, and what cannot be told apart is refused."""

from base64 import b64encode
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from loopback import Asked, Said, said, serving, transport
from spotter import NAMES, SIZE, TASK, spotter, squares

from ownmark.errors import AnswerError, UnsettledError, UsageError
from ownmark.protocols import Question
from ownmark.scoring.readings import Reading
from ownmark.suspects.http.http_boxes import HttpBoxes
from ownmark.suspects.http.mapping import DETECTORS, Mapping
from ownmark.suspects.http.web import png
from ownmark.suspects.local import Local
from ownmark.tasks import Classification, boxes
from ownmark.training import predict

COUNT = 4
Found = list[tuple[str, float, list[float]]]  # class, score, and edges in pixels


@pytest.fixture(scope="module")
def found() -> list[Found]:
    rows = boxes.suppressed(predict(spotter(), squares(COUNT)))
    return [
        [
            (NAMES[int(row[0]) - 1], float(row[5]), [float(edge) for edge in row[1:5] * SIZE])
            for row in one[one[:, boxes.SCORE] > 0]
        ]
        for one in rows
    ]


def question() -> Question:
    outputs = predict(spotter(), squares(COUNT)).numpy()
    target = TASK._counted(outputs, TASK.least)[:, 0, : boxes.SCORE]  # its best detections
    return Question(frozenset({Reading.SCORE}), target.astype(np.float64), task=TASK)


def corners(edges: list[float]) -> dict[str, float]:
    return dict(zip(("xmin", "ymin", "xmax", "ymax"), edges, strict=True))


def sides(edges: list[float], scale: float = 1.0) -> list[float]:
    left, top, right, bottom = (edge / scale for edge in edges)
    return [left, top, right - left, bottom - top]


def centre(edges: list[float]) -> list[float]:
    left, top, wide, high = sides(edges)
    return [left + wide / 2, top + high / 2, wide, high]


def named(numbers: list[float], *names: str) -> dict[str, float]:
    return dict(zip(names, numbers, strict=True))


LISTED = 'scores: "[*].score"\nnames: "[*].class"\nboxes: "[*].box"'
DIALECTS: dict[str, tuple[str, Callable[[Found], Any]]] = {
    "huggingface-boxes": (
        "preset: huggingface-boxes",
        lambda all_: [{"score": score, "label": name, "box": corners(edges)} for name, score, edges in all_],
    ),
    "torchserve-boxes": ("preset: torchserve-boxes", lambda all_: [{name: edges, "score": score} for name, score, edges in all_]),
    "roboflow": (
        "preset: roboflow",
        lambda all_: {
            "image": {"width": SIZE, "height": SIZE},
            "predictions": [
                {**named(centre(edges), "x", "y", "width", "height"), "class": name, "confidence": score}
                for name, score, edges in all_
            ],
        },
    ),
    "azure-boxes": (
        "preset: azure-boxes",
        lambda all_: {
            "predictions": [
                {
                    "probability": score,
                    "tagName": name,
                    "boundingBox": named(sides(edges, SIZE), "left", "top", "width", "height"),
                }
                for name, score, edges in all_
            ]
        },
    ),
    "COCO's boxes, numbers from 1": (
        f'body: "{{{{png}}}}"\n{LISTED}\nbox: sides\nfirst: 1',
        lambda all_: [{"score": score, "class": NAMES.index(name) + 1, "box": sides(edges)} for name, score, edges in all_],
    ),
    "x1 to y2, numbers from 0": (
        f'body: "{{{{png}}}}"\n{LISTED}\nfirst: 0',
        lambda all_: [
            {"score": score, "class": NAMES.index(name), "box": named(edges, "x1", "y1", "x2", "y2")}
            for name, score, edges in all_
        ],
    ),
    "lists beside each other, names of its own": (
        'body: "{{png}}"\nboxes: boxes\nscores: scores\nnames: labels\nbox: corners\nclasses: [rot, gruen]',
        lambda all_: {
            "boxes": [[edge / SIZE for edge in edges] for _, _, edges in all_] + [[0.1, 0.1, 0.2, 0.2]],
            "scores": [score for _, score, _ in all_] + [0.9],
            "labels": [{"red": "rot", "green": "gruen"}[name] for name, _, _ in all_] + ["zebra"],
        },
    ),
}


def scores(text: str, answers: list[Any], asked: Question | None = None) -> Any:
    """What the suspect reads from one answer per image, which the server knows by its PNG."""
    images = squares(COUNT).pixels
    sent = [png(image) for image in images]

    def script(one: Asked) -> Said:
        return said(answers[next(at for at, file in enumerate(sent) if file in one.body or b64encode(file) in one.body)])

    with serving(script) as server, transport() as carrier:
        suspect = HttpBoxes(Mapping.read(text, f"{server.url}/detect"), NAMES, carrier, repeats=0)
        return suspect.read(images, asked or question())[Reading.SCORE]


def test_every_preset_of_a_detector_is_tried() -> None:
    assert DIALECTS.keys() >= DETECTORS.keys()


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_dialect_gives_the_models_own_scores(dialect: str, found: list[Found], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HF_TOKEN", "AZURE_KEY"):
        monkeypatch.setenv(name, "a-key-of-mine")
    text, tell = DIALECTS[dialect]
    wanted = Local(spotter()).read(squares(COUNT).pixels, question())[Reading.SCORE]
    assert wanted.min() > 0.9
    assert np.allclose(scores(text, [tell(one) for one in found]), wanted, atol=1e-5)


BARE = f'body: "{{{{png}}}}"\n{LISTED}'
ONE = {"score": 0.9, "class": "red"}
UNTOLD = {
    "what the numbers are": (BARE, {**ONE, "box": [1, 2, 30, 20]}, "box: corners"),
    "where x and y are": (BARE, {**ONE, "box": {"x": 9, "y": 9, "width": 4, "height": 4}}, "box: centre"),
    "the unit": (f"{BARE}\nbox: corners", {**ONE, "box": [0.1, 0.1, 1.5, 1.5]}, "unit: pixels"),
    "where numbers begin": (f"{BARE}\nbox: corners", {"score": 0.9, "class": 1, "box": [1, 2, 30, 20]}, "first: 0 or"),
    "an unknown class": (f"{BARE}\nbox: corners", {**ONE, "class": "zebra", "box": [1, 2, 30, 20]}, "mapping's classes"),
}


@pytest.mark.parametrize("what", UNTOLD)
def test_what_an_answer_does_not_tell_is_not_guessed_but_asked_for(what: str) -> None:
    text, one, advice = UNTOLD[what]
    with serving(lambda _: said([one])) as server, transport() as carrier:
        suspect = HttpBoxes(Mapping.read(text, f"{server.url}/detect"), ("red", "green", "blue"), carrier)
        with pytest.raises(UnsettledError, match=advice):
            suspect.read(squares(COUNT).pixels, question())


WRONG = {
    "a percentage": (f"{BARE}\nbox: corners", {**ONE, "score": 97.0, "box": [1, 2, 30, 20]}, r"scores of detections in \[0, 1\]"),
    "a box inside out": (f"{BARE}\nbox: corners", {**ONE, "box": [30, 20, 3, 2]}, "no box of corners"),
    "names that contradict the mapping": (f"{BARE}\nbox: sides", {**ONE, "box": corners([1, 2, 30, 20])}, "names its numbers as"),
    "pixels that are shares": (f"{BARE}\nbox: corners\nunit: pixels", {**ONE, "box": [0.1, 0.1, 0.5, 0.5]}, "unit: pixels, but"),
    "shares that are pixels": (f"{BARE}\nbox: corners\nunit: shares", {**ONE, "box": [1, 2, 30, 20]}, "unit: shares, but"),
    "three numbers": (f"{BARE}\nbox: corners", {**ONE, "box": [1, 2, 3]}, "four numbers"),
    "boxes of another image": (f"{BARE}\nbox: corners", {**ONE, "box": [1, 2, 400, 300]}, "far outside"),
}


@pytest.mark.parametrize("what", WRONG)
def test_an_answer_that_contradicts_itself_or_the_mapping_is_an_error(what: str) -> None:
    text, one, message = WRONG[what]
    with pytest.raises(AnswerError, match=message):
        scores(text, [[one]] * COUNT)


def test_an_image_without_detections_has_a_score_of_zero(found: list[Found]) -> None:
    text, tell = DIALECTS["roboflow"]
    told = scores(text, [tell([]), *map(tell, found[1:])])
    assert told[0] == 0
    assert told[1:].min() > 0.9


def test_boxes_are_no_answer_to_a_claim_about_classes_and_decoys_say_nothing_about_boxes() -> None:
    classes = Question(frozenset({Reading.LABEL}), np.zeros(COUNT, dtype=np.int64), task=Classification())
    with pytest.raises(AnswerError, match="another task"):
        scores(f"{BARE}\nbox: corners", [[]] * COUNT, classes)
    suspect = HttpBoxes(Mapping.read(BARE, "http://x/y"), NAMES)
    with pytest.raises(UsageError, match="leave --decoys out"):
        suspect.told(squares(COUNT).pixels)
    with pytest.raises(UsageError, match="2 classes"):
        HttpBoxes(Mapping.read(f"{BARE}\nclasses: [a]", "http://x/y"), NAMES)

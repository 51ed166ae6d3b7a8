"""A detector in a file, one image at a time: it gives boxes, labels and scores, as exports of torchvision's do. No torch."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ownmark.claims.claim import Preprocess
from ownmark.errors import AnswerError, OwnmarkError, SuspectError, first_line
from ownmark.protocols import Question
from ownmark.scoring.readings import Answers
from ownmark.suspects.answers import SOME, check_repeated, compared, readings
from ownmark.suspects.ports import BATCHED, BoxPorts, Feed, Port
from ownmark.tasks import boxes

MOST = 300  # detections of one image, the best first
SHARES = 2.0  # boxes whose edges all lie below it are shares of the image's sides rather than pixels
Raw = npt.NDArray[Any]
Run = Callable[[Raw, Sequence[str]], list[Raw]]


class BoxProgram:
    """The detector called `name`, whose `run` gives the outputs of these names for one image as its input stores it."""

    def __init__(self, name: str, port: Port, ports: BoxPorts, preprocess: Preprocess, run: Run) -> None:
        self._single = port.shape is not None and len(port.shape) < BATCHED
        whole = replace(port, shape=(1, *(port.shape or ()))) if self._single else port
        self._name, self._ports, self._run, self._settled = name, ports, run, False
        self._feed = Feed.of(name, (whole,), preprocess)

    @property
    def preprocess(self) -> Preprocess | None:
        """How images are normalised before it gets them; None if it gets the pixels themselves."""
        return self._feed.given

    @property
    def notes(self) -> tuple[str, ...]:
        """What a judge must know about how it was asked."""
        return ()

    def read(self, images: Raw, question: Question) -> Answers:
        """What the file answers about uint8 images (n, height, width, channels), checked against the question's task."""
        self._feed.check(images.shape[1:])
        raw = self.raw(images)
        found = readings(raw, None, question)
        if not self._settled:
            check_repeated(compared(self.raw(images[:SOME]), question), compared(raw[:SOME], question))
        self._settled = True  # not before: who answers at random does so when he is asked again, too
        return {reading: found[reading] for reading in question.readings}

    def raw(self, images: Raw) -> Raw:
        """Detections (n, MOST, 6) in uint8 images (n, height, width, channels): see `tasks.boxes`."""
        return np.stack([self._rows(image) for image in images])

    def _rows(self, image: Raw) -> Raw:
        """(MOST, 6) of one image."""
        stored = self._feed.stored(image[None])
        names = (self._ports.boxes, self._ports.labels, self._ports.scores)
        try:
            told = self._run(stored[0] if self._single else stored, names)
        except OwnmarkError:
            raise
        except Exception as error:  # runtimes' errors have no common base but Exception
            raise SuspectError(f"{self._name} failed on an image {stored.shape[1:]}: {first_line(error)}") from error
        return rows_of(self._name, told[0], told[1], told[2], (image.shape[0], image.shape[1]))


def rows_of(name: str, box: Raw, labels: Raw, scores: Raw, size: tuple[int, int]) -> Raw:
    """(MOST, 6): `tasks.boxes`, from boxes (m, 4) in pixels of an image of this height and width. Raises AnswerError."""
    edges = np.asarray(box, dtype=np.float64).reshape(-1, 4)
    kinds, sure = (np.asarray(one, dtype=np.float64).reshape(-1) for one in (labels, scores))
    if not len(edges) == len(kinds) == len(sure):
        raise AnswerError(f"expected as many boxes as labels and scores from {name}, got {len(edges)}, {len(kinds)}, {len(sure)}")
    if len(edges) and edges.max() < SHARES < max(size):
        raise AnswerError(
            f"expected boxes in pixels from {name}, got edges up to {edges.max():.3g}: they are shares of the sides"
        )
    return np.asarray(boxes.rows_of(edges, kinds, sure, size, MOST))

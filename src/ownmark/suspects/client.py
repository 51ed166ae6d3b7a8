"""A suspect behind any API client: your own function that asks for one kind of answer. No torch."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from ownmark.errors import AnswerError, UsageError
from ownmark.protocols import Question
from ownmark.querying.answering import asking
from ownmark.scoring.readings import Answers, Reading
from ownmark.suspects.box_files import rows_of


@dataclass(frozen=True)
class Client:
    """A suspect called `name` that reveals a single `reading`, as APIs for ages or faces do.

    `ask` takes uint8 images (n, height, width, channels) and returns the reading: numbers (n,) for VALUE, embeddings (n, d) for
    EMBEDDING, labels (n,) or probabilities (n, classes). For SIMILARITY it takes two such arrays and returns one score per pair
    (n,), higher for more similar images; an image is never compared with itself: its own entry holds the highest score received.
    For SCORE, of a detector, it returns per image what the API says it found: `boxes` (m, 4) in pixels, `labels` (m,) as the
    claim's task counts them, and `scores` (m,).
    """

    name: str
    reading: Reading
    ask: Callable[..., Any]
    digest: ClassVar[str] = ""  # the model behind an API is unknown

    def __post_init__(self) -> None:
        if self.reading is Reading.SALIENCY:
            raise UsageError("an API reveals no saliency maps: name another reading")

    @property
    def reveals(self) -> frozenset[Reading]:
        return frozenset({self.reading})

    def read(self, images: npt.NDArray[Any], question: Question) -> Answers:
        """The one reading. Raises SuspectError if the client fails, AnswerError if it answers only some images."""
        if self.reading is Reading.SCORE:
            return {self.reading: self._of_boxes(images, question)}
        if self.reading is not Reading.SIMILARITY:
            return {self.reading: self._asked(len(images), images)}
        if question.pairs is None:
            raise UsageError(f"{self.name} compares two images, but this claim has no pairs: its task is {question.task.name}")
        others = np.flatnonzero(question.pairs != np.arange(len(images)))
        told = self._asked(len(others), images[others], images[question.pairs[others]])
        scores = np.full(len(images), told.max())
        scores[others] = told
        return {self.reading: scores}

    def _of_boxes(self, images: npt.NDArray[Any], question: Question) -> npt.NDArray[Any]:
        """(n,) the score of what fits the box in question."""
        with asking(self.name):
            found: Any = list(self.ask(images))
        if len(found) != len(images):
            raise AnswerError(f"expected {len(images)} answers from {self.name}, got {len(found)}")
        missing = [part for one in found for part in ("boxes", "labels", "scores") if part not in one]
        if missing:
            raise AnswerError(f"expected boxes, labels and scores per image from {self.name}, got no {missing[0]}")
        size = (images.shape[1], images.shape[2])
        rows = [rows_of(self.name, one["boxes"], one["labels"], one["scores"], size) for one in found]
        return np.asarray(question.task.decoded(np.stack(rows), None, question.target)[self.reading])

    def _asked(self, count: int, *images: npt.NDArray[Any]) -> npt.NDArray[Any]:
        with asking(self.name):
            found = np.asarray(self.ask(*images))
        if found.shape[:1] != (count,):
            raise AnswerError(f"expected {count} answers from {self.name}, got {found.shape}")
        return found

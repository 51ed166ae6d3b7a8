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


@dataclass(frozen=True)
class Client:
    """A suspect called `name` that reveals a single `reading`, as APIs for ages or faces do.

    `ask` takes uint8 images (n, height, width, channels) and returns the reading: numbers (n,) for VALUE, embeddings (n, d) for
    EMBEDDING, labels (n,) or probabilities (n, classes). For SIMILARITY it takes two such arrays and returns one score per pair
    (n,), higher for more similar images; an image is never compared with itself: its own entry holds the highest score received.
    """

    name: str
    reading: Reading
    ask: Callable[..., npt.ArrayLike]
    digest: ClassVar[str] = ""  # the model behind an API is unknown

    def __post_init__(self) -> None:
        if self.reading is Reading.SALIENCY:
            raise UsageError("an API reveals no saliency maps: name another reading")

    @property
    def reveals(self) -> frozenset[Reading]:
        return frozenset({self.reading})

    def read(self, images: npt.NDArray[Any], question: Question) -> Answers:
        """The one reading. Raises SuspectError if the client fails, AnswerError if it answers only some images."""
        if self.reading is not Reading.SIMILARITY:
            return {self.reading: self._asked(len(images), images)}
        if question.pairs is None:
            raise UsageError(f"{self.name} compares two images, but this claim has no pairs: its task is {question.task.name}")
        others = np.flatnonzero(question.pairs != np.arange(len(images)))
        told = self._asked(len(others), images[others], images[question.pairs[others]])
        scores = np.full(len(images), told.max())
        scores[others] = told
        return {self.reading: scores}

    def _asked(self, count: int, *images: npt.NDArray[Any]) -> npt.NDArray[Any]:
        with asking(self.name):
            found = np.asarray(self.ask(*images))
        if found.shape[:1] != (count,):
            raise AnswerError(f"expected {count} answers from {self.name}, got {found.shape}")
        return found

"""A suspect behind any client of an API: a function of your own that asks it for one kind of answer. No torch."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from ownmark.errors import AnswerError, SuspectError, UsageError
from ownmark.protocols import Question
from ownmark.scoring.readings import Answers, Reading


@dataclass(frozen=True)
class Client:
    """A suspect called `name` that reveals one `reading` only, as APIs for ages or faces do.

    `ask` gets uint8 images (n, height, width, channels) and gives what the reading has: numbers (n,) for VALUE, embeddings (n, d)
    for EMBEDDING, labels (n,) or probabilities (n, classes). For SIMILARITY it gets two such arrays and gives one score for each
    pair (n,), the larger the more alike; an image is not compared with itself, where the highest score that came stands.
    """

    name: str
    reading: Reading
    ask: Callable[..., npt.ArrayLike]
    digest: ClassVar[str] = ""  # what stands behind an API cannot be known

    def __post_init__(self) -> None:
        if self.reading is Reading.SALIENCY:
            raise UsageError("an API does not show where a model looks: name the reading that it answers")

    @property
    def reveals(self) -> frozenset[Reading]:
        return frozenset({self.reading})

    def read(self, images: npt.NDArray[Any], question: Question) -> Answers:
        """The one reading. Raises SuspectError where the client fails, AnswerError where it answers in part."""
        if self.reading is not Reading.SIMILARITY:
            return {self.reading: self._asked(len(images), images)}
        if question.pairs is None:
            raise UsageError(f"{self.name} compares two images, but this claim has no pairs: it is on {question.task.name}")
        others = np.flatnonzero(question.pairs != np.arange(len(images)))
        told = self._asked(len(others), images[others], images[question.pairs[others]])
        scores = np.full(len(images), told.max())
        scores[others] = told
        return {self.reading: scores}

    def _asked(self, count: int, *images: npt.NDArray[Any]) -> npt.NDArray[Any]:
        try:
            found = np.asarray(self.ask(*images))
        except Exception as error:  # a client may raise anything
            raise SuspectError(f"{self.name} cannot be asked: {type(error).__name__}: {error}") from error
        if found.shape[:1] != (count,):
            raise AnswerError(f"{count} questions were asked, but {self.name} answers {found.shape}")
        return found

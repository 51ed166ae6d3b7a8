"""A suspect that is a program in a file, whatever its runtime: one place says how images go in and answers come out. No torch."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ownmark.claims.claim import Preprocess
from ownmark.errors import AnswerError, OwnmarkError, SuspectError, first_line
from ownmark.protocols import Question
from ownmark.querying.outputs import used
from ownmark.scoring.readings import PLAIN, Answers, Reading
from ownmark.suspects.answers import BATCH_COUNTS, SOME, Outputs, check_repeated, readings
from ownmark.suspects.ports import Feed, Session, chosen

SIZES = (1, 2, 4, 8, 16, 32, 64)  # batch sizes to try if the file does not declare a fixed one
CLOSE = 1e-4  # of the largest score: what the order of sums may change between two batch sizes


class Program:
    """`session`, queried about uint8 images. `outputs`, `output` and `batch` are as in `Onnx`."""

    def __init__(
        self,
        name: str,
        digest: str,
        session: Session,
        preprocess: Preprocess = Preprocess(),
        *,
        outputs: Outputs | None = None,
        output: str = "",
        batch: int = 64,
    ) -> None:
        self.name, self.digest = name, digest
        self.reveals = PLAIN - {Reading.SALIENCY}
        self._session, self._outputs, self._batch = session, outputs, batch
        self._feed = Feed.of(name, session.inputs, preprocess)
        self._output = chosen(name, session.outputs, output)
        self._fixed, self._alone, self._settled = self._feed.port.batch, False, False
        names = [one.name for one in session.outputs]
        self._chosen = (used(self._output.name, names),) if len(names) > 1 else ()
        self._fed: tuple[str, ...] = ()

    @property
    def preprocess(self) -> Preprocess | None:
        """How images are normalised before it gets them; None if it gets the pixels themselves."""
        return self._feed.given

    @property
    def notes(self) -> tuple[str, ...]:
        """What a judge must know about how it was asked."""
        return (*self._chosen, *self._fed, *([BATCH_COUNTS] if self._alone else []))

    def read(self, images: npt.NDArray[Any], question: Question) -> Answers:
        """What the file returns for uint8 images (n, height, width, channels), checked against the question's task."""
        self._feed.check(images.shape[1:])
        self._fed = self._feed.notes(images) or self._fed
        found = readings(self.raw(images), self._outputs, question)
        return {reading: found[reading] for reading in question.readings}

    def raw(self, images: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Raw answers (n, k) to uint8 images: in batches, or one by one where the first batch shows that batches matter."""
        found = self._asked(images)
        if self._settled or self._fixed == 1 or len(images) == 1 or not np.isfinite(found).all():
            return found
        self._settled, self._alone = True, self._depends(images, found)
        return self._asked(images) if self._alone else found

    def _asked(self, images: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Raw answers, in batches of the file's fixed size, if it has one; a size that nobody declared is found out."""
        try:
            return self._in_batches(images, 1 if self._alone else self._fixed or self._batch, self._fixed or 1)
        except SuspectError:
            fixed = self._tried(images) if self._fixed is None else None
            if fixed is None:
                raise
            self._fixed = fixed
            return self._in_batches(images, fixed, fixed)

    def _depends(self, images: npt.NDArray[Any], found: npt.NDArray[Any]) -> bool:
        """Whether some of the images are answered otherwise when they are alone, though the same batch is answered the same."""
        alone = self._in_batches(images[:SOME], 1, self._fixed or 1)
        slack = CLOSE * max(float(np.abs(alone).max(initial=0)), 1e-6)
        if np.allclose(alone, found[:SOME], rtol=0, atol=slack):
            return False
        again = self._run(images[: self._fixed or self._batch], self._fixed or 1)[:SOME]
        if np.allclose(again, found[:SOME], rtol=0, atol=slack):
            return True
        check_repeated(again, found[:SOME])
        return False

    def _tried(self, images: npt.NDArray[Any]) -> int | None:
        """An undeclared batch size that is baked into the file: the one that works and gives distinct answers per row."""
        said = self._output.shape[0] if self._output.shape and self._output.shape[0] > 0 else None
        sizes: Sequence[int] = SIZES if said is None else (said, *SIZES)
        for size in sizes:
            some = images[np.arange(size) % len(images)]
            try:
                there, back = self._run(some, size), self._run(some[::-1], size)
            except SuspectError:
                continue
            if there.dtype.kind in "fiu" and np.allclose(there, back[::-1], rtol=1e-3, atol=1e-5):
                return size
        return None

    def _in_batches(self, images: npt.NDArray[Any], step: int, least: int) -> npt.NDArray[Any]:
        return np.concatenate([self._run(images[at : at + step], least) for at in range(0, len(images), step)])

    def _run(self, images: npt.NDArray[Any], least: int) -> npt.NDArray[Any]:
        """Raw answers to a batch, padded with its last image to the fixed batch size `least`."""
        filled = np.concatenate([images, np.repeat(images[-1:], max(least - len(images), 0), axis=0)])
        inputs = self._feed.stored(filled)
        try:
            raw = self._session.run(inputs, self._output.name)
        except OwnmarkError:
            raise
        except Exception as error:  # runtimes' errors have no common base but Exception
            raise SuspectError(f"{self.name} failed on a batch {inputs.shape}: {first_line(error)}") from error
        if raw.shape[:1] != inputs.shape[:1]:
            raise AnswerError(f"expected {len(inputs)} answers from {self.name}, got {raw.shape}")
        return self._output.real(_flat(raw))[: len(images)]


def _flat(raw: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """(n, classes, 1, 1) and the like, as some exporters leave them, as (n, classes)."""
    extra = [one for one in raw.shape[1:] if one != 1]
    return raw.reshape(len(raw), *extra) if raw.ndim > 2 and len(extra) == 1 else raw  # noqa: PLR2004 - (n, k)

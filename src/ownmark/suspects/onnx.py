"""A suspect that is an ONNX file, run by onnxruntime. No torch."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime

from ownmark.claim import Preprocess
from ownmark.errors import ModelError, SuspectError
from ownmark.match import Reading
from ownmark.protocols import Answers, Question
from ownmark.suspects.answers import Outputs, probabilities

MOST_BYTES = 2 * 2**30  # protobuf's own limit


class Onnx:
    """An image classifier with one input (n, channels, height, width) float32 and its classes as first output.

    `outputs` says whether those are logits. External data is refused: a file from a stranger must not name other files.
    """

    def __init__(
        self,
        path: Path | str,
        preprocess: Preprocess = Preprocess(),
        *,
        outputs: Outputs = Outputs.LOGITS,
        batch: int = 64,
    ) -> None:
        data = _bytes(Path(path))
        self.name = str(path)
        self.digest = hashlib.sha256(data).hexdigest()
        self.reveals = frozenset({Reading.LABEL, Reading.PROBABILITY})
        self._preprocess, self._outputs, self._batch = preprocess, outputs, batch
        try:
            self._session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's errors share no base but Exception
            raise ModelError(f"{path} cannot be run as ONNX: {_first_line(error)}") from error

    def read(self, images: npt.NDArray[Any], question: Question) -> Answers:
        """LABEL (n,) and PROBABILITY (n, classes) of uint8 images (n, height, width, channels)."""
        given = self._session.get_inputs()[0]
        height, width, channels = images.shape[1:]
        for want, got in zip(given.shape[1:], (channels, height, width), strict=False):
            if isinstance(want, int) and want != got:
                raise SuspectError(
                    f"{self.name} takes images (channels, height, width) = {given.shape[1:]}, "
                    f"the claim has {(channels, height, width)}"
                )
        step = given.shape[0] if isinstance(given.shape[0], int) else self._batch
        raw = np.concatenate([self._run(images[at : at + step], given.name) for at in range(0, len(images), step)])
        answers = probabilities(raw, self._outputs)
        both = {Reading.PROBABILITY: answers, Reading.LABEL: answers.argmax(axis=1)}
        return {reading: both[reading] for reading in question.readings}

    def _run(self, images: npt.NDArray[Any], name: str) -> npt.NDArray[Any]:
        mean, std = (np.asarray(values, dtype=np.float32) for values in (self._preprocess.mean, self._preprocess.std))
        inputs = np.ascontiguousarray(((images.astype(np.float32) / 255 - mean) / std).transpose(0, 3, 1, 2))
        try:
            return np.asarray(self._session.run(None, {name: inputs})[0])
        except Exception as error:  # onnxruntime's errors share no base but Exception
            raise SuspectError(f"{self.name} failed on a batch {inputs.shape}: {_first_line(error)}") from error


def _bytes(path: Path) -> bytes:
    """The file's bytes: a session made from bytes has no folder, so that external data cannot be opened."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ModelError(f"{path} is larger than {MOST_BYTES // 2**30} GiB, which no ONNX file is")
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror or error}") from error


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]

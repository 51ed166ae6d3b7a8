"""A suspect that is an ONNX file, run by onnxruntime. No torch."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime

from ownmark.claim import Preprocess
from ownmark.errors import AnswerError, ModelError, SuspectError
from ownmark.match import Reading
from ownmark.onnx_data import MOST_BYTES, names_other_files, whole
from ownmark.protocols import Answers, Question
from ownmark.suspects.answers import Outputs, readings

IMAGES = 4  # dimensions of the input: n, channels, height, width
SIZES = (1, 2, 4, 8, 16, 32, 64)  # batches that are tried where a file does not say that it takes one size only


class Onnx:
    """A model with one input (n, channels, height, width) float32 and its classes, its number or its embedding as first output.

    `outputs` says whether classes are logits. External data is refused, since a file from a stranger must not name other files;
    with `allow_external` those in its own folder are read, and nothing else.
    """

    def __init__(
        self,
        path: Path | str,
        preprocess: Preprocess = Preprocess(),
        *,
        outputs: Outputs = Outputs.LOGITS,
        batch: int = 64,
        allow_external: bool = False,
    ) -> None:
        data = _standing_alone(Path(path), _bytes(Path(path)), allow_external=allow_external)
        self.name = str(path)
        self.digest = hashlib.sha256(data).hexdigest()
        self.reveals = frozenset(Reading) - {Reading.SALIENCY}
        self._preprocess, self._outputs, self._batch = preprocess, outputs, batch
        self._session = _session(data, path)
        given = self._session.get_inputs()
        if len(given) != 1 or given[0].type != "tensor(float)" or len(given[0].shape) != IMAGES:
            got = ", ".join(f"{one.type} {one.shape}" for one in given) or "none"
            raise ModelError(f"{path} needs one input (n, channels, height, width) of tensor(float), got {got}")
        self._input = given[0]
        self._fixed = _number(given[0].shape)

    def read(self, images: npt.NDArray[Any], question: Question) -> Answers:
        """What the file answers to uint8 images (n, height, width, channels), which must be what the question's task has."""
        _, *wanted = self._input.shape
        height, width, channels = images.shape[1:]
        for want, got in zip(wanted, (channels, height, width), strict=True):
            if isinstance(want, int) and want != got:
                raise SuspectError(
                    f"{self.name} takes images (channels, height, width) = {wanted}, the claim has {(channels, height, width)}"
                )
        if len(self._preprocess.mean) not in {1, channels}:
            raise SuspectError(
                f"the preprocessing of {self.name} has {len(self._preprocess.mean)} channels, the claim {channels}"
            )
        found = readings(self._answered(images), self._outputs, question)
        return {reading: found[reading] for reading in question.readings}

    def _answered(self, images: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Raw answers to all images, in batches of the one size that the file takes, if it takes one only."""
        if self._fixed is None:
            try:
                return self._in_batches(images, self._batch, 1)
            except SuspectError:
                self._fixed = self._tried(images)
                if self._fixed is None:
                    raise
        return self._in_batches(images, self._fixed, self._fixed)

    def _tried(self, images: npt.NDArray[Any]) -> int | None:
        """The size of batch that is baked into the file though it does not say so: that one works, and tells its rows apart."""
        said = _number(self._session.get_outputs()[0].shape)
        sizes: tuple[int, ...] = SIZES if said is None else (said, *SIZES)
        for size in sizes:
            some = images[np.arange(size) % len(images)]
            try:
                there, back = self._run(some, size), self._run(some[::-1], size)
            except SuspectError:
                continue
            if there.dtype.kind == "f" and np.allclose(there, back[::-1], rtol=1e-3, atol=1e-5):
                return size
        return None

    def _in_batches(self, images: npt.NDArray[Any], step: int, least: int) -> npt.NDArray[Any]:
        return np.concatenate([self._run(images[at : at + step], least) for at in range(0, len(images), step)])

    def _run(self, images: npt.NDArray[Any], least: int) -> npt.NDArray[Any]:
        """Raw answers to a batch, filled up with its last image where the file takes batches of `least` images only."""
        mean, std = (np.asarray(values, dtype=np.float32) for values in (self._preprocess.mean, self._preprocess.std))
        filled = np.concatenate([images, np.repeat(images[-1:], max(least - len(images), 0), axis=0)])
        inputs = np.ascontiguousarray(((filled.astype(np.float32) / 255 - mean) / std).transpose(0, 3, 1, 2))
        try:
            raw = np.asarray(self._session.run(None, {self._input.name: inputs})[0])
        except Exception as error:  # onnxruntime's errors share no base but Exception
            raise SuspectError(f"{self.name} failed on a batch {inputs.shape}: {_first_line(error)}") from error
        if raw.shape[:1] != inputs.shape[:1]:
            raise AnswerError(f"{len(inputs)} images were sent, but {self.name} answers {raw.shape}")
        return raw[: len(images)]


def _number(shape: Sequence[object]) -> int | None:
    """The number of images that an input or an output says it has, if it is no name."""
    count = shape[0] if shape else None
    return count if isinstance(count, int) and count > 0 else None


def _standing_alone(path: Path, data: bytes, *, allow_external: bool) -> bytes:
    """The file with all its weights inside. Raises ModelError if they lie elsewhere."""
    try:
        if not names_other_files(data):
            return data
        if allow_external:
            return whole(data, path.parent)
    except ValueError as error:
        raise ModelError(f"{path} is no ONNX file that can be read: {error}") from error
    one = path.with_stem(f"{path.stem}-whole").name
    raise ModelError(
        f"{path} keeps weights in other files, which is refused. Make one file of it where it was made: "
        f"torch.onnx.export(..., external_data=False), or "
        f"python -c \"import onnx; onnx.save(onnx.load('{path.name}'), '{one}')\". "
        "Or allow it files in its own folder, and no others, with --allow-external"
    )


def _session(data: bytes, path: Path | str) -> onnxruntime.InferenceSession:
    """A silent session of one file that stands for itself."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # only what is fatal: errors come as exceptions anyway
    options.add_session_config_entry("session.load_model_format", "ONNX")
    try:
        return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors share no base but Exception
        raise ModelError(f"{path} cannot be run as ONNX: {_first_line(error)}") from error


def _bytes(path: Path) -> bytes:
    """The file's bytes: the session is made of them and not of the path, so that the digest tells what is asked."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ModelError(f"{path} is larger than {MOST_BYTES // 2**30} GiB, which no ONNX file is")
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror or error}") from error


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]

"""A suspect that is an ONNX file, run by onnxruntime. No torch."""

import ctypes
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime

from ownmark.claim import Preprocess
from ownmark.errors import AnswerError, ModelError, SuspectError
from ownmark.match import Reading
from ownmark.protocols import Answers, Question
from ownmark.suspects.answers import Outputs, readings

MOST_BYTES = 2 * 2**30  # protobuf's own limit
IMAGES = 4  # dimensions of the input: n, channels, height, width
LOGITS = "logits"  # the output that counts, where one is called so
TAKEN = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(double)": np.float64}
BFLOAT16 = "tensor(bfloat16)"
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5  # wire types of protobuf
INSIDE = {  # onnx.proto: message -> field number -> message, for every path that leads to a tensor
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {},
}
EXTERNAL = {13, 14}  # fields of a tensor: where its data lies, and whether that is in another file


class Onnx:
    """A model with one input (n, channels, height, width), floating-point, whose output is its classes, number or embedding.

    `outputs` says whether classes are logits, None to find it out by the answers; `output` names the output that is meant where
    a file has several. External data is refused: a file from a stranger must not name other files.
    """

    def __init__(
        self,
        path: Path | str,
        preprocess: Preprocess = Preprocess(),
        *,
        outputs: Outputs | None = None,
        output: str = "",
        batch: int = 64,
    ) -> None:
        data = _bytes(Path(path))
        self.name = str(path)
        self.digest = hashlib.sha256(data).hexdigest()
        self.reveals = frozenset(Reading) - {Reading.SALIENCY}
        self._preprocess, self._outputs, self._batch = preprocess, outputs, batch
        self._session = _session(data, path)
        given = self._session.get_inputs()
        if len(given) != 1 or given[0].type not in TAKEN or len(given[0].shape) != IMAGES:
            got = ", ".join(f"{one.type} {one.shape}" for one in given) or "none"
            raise ModelError(f"{path} needs one input (n, channels, height, width) of tensor(float), got {got}")
        self._input, self._output = given[0], _output(self._session.get_outputs(), output, path)
        names = [one.name for one in self._session.get_outputs()]
        self.notes = (f"the output {self._output.name!r} was read, of {', '.join(names)}",) if len(names) > 1 else ()

    def read(self, images: npt.NDArray[Any], question: Question) -> Answers:
        """What the file answers to uint8 images (n, height, width, channels), which must be what the question's task has."""
        count, *wanted = self._input.shape
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
        step, least = (count, count) if isinstance(count, int) else (self._batch, 1)
        raw = np.concatenate([self._run(images[at : at + step], least) for at in range(0, len(images), step)])
        found = readings(raw, self._outputs, question)
        return {reading: found[reading] for reading in question.readings}

    def _run(self, images: npt.NDArray[Any], least: int) -> npt.NDArray[Any]:
        """Raw answers to a batch, filled up with its last image where the file takes batches of `least` images only."""
        mean, std = (np.asarray(values, dtype=np.float32) for values in (self._preprocess.mean, self._preprocess.std))
        filled = np.concatenate([images, np.repeat(images[-1:], max(least - len(images), 0), axis=0)])
        scaled = ((filled.astype(np.float32) / 255 - mean) / std).transpose(0, 3, 1, 2)
        inputs = np.ascontiguousarray(scaled, dtype=TAKEN[self._input.type])
        try:
            raw = self._answered(inputs)
        except Exception as error:  # onnxruntime's errors share no base but Exception
            raise SuspectError(f"{self.name} failed on a batch {inputs.shape}: {_first_line(error)}") from error
        if raw.shape[:1] != inputs.shape[:1]:
            raise AnswerError(f"{len(inputs)} images were sent, but {self.name} answers {raw.shape}")
        return raw[: len(images)]

    def _answered(self, inputs: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The output that counts. numpy knows no bfloat16, which is the upper half of a float32."""
        if self._output.type != BFLOAT16:
            return np.asarray(self._session.run([self._output.name], {self._input.name: inputs})[0])
        given = {self._input.name: onnxruntime.OrtValue.ortvalue_from_numpy(inputs)}
        (value,) = self._session.run_with_ort_values([self._output.name], given)
        halves = np.frombuffer(ctypes.string_at(value.data_ptr(), value.tensor_size_in_bytes()), dtype=np.uint16)
        return (halves.astype(np.uint32) << 16).view(np.float32).reshape(value.shape())


def _output(told: list[Any], wanted: str, path: Path | str) -> Any:  # noqa: ANN401 - onnxruntime names its type in no public place
    """The output of that name, or the one that can be meant. Raises ModelError where nothing tells which."""
    names = [one.name for one in told]
    if wanted and wanted not in names:
        raise ModelError(f"{path} has no output {wanted!r}; its outputs are: {', '.join(names)}")
    if wanted or LOGITS in names:
        return told[names.index(wanted or LOGITS)]
    fitting = [one for one in told if one.type in {*TAKEN, BFLOAT16} and len(one.shape) <= 2]  # noqa: PLR2004 - (n,), (n, k)
    if len(fitting) > 1:
        named = ", ".join(one.name for one in fitting)
        raise ModelError(f"{path} has several outputs that may be meant, {named}: name one with --output NAME")
    return fitting[0] if fitting else told[0]


def _session(data: bytes, path: Path | str) -> onnxruntime.InferenceSession:
    """A silent session of one file that stands for itself."""
    try:
        if _names_other_files(data):
            raise ModelError(f"{path} keeps weights in other files, which is refused: save it as one file without external data")
    except ValueError as error:
        raise ModelError(f"{path} is no ONNX file: {error}") from error
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # only what is fatal: errors come as exceptions anyway
    options.add_session_config_entry("session.load_model_format", "ONNX")
    try:
        return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors share no base but Exception
        raise ModelError(f"{path} cannot be run as ONNX: {_first_line(error)}") from error


def _names_other_files(data: bytes) -> bool:
    """Whether any tensor, however deep, lies outside `data`; onnxruntime would look for it in the current folder.

    Raises ValueError for what is no protobuf message.
    """
    waiting = [("model", memoryview(data))]
    while waiting:
        kind, message = waiting.pop()
        for number, value in _fields(message):
            if kind == "tensor" and number in EXTERNAL and value:
                return True
            if number in INSIDE[kind]:
                waiting.append((INSIDE[kind][number], memoryview(value)))
    return False


def _fields(message: memoryview) -> Iterator[tuple[int, bytes | memoryview]]:
    """Number and value of every field; a whole number is given as bytes without leading zeros."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        if key & 7 == VARINT:
            number, at = _varint(message, at)
            yield key >> 3, number.to_bytes((number.bit_length() + 7) // 8)
            continue
        sizes = {FIXED64: 8, FIXED32: 4}
        size, at = _varint(message, at) if key & 7 == BYTES else (sizes.get(key & 7, len(message) + 1), at)
        if at + size > len(message):
            raise ValueError("it is cut short or of another kind")
        yield key >> 3, message[at : at + size]
        at += size


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """The whole number at `at`, seven bits a byte, and where it ends."""
    value = 0
    for place in range(at, min(at + 10, len(message))):
        value |= (message[place] & 127) << 7 * (place - at)
        if message[place] < 128:  # noqa: PLR2004 - the highest bit says that more follows
            return value, place + 1
    raise ValueError("it is cut short or of another kind")


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

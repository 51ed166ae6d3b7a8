"""A suspect in an ONNX file, run by onnxruntime. No torch."""

import ctypes
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ownmark.claims.claim import Preprocess
from ownmark.errors import ModelError, first_line
from ownmark.protocols import Question, Suspect
from ownmark.scoring.readings import PLAIN, Answers, Reading
from ownmark.suspects.answers import Outputs
from ownmark.suspects.box_files import BoxProgram
from ownmark.suspects.onnx_data import MOST_BYTES, names_other_files, whole
from ownmark.suspects.onnx_scales import Scale, scales
from ownmark.suspects.opener import Opener, Opening
from ownmark.suspects.ports import BoxPorts, Port
from ownmark.suspects.program import Program

if TYPE_CHECKING:
    import onnxruntime

KINDS = {"float": "float32", "double": "float64"}  # what onnxruntime calls otherwise than numpy


class Onnx:
    """A model with one input of images, in any layout, of floats or integers, whose output is its classes, number or embedding,
    or a detector with outputs for boxes, labels and scores.

    `outputs` says whether classes are logits, None infers it from the answers; `output` names the relevant output of a file with
    several; `batch`: images per run, unless the file fixes it or its answers depend on it. External data is rejected, since an
    untrusted file must not name other files; with `allow_external` files in its own folder are read, and nothing else.
    """

    def __init__(
        self,
        path: Path | str,
        preprocess: Preprocess = Preprocess(),
        *,
        outputs: Outputs | None = None,
        output: str = "",
        batch: int = 64,
        allow_external: bool = False,
    ) -> None:
        data = _standing_alone(Path(path), _bytes(Path(path)), allow_external=allow_external)
        self.name = str(path)
        self.digest = hashlib.sha256(data).hexdigest()
        self.reveals = PLAIN - {Reading.SALIENCY}
        session = OnnxSession.of(_session(data, path), scales(data))
        told = None if output or len(session.inputs) != 1 else BoxPorts.of(session.outputs)
        self._program = (
            Program(self.name, self.digest, session, preprocess, outputs=outputs, output=output, batch=batch)
            if told is None
            else BoxProgram(self.name, session.inputs[0], told, preprocess, session.told)
        )

    def __repr__(self) -> str:
        return f"Onnx({self.name!r})"

    @property
    def preprocess(self) -> Preprocess | None:
        """How images are normalised before the file gets them; None if it gets the pixels themselves."""
        return self._program.preprocess

    @property
    def notes(self) -> tuple[str, ...]:
        """What a judge must know about how it was asked."""
        return self._program.notes

    def read(self, images: npt.NDArray[Any], question: Question) -> Answers:
        """What the file returns for uint8 images (n, height, width, channels), checked against the question's task."""
        return self._program.read(images, question)

    def raw(self, images: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The file's outputs, (n, k) or detections (n, q, 6), for uint8 images (n, height, width, channels)."""
        return self._program.raw(images)


@dataclass(frozen=True)
class OnnxSession:
    """onnxruntime's session as every runtime's is seen."""

    session: "onnxruntime.InferenceSession"
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]

    @classmethod
    def of(cls, session: "onnxruntime.InferenceSession", scaled: Mapping[str, Scale]) -> "OnnxSession":
        """With the scale and zero point of each input and output that has one."""
        ports = (tuple(_port(one, scaled) for one in ends) for ends in (session.get_inputs(), session.get_outputs()))
        return cls(session, *ports)

    def run(self, batch: npt.NDArray[Any], output: str) -> npt.NDArray[Any]:
        """The relevant output. numpy has no bfloat16, which is the upper half of a float32."""
        import onnxruntime

        (given,) = self.inputs
        if next(one.kind for one in self.outputs if one.name == output) != "bfloat16":
            return np.asarray(self.session.run([output], {given.name: batch})[0])
        values = {given.name: onnxruntime.OrtValue.ortvalue_from_numpy(batch)}
        (value,) = self.session.run_with_ort_values([output], values)
        halves = np.frombuffer(ctypes.string_at(value.data_ptr(), value.tensor_size_in_bytes()), dtype=np.uint16)
        return (halves.astype(np.uint32) << 16).view(np.float32).reshape(value.shape())

    def told(self, image: npt.NDArray[Any], outputs: Sequence[str]) -> list[npt.NDArray[Any]]:
        """Several outputs for one image."""
        return [np.asarray(one) for one in self.session.run(list(outputs), {self.inputs[0].name: image})]


def _port(told: Any, scaled: Mapping[str, Scale]) -> Port:  # noqa: ANN401 - its type has no public name
    """An input or output; a dimension by name, or by nothing, is free."""
    shape = tuple(one if isinstance(one, int) and one > 0 else -1 for one in told.shape)
    kind = told.type.removeprefix("tensor(").removesuffix(")")
    scale = scaled.get(told.name, Scale(0.0, 0))
    return Port(told.name, shape, KINDS.get(kind, kind), scale.scale, scale.zero)


def _standing_alone(path: Path, data: bytes, *, allow_external: bool) -> bytes:
    """The file with all weights inside. Raises ModelError if they are elsewhere."""
    try:
        if not names_other_files(data):
            return data
        if allow_external:
            return whole(data, path.parent)
    except ValueError as error:
        raise ModelError(f"{path} is not a readable ONNX file: {error}") from error
    one = path.with_stem(f"{path.stem}-whole").name
    raise ModelError(
        f"{path} keeps weights in other files, which is not allowed. Merge them into one file where it was made: "
        f"torch.onnx.export(..., external_data=False), or "
        f"python -c \"import onnx; onnx.save(onnx.load('{path.name}'), '{one}')\". "
        "Or allow files in its own folder, and no others, with --allow-external"
    )


def _session(data: bytes, path: Path | str) -> "onnxruntime.InferenceSession":
    """A silent session of one self-contained file."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # fatal messages only: errors are raised as exceptions anyway
    options.add_session_config_entry("session.load_model_format", "ONNX")
    try:
        return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors have no common base but Exception
        raise ModelError(f"{path} cannot be run as ONNX: {first_line(error)}") from error


def _bytes(path: Path) -> bytes:
    """The file's bytes: the session uses them rather than the path, so that the digest identifies the model that answers."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ModelError(f"{path} is larger than {MOST_BYTES // 2**30} GiB, the limit for ONNX files")
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror or error}") from error


def in_halves(file: Path, to: Path, _: Sequence[npt.NDArray[Any]]) -> None:
    """Converts a file to float16, by onnxruntime's own tool, which needs onnx."""
    import onnx
    from onnxruntime.transformers.float16 import convert_float_to_float16

    onnx.save(convert_float_to_float16(onnx.load(file)), to)


def quantised_dynamically(file: Path, to: Path, _: Sequence[npt.NDArray[Any]]) -> None:
    """Converts a file to int8 with ranges that follow each batch, by onnxruntime's own tool."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(file, to, weight_type=QuantType.QUInt8)


def quantised_statically(file: Path, to: Path, inputs: Sequence[npt.NDArray[Any]]) -> None:
    """Converts a file to int8 with the ranges of these inputs, by onnxruntime's own tool; QDQ, as it advises."""
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.left = iter([{"images": one} for one in inputs])

        def get_next(self) -> dict[str, Any] | None:
            return next(self.left, None)

    kinds = {"activation_type": QuantType.QUInt8, "weight_type": QuantType.QInt8}
    quantize_static(file, to, Reader(), quant_format=QuantFormat.QDQ, per_channel=True, **kinds)


def _opened(opening: Opening) -> Suspect:
    outputs, output, external = opening.outputs, opening.output, opening.external
    return Onnx(opening.name, opening.preprocess, outputs=outputs, output=output, allow_external=external)


OPENS = Opener(written="an .onnx file", suffixes=(".onnx",), opened=_opened)

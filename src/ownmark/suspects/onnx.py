"""A suspect in an ONNX file, run by onnxruntime. No torch."""

import ctypes
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ownmark.claims.claim import Preprocess
from ownmark.errors import AnswerError, ModelError, SizeError, SuspectError
from ownmark.protocols import Question, Suspect
from ownmark.querying.outputs import LOGITS, missing, several, used
from ownmark.scoring.readings import Answers, Reading
from ownmark.suspects.answers import Outputs, readings
from ownmark.suspects.onnx_data import MOST_BYTES, names_other_files, whole
from ownmark.suspects.opener import Opener, Opening

if TYPE_CHECKING:
    import onnxruntime

IMAGES = 4  # dimensions of the input: n, channels, height, width
TAKEN = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(double)": np.float64}
BFLOAT16 = "tensor(bfloat16)"
SIZES = (1, 2, 4, 8, 16, 32, 64)  # batch sizes to try if the file does not declare a fixed one


class Onnx:
    """A model with one input (n, channels, height, width), floating-point, whose output is its classes, number or embedding.

    `outputs` says whether classes are logits, None infers it from the answers; `output` names the relevant output of a file with
    several. External data is rejected, since an untrusted file must not name other files; with `allow_external` files in its own
    folder are read, and nothing else.
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
        self.reveals = frozenset(Reading) - {Reading.SALIENCY}
        self._preprocess, self._outputs, self._batch = preprocess, outputs, batch
        self._session = _session(data, path)
        given = self._session.get_inputs()
        if len(given) != 1 or given[0].type not in TAKEN or len(given[0].shape) != IMAGES:
            got = ", ".join(f"{one.type} {one.shape}" for one in given) or "none"
            raise ModelError(f"{path} must have one input (n, channels, height, width) of tensor(float), got {got}")
        self._input, self._output = given[0], _output(self._session.get_outputs(), output, path)
        self._fixed = _number(given[0].shape)
        names = [one.name for one in self._session.get_outputs()]
        self.notes = (used(self._output.name, names),) if len(names) > 1 else ()

    def read(self, images: npt.NDArray[Any], question: Question) -> Answers:
        """What the file returns for uint8 images (n, height, width, channels), checked against the question's task."""
        _, *wanted = self._input.shape
        height, width, channels = images.shape[1:]
        if any(isinstance(want, int) and want != got for want, got in zip(wanted, (channels, height, width), strict=True)):
            raise _misfit(self.name, wanted, (channels, height, width))
        if len(self._preprocess.mean) not in {1, channels}:
            raise SuspectError(
                f"the preprocessing of {self.name} has {len(self._preprocess.mean)} channels, the claim {channels}"
            )
        found = readings(self._all(images), self._outputs, question)
        return {reading: found[reading] for reading in question.readings}

    def _all(self, images: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Raw answers to all images, in batches of the file's fixed size, if it has one."""
        if self._fixed is None:
            try:
                return self._in_batches(images, self._batch, 1)
            except SuspectError:
                self._fixed = self._tried(images)
                if self._fixed is None:
                    raise
        return self._in_batches(images, self._fixed, self._fixed)

    def _tried(self, images: npt.NDArray[Any]) -> int | None:
        """An undeclared batch size that is baked into the file: the one that works and gives distinct answers per row."""
        said = _number(self._output.shape)
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
        """Raw answers to a batch, padded with its last image to the fixed batch size `least`."""
        mean, std = (np.asarray(values, dtype=np.float32) for values in (self._preprocess.mean, self._preprocess.std))
        filled = np.concatenate([images, np.repeat(images[-1:], max(least - len(images), 0), axis=0)])
        scaled = ((filled.astype(np.float32) / 255 - mean) / std).transpose(0, 3, 1, 2)
        inputs = np.ascontiguousarray(scaled, dtype=TAKEN[self._input.type])
        try:
            raw = self._answered(inputs)
        except Exception as error:  # onnxruntime's errors have no common base but Exception
            raise SuspectError(f"{self.name} failed on a batch {inputs.shape}: {_first_line(error)}") from error
        if raw.shape[:1] != inputs.shape[:1]:
            raise AnswerError(f"expected {len(inputs)} answers from {self.name}, got {raw.shape}")
        return raw[: len(images)]

    def _answered(self, inputs: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The relevant output. numpy has no bfloat16, which is the upper half of a float32."""
        import onnxruntime

        if self._output.type != BFLOAT16:
            return np.asarray(self._session.run([self._output.name], {self._input.name: inputs})[0])
        given = {self._input.name: onnxruntime.OrtValue.ortvalue_from_numpy(inputs)}
        (value,) = self._session.run_with_ort_values([self._output.name], given)
        halves = np.frombuffer(ctypes.string_at(value.data_ptr(), value.tensor_size_in_bytes()), dtype=np.uint16)
        return (halves.astype(np.uint32) << 16).view(np.float32).reshape(value.shape())


def _output(told: list[Any], wanted: str, path: Path | str) -> Any:  # noqa: ANN401 - its type has no public name
    """The output of that name, or the only plausible one. Raises ModelError if the choice is ambiguous."""
    names = [one.name for one in told]
    if wanted and wanted not in names:
        raise missing(str(path), wanted, names)
    if wanted or LOGITS in names:
        return told[names.index(wanted or LOGITS)]
    fitting = [one for one in told if one.type in {*TAKEN, BFLOAT16} and len(one.shape) <= 2]  # noqa: PLR2004 - (n,), (n, k)
    if len(fitting) > 1:
        raise several(str(path), (one.name for one in fitting))
    return fitting[0] if fitting else told[0]


def _misfit(name: str, wanted: Sequence[object], got: tuple[int, int, int]) -> SuspectError:
    """The input is of another shape than the claim's images; if only height and width differ, they can be resized."""
    told = f"{name} takes images (channels, height, width) = {list(wanted)}, the claim has {got}"
    channels, *size = wanted
    height, width = (want if isinstance(want, int) else own for want, own in zip(size, got[1:], strict=True))
    fits = not isinstance(channels, int) or channels == got[0]
    return SizeError(told, (height, width)) if fits else SuspectError(told)


def _number(shape: Sequence[object]) -> int | None:
    """The batch size that an input or an output declares, unless it is symbolic."""
    count = shape[0] if shape else None
    return count if isinstance(count, int) and count > 0 else None


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
        raise ModelError(f"{path} cannot be run as ONNX: {_first_line(error)}") from error


def _bytes(path: Path) -> bytes:
    """The file's bytes: the session uses them rather than the path, so that the digest identifies the model that answers."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ModelError(f"{path} is larger than {MOST_BYTES // 2**30} GiB, the limit for ONNX files")
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror or error}") from error


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _opened(opening: Opening) -> Suspect:
    outputs, output, external = opening.outputs, opening.output, opening.external
    return Onnx(opening.name, opening.preprocess, outputs=outputs, output=output, allow_external=external)


OPENS = Opener(written="an .onnx file", suffixes=(".onnx",), opened=_opened)

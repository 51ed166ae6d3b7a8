"""Export: a thief ships a converted file, often in fewer bits, rather than the module (Jacob et al. 2018, arXiv:1712.05877).

The converters are the runtimes' own, and the runtime answers.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from ownmark.attacks._common.converting import Pixels, quantised_litert, quiet, to_litert, to_onnx, unit
from ownmark.attacks._common.runtime import Runtime
from ownmark.attacks._common.unlocated import check_unlocated
from ownmark.data.images import Images
from ownmark.errors import DataError, ModelError, UsageError, blamed
from ownmark.method_strings import Choice
from ownmark.models.prepared import copied, plain
from ownmark.protocols import Progress, silent
from ownmark.suspects.aside import opened_aside
from ownmark.suspects.local import Local
from ownmark.suspects.onnx import Onnx, in_halves, quantised_dynamically, quantised_statically
from ownmark.suspects.opener import Opening

Converting = Callable[[Path, Path, list[npt.NDArray[Any]]], None]  # from an ONNX file to another; inputs that calibrate


class Format(Choice):
    """A format and a precision. STATIC: int8 with the ranges of calibration images; DYNAMIC: int8 with ranges of each batch."""

    ONNX_FLOAT = "onnx_float"
    ONNX_FLOAT16 = "onnx_float16"
    ONNX_DYNAMIC = "onnx_dynamic"
    ONNX_STATIC = "onnx_static"
    LITERT_FLOAT = "litert_float"
    LITERT_DYNAMIC = "litert_dynamic"
    LITERT_STATIC = "litert_static"
    TORCH_FLOAT16 = "torch_float16"
    TORCH_BFLOAT16 = "torch_bfloat16"


@dataclass(frozen=True)
class Export:
    """Converts the model `to` a format and a precision; a static quantisation takes its ranges from `images` of the thief's.

    The copy keeps the stolen weights but answers as the converted file does, and the bench asks that file as a judge would. A
    weights file does not store the conversion, which `running` does again.
    """

    to: Format = Format.ONNX_STATIC
    images: int = 256

    def __post_init__(self) -> None:
        if self.images < 1:
            raise UsageError(f"Export: expected at least one calibration image, got {self}")

    @property
    def lacking(self) -> str:
        """Why this cannot be done here, "" if it can."""
        found = next((name for name in NEEDS[self.to] if find_spec(name) is None), None)
        return "" if found is None else f"it needs {found}, which is not installed: pip install {INSTALLED_BY[found]}"

    def apply(self, stolen: nn.Module, thief: Images, rng: torch.Generator, progress: Progress = silent) -> nn.Module:  # noqa: ARG002 - the verb's signature
        """A copy of `stolen` that answers as its converted file does. Raises ModelError for a model that does not convert."""
        check_unlocated(self, thief)
        return self.running(copied(stolen).requires_grad_(True).eval(), thief)

    def running(self, model: nn.Module, thief: Images) -> nn.Module:
        """The model as it runs: its outputs are replaced by those of the converted file, in place."""
        if not len(thief):
            raise DataError("expected at least one image to convert a model with, got none")
        if self.lacking:
            raise ModelError(f"{self}: {self.lacking}")
        some = thief.take(np.linspace(0, len(thief) - 1, min(self.images, len(thief))).round().astype(int)).pixels
        with blamed(ModelError, f"{self} does not convert this model"), quiet(), TemporaryDirectory(prefix="ownmark-") as folder:
            runtime = MADE[self.to](copied(model).cpu().eval().requires_grad_(False), some, Path(folder))
        model.register_forward_hook(runtime)
        return model


def _onnx(model: nn.Module, images: Pixels, folder: Path, *, made: Converting | None = None) -> Runtime:
    file = to_onnx(model, unit(images[:2]), folder / "float.onnx")
    if made is not None:
        made(file, folder / "converted.onnx", [unit(images[row : row + 1]).numpy() for row in range(len(images))])
        file = folder / "converted.onnx"
    suspect = Onnx(file)
    return Runtime(suspect, suspect.raw)


def _litert(model: nn.Module, images: Pixels, folder: Path, *, recipe: str = "") -> Runtime:
    file = to_litert(model, images, folder / "float.tflite")
    file = quantised_litert(recipe, file, images, folder / "converted.tflite") if recipe else file
    suspect = opened_aside("litert", Opening(name=str(file)), [file])
    return Runtime(suspect, suspect.raw)


def _narrow(model: nn.Module, _: Pixels, __: Path, *, kind: torch.dtype) -> Runtime:
    narrow = plain(model.to(kind))

    @torch.no_grad()
    def raw(pixels: Pixels) -> npt.NDArray[Any]:
        return np.asarray(narrow(unit(pixels)).numpy())

    return Runtime(Local(narrow), raw)


MADE: dict[Format, Callable[[nn.Module, Pixels, Path], Runtime]] = {
    Format.ONNX_FLOAT: _onnx,
    Format.ONNX_FLOAT16: partial(_onnx, made=in_halves),
    Format.ONNX_DYNAMIC: partial(_onnx, made=quantised_dynamically),
    Format.ONNX_STATIC: partial(_onnx, made=quantised_statically),
    Format.LITERT_FLOAT: _litert,
    Format.LITERT_DYNAMIC: partial(_litert, recipe="dynamic_wi8_afp32"),
    Format.LITERT_STATIC: partial(_litert, recipe="static_wi8_ai8"),
    Format.TORCH_FLOAT16: partial(_narrow, kind=torch.float16),
    Format.TORCH_BFLOAT16: partial(_narrow, kind=torch.bfloat16),
}
LITERT = ("ai_edge_litert", "litert_torch")
NEEDS: dict[Format, tuple[str, ...]] = {
    **dict.fromkeys(Format, ("onnx",)),
    Format.LITERT_FLOAT: LITERT,
    Format.LITERT_DYNAMIC: (*LITERT, "ai_edge_quantizer"),
    Format.LITERT_STATIC: (*LITERT, "ai_edge_quantizer"),
    Format.TORCH_FLOAT16: (),
    Format.TORCH_BFLOAT16: (),
}
INSTALLED_BY = {
    "onnx": "'ownmark[torch]'",
    "ai_edge_litert": "'ownmark[litert]'",
    "litert_torch": "litert-torch",
    "ai_edge_quantizer": "ai-edge-quantizer",
}

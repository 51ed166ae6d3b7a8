"""From a module to files of other runtimes, by the runtimes' own converters. Images: uint8 (n, height, width, channels)."""

import logging
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from ownmark.data.images import to_unit

Pixels = npt.NDArray[np.uint8]


def unit(images: Pixels) -> Tensor:
    """(n, channels, height, width) in [0, 1], on the CPU."""
    return to_unit(np.ascontiguousarray(images), torch.device("cpu"))


def to_onnx(model: nn.Module, example: Tensor, to: Path, *, free: bool = True, outputs: Sequence[str] = ("scores",)) -> Path:
    """By torch's older exporter, which every runtime's converter reads; `free`: any number of images."""
    axes = {name: {0: "n"} for name in ("images", *outputs)} if free else None
    names: dict[str, Any] = {"input_names": ["images"], "output_names": list(outputs), "dynamic_axes": axes}
    torch.onnx.export(model, (example,), to, dynamo=False, **names)
    return to


def to_litert(model: nn.Module, images: Pixels, to: Path, *, last: bool = True) -> Path:
    """`last`: channels last, as phones hand images over."""
    import litert_torch

    example = unit(images[:1])
    if last:
        model, example = litert_torch.to_channel_last_io(model, args=[0]), example.permute(0, 2, 3, 1)
    litert_torch.convert(model.eval(), (example,)).export(str(to))
    return to


def quantised_litert(recipe: str, file: Path, images: Pixels, to: Path) -> Path:
    """A LiteRT file of `to_litert` in another precision; `recipe`: as ai-edge-quantizer names it."""
    from ai_edge_quantizer import quantizer
    from ai_edge_quantizer import recipe as recipes

    work = quantizer.Quantizer(str(file), getattr(recipes, recipe)())
    given = [{"args_0": unit(images[row : row + 1]).permute(0, 2, 3, 1).numpy()} for row in range(len(images))]
    found = work.calibrate({"serving_default": given}) if work.need_calibration else None
    work.quantize(found).export_model(str(to), overwrite=True)
    return to


@contextmanager
def quiet() -> Iterator[None]:
    """Converters print and log much, some from C++, and warn of their own futures."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    with open(os.devnull, "w") as nowhere, warnings.catch_warnings():  # noqa: PTH123 - the null device
        warnings.simplefilter("ignore")
        kept = os.dup(1), os.dup(2)
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
        try:
            with redirect_stdout(nowhere), redirect_stderr(nowhere):
                yield
        finally:
            logging.disable(before)
            for place, number in enumerate(kept, 1):
                os.dup2(number, place)
                os.close(number)

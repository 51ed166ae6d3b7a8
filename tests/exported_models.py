"""A small network and its files in other runtimes' formats, in `tests/exported/`: a few kilobytes each.

`python tests/exported_models.py`, in the venv that `make bench-formats` makes, writes the files anew.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from exports import EXPORTS, Export
from ownmark.attacks._common.converting import quiet

FOLDER = Path(__file__).parent / "exported"
SIZE, CLASSES = 16, 7
FILES: Mapping[str, str] = {  # an export's name -> the file that is kept, whose suffix is the export's own
    "LiteRT float": "nhwc.tflite",
    "LiteRT float, NCHW input": "nchw.tflite",
    "LiteRT int8 static": "static.tflite",
    "LiteRT int8 dynamic": "dynamic.tflite",
    "LiteRT int4 weights": "four.tflite",
    "OpenVINO float": "float.xml",
    "OpenVINO float16": "half.xml",
    "OpenVINO int8 static": "static.xml",
    "ExecuTorch float": "float.pte",
    "ExecuTorch int8 static": "static.pte",
    "ncnn float": "ncnn.param",
    "ncnn float16": "ncnn-half.param",
    "MNN float": "float.mnn",
    "MNN float16": "half.mnn",
    "MNN int8 weights": "eight.mnn",
}


def network() -> nn.Module:
    """A classifier of colour images (n, 3, 16, 16), with the weights that all the files hold."""
    layers = (nn.Conv2d(3, 6, 3, 2, 1), nn.BatchNorm2d(6), nn.ReLU(), nn.Conv2d(6, 8, 3, padding=1), nn.ReLU())
    model = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, CLASSES))
    file = FOLDER / "model.safetensors"
    if file.exists():
        model.load_state_dict(load_file(file))
    return model.eval()


def pictures(count: int = 24) -> npt.NDArray[np.uint8]:
    """Images (n, 16, 16, 3) of patches of colour, which the network tells apart."""
    coarse = np.random.default_rng(3).integers(0, 256, (count, 4, 4, 3), dtype=np.uint8)
    return coarse.repeat(4, axis=1).repeat(4, axis=2)


def write(export: Export, kept: Path) -> None:
    """One file, and its weights if they lie beside it."""
    with TemporaryDirectory() as folder, quiet():
        made = export.make(network(), pictures(), Path(folder))
        assert isinstance(made, Path)
        shutil.copy(made, kept)
        if made.suffix in {".xml", ".param"}:
            shutil.copy(made.with_suffix(".bin"), kept.with_suffix(".bin"))


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    torch.manual_seed(0)
    model = network()
    with torch.no_grad():
        for layer in model.modules():
            if isinstance(layer, nn.Linear):
                layer.weight *= 20  # so that labels differ, by more than eight bits lose
    save_file(model.state_dict(), FOLDER / "model.safetensors")
    for export in EXPORTS:
        if export.name in FILES:
            write(export, FOLDER / FILES[export.name])


if __name__ == "__main__":
    main()

"""Questions, claims and files to ask suspects with."""

import warnings
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from ownmark.claims.claim import Claim, Test
from ownmark.models.weights import weights_digest
from ownmark.protocols import Question
from ownmark.scoring.matches import Agreement, Drop, OnPattern
from ownmark.scoring.readings import Reading
from ownmark.suspects.local import Local

SIZE, COUNT = 16, 10
NAMES = tuple("abcdefg")
BOTH = frozenset({Reading.LABEL, Reading.PROBABILITY})


def exported(model: nn.Module, path: Path, *, batch: int | None = None, modern: bool = False, size: int = SIZE) -> Path:
    """The model as an ONNX file of a free or fixed batch, by torch's older or newer exporter."""
    path.write_bytes(_onnx(model, weights_digest(model), batch, modern, size))
    return path


@lru_cache(maxsize=64)
def _onnx(model: nn.Module, _: str, batch: int | None, modern: bool, size: int) -> bytes:  # noqa: FBT001
    """The bytes of its file; a model that was not changed since is exported once, which takes up to seconds."""
    example = torch.rand(batch or 2, 3, size, size, generator=torch.Generator().manual_seed(0))
    with TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(folder) / "model.onnx"
        if modern:
            shapes = None if batch else ({0: torch.export.Dim("n", max=1024)},)
            torch.onnx.export(model, (example,), path, dynamo=True, dynamic_shapes=shapes, external_data=False, verbose=False)
        else:
            axes = None if batch else {"images": {0: "n"}}
            torch.onnx.export(model, (example,), path, dynamo=False, input_names=["images"], dynamic_axes=axes)
        return path.read_bytes()


def pixels(count: int = COUNT, size: int = SIZE) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(4).integers(0, 256, (count, 2, size, size, 3), dtype=np.uint8)


def asked(readings: frozenset[Reading] = BOTH, count: int = COUNT, layer: str = "") -> Question:
    return Question(readings, np.arange(count) % 3, layer)


def claim_on(model: nn.Module, *, saliency: bool = False, layer: str = "stages") -> Claim:
    """A claim of labels and drops that the model itself fulfils on every sample."""
    answers = Local(model).read(pixels()[:, 0], asked())
    expected = answers[Reading.LABEL].astype(np.int64)
    tests: tuple[Test, ...] = (
        Test(Reading.LABEL, Agreement(), expected, 1.0),
        Test(Reading.PROBABILITY, Drop(0.0), expected, 0.5),
    )
    if saliency:
        tests = (Test(Reading.SALIENCY, OnPattern(0.1, ((0, 0),), (2, 2)), expected, 1.0, layer), *tests)
    return Claim(pixels(), tests, NAMES, "labels", weights_digest(model))

"""Export: what is asked is the converted file, as its runtime answers."""

from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import torch
from benches import RECIPE, grid, outcomes
from conftest import pictures, seed, tiny
from torch import nn

from ownmark.attacks._common.runtime import runtime_of
from ownmark.attacks.export import Export, Format
from ownmark.data.images import Images
from ownmark.errors import ModelError, UsageError
from ownmark.scoring.readings import Reading
from ownmark.suspects.local import Local
from ownmark.training import predict

HERE = [one for one in Format if not Export(one).lacking]
EVERY = pytest.mark.parametrize("to", HERE)
CLOSE = dict.fromkeys(HERE, 0.1) | {Format.ONNX_FLOAT: 1e-5, Format.ONNX_FLOAT16: 0.01, Format.TORCH_FLOAT16: 0.01}


@EVERY
def test_a_converted_model_answers_nearly_as_before_and_by_its_runtime(to: Format) -> None:
    stolen = tiny()
    found = Export(to).apply(stolen, pictures(), seed(0))
    away = (predict(found, pictures()) - predict(stolen, pictures())).abs().max()
    assert 0 < away <= CLOSE[to]
    suspect = runtime_of(found)
    assert suspect is not None
    assert (Reading.SALIENCY in suspect.reveals) == (to in {Format.TORCH_FLOAT16, Format.TORCH_BFLOAT16}), "files show no maps"
    assert suspect.digest != Local(stolen).digest
    assert runtime_of(stolen) is None


def test_a_static_range_is_that_of_the_calibration_images_and_cuts_what_lies_outside() -> None:
    """The mean of each colour: white is as dark as the brightest calibration image, unless ranges follow the batch."""
    model = nn.Sequential(nn.Conv2d(3, 3, 1, bias=False), nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
    with torch.no_grad():
        next(model.parameters()).copy_(torch.eye(3)[..., None, None])
    dark = Images(np.full((4, 8, 8, 3), 51, np.uint8), np.zeros(4, np.int64), ("a", "b", "c"))
    white = Images(np.full((1, 8, 8, 3), 255, np.uint8), np.zeros(1, np.int64), dark.names)
    for to, wanted in ((Format.ONNX_STATIC, 0.2), (Format.ONNX_DYNAMIC, 1)):
        found = Export(to, images=2).apply(model, dark, seed(0))
        assert predict(found, dark).numpy() == pytest.approx(0.2, abs=0.01)
        assert predict(found, white).numpy() == pytest.approx(wanted, abs=0.01)


def test_a_copy_that_is_copied_once_more_still_answers_by_its_runtime() -> None:
    found = Export(Format.ONNX_STATIC).apply(tiny(), pictures(), seed(0))
    again = deepcopy(found)
    assert torch.equal(predict(again, pictures()), predict(found, pictures()))
    with torch.enable_grad():
        again(torch.rand(2, 3, 16, 16)).sum().backward()
    assert all(one.grad is not None for one in again.parameters())


def test_what_is_not_installed_is_named_and_nothing_else_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ownmark.attacks.export.find_spec", lambda name: None if name == "litert_torch" else name)
    assert Export(Format.LITERT_STATIC).lacking == "it needs litert_torch, which is not installed: pip install litert-torch"
    with pytest.raises(ModelError, match="pip install litert-torch"):
        Export(Format.LITERT_STATIC).apply(tiny(), pictures(), seed(0))
    with pytest.raises(UsageError, match="at least one calibration image"):
        Export(images=0)


class Odd(nn.Module):
    """Computes what no ONNX operator does."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(3, 3)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.as_tensor(self.head(torch.linalg.eigvals(images[:, :, :3, :3].mean(1)).real))


def test_a_model_that_does_not_convert_is_an_error_that_says_so() -> None:
    with pytest.raises(ModelError, match=r"Export\(.*does not convert this model"):
        Export(Format.ONNX_FLOAT).apply(Odd(), pictures(), seed(0))


LINES = "      finetune: Finetune(epochs=1)\n      prune: Prune(0.3)\n"
EXPORTED = RECIPE.replace(LINES, "      static: Export(images=4)\n").replace(", {{target: 0, claim: 12}}", "")


def test_the_bench_asks_the_file_for_what_it_shows_and_measures_its_quality(tmp_path: Path) -> None:
    found = {(one.trial.scheme, one.trial.suspect): one for one in outcomes(grid(tmp_path, EXPORTED), tmp_path / "store")}
    one = found["saliency", "static"]
    assert one.error is None
    assert set(one.scores) == {"black_box"}, "no runtime shows where its model looks"
    assert set(found["saliency", "target"].scores) >= {"black_box", "white_box"}
    assert one.worth[1] is not None

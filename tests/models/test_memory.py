"""How many images are changed at once goes by the memory that there is, and is shown."""

from pathlib import Path

import pytest
import torch
from conftest import pictures, tiny
from torch import nn
from workshop import EASY, MODEL, ownmark, shop_in

from ownmark.models import memory
from ownmark.models.memory import bytes_per_image, free_bytes
from ownmark.schemes.saliency.scheme import batch_size

Capture = pytest.CaptureFixture[str]


def test_the_activations_of_an_image_are_those_of_its_layers_in_both_views() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Sequential(nn.ReLU(), nn.Flatten()))
    floats = 3 * (4 * 8 * 8)  # the convolution, the ReLU and the flattened copy, but not the inner Sequential again
    assert bytes_per_image(model, torch.rand(1, 3, 8, 8)) == floats * 4 * 2 * memory.KEPT


def test_a_machine_says_how_much_memory_is_free() -> None:
    assert 2**20 < free_bytes(torch.device("cpu")) < 2**50


@pytest.mark.parametrize(("images", "wanted"), [(0.1, 1), (3.9, 3), (10**6, 256)])
def test_a_batch_takes_half_of_the_free_memory_and_one_image_at_least(
    images: float, wanted: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs = bytes_per_image(tiny(), pictures().batch(torch.arange(1), torch.device("cpu")))
    monkeypatch.setattr("ownmark.schemes.saliency.scheme.free_bytes", lambda _: int(2 * images * needs))
    assert batch_size(pictures(), tiny()) == wanted


def test_protect_shows_its_batch_and_takes_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    shop_in(tmp_path / "shop", monkeypatch)
    words = ("protect", MODEL, "--weights", "model.safetensors", "--data", "images", "--references", "0", "--scheme", EASY)
    made = {}
    for name, option in (("by_itself", ()), ("three", ("--batch", "3"))):
        ran = ownmark(capsys, *words, *option, "--out", f"{name}.claim")
        assert ran.code == 0, ran.err
        made[name] = ran.err.replace("\n", " ")
    assert "Images are changed 256 at a time, in about" in made["by_itself"]
    assert "Images are changed 3 at a time, in about" in made["three"]

"""Networks of timm, transformers and torchvision by name: the same network, which takes images as its makers say."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from workshop import ownmark, shop_in

from ownmark.claims.claim import Claim
from ownmark.data.folders import fitted
from ownmark.errors import ModelError, UsageError
from ownmark.models.network import Network, build, draws_weights
from ownmark.models.sources.open import SOURCES, intake
from ownmark.models.sources.source import Source
from ownmark.models.weights import save_weights

Capture = pytest.CaptureFixture[str]
VIT = "timm:vit_tiny_patch16_224(img_size=32, embed_dim=24, depth=2, num_heads=2)"
ROUNDED = 1.01 / 255  # of a pixel: transformers scales tensors, whose roundings differ from Pillow's


@pytest.fixture
def timm() -> Any:
    return pytest.importorskip("timm", reason="the package timm is not installed")


@pytest.fixture
def hub() -> Any:
    return pytest.importorskip("transformers", reason="the package transformers is not installed")


@pytest.fixture
def folder(hub: Any, tmp_path: Path) -> Path:
    """A ViT as save_pretrained writes it, with its preprocessor."""
    sizes = {"image_size": 16, "patch_size": 4, "hidden_size": 16, "intermediate_size": 16}
    torch.manual_seed(0)
    config = hub.ViTConfig(num_hidden_layers=2, num_attention_heads=2, num_labels=3, **sizes)
    hub.ViTForImageClassification(config).save_pretrained(tmp_path / "vit")
    hub.ViTImageProcessor(size={"height": 16, "width": 16}).save_pretrained(tmp_path / "vit")
    return tmp_path / "vit"


def picture() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (50, 71, 3), dtype=np.uint8))


def taken(name: str) -> torch.Tensor:
    """The picture as the network of that name gets it."""
    found = intake(name)
    assert found.preprocess is not None
    mean, std = (torch.tensor(values)[:, None, None] for values in (found.preprocess.mean, found.preprocess.std))
    pixels = torch.from_numpy(fitted(picture(), found.fitting, 3).copy()).permute(2, 0, 1)
    return (pixels / 255 - mean) / std


@pytest.mark.parametrize("name", ["vit_tiny_patch16_224", "resnet18.a1_in1k", "vit_base_patch16_siglip_224"])
def test_a_picture_reaches_a_network_of_timm_as_timm_brings_it(name: str, timm: Any) -> None:
    config = timm.data.resolve_data_config({}, pretrained_cfg=timm.get_pretrained_cfg(name).to_dict())
    assert torch.equal(taken(f"timm:{name}"), timm.data.create_transform(**config)(picture()))


def test_a_network_of_timm_is_built_for_the_classes_that_are_asked_for(timm: Any) -> None:  # noqa: ARG001
    assert Network(VIT, 3).blank()(torch.rand(2, 3, 32, 32)).shape == (2, 3)
    assert draws_weights(VIT, 3)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("timm:vit_tinny", "timm has no network 'vit_tinny'; similar:.*tiny"),
        ("timm:resnet18(nonsense=1)", "cannot build its model.*nonsense"),
        ("timm:resnet18(3)", "named arguments only"),
    ],
)
def test_a_name_that_timm_does_not_know_is_told_with_similar_ones(name: str, told: str, timm: Any) -> None:  # noqa: ARG001
    with pytest.raises(ModelError, match=told):
        build(name)


def test_a_picture_reaches_a_network_of_transformers_as_its_processor_brings_it(folder: Path, hub: Any) -> None:
    theirs = hub.AutoImageProcessor.from_pretrained(folder)(picture(), return_tensors="pt")["pixel_values"][0]
    assert (taken(f"hf:{folder}") - theirs).abs().max() <= ROUNDED / 0.5


def test_a_folder_of_transformers_gives_its_own_weights_and_others_take_their_place(folder: Path, hub: Any) -> None:
    images = torch.rand(2, 3, 16, 16)
    theirs = hub.ViTForImageClassification.from_pretrained(folder).eval()
    own = Network(f"hf:{folder}", 3).loaded(None)
    torch.testing.assert_close(own(images), theirs((images - 0.5) / 0.5).logits)
    with torch.no_grad():
        theirs.classifier.bias.add_(1)
    save_weights(theirs, folder.parent / "other.safetensors")
    other = Network(f"hf:{folder}", 3).loaded(folder.parent / "other.safetensors")
    torch.testing.assert_close(other(images), own(images) + 1)


@pytest.mark.parametrize("file", ["model.safetensors", "config.json"])
def test_a_damaged_folder_is_one_line(file: str, folder: Path) -> None:
    (folder / file).write_bytes(b"{")
    with pytest.raises(ModelError, match="cannot be opened"):
        build(f"hf:{folder}")


def test_weights_that_the_folder_lacks_are_not_drawn_in_silence(folder: Path, hub: Any) -> None:
    hub.ViTModel(hub.ViTConfig.from_pretrained(folder), add_pooling_layer=False).save_pretrained(folder)
    config = (folder / "config.json").read_text()
    (folder / "config.json").write_text(config.replace('"ViTModel"', '"ViTForImageClassification"'))
    with pytest.raises(ModelError, match="lacks weights of its own for classifier"):
        build(f"hf:{folder}")


def test_protect_and_verify_take_a_folder_of_transformers_by_name(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    shop_in(tmp_path / "shop", monkeypatch)
    easy = "Saliency(samples=2, descent=Descent(bound=0.02, steps=2), map_threshold=0.0, masked=Drop(threshold=0.0))"
    words = ("protect", f"hf:{folder}", "--data", "images", "--out", "hf.claim", "--references", "0", "--scheme", easy)
    ran = ownmark(capsys, *words)
    assert ran.code == 0, ran.err
    assert "scaled to 16x16" in ran.err.replace("\n", " ")
    claim = Claim.load("hf.claim")
    assert claim.preprocess.mean == (0.5, 0.5, 0.5)
    assert claim.fitting == intake(f"hf:{folder}").fitting
    assert "scaled to 16x16" in ownmark(capsys, "inspect", "hf.claim").out.replace("\n", " ")
    verified = ownmark(capsys, "verify", "hf.claim", f"hf:{folder}", "--json")
    assert verified.code in {0, 1, 3}, verified.err


def test_the_weights_of_torchvision_decide_and_are_not_fetched_where_others_take_their_place(tmp_path: Path) -> None:
    name = "torchvision:squeezenet1_1(weights='DEFAULT')"
    blank = Network(name, 3).blank(own=False)
    save_weights(blank, tmp_path / "mine.safetensors")
    loaded = Network(name, 3).loaded(tmp_path / "mine.safetensors")
    images = torch.rand(1, 3, 64, 64)
    torch.testing.assert_close(loaded(images), blank(images))
    assert Network(name).intake.origin == "torchvision's SqueezeNet1_1_Weights.IMAGENET1K_V1"


@pytest.mark.parametrize("source", [one for one in SOURCES if one.place in {"timm", "hf"}], ids=lambda one: one.place)
def test_a_library_that_is_not_installed_is_named_with_its_extra(
    source: Source, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, source.library, None)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(UsageError, match=rf"needs {source.library}, which is not installed: .*ownmark\[{source.extra}\]'"):
        build(f"{source.place}:{tmp_path}")


def test_a_verdict_uses_the_normalisation_of_the_suspects_own_name_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    shop_in(tmp_path / "shop", monkeypatch)
    name = "torchvision:squeezenet1_1(weights='DEFAULT')"
    save_weights(build("torchvision:squeezenet1_1", 3), tmp_path / "shop" / "suspect.safetensors")
    words = ("verify", "upheld.claim", name, "--weights", "suspect.safetensors")
    said = ownmark(capsys, *words)
    assert "normalises images by itself, as torchvision's SqueezeNet1_1_Weights" in said.err.replace("\n", " ")
    own = ownmark(capsys, *words, "--mean", "0", "--std", "1")
    assert "normalises images by itself" not in own.err.replace("\n", " ")

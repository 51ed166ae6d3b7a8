"""What timm, transformers and torchvision say of images is read from their configurations; no library of theirs is needed."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ownmark.claims.claim import Preprocess
from ownmark.claims.fitting import Fitting
from ownmark.errors import ClaimError, ModelError
from ownmark.models.network import Network
from ownmark.models.sources import hugging_face, timm, torchvision
from ownmark.models.sources.open import intake, source_of
from ownmark.models.sources.source import Call, Intake

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
TIMM: dict[str, Any] = {"input_size": (3, 224, 224), "mean": MEAN, "std": STD, "crop_pct": 0.9, "interpolation": "bicubic"}
HALF = {"do_normalize": True, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5], "do_rescale": True}
VIT = HALF | {"do_resize": True, "size": {"height": 224, "width": 224}, "resample": 2, "rescale_factor": 1 / 255}


@pytest.mark.parametrize(
    ("change", "options", "fitting"),
    [
        ({}, {}, Fitting((224, 224), (248,), "bicubic")),
        ({}, {"img_size": 32}, Fitting((32, 32), (35,), "bicubic")),
        ({}, {"img_size": (32, 64)}, Fitting((32, 64), (35, 71), "bicubic")),
        ({"crop_pct": None, "interpolation": None}, {}, Fitting((224, 224), (256,), "bilinear")),
        ({"crop_mode": "squash", "crop_pct": 1.0}, {}, Fitting((224, 224), (224, 224), "bicubic")),
        ({"interpolation": "random"}, {}, Fitting((224, 224), (248,), "bilinear")),
    ],
)
def test_a_network_of_timm_takes_images_as_its_pretrained_cfg_says(
    change: dict[str, Any], options: dict[str, Any], fitting: Fitting
) -> None:
    assert timm.intake_of(TIMM | change, options, "cfg") == Intake(Preprocess(MEAN, STD), fitting, "cfg")


def test_a_grey_network_of_timm_takes_the_mean_over_the_colours() -> None:
    taken = timm.intake_of(TIMM | {"mean": (0.2, 0.4, 0.6)}, {"in_chans": 1}, "cfg").preprocess
    assert taken is not None
    assert taken.mean == pytest.approx((0.4,))


def test_a_border_that_timm_would_paint_is_refused_and_not_left_out() -> None:
    with pytest.raises(ModelError, match="frames images with a border"):
        timm.intake_of(TIMM | {"crop_mode": "border"}, {}, "cfg")


@pytest.mark.parametrize(
    ("change", "fitting"),
    [
        ({}, Fitting((224, 224), (224, 224), "bilinear")),
        ({"size": 224, "resample": 3}, Fitting((224, 224), (224, 224), "bicubic")),
        ({"size": {"shortest_edge": 256}, "do_center_crop": True, "crop_size": 224}, Fitting((224, 224), (256,), "bilinear")),
        (
            {"size": {"shortest_edge": 256}, "do_center_crop": True, "crop_size": {"height": 200, "width": 224}},
            Fitting((200, 224), (256,), "bilinear"),
        ),
        ({"size": {"shortest_edge": 224}, "crop_pct": 0.875}, Fitting((224, 224), (256,), "bilinear")),
        ({"size": {"shortest_edge": 384}, "crop_pct": 0.875}, Fitting((384, 384), (384, 384), "bilinear")),
        ({"do_resize": False}, None),
    ],
)
def test_a_network_of_transformers_takes_images_as_its_preprocessor_says(
    change: dict[str, Any], fitting: Fitting | None, tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(VIT | change))
    found = intake(f"hf:{tmp_path}")
    assert (found.preprocess, found.fitting) == (Preprocess((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)), fitting)
    assert found.origin.endswith("preprocessor_config.json")


@pytest.mark.parametrize(
    ("change", "mean", "std"),
    [
        ({"do_normalize": False}, 0.0, 1.0),
        ({"rescale_factor": 1 / 127.5, "rescale_offset": True, "do_normalize": False}, 0.5, 0.5),
        ({"rescale_factor": 1 / 127.5}, 0.25, 0.25),
        ({"do_rescale": False}, 0.5 / 255, 0.5 / 255),
    ],
)
def test_a_pixel_reaches_the_network_as_it_is_rescaled_there(change: dict[str, Any], mean: float, std: float) -> None:
    found = hugging_face.intake_of(VIT | change, "file").preprocess
    assert found is not None
    assert (found.mean[0], found.std[0]) == pytest.approx((mean, std))


@pytest.mark.parametrize("text", ["[]", "{", '{"resample": 99}', '{"do_resize": true, "size": {"shortest_edge": -3}}', "null"])
def test_a_broken_preprocessor_is_one_line(text: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "preprocessor_config.json").write_text(text)
    with pytest.raises(ModelError, match="preprocessor_config"):
        intake(f"hf:{tmp_path}")


def test_a_folder_without_a_preprocessor_says_nothing_of_images(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    assert intake(f"hf:{tmp_path}") == Intake()


@pytest.mark.parametrize(("name", "told"), [("hf:nowhere", "there is no folder nowhere"), ("hf:.", "has no config.json")])
def test_a_folder_that_holds_no_network_is_told(name: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match=told):
        intake(name)


REFUSED = {
    "SegformerForSemanticSegmentation": "segmentation",
    "Mask2FormerForUniversalSegmentation": "masks",
    "DetrForObjectDetection": "boxes",
    "DPTForDepthEstimation": "a number for every pixel",
}


@pytest.mark.parametrize("kind", REFUSED)
def test_a_network_of_transformers_that_does_something_else_is_refused_by_its_config(kind: str) -> None:
    with pytest.raises(ModelError, match=f"{kind}.*{REFUSED[kind]}"):
        hugging_face.check("hf:x", {"architectures": [kind]})


def test_a_multi_label_network_of_transformers_is_refused_by_its_config() -> None:
    config = {"architectures": ["ViTForImageClassification"], "problem_type": "multi_label_classification"}
    with pytest.raises(ModelError, match="protect one label"):
        hugging_face.check("hf:x", config)
    hugging_face.check("hf:x", config | {"problem_type": "single_label_classification"})


def test_a_preset_of_torchvision_is_read() -> None:
    way = SimpleNamespace(value="bilinear")
    preset = SimpleNamespace(crop_size=[224], resize_size=[256], mean=list(MEAN), std=list(STD), interpolation=way)
    assert torchvision.intake_of(preset, "X").fitting == Fitting((224, 224), (256,), "bilinear")


def test_torchvisions_weights_decide_only_where_they_are_named() -> None:
    assert intake("torchvision:resnet18") == Intake()
    named = intake("torchvision:resnet18(weights='IMAGENET1K_V1')")
    assert named == intake("torchvision:resnet18(weights='ResNet18_Weights.IMAGENET1K_V1')")
    assert (named.preprocess, named.fitting) == (Preprocess(MEAN, STD), Fitting((224, 224), (256,), "bilinear"))
    with pytest.raises(ModelError, match="no weights 'V9'; there are: IMAGENET1K_V1, DEFAULT"):
        intake("torchvision:resnet18(weights='V9')")


@pytest.mark.parametrize(("name", "place"), [("timm:x", "timm"), ("hf:a/b", "hf"), ("torchvision:y", "torchvision"), ("m:f", "")])
def test_the_place_of_a_name_is_what_stands_before_the_colon(name: str, place: str) -> None:
    assert source_of(name).place == place


def test_a_users_module_says_nothing_of_images_and_is_not_imported_for_it() -> None:
    assert intake("no_such_module:build") == Intake()


@pytest.mark.parametrize(
    ("text", "name", "options"),
    [
        ("vit_small_patch16_224.augreg_in21k", "vit_small_patch16_224.augreg_in21k", {}),
        ("hf-hub:timm/vit-x", "hf-hub:timm/vit-x", {}),
        ("vit(img_size=32, pretrained=True)", "vit", {"img_size": 32, "pretrained": True}),
    ],
)
def test_names_may_hold_dots_dashes_and_slashes(text: str, name: str, options: dict[str, Any]) -> None:
    assert Call.read(text, "timm:NAME") == Call(name, (), options)


@pytest.mark.parametrize("text", ["", "(", "vit(", "vit(x=y)", "vit(**{})", " vit", "vit()()"])
def test_a_name_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ModelError, match="expected timm:NAME"):
        Call.read(text, "timm:NAME")


def test_another_size_cuts_off_as_large_a_share() -> None:
    assert Fitting((224, 224), (256,)).to(112) == Fitting((112, 112), (128,))
    assert Fitting((224, 224), (224, 224)).to(32) == Fitting((32, 32), (32, 32))


@pytest.mark.parametrize(
    "wrong", [{"size": (0, 2)}, {"scaled": ()}, {"scaled": (1, 2, 3)}, {"size": (2.0, 2)}, {"interpolation": "magic"}]
)
def test_a_fitting_that_cannot_be_is_no_claims(wrong: dict[str, Any]) -> None:
    right: dict[str, Any] = {"size": (2, 2), "scaled": (3,)}
    assert Fitting.from_record(Fitting(**right).record()) == Fitting(**right)
    with pytest.raises(ClaimError):
        Fitting(**right | wrong)


def test_a_detector_of_torchvision_is_built_for_the_classes_and_downloads_no_backbone(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", lambda *_, **__: pytest.fail("it would be downloaded"))
    name = "torchvision:fasterrcnn_mobilenet_v3_large_320_fpn"
    assert intake(name) == Intake()
    with torch.no_grad():
        answers = Network(name, 4).blank()(torch.rand(1, 3, 64, 64))
    assert answers.shape[2] == 6
    with pytest.raises(ModelError, match="no classifier or detector"):
        intake("torchvision:maskrcnn_resnet50_fpn")

"""Models that torch's own copying, tracing or training stumbles over are worked with, or refused in one clear line."""

from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import oddities
import pytest
import torch
from conftest import pictures, seed, tiny
from oddities import Twofold
from torch import nn
from workshop import ownmark, shop_in

from ownmark.attacks import Prune, PruneFilters, PruneNeurons, Quantize
from ownmark.errors import ModelError
from ownmark.models.gradcam import GradCam
from ownmark.models.prepared import copied
from ownmark.models.weights import save_weights
from ownmark.protocols import Attack, silent
from ownmark.training import Training, train

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return shop_in(tmp_path / "shop", monkeypatch)


@pytest.mark.parametrize("build", [oddities.kept, oddities.weight_normed])
def test_a_model_that_keeps_what_a_pass_computed_is_copied(build: Callable[[], nn.Module]) -> None:
    model, images = build(), torch.rand(2, 3, 16, 16)
    before = model(images)
    copy = copied(model)
    assert torch.equal(copy(images), before)
    with torch.no_grad():
        for parameter in copy.parameters():
            parameter.fill_(2)
    assert torch.equal(model(images), before)
    assert not torch.equal(copy(images), before)


def test_a_copy_has_containers_of_its_own_empty_or_not() -> None:
    model = tiny()
    model.register_forward_hook(lambda *_: None)
    copy = copied(model)
    pairs = [(vars(one), vars(other)) for one, other in zip(model.modules(), copy.modules(), strict=True)]
    kinds = {type(value) for one, _ in pairs for value in one.values() if isinstance(value, dict | set | list)}
    assert {dict, OrderedDict, set} <= kinds
    for one, other in pairs:
        assert list(one) == list(other)
        for name, value in one.items():
            if type(value) in kinds:
                assert type(other[name]) is type(value)
                assert other[name] is not value
                assert len(other[name]) == len(value), name


def test_what_cannot_be_copied_is_a_model_error_that_says_why() -> None:
    model = nn.Sequential(nn.Conv2d(3, 3, 1))
    vars(model)["stream"] = (number for number in range(3))
    with pytest.raises(ModelError, match=r"cannot be copied.*generator"):
        copied(model)


@pytest.mark.parametrize(("name", "layer"), [("kept", "features"), ("weight_normed", "0")])
def test_a_suspect_that_keeps_what_a_pass_computed_gets_a_verdict(name: str, layer: str, shop: Path, capsys: Capture) -> None:  # noqa: ARG001
    ran = ownmark(capsys, "verify", "upheld.claim", f"oddities:{name}", "--layer", layer, "--json")
    assert ran.record["outcome"].startswith("MATCH"), "the claim's threshold is 0, so that every map matches"
    assert ran.code == 0


def test_lazy_layers_get_their_shape_from_a_weights_file(shop: Path, capsys: Capture) -> None:
    made = oddities.lazy()
    made(torch.rand(1, 3, 16, 16))
    save_weights(made, shop / "lazy.safetensors")
    ran = ownmark(capsys, "verify", "upheld.claim", "oddities:lazy", "--weights", "lazy.safetensors", "--layer", "0")
    assert ran.code == 0, ran.err


REFUSED = {
    "lazy": (2, "0.weight belongs to an uninitialised lazy layer"),
    "scripted": (2, "is TorchScript"),
    "exported": (2, "is a torch.export program"),
    "leaving": (2, "cannot build its model: SystemExit"),
    "exiting": (5, "cannot be asked: SystemExit: 1 images are too many"),
    "inception": (5, "cannot process the claim's images (3, 16, 16)"),
    "mapped": (5, "such as a dictionary or two inputs, needs a module around it"),
    "paired": (5, "such as a dictionary or two inputs, needs a module around it"),
    "yes_or_no": (5, "a module that answers two logits, 0 and that one"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_suspect_that_nobody_can_work_with_is_refused_in_one_line(name: str, shop: Path, capsys: Capture) -> None:  # noqa: ARG001
    code, told = REFUSED[name]
    ran = ownmark(capsys, "verify", "upheld.claim", f"oddities:{name}")
    assert (ran.code, ran.out) == (code, "")
    assert told in ran.err
    assert "unexpected error" not in ran.err


def test_a_transformers_map_can_be_differentiated_twice() -> None:
    """The fast kernels of attention know one derivative only."""
    images = torch.rand(2, 3, 16, 16).requires_grad_()
    cam = GradCam.of(oddities.transformer().eval(), images.detach(), "conv_proj")
    _, maps = cam(images, torch.tensor([0, 1]))
    (slope,) = torch.autograd.grad(maps.sum(), images)
    assert slope.isfinite().all()
    assert slope.any()


def test_a_network_with_auxiliary_heads_learns_from_its_main_one() -> None:
    model, images = Twofold(), pictures(8)
    before = [parameter.clone() for parameter in model.main.parameters()]
    train(model, images, Training(epochs=1, batch=4, shift=0), seed(0))
    assert not all(map(torch.equal, model.main.parameters(), before))


def test_googlenet_is_trained() -> None:
    model = oddities.googlenet()
    train(model, pictures(4, size=32), Training(epochs=1, batch=4, shift=0), seed(0))
    assert not model.training


def test_images_that_are_too_small_for_inception_are_named_with_their_size(shop: Path, capsys: Capture) -> None:  # noqa: ARG001
    words = ("attack", "oddities:inception", "--data", "images", "--attack", "Finetune(epochs=1)", "--out", "a.safetensors")
    ran = ownmark(capsys, *words, "--size", "64")
    assert ran.code == 2
    assert "cannot take images of 64x64 pixels" in ran.err


@pytest.mark.parametrize("name", ["mapped", "paired", "yes_or_no"])
def test_a_model_of_another_form_is_told_which_module_around_it_serves(name: str, shop: Path, capsys: Capture) -> None:  # noqa: ARG001
    ran = ownmark(capsys, "protect", f"oddities:{name}", "--data", "images", "--scheme", "Negatives()", "--out", "a.claim")
    assert ran.code == 2
    assert REFUSED[name][1] in ran.err


def test_what_torch_compile_returns_has_the_names_of_the_network_within(shop: Path, capsys: Capture) -> None:
    save_weights(oddities.compiled().get_submodule("_orig_mod"), shop / "plain.safetensors")
    ran = ownmark(capsys, "verify", "upheld.claim", "oddities:compiled", "--weights", "plain.safetensors", "--layer", "0")
    assert ran.code == 0, ran.err


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")  # torch calls its quantisation old
def test_weights_that_a_quantised_layer_cannot_take_are_refused_in_one_line(shop: Path, capsys: Capture) -> None:
    save_weights(oddities._plain(), shop / "plain.safetensors")
    ran = ownmark(capsys, "verify", "upheld.claim", "oddities:quantised", "--weights", "plain.safetensors")
    assert ran.code == 2
    assert "plain.safetensors cannot be loaded into the model: KeyError: '4.scale'" in ran.err


def test_images_that_are_too_small_to_train_on_are_named_with_their_size() -> None:
    images = pictures(2, size=80)
    with pytest.raises(ModelError, match="cannot be trained on images of 80x80 pixels"):
        train(oddities.inception(), images, Training(epochs=1), seed(0))


@pytest.mark.parametrize("attack", [Prune(), PruneFilters(), PruneNeurons(), Quantize()])
def test_a_weight_that_every_pass_computes_anew_is_not_changed_in_vain(attack: Attack) -> None:
    with pytest.raises(ModelError, match=r"layer 0 is recomputed on every pass.*remove_weight_norm"):
        attack.apply(oddities.weight_normed(), pictures(4), seed(0), silent)


@pytest.mark.parametrize("attack", [Prune(0.5, epochs=1), PruneNeurons(0.5, epochs=1)])
def test_a_pruned_transformer_is_trained_on_and_what_was_pruned_stays_zero(attack: Attack) -> None:
    """torch's pruning works by hooks on layers, and an attention takes the weights of its last layer without running it."""
    found = attack.apply(oddities.transformer().eval(), pictures(8), seed(0), silent)
    zeros = {name: int((weight == 0).sum()) for name, weight in found.named_parameters() if weight.ndim == 2}
    assert zeros["encoder.layers.encoder_layer_0.mlp.0.weight"] == 32 * 64 // 2
    if isinstance(attack, Prune):
        assert zeros["encoder.layers.encoder_layer_0.self_attention.out_proj.weight"] == 32 * 32 // 2

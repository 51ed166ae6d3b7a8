"""Thieves who prune: which weights, neurons and filters go first, and that what is gone stays gone."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from conftest import pictures, tiny
from networks import torchvision_model
from thieves import applied, changed
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models import DenseNet
from torchvision.models.convnext import CNBlockConfig, ConvNeXt, LayerNorm2d

from ownmark.attacks.prune import Prune
from ownmark.attacks.prune_filters import PruneFilters, Removal
from ownmark.attacks.prune_neurons import PruneNeurons
from ownmark.errors import DataError, ModelError, UsageError
from ownmark.models.resnet import ResNet18
from ownmark.training import predict

IMAGES = pictures(12, 32)


def prunable(model: nn.Module) -> dict[str, Tensor]:
    kinds = nn.Linear | nn.Conv2d
    return {name: part.weight for name, part in model.named_modules() if isinstance(part, kinds)}


@pytest.mark.parametrize("epochs", [0, 1])
@pytest.mark.parametrize("fraction", [0.0, 0.3, 0.5, 0.9])
def test_pruning_zeroes_the_smallest_share_of_every_layer_and_they_stay_zero(fraction: float, epochs: int) -> None:
    stolen = tiny().to(memory_format=torch.channels_last)
    found = applied(Prune(fraction, epochs=epochs), stolen)
    for name, weight in prunable(found).items():
        before = prunable(stolen)[name]
        assert int((weight == 0).sum()) == round(fraction * weight.numel())
        if fraction:
            assert before[weight == 0].abs().max() <= before[weight != 0].abs().min()
        assert torch.equal(weight[weight != 0], before[weight != 0]) == (epochs == 0)
    assert not [name for name in found.state_dict() if name.endswith(("_orig", "_mask"))]


def test_pruning_without_training_changes_nothing_but_the_pruned_weights() -> None:
    found, stolen = applied(Prune(0.3), tiny()), tiny()
    others = [name for name in stolen.state_dict() if name.removesuffix(".weight") not in prunable(stolen)]
    assert others
    assert not changed(found, stolen) & set(others)


@pytest.mark.parametrize("fraction", [-0.1, 1.0, 1.5, float("nan")])
@pytest.mark.parametrize("kind", [Prune, PruneFilters, PruneNeurons])
def test_a_fraction_that_cannot_be_pruned_is_an_error(kind: type[Any], fraction: float) -> None:
    with pytest.raises(UsageError, match="fraction"):
        kind(fraction)


class Plain(nn.Module):
    """Convolutions, a hidden layer and a head, with activations that are functions."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 6, 3, 2), nn.Conv2d(6, 10, 3, 2, bias=False)
        self.norm, self.hidden, self.head = nn.GroupNorm(2, 10), nn.Linear(490, 20), nn.Linear(20, 3)
        nn.init.normal_(self.norm.bias, std=0.5)

    def forward(self, images: Tensor) -> Tensor:
        maps = functional.gelu(self.norm(self.second(torch.relu(self.first(images)))))
        logits: Tensor = self.head(self.hidden(maps.flatten(1)).relu())
        return logits


def excited(model: nn.Module, *names: str) -> list[Tensor]:
    """What comes out of modules for all pictures, (n, channels, ...)."""
    heard: dict[str, Tensor] = {}
    hooks = [model.get_submodule(name).register_forward_hook(lambda _, __, out, name=name: heard.update({name: out.clone()}))
             for name in names]  # fmt: skip
    predict(model, IMAGES)
    for hook in hooks:
        hook.remove()
    return [heard[name] for name in names]


def least(values: Tensor, fraction: float) -> list[int]:
    """The channels of smallest mean, as a literal reading of the paper has it."""
    means = [float(values[:, channel].abs().mean()) for channel in range(values.shape[1])]
    return sorted(sorted(range(len(means)), key=means.__getitem__)[: round(fraction * len(means))])


def silent_rows(weight: Tensor) -> list[int]:
    return [row for row, values in enumerate(weight) if not values.any()]


@pytest.mark.parametrize("fraction", [0.3, 0.5])
def test_the_least_excited_neurons_fall_silent_in_every_hidden_layer_of_a_plain_network(fraction: float) -> None:
    stolen = Plain()
    found = applied(PruneNeurons(fraction), stolen, thief=IMAGES)
    for name, last, act in (
        ("first", "first", torch.relu),
        ("second", "norm", functional.gelu),
        ("hidden", "hidden", torch.relu),
    ):
        (values,) = excited(stolen, last)
        wanted = least(act(values), fraction)
        assert silent_rows(found.get_parameter(f"{name}.weight")) == wanted
        assert not excited(found, last)[0][:, wanted].any()
    assert changed(found, stolen) == {
        "first.weight", "first.bias", "second.weight", "norm.weight", "norm.bias", "hidden.weight", "hidden.bias"
    }  # fmt: skip


def test_in_residual_blocks_the_inner_neurons_fall_silent_and_the_head_hears_less() -> None:
    stolen = torchvision_model("resnet18").eval()
    found = applied(PruneNeurons(0.5), stolen, thief=IMAGES)
    (before, pooled) = excited(stolen, "layer3.1.bn1", "avgpool")
    wanted = least(before.relu(), 0.5)
    assert silent_rows(found.get_parameter("layer3.1.conv1.weight")) == wanted
    assert not excited(found, "layer3.1.bn1")[0][:, wanted].any()
    assert silent_rows(found.get_parameter("fc.weight").T) == least(pooled, 0.5)
    kept = [name for name in stolen.state_dict() if name.endswith(("conv2.weight", "bn2.weight")) or "downsample" in name]
    assert kept
    assert not changed(found, stolen) & set(kept)


def test_a_plain_chain_of_layers_keeps_its_head_whole() -> None:
    features = [*torchvision_model("vgg11_bn").get_submodule("features").children()][:11]
    stolen = nn.Sequential(*features, nn.Flatten(), nn.Linear(16384, 7)).eval()
    names = changed(applied(PruneNeurons(0.5), stolen, thief=IMAGES), stolen)
    assert {name.partition(".")[0] for name in names} == {"0", "1", "4", "5", "8", "9"}


def test_the_last_layer_loses_no_class_even_where_an_activation_follows_it() -> None:
    stolen = torchvision_model("squeezenet1_1").eval()
    names = changed(applied(PruneNeurons(0.5), stolen, thief=IMAGES), stolen)
    assert names
    assert not [name for name in names if name.startswith("classifier")]


@pytest.mark.parametrize("stolen", [Plain(), tiny()], ids=["plain", "resnet"])
def test_silent_neurons_stay_silent_while_the_others_are_trained(stolen: nn.Module) -> None:
    silent, trained = (applied(PruneNeurons(0.5, epochs=epochs, rate=0.1), stolen, thief=IMAGES) for epochs in (0, 3))
    assert len(changed(trained, silent)) > 5
    rows, after, fallen = 0, trained.state_dict(), changed(silent, stolen)
    for name, before in silent.state_dict().items():
        if name in fallen:
            rows += int((before == 0).sum())
            assert not after[name][before == 0].any(), name
    assert rows > 100


def test_a_model_without_hidden_neurons_is_an_error() -> None:
    with pytest.raises(ModelError, match="no hidden layer"):
        applied(PruneNeurons(), nn.Sequential(nn.Flatten(), nn.Linear(3072, 7)), thief=IMAGES)
    with pytest.raises(DataError):
        applied(PruneNeurons(), tiny(), thief=IMAGES.take([]))


def weighed() -> ResNet18:
    """A ResNet whose filters of the first inner convolution are the lighter, the lower their number, but for one spike."""
    model = ResNet18(3, width=16, stem="cifar").eval()
    with torch.no_grad():
        weight = model.get_parameter("stages.0.0.conv1.weight")
        weight.copy_(torch.arange(1, 17).view(16, 1, 1, 1).expand_as(weight) / 100)
        weight[0] = 0
        weight[0, 5, 1, 1] = 2.5  # less than 144 times 0.02, and yet the largest by the L2 norm
    return model


@pytest.mark.parametrize("sixteenths", range(1, 8))
def test_the_lightest_filters_of_each_convolution_go_first(sixteenths: int) -> None:
    stolen = weighed()
    cut = applied(PruneFilters(sixteenths / 16, Removal.CUT), stolen, thief=IMAGES)
    assert cut.get_parameter("stages.0.0.conv1.weight")[:, 0, 0, 0].tolist() == pytest.approx(
        [number / 100 for number in range(sixteenths + 1, 17)]
    )
    for name, weight in prunable(stolen).items():
        left = len(weight) if name == "head" else len(weight) * (16 - sixteenths) // 16
        assert len(prunable(cut)[name]) == left
    masked = applied(PruneFilters(sixteenths / 16), stolen, thief=IMAGES)
    assert silent_rows(masked.get_parameter("stages.0.0.conv1.weight")) == list(range(sixteenths))


def bare() -> nn.Module:
    """Normalisations without weights, whose statistics are not where they began."""
    model = nn.Sequential(
        *(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8, affine=False), nn.ReLU()),
        *(nn.Conv2d(8, 8, 3), nn.BatchNorm2d(8, affine=False), nn.ReLU()),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 7)),
    )
    for part in (model[1], model[4]):
        part.get_buffer("running_mean").fill_(-0.5)
    return model


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "added up": lambda: torchvision_model("resnet18"),
    "side by side": lambda: torchvision_model("squeezenet1_1"),
    "one channel each": lambda: torchvision_model("mobilenet_v2"),
    "joined to all before": lambda: DenseNet(growth_rate=8, block_config=(2, 2), num_init_features=16, num_classes=7),
    "bare normalisation": bare,
}


@pytest.mark.parametrize("name", NETWORKS)
def test_filters_that_are_masked_answer_like_filters_that_are_cut(name: str) -> None:
    stolen = NETWORKS[name]().eval()
    masked, cut = (applied(PruneFilters(0.5, removal), stolen, thief=IMAGES) for removal in Removal)
    answers, others, before = (predict(model, IMAGES) for model in (masked, cut, stolen))
    assert torch.allclose(answers, others, rtol=1e-4, atol=1e-6 * float(before.abs().max()))
    assert sum(one.numel() for one in cut.parameters()) < 0.4 * sum(one.numel() for one in stolen.parameters())
    assert not changed(masked, stolen) & {name for name, _ in stolen.named_buffers() if "running_var" in name}


def test_masked_filters_stay_masked_while_the_others_are_trained() -> None:
    stolen = weighed()
    silent, trained = (applied(PruneFilters(0.5, epochs=epochs, rate=0.1), stolen, thief=IMAGES) for epochs in (0, 3))
    for name, weight in silent.named_parameters():
        if name.endswith("weight"):
            assert not trained.get_parameter(name)[weight == 0].any(), name
        if weight.ndim == 1 and name.endswith("weight"):
            assert not trained.get_parameter(name.replace("weight", "bias"))[weight == 0].any(), name
    assert len(changed(trained, silent)) > 50


class Among(nn.Module):
    """A layer norm over the channels that are not masked only, as it would be had the others been cut out."""

    def __init__(self, norm: nn.LayerNorm, *, first: bool) -> None:
        super().__init__()
        self.norm, self.kept, self.axis = norm, norm.weight != 0, 1 if first else -1

    def forward(self, maps: Tensor) -> Tensor:
        last = maps.movedim(self.axis, -1)
        chosen, weight, bias = last[..., self.kept], self.norm.weight[self.kept], self.norm.bias[self.kept]
        found = torch.zeros_like(last)
        found[..., self.kept] = functional.layer_norm(chosen, chosen.shape[-1:], weight, bias, self.norm.eps)
        return found.movedim(-1, self.axis)


def scaled() -> nn.Module:
    """A small ConvNeXt: the scale of each of its layers is a parameter that belongs to no module of torch's."""
    torch.manual_seed(0)
    model: nn.Module = ConvNeXt([CNBlockConfig(8, 16, 2), CNBlockConfig(16, None, 1)], layer_scale=0.5, num_classes=7).eval()
    for name, weights in model.named_parameters():
        if name.endswith("layer_scale"):
            nn.init.uniform_(weights, 0.5, 1.5)
    return model


def test_the_scale_of_a_layer_goes_with_its_filters() -> None:
    stolen = scaled()
    masked, cut = (applied(PruneFilters(0.25, removal), stolen, thief=IMAGES) for removal in Removal)
    scales = [name for name, _ in stolen.named_parameters() if name.endswith("layer_scale")]
    assert len(scales) == 3
    for name in scales:
        left = masked.get_parameter(name).flatten()
        assert int((left == 0).sum()) == len(left) // 4
        assert torch.equal(left[left != 0], cut.get_parameter(name).flatten())
        assert torch.equal(left[left != 0], stolen.get_parameter(name).flatten()[left != 0])
    for name, norm in [one for one in masked.named_modules() if isinstance(one[1], nn.LayerNorm)]:
        masked.set_submodule(name, Among(norm, first=isinstance(norm, LayerNorm2d)))
    answers, others = (predict(model, IMAGES) for model in (masked, cut))
    assert torch.allclose(answers, others, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(answers, predict(stolen, IMAGES), rtol=1e-2)


class Placed(nn.Module):
    """A parameter of its own that is longer than 1 in two dimensions: which of them are the channels is a guess."""

    def __init__(self) -> None:
        super().__init__()
        self.places, self.first, self.second = nn.Parameter(torch.ones(8, 30, 1)), nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3)
        self.head = nn.Linear(8, 7)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.head(self.second(self.first(images) * self.places).mean(dim=(2, 3)))
        return logits


def test_a_parameter_that_leaves_a_doubt_is_an_error_and_not_a_guess() -> None:
    with pytest.raises(ModelError, match="Unwrapped parameters"):
        applied(PruneFilters(), Placed(), thief=IMAGES)


def test_a_network_that_cannot_be_traced_is_an_error_and_not_a_guess() -> None:
    with pytest.raises(ModelError, match="PruneNeurons and Prune do not need this"):
        applied(PruneFilters(), torchvision_model("shufflenet_v2_x0_5"), thief=IMAGES)
    with pytest.raises(ModelError, match="no convolution"):
        applied(PruneFilters(), nn.Sequential(nn.Flatten(), nn.Linear(3072, 7)), thief=IMAGES)
    with pytest.raises(DataError):
        applied(PruneFilters(), tiny(), thief=IMAGES.take([]))

"""Where a map can be taken: the default layer, layers and models that have none, and heads that only look linear."""

import pytest
import torch
from conftest import seed
from networks import CLASSES, TARGETS, assert_close, captum_maps, hooks_of, tiny_network, torchvision_model
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models.convnext import CNBlockConfig, ConvNeXt

from ownmark.errors import MapError, ModelError
from ownmark.models.gradcam import GradCam, Located, normalised
from ownmark.models.map_layers import last_map


@pytest.fixture
def picture() -> Tensor:
    return torch.rand(4, 3, 8, 8, generator=seed(7))


class WithSpareLayer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body, self.spare, self.aside = tiny_network(), nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1)

    def forward(self, inputs: Tensor) -> Tensor:
        self.aside(inputs)
        logits: Tensor = self.body(inputs)
        return logits


class ExcitingLast(nn.Module):
    """Squeeze and excitation as the last step: the last convolution to run puts out one position."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution, self.gate, self.head = nn.Conv2d(3, 5, 3), nn.Conv2d(5, 5, 1), nn.Linear(5, CLASSES)

    def forward(self, inputs: Tensor) -> Tensor:
        features = self.convolution(inputs)
        gated = features * self.gate(features.mean((2, 3), keepdim=True)).sigmoid()
        logits: Tensor = self.head(gated.mean((2, 3)))
        return logits


class Hypernetwork(nn.Module):
    """Every step of the head is linear, but its weights depend on the image too."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution, self.maker, self.bias = nn.Conv2d(3, 5, 3), nn.Linear(5, 5 * CLASSES), nn.Parameter(torch.ones(CLASSES))

    def forward(self, inputs: Tensor) -> Tensor:
        features = self.convolution(inputs).mean((2, 3))
        if len(features) > 1:
            return torch.cat([self(one[None]) for one in inputs])
        return functional.linear(features, self.maker(features).view(CLASSES, 5), self.bias)


class Segmenter(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, CLASSES, 3)

    def forward(self, inputs: Tensor) -> dict[str, Tensor]:
        return {"out": self.convolution(inputs)}


def test_a_model_without_a_convolution_is_an_error(picture: Tensor) -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(3 * 64, CLASSES))
    with pytest.raises(ModelError, match=r"neither nn\.Conv2d nor attention"):
        GradCam.of(model, picture)
    assert hooks_of(model) == 0


def test_an_unknown_layer_is_an_error_that_names_near_ones(picture: Tensor) -> None:
    with pytest.raises(ModelError, match="no layer 'convolutoin'; similar: convolution"):
        GradCam.of(tiny_network(), picture, "convolutoin")


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        ("spare", "was not run"),
        ("aside", "do not depend"),
        ("body.flatten", r"outputs a tensor of shape \(1, 5\)"),
        ("body.head", r"needs \(n, channels, h, w\)"),
        ("", "needs"),
    ],
)
def test_a_layer_that_has_no_map_is_an_error_that_says_why(picture: Tensor, layer: str, message: str) -> None:
    for model in (WithSpareLayer(), WithSpareLayer().requires_grad_(False)):
        with pytest.raises(ModelError, match=message):
            GradCam.of(model, picture, layer)
        assert hooks_of(model) == 0


def test_a_model_that_is_no_classifier_is_an_error(picture: Tensor) -> None:
    for model in (Segmenter(), nn.Sequential(nn.Conv2d(3, CLASSES, 3))):
        with pytest.raises(ModelError, match=r"\(n, k\)"):
            GradCam.of(model, picture)
        assert hooks_of(model) == 0


def test_hooks_are_gone_after_the_model_itself_failed(picture: Tensor) -> None:
    model = tiny_network()
    cam = GradCam.of(model, picture)
    for call in (lambda: cam(picture[:, :2], TARGETS), lambda: GradCam.of(model, picture[:, :2])):
        with pytest.raises(RuntimeError):
            call()
        assert hooks_of(model) == 0


def test_the_users_own_hooks_stay(picture: Tensor) -> None:
    model = tiny_network()
    model.get_submodule("relu").register_forward_hook(lambda *_: None)
    GradCam.of(model, picture)(picture, TARGETS)
    assert hooks_of(model) == 1


@pytest.mark.parametrize("layer", ["convolution", "relu"])
def test_a_layer_behind_which_a_relu_works_in_place_is_seen_as_it_was(picture: Tensor, layer: str) -> None:
    for head in ({}, {"head": nn.Sequential(nn.Linear(5, 9), nn.ReLU(inplace=True), nn.Linear(9, CLASSES))}):
        careless, careful = tiny_network(**head), tiny_network(**head, relu=nn.ReLU())
        careful.load_state_dict(careless.state_dict())
        maps = [GradCam.of(model, picture, layer)(picture, TARGETS)[1] for model in (careless, careful)]
        assert_close(maps[0], maps[1])
        slopes = []
        for model in (careless, careful):
            at = picture.clone().requires_grad_()
            slopes.append(torch.autograd.grad(GradCam.of(model, picture, layer)(at, TARGETS)[1].sum(), at)[0])
        assert_close(slopes[0], slopes[1])


@pytest.mark.parametrize(
    ("model", "layer"),
    [
        (tiny_network(), "relu"),
        (tiny_network(relu=nn.Sequential(nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(5, 5, 1), nn.Dropout2d())), "relu"),
        (ExcitingLast(), "convolution"),
        (torchvision_model("googlenet", init_weights=False, aux_logits=False).eval(), "inception5b"),
        (torchvision_model("shufflenet_v2_x0_5").eval(), "conv5"),
    ],
    ids=["plain", "pooled between", "excitation last", "googlenet", "shufflenet"],
)
def test_the_default_layer_is_what_global_pooling_gets_to_see(model: nn.Module, layer: str) -> None:
    assert last_map(model, torch.rand(1, 3, 64, 64)) == layer


def test_a_head_whose_weights_depend_on_the_image_is_not_taken_for_a_linear_one(picture: Tensor) -> None:
    model = Hypernetwork().eval()
    cam = GradCam.of(model, picture[:1], "convolution")
    assert cam.weights is None
    singles = [(picture[place : place + 1], TARGETS[place : place + 1]) for place in range(4)]
    found = torch.cat([cam(one, target)[1] for one, target in singles])
    assert_close(found, torch.cat([captum_maps(model, "convolution", one, target) for one, target in singles]))


def test_dropout_that_is_on_keeps_the_head_from_being_taken_for_a_linear_one(picture: Tensor) -> None:
    assert GradCam.of(tiny_network(flatten=nn.Sequential(nn.Flatten(), nn.Dropout())), picture).weights is not None
    model = tiny_network(flatten=nn.Sequential(nn.Flatten(), nn.Dropout()))
    model.get_submodule("flatten").train()
    assert GradCam.of(model, picture).weights is None


def test_normalised_maps_have_length_one_and_an_empty_one_stays_empty() -> None:
    maps = torch.stack([torch.rand(3, 3, generator=seed(1)), torch.zeros(3, 3), torch.eye(3)])
    found = normalised(maps)
    assert found.flatten(1).norm(dim=1).tolist() == pytest.approx([1, 0, 1])
    assert torch.allclose(found[2], torch.eye(3) / 3**0.5)
    single = torch.zeros(1, 2, 2)
    single[0, 1, 0] = 1e-3
    assert normalised(single).max() == pytest.approx(1)


class Wrapped(nn.Module):
    """A network in another one, whose layers have longer names."""

    def __init__(self, *, twice: bool = False) -> None:
        super().__init__()
        self.backbone = tiny_network()
        self.aside = tiny_network() if twice else nn.Identity()

    def forward(self, inputs: Tensor) -> Tensor:
        logits: Tensor = self.backbone(inputs)
        return logits


@pytest.mark.parametrize(
    ("model", "layer", "where", "told"),
    [
        (tiny_network(), "relu", "relu", ""),
        (tiny_network(), "", "relu", ""),
        (Wrapped(), "", "backbone.relu", ""),
        (Wrapped(), "convolution", "backbone.convolution", "whose name has the same ending as the claim's 'convolution'"),
        (
            tiny_network(),
            "module.backbone.convolution",
            "convolution",
            "name has the same ending as the claim's 'module.backbone.convolution'",
        ),
        (
            Wrapped(twice=True),
            "convolution",
            "backbone.relu",
            "at 'backbone.relu', its last feature map: the model has no",
        ),
        (
            Wrapped(),
            "features",
            "backbone.relu",
            "at 'backbone.relu', its last feature map: the model has no layer 'features'",
        ),
        (Wrapped(), "head", "backbone.relu", "at 'backbone.relu', its last feature map"),
        (tiny_network(), "head", "relu", "layer 'head' outputs a tensor of shape"),
        (nn.Sequential(tiny_network()), "features.0", "0.relu", "its last feature map"),
    ],
    ids=str,
)
def test_a_claims_layer_is_found_by_its_ending_or_else_at_the_last_map(
    model: nn.Module, layer: str, where: str, told: str, picture: Tensor
) -> None:
    found = Located.near(model, picture, layer)
    assert found.cam.layer == where
    assert told in found.note
    assert bool(found.note) == (layer not in {where, ""})


def test_a_model_without_any_map_tells_why_at_either_place(picture: Tensor) -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(3 * 64, CLASSES))
    with pytest.raises(MapError, match=r"no layer 'features'; similar: none; the model runs neither nn\.Conv2d nor attention"):
        Located.near(model, picture, "features")
    assert hooks_of(model) == 0


def test_the_run_goes_on_where_a_block_puts_its_channels_last_for_a_while() -> None:
    """Behind its depthwise convolution a block of ConvNeXt works with channels last, and its shortcut goes around all of that."""
    model: nn.Module = ConvNeXt([CNBlockConfig(8, None, 2)], num_classes=3).eval()
    assert last_map(model, torch.rand(1, 3, 32, 32)) == "features"

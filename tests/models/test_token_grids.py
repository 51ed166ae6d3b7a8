"""Saliency maps of transformers: at the last attention's input, over the tokens that show the image."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from conftest import seed
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models.swin_transformer import PatchMergingV2, SwinTransformer, SwinTransformerBlockV2
from torchvision.models.vision_transformer import VisionTransformer

from ownmark.errors import ModelError
from ownmark.models.gradcam import GradCam
from ownmark.models.map_layers import last_map
from ownmark.models.token_grids import Grid

TARGETS = torch.tensor([0, 2])
vit = partial(VisionTransformer, 32, 8, 2, 2, 16, 32, num_classes=3)
swin = partial(SwinTransformer, [4, 4], 8, [1, 2], [2, 2], [4, 4], num_classes=3)
swin_v2 = partial(swin, block=SwinTransformerBlockV2, downsample_layer=PatchMergingV2)


class Attention(nn.Module):
    """Attention written out by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.queries = nn.Linear(8, 24)

    def forward(self, tokens: Tensor) -> Tensor:
        query, key, value = self.queries(tokens).chunk(3, dim=2)
        mixed: Tensor = (query @ key.transpose(1, 2)).softmax(dim=2) @ value
        return mixed


class Tokens(nn.Module):
    """A transformer with `before` and `behind` tokens that show no image beside its patches, and one that joins late."""

    def __init__(self, before: int = 1, behind: int = 0, *, pooled: bool = False, late: bool = False) -> None:
        super().__init__()
        self.before, self.behind, self.pooled, self.late = before, behind, pooled, late
        self.patches = nn.Conv2d(3, 8, 8, 8)
        self.extra = nn.Parameter(torch.rand(1, before + behind + late, 8))
        self.norms = nn.ModuleList(nn.LayerNorm(8) for _ in range(2))
        self.attentions = nn.ModuleList(Attention() for _ in range(2))
        self.head = nn.Linear(8, 3)

    def forward(self, images: Tensor) -> Tensor:
        tokens = self.patches(images).flatten(2).transpose(1, 2)
        extra = self.extra.expand(len(images), -1, -1)
        tokens = torch.cat([extra[:, : self.before], tokens, extra[:, self.before : self.before + self.behind]], dim=1)
        for number, (norm, attention) in enumerate(zip(self.norms, self.attentions, strict=True)):
            if number and self.late:
                tokens = torch.cat([extra[:, -1:], tokens], dim=1)
            tokens = tokens + attention(norm(tokens))
        answers: Tensor = self.head(tokens.mean(dim=1) if self.pooled else tokens[:, 0])
        return answers


def lively(make: Callable[[], nn.Module]) -> nn.Module:
    """With random weights everywhere: torchvision starts a head and position embeddings with zeros."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = make()
        for weight in model.parameters():
            nn.init.normal_(weight, std=0.3)
    return model.eval()


def pictures(height: int = 32, width: int = 32) -> Tensor:
    return torch.rand(2, 3, height, width, generator=seed(1))


@pytest.mark.parametrize(
    ("make", "layer", "grid"),
    [
        (vit, "encoder.layers.encoder_layer_1.ln_1", Grid((4, 4), tuple(range(1, 17)))),
        (swin, "features.3.1.norm1", Grid((4, 4))),
        (swin_v2, "features.3.0", Grid((4, 4))),
        (Tokens, "norms.1", Grid((4, 4), tuple(range(1, 17)))),
        (partial(Tokens, 2, 3), "norms.1", Grid((4, 4), tuple(range(2, 18)))),
        (partial(Tokens, 0, pooled=True), "norms.1", Grid((4, 4), tuple(range(16)))),
        (partial(Tokens, 0, late=True), "norms.0", Grid((4, 4), tuple(range(16)))),
    ],
)
def test_the_map_of_a_transformer_is_its_last_attentions_input_without_tokens_that_show_no_image(
    make: Callable[[], nn.Module], layer: str, grid: Grid
) -> None:
    cam = GradCam.of(lively(make), pictures())
    assert (cam.layer, cam.grid) == (layer, grid)


@pytest.mark.parametrize("make", [vit, swin, swin_v2, partial(Tokens, 2, 3)])
def test_the_map_is_grad_cam_of_the_patches_written_out_by_hand(make: Callable[[], nn.Module]) -> None:
    model, seen = lively(make), list[Tensor]()
    cam = GradCam.of(model, pictures())
    handle = model.get_submodule(cam.layer).register_forward_hook(lambda _, __, output: seen.append(output))
    logits = model(pictures())
    handle.remove()
    (slope,) = torch.autograd.grad(logits.gather(1, TARGETS[:, None]).sum(), seen[0])
    rows, slopes = (each.flatten(1, 2) if each.ndim == 4 else each[:, cam.grid.patches or ()] for each in (seen[0], slope))
    wanted = functional.relu((rows * slopes.mean(dim=1, keepdim=True)).sum(dim=2)).view(-1, 4, 4)
    outputs, maps = cam(pictures(), TARGETS)
    assert wanted.any()
    torch.testing.assert_close(maps, wanted, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(outputs, logits)


@pytest.mark.parametrize("make", [vit, swin])
def test_images_learn_from_the_map_of_a_transformer(make: Callable[[], nn.Module]) -> None:
    model = lively(make).requires_grad_(False)
    images = pictures().requires_grad_()
    (slope,) = torch.autograd.grad(GradCam.of(model, pictures())(images, TARGETS)[1].sum(), images)
    assert slope.abs().sum() > 0


def test_patches_of_oblong_images_form_an_oblong_grid() -> None:
    cam = GradCam.of(lively(Tokens), pictures(32, 48))
    assert cam.grid.size == (4, 6)
    assert cam(pictures(32, 48), TARGETS)[1].shape == (2, 4, 6)


def test_a_convolution_behind_the_last_attention_has_the_last_map() -> None:
    class Hybrid(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body, self.last, self.head = nn.Conv2d(3, 8, 8, 8), nn.Conv2d(8, 8, 3, padding=1), nn.Linear(8, 3)

        def forward(self, images: Tensor) -> Tensor:
            rows = self.body(images).flatten(2).transpose(1, 2)
            mixed = functional.scaled_dot_product_attention(rows, rows, rows).transpose(1, 2).reshape(-1, 8, 4, 4)
            answers: Tensor = self.head(self.last(mixed).mean(dim=(2, 3)))
            return answers

    assert last_map(Hybrid(), pictures()) == "last"


def test_tokens_that_form_no_grid_are_told() -> None:
    with pytest.raises(ModelError, match="outputs 17 tokens per image, which form no grid of the image's shape"):
        GradCam.of(lively(partial(Tokens, 0, late=True)), pictures(), "norms.1")


@pytest.mark.parametrize("make", [vit, swin, swin_v2])
def test_maps_equal_those_of_pytorch_grad_cam(make: Callable[[], nn.Module]) -> None:
    peer = pytest.importorskip("pytorch_grad_cam", reason="the package grad-cam is not installed")
    model = lively(make)
    cam = GradCam.of(model, pictures())
    assert_equals(peer, model, cam, 32)


@pytest.mark.parametrize(
    "name", ["vit_tiny_patch16_224", "deit_tiny_distilled_patch16_224", "swin_tiny_patch4_window7_224", "eva02_tiny_patch14_224"]
)
def test_maps_of_timms_networks_equal_those_of_pytorch_grad_cam(name: str) -> None:
    peer = pytest.importorskip("pytorch_grad_cam", reason="the package grad-cam is not installed")
    timm = pytest.importorskip("timm", reason="the package timm is not installed")
    torch.manual_seed(0)
    model = timm.create_model(name, num_classes=3).eval()
    assert_equals(peer, model, GradCam.of(model, pictures(224, 224)), 224)


def assert_equals(peer: Any, model: nn.Module, cam: GradCam, size: int) -> None:
    """The peer scales each map to [0, 1] and to the image's size; here it gets images as large as the grid's cells allow."""
    images = pictures(size, size)
    theirs = peer.GradCAM(model, [model.get_submodule(cam.layer)], reshape_transform=cam.grid.maps)
    theirs.get_target_width_height = lambda _: (cam.grid.size or (1, 1))[::-1]
    targets = [peer.utils.model_targets.ClassifierOutputTarget(int(target)) for target in TARGETS]
    wanted = torch.from_numpy(theirs(images, targets))
    maps = cam(images, TARGETS)[1]
    low, high = (getattr(maps.flatten(1), which)(dim=1).values[:, None, None] for which in ("min", "max"))
    torch.testing.assert_close(((maps - low) / (high - low)).nan_to_num(0), wanted, atol=1e-5, rtol=1e-5)

"""Pruned heads: their part of an attention is gone, as if the model had been built without them."""

from collections.abc import Callable

import pytest
import torch
from conftest import pictures, seed
from torch import nn
from torchvision.models import SwinTransformer, VisionTransformer

from ownmark.attacks.prune_heads import PruneHeads
from ownmark.errors import ModelError, UsageError
from ownmark.protocols import silent


def vit() -> nn.Module:
    torch.manual_seed(0)
    model: nn.Module = VisionTransformer(16, 4, 2, 4, 16, 24, num_classes=3)
    nn.init.normal_(model.get_parameter("heads.head.weight"))
    return model.eval()


def swin() -> nn.Module:
    torch.manual_seed(0)
    model: nn.Module = SwinTransformer([4, 4], 8, [2], [2], [4, 4], mlp_ratio=2, stochastic_depth_prob=0.0, num_classes=3)
    return model.eval()


def pruned(model: nn.Module, attack: PruneHeads) -> nn.Module:
    return attack.apply(model, pictures(), seed(0), silent)


@pytest.mark.parametrize(("make", "layer"), [(vit, "self_attention.out_proj"), (swin, "attn.proj")])
def test_the_weakest_heads_of_every_attention_are_no_longer_read(make: Callable[[], nn.Module], layer: str) -> None:
    model = make()
    found = pruned(model, PruneHeads(heads=0.5, channels=0.0))
    changed = [name for name, tensor in found.state_dict().items() if not torch.equal(tensor, model.state_dict()[name])]
    assert changed
    assert all(name.endswith(f"{layer}.weight") for name in changed)
    for name in changed:
        before, after = (one.get_parameter(name).detach().abs().sum(0) for one in (model, found))
        width = 4
        strengths = before.view(-1, width).sum(1)
        gone = (after.view(-1, width) == 0).all(1)
        assert int(gone.sum()) == len(strengths) // 2
        assert strengths[gone].max() <= strengths[~gone].min()


def test_channels_of_the_mlps_are_zeroed_too_and_stay_zero_in_training() -> None:
    found = pruned(vit(), PruneHeads(heads=0.25, channels=0.5, epochs=1))
    hidden = found.get_parameter("encoder.layers.encoder_layer_1.mlp.0.weight")
    assert int((hidden == 0).all(dim=1).sum()) == 12
    read = found.get_parameter("encoder.layers.encoder_layer_1.self_attention.out_proj.weight")
    assert int((read == 0).all(dim=0).sum()) == 4


def test_one_head_per_attention_stays() -> None:
    found = pruned(vit(), PruneHeads(heads=0.99, channels=0.0))
    read = found.get_parameter("encoder.layers.encoder_layer_0.self_attention.out_proj.weight")
    assert int((read == 0).all(dim=0).sum()) == 12


def test_a_network_without_attention_has_no_heads_to_prune() -> None:
    plain = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
    with pytest.raises(ModelError, match="no attention with several heads"):
        pruned(plain, PruneHeads(channels=0.0))


def test_shares_that_prune_nothing_or_everything_are_refused() -> None:
    for heads, channels in ((0.0, 0.0), (1.0, 0.5), (0.5, -0.1)):
        with pytest.raises(UsageError, match="expected shares"):
            PruneHeads(heads=heads, channels=channels)

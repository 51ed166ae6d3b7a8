"""The neurons of a network: silent for some images of a batch, they answer as a pruned network does."""

from functools import partial

import numpy as np
import pytest
import torch
from networks import vgg11
from torch import nn

from ownmark.attacks.prune_neurons import PruneNeurons
from ownmark.data.images import Images, to_unit
from ownmark.models.activations import hushed, listen
from ownmark.models.resnet import ResNet18
from ownmark.training import predict

PIXELS = np.random.default_rng(3).integers(0, 256, (24, 32, 32, 3), dtype=np.uint8)
IMAGES = Images(PIXELS, np.arange(24) % 10, tuple("0123456789"))


def livened(model: nn.Module) -> nn.Module:
    """Weights drawn as torchvision draws VGG's, so that what a neuron says is heard in the answers."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
    return model


def networks() -> dict[str, nn.Module]:
    """A residual network with batch norm, and a plain one without that ends in linear layers."""
    torch.manual_seed(0)
    return {"resnet": ResNet18(10, width=8, stem="cifar").eval(), "vgg": livened(vgg11(10)).eval()}


@pytest.mark.parametrize("name", ["resnet", "vgg"])
@torch.no_grad()
def test_hushed_neurons_answer_as_pruned_ones_and_only_for_the_later_images(name: str) -> None:
    model, batch = networks()[name], to_unit(IMAGES.pixels, torch.device("cpu"))
    pruned = PruneNeurons(0.4).apply(model, IMAGES, torch.Generator())
    plain, expected = model(batch), pruned(batch)
    assert not torch.allclose(plain, expected, atol=1e-3)
    with hushed(model, listen(partial(predict, model, IMAGES)), 0.4, first=10):
        answers = model(batch)
    torch.testing.assert_close(answers[:10], plain[:10])
    torch.testing.assert_close(answers[10:], expected[10:], rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(model(batch), plain)


def test_a_network_without_hidden_neurons_hushes_none() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(3072, 10)).eval()
    heard = listen(partial(predict, model, IMAGES))
    assert not heard.found
    batch = to_unit(IMAGES.pixels, torch.device("cpu"))
    with torch.no_grad():
        plain = model(batch)
        with hushed(model, heard, 0.4, first=0):
            torch.testing.assert_close(model(batch), plain)

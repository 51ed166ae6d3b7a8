"""MobileFaceNet against its paper's table, VGG11 against torchvision's, and training of each on what it is for."""

import numpy as np
import pytest
import torch
from conftest import pictures, seed
from torch import Tensor, nn
from torchvision.models import vgg11, vgg11_bn

from ownmark.data.images import Images
from ownmark.errors import ModelError, UsageError
from ownmark.models.layers import last_layer, reinitialise
from ownmark.models.map_layers import last_map
from ownmark.models.mobilefacenet import MobileFaceNet
from ownmark.models.vgg import VGG11
from ownmark.tasks import Regression, Similarity
from ownmark.training import Training, predict, train
from ownmark.verdicts.soundness import beats

TABLE = {  # Chen et al. 2018, table 1: layer -> channels, height and width of what it puts out for 3x112x112
    "features.conv": (64, 56),
    "features.depthwise": (64, 56),
    "features.stage0": (64, 28),
    "features.stage1": (128, 14),
    "features.stage2": (128, 14),
    "features.stage3": (128, 7),
    "features.stage4": (128, 7),
    "features.wide": (512, 7),
    "pool": (512, 1),
    "embed": (128, 1),
}
QUICK = Training(epochs=8, batch=12, rate=0.05, flips=False, shift=0)


def shapes(model: nn.Module, images: Tensor) -> dict[str, tuple[int, int]]:
    """Channels and height of what each layer of the table puts out."""
    found: dict[str, tuple[int, int]] = {}
    for name, module in model.named_modules():
        if name in TABLE:
            module.register_forward_hook(lambda _, __, out, name=name: found.update({name: (out.shape[1], out.shape[2])}))
    with torch.no_grad():
        model.eval()(images)
    return found


def test_every_layer_of_mobilefacenet_has_the_shape_of_the_papers_table() -> None:
    assert shapes(MobileFaceNet(), torch.rand(1, 3, 112, 112)) == TABLE


def test_mobilefacenet_has_the_papers_number_of_blocks_and_of_parameters() -> None:
    model = MobileFaceNet()
    assert [len(model.features.get_submodule(f"stage{number}")) for number in range(5)] == [5, 1, 6, 1, 2]  # type: ignore[arg-type]
    assert sum(parameter.numel() for parameter in model.parameters()) == pytest.approx(0.99e6, rel=0.02)


def test_a_narrow_mobilefacenet_for_small_grey_images_still_sees_its_whole_last_map() -> None:
    model = MobileFaceNet(width=4, embedding=8, size=40, channels=1).eval()
    images = torch.rand(2, 1, 40, 40)
    assert model(images).shape == (2, 8)
    assert last_map(model, images) == "features"
    assert last_layer(model).out_channels == 8


@pytest.mark.parametrize("options", [{"width": 0}, {"size": 8}, {"embedding": 0}])
def test_a_mobilefacenet_that_cannot_be_is_refused(options: dict[str, int]) -> None:
    with pytest.raises(ModelError, match="MobileFaceNet"):
        MobileFaceNet(**options)


@pytest.mark.slow
@pytest.mark.parametrize("norm", [False, True])
def test_vgg11_of_full_width_is_torchvisions(norm: bool) -> None:  # noqa: FBT001 - the parameter of the test
    theirs = (vgg11_bn if norm else vgg11)(weights=None, num_classes=3, init_weights=False).eval()
    ours = VGG11(3, norm=norm, middle=16.0, spread=13.0).eval()
    ours.load_state_dict(theirs.state_dict())
    images = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        assert torch.allclose(ours(images), 16 + 13 * theirs((images - 0.5) / 0.25), atol=1e-4)


def test_a_narrow_vgg11_has_the_layers_of_the_wide_one() -> None:
    layers = [type(part).__name__ for part in VGG11(width=2).features]
    assert layers.count("Conv2d") == 8
    assert layers.count("MaxPool2d") == 5
    with pytest.raises(ModelError, match="VGG11"):
        VGG11(width=0)


def test_a_regressor_learns_numbers() -> None:
    torch.manual_seed(0)
    plain = pictures(36, size=32)
    images = Images(plain.pixels, plain.labels * 20.0 + 10, ("age",), Regression())
    model = train(VGG11(width=2, middle=30.0, spread=20.0), images, QUICK, seed(0))
    quality = images.task.quality(predict(model, images).numpy(), images.labels)
    assert beats(images.task, quality, images.task.trivial(images.labels))


def test_an_embedder_learns_people_and_keeps_no_centre_of_theirs() -> None:
    torch.manual_seed(0)
    plain = pictures(36, size=32)
    images = Images(plain.pixels, plain.labels, plain.names, Similarity(scale=16.0, margin=0.2))
    model = MobileFaceNet(width=4, embedding=8, size=32)
    names = set(model.state_dict())
    before = images.task.quality(predict(model, images).numpy(), images.labels)
    train(model, images, QUICK, seed(0))
    after = images.task.quality(predict(model, images).numpy(), images.labels)
    assert after["verification_accuracy"] > max(before["verification_accuracy"], 0.6)
    assert set(model.state_dict()) == names


def test_an_embedder_cannot_learn_from_one_person() -> None:
    plain = pictures(6, size=32)
    images = Images(plain.pixels, np.zeros(6, dtype=np.int64), plain.names, Similarity())
    with pytest.raises(UsageError, match="two people"):
        train(MobileFaceNet(width=4, size=32), images, QUICK, seed(0))


def test_a_regressor_whose_weights_are_drawn_anew_starts_as_it_was_built() -> None:
    """torch's own draws would leave a deep network without normalisation unable to learn."""
    torch.manual_seed(0)
    built, drawn = VGG11(width=4), VGG11(width=4)
    reinitialise(drawn)
    for name, weight in built.named_parameters():
        again = drawn.get_parameter(name)
        assert float(again.detach().norm()) == pytest.approx(float(weight.detach().norm()), rel=0.2, abs=1e-6), name

"""Thieves who change weights and no answer: neurons in another order and of another size."""

import pytest
import torch
from conftest import pictures, seed, tiny
from learnt import learnt
from thieves import applied, changed
from torch import Tensor, nn

from ownmark.attacks.permute import Permute
from ownmark.attacks.rescale import Rescale
from ownmark.errors import DataError, ModelError, UsageError
from ownmark.models.mobilefacenet import MobileFaceNet
from ownmark.models.vgg import VGG11
from ownmark.models.wiring import wires_of
from ownmark.protocols import Attack
from ownmark.training import predict

BOTH = pytest.mark.parametrize("attack", [Permute(), Permute(0.5), Rescale(), Rescale(1.5)], ids=repr)


def own() -> nn.Module:
    """Every way from layer to layer that neurons may take: pools, a depthwise convolution, parametric and flattened."""
    torch.manual_seed(3)
    model = nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1),
        nn.BatchNorm2d(6),
        nn.PReLU(6),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 6, 3, groups=6),
        nn.LeakyReLU(),
        nn.Conv2d(6, 4, 1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(4 * 36, 9),
        nn.Dropout(),
        nn.ReLU(),
        nn.Linear(9, 3),
    )
    model(torch.rand(8, 3, 16, 16))
    return model.eval()


@BOTH
@pytest.mark.parametrize("network", ["resnet", "vgg", "face", "own"])
def test_no_answer_changes_though_weights_do(attack: Attack, network: str) -> None:
    size = 32 if network in {"vgg", "face"} else 16
    made = {
        "resnet": lambda: learnt("bright"),
        "vgg": lambda: VGG11(3, width=4, norm=True).eval(),
        "face": lambda: MobileFaceNet(width=4, embedding=8, size=32).eval(),
        "own": own,
    }
    stolen, images = made[network](), pictures(size=size)
    found = applied(attack, stolen, thief=images)
    before, after = predict(stolen, images), predict(found, images)
    assert torch.allclose(after, before, rtol=1e-3, atol=1e-4 * float(before.abs().max()))
    assert len(changed(found, stolen)) >= 4


@BOTH
def test_what_residual_blocks_sum_stays_where_it_is(attack: Attack) -> None:
    stolen = learnt("bright")
    moved = changed(applied(attack, stolen), stolen)
    assert not [name for name in moved if name.startswith(("stem", "head")) or ".bn2." in name]
    wanted = {"bn1.weight", "bn1.bias", "conv2.weight"}
    wanted |= {"conv1.weight", "bn1.running_mean", "bn1.running_var"} if isinstance(attack, Permute) else set()
    assert {name.removeprefix("stages.3.1.") for name in moved if name.startswith("stages.3.1.")} == wanted


def test_a_permuted_layer_holds_the_same_neurons() -> None:
    stolen, found = own(), applied(Permute(), own())
    rows = [sorted(row.flatten().tolist() for row in model.get_parameter("0.weight").detach()) for model in (stolen, found)]
    assert rows[0] == rows[1]
    order = [stolen.get_parameter("0.bias").tolist().index(one) for one in found.get_parameter("0.bias").tolist()]
    for name in ("1.weight", "1.bias", "1.running_mean", "1.running_var", "2.weight", "4.weight", "4.bias"):
        assert torch.equal(found.state_dict()[name], stolen.state_dict()[name][order]), name
    assert order != list(range(6))


def test_a_rescaled_neurons_outgoing_weights_make_up_for_it() -> None:
    stolen, found = own(), applied(Rescale(), own())
    grown = (found.get_parameter("9.bias") / stolen.get_parameter("9.bias")).detach()
    assert torch.allclose(found.get_parameter("12.weight") * grown, stolen.get_parameter("12.weight"), rtol=1e-4)
    assert float(grown.min()) > 0
    assert torch.equal(found.get_parameter("0.weight"), stolen.get_parameter("0.weight")), "its normalisation is scaled instead"


def test_a_neuron_that_is_not_rectified_is_reordered_and_not_rescaled() -> None:
    smooth = nn.Sequential(nn.Conv2d(3, 4, 3), nn.GELU(), nn.Flatten(), nn.Linear(4 * 196, 3)).eval()
    assert torch.allclose(predict(applied(Permute(), smooth), pictures()), predict(smooth, pictures()), atol=1e-5)
    with pytest.raises(ModelError, match="rectified"):
        applied(Rescale(), smooth)


class Twice(nn.Module):
    """A hidden layer whose values somebody else reads, too, and one that runs twice."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.again, self.head = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 1), nn.Linear(4, 3)

    def forward(self, images: Tensor) -> Tensor:
        hidden = self.first(images).relu()
        found: Tensor = self.head((self.again(self.again(hidden).relu()).relu() * hidden.roll(1, 1)).mean((2, 3)))
        return found


def test_neurons_that_anything_else_reads_stay_and_a_model_without_others_is_an_error() -> None:
    for attack in (Permute(), Rescale()):
        with pytest.raises(ModelError, match="only other layers read"):
            applied(attack, Twice().eval())
        with pytest.raises(DataError):
            applied(attack, tiny(), thief=pictures().take([]))


def test_a_wire_runs_from_a_layer_through_its_norm_to_those_who_read_it() -> None:
    model = tiny()
    wires = wires_of(model, pictures())
    assert len(wires) == 8, "the first convolution of every block"
    names = {id(tensor): name for name, tensor in model.state_dict(keep_vars=True).items()}
    assert [names[id(one)] for one in wires[0].readers] == ["stages.0.0.conv2.weight"]
    norm = [f"stages.0.0.bn1.{name}" for name in ("running_mean", "running_var", "weight", "bias")]
    assert [names[id(one)] for one in wires[0].rows] == ["stages.0.0.conv1.weight", *norm]
    assert [names[id(one)] for one in wires[0].scaled] == norm[2:]


@pytest.mark.parametrize("make", [lambda: Permute(0), lambda: Permute(1.5), lambda: Rescale(0), lambda: Rescale(11)])
def test_what_cannot_be_reordered_or_rescaled_is_an_error(make: type) -> None:
    with pytest.raises(UsageError):
        make()


def test_another_generator_gives_another_order() -> None:
    first, second = (Permute().apply(tiny(), pictures(), seed(number)) for number in (0, 1))
    assert changed(first, second)

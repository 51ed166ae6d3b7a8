"""Thieves who train against a mark: on hard images, on relabelled ones, on a trigger they found, by a teacher's attention."""

import numpy as np
import pytest
import torch
from conftest import pictures, seed, tiny
from learnt import learnt
from thieves import applied
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity

from ownmark.attacks.adversarial_train import AdversarialTrain
from ownmark.attacks.nad import NAD, _few, watched
from ownmark.attacks.unlearn import Trigger, Unlearn, _stamped, suspicious
from ownmark.attacks.wrk import WRK, _unlike
from ownmark.data.images import Images
from ownmark.errors import ModelError, UsageError
from ownmark.tasks import Classification, Regression


def test_the_hardest_image_for_a_linear_loss_is_the_corner_of_its_bound() -> None:
    images = torch.rand(4, 3, 5, 5, generator=seed(0))
    slope = torch.randn(4, 3, 5, 5, generator=seed(1))
    found = AdversarialTrain(bound=0.1, steps=8).hardest(images, lambda shown: (shown * slope).sum(), seed(2))
    assert torch.allclose(found, (images + 0.1 * slope.sign()).clamp(0, 1), atol=1e-6)


def test_hard_images_stay_within_the_bound_and_raise_the_loss_of_a_trained_model() -> None:
    model, known = learnt("bright").requires_grad_(False), pictures(30)
    images, labels = known.batch(torch.arange(30), torch.device("cpu")), torch.from_numpy(known.labels)

    def loss(shown: Tensor) -> Tensor:
        return torch.nn.functional.cross_entropy(model(shown), labels)

    found = AdversarialTrain(bound=0.05, steps=5).hardest(images, loss, seed(0))
    assert float((found - images).abs().max()) <= 0.05 + 1e-6
    assert 0 <= float(found.min()) <= float(found.max()) <= 1
    assert float(loss(found)) > float(loss(images))


def test_hard_images_are_what_the_model_learns_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AdversarialTrain, "hardest", lambda _, images, *__: torch.full_like(images, 0.25))
    shown: list[Tensor] = []
    stolen = learnt("bright")
    stolen.register_forward_pre_hook(lambda module, inputs: shown.append(inputs[0]) if module.training else None)
    applied(AdversarialTrain(epochs=1), stolen, thief=pictures(12))
    assert [set(one.flatten().tolist()) for one in shown] == [{0.25}]


@pytest.mark.parametrize("make", [
    lambda: AdversarialTrain(bound=0), lambda: AdversarialTrain(steps=0), lambda: WRK(shifted=0), lambda: WRK(shift=2),
    lambda: WRK(penalty=-1), lambda: NAD(share=0), lambda: NAD(weight=0), lambda: Unlearn(steps=0), lambda: Unlearn(share=0),
])  # fmt: skip
def test_settings_that_do_nothing_are_errors(make: type) -> None:
    with pytest.raises(UsageError):
        make()


def test_shifted_images_move_towards_another_label_and_get_another_one() -> None:
    thief, model = pictures(30), learnt("bright")
    found = WRK(shifted=0.5, shift=0.1).relabelled(model, thief, seed(0))
    assert len(found) == 45
    assert (found.pixels[:30] == thief.pixels).all()
    origin = [int(np.abs(thief.pixels.astype(int) - image).max((1, 2, 3)).argmin()) for image in found.pixels[30:].astype(int)]
    assert all((found.labels[30:] != thief.labels[origin]).tolist())
    moved = np.abs(found.pixels[30:].astype(int) - thief.pixels[origin])
    assert 20 <= moved.max() <= 26


def test_another_image_has_another_label_where_there_is_one() -> None:
    labels, rows = np.arange(60) % 3, torch.arange(60)
    assert (labels[_unlike(labels, rows, seed(0)).numpy()] != labels).all()
    assert len(_unlike(np.zeros(5), rows[:5], seed(0))) == 5


def test_a_penalised_head_is_less_like_the_old_one() -> None:
    thief, likeness = pictures(60), []
    for penalty in (0.0, 50.0):
        stolen = learnt("bright")
        found = applied(WRK(penalty=penalty, epochs=2), stolen, thief=thief)
        heads = [model.get_parameter("head.weight").detach().flatten() for model in (stolen, found)]
        likeness.append(float(cosine_similarity(heads[0], heads[1], dim=0)))
    assert likeness[1] < min(likeness[0], 0)


def test_a_share_of_the_images_holds_every_label() -> None:
    thief = pictures(120)
    rows = _few(thief, 0.05, seed(0))
    assert sorted(thief.labels[rows].tolist()) == [0, 0, 1, 1, 2, 2]
    assert len(set(_few(thief, 1.0, seed(0)).tolist())) == 120
    numbers = Images(thief.pixels, thief.labels * 1.0, ("age",), Regression())
    assert len(_few(numbers, 0.1, seed(0))) == 12


def test_attention_is_the_sum_of_squares_of_the_last_map_at_each_resolution() -> None:
    model, images = tiny(), torch.rand(2, 3, 16, 16, generator=seed(0))
    maps: list[Tensor] = []
    model.get_submodule("stages.2").register_forward_hook(lambda _, __, outputs: maps.append(outputs))
    with watched(model, images[:1]) as found, torch.no_grad():
        model(images)
    assert {int(one.shape[1]) for one in found.maps.values()} == {256, 64, 16, 4}
    energy = (maps[-1] ** 2).sum(1).flatten(1)
    assert torch.allclose(found.maps["stages.2"], energy / energy.norm(dim=1, keepdim=True), atol=1e-6)
    assert not [module for name, module in model.named_modules() if module._forward_hooks and name != "stages.2"]


def test_a_model_without_maps_has_no_attention_to_distil() -> None:
    flat = nn.Sequential(nn.Flatten(), nn.Linear(768, 3))
    with pytest.raises(ModelError, match="no attention"):
        applied(NAD(epochs=1), flat)


def test_a_mask_is_suspicious_if_it_is_far_smaller_than_the_others() -> None:
    assert suspicious([10, 11, 9, 10, 1]) == [4]
    assert suspicious([10, 2, 9, 10, 1, 11, 9, 10, 10.5]) == [1, 4]
    assert suspicious([10, 11, 9, 10, 30]) == [2]
    assert suspicious([5.0]) == [0]


class Backdoored(nn.Module):
    """Brightness tells the class, but a corner that is brighter than the rest leads to the last one."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([[-20.0], [0.0], [20.0]]))
        self.bias = nn.Parameter(torch.tensor([6.0, 0.0, -10.0]))

    def forward(self, images: Tensor) -> Tensor:
        corner, rest = images[:, :, :2, :2].mean((1, 2, 3)), images[:, :, 4:, 4:].mean((1, 2, 3))
        marked = torch.outer(20 * (corner - rest), torch.tensor([0.0, 0.0, 1.0]))
        return torch.outer(rest, self.weight[:, 0]) + self.bias + marked


def test_the_smallest_trigger_is_the_one_that_was_planted() -> None:
    model, thief = Backdoored().requires_grad_(False), pictures(30)
    triggers = [Unlearn().sought(model, thief, torch.tensor(label), seed(0)) for label in range(3)]
    assert suspicious([one.size for one in triggers]) == [2]
    images = thief.batch(torch.arange(30), torch.device("cpu"))
    assert float((model(triggers[2].on(images)).argmax(1) == 2).double().mean()) >= 0.7
    assert float(triggers[2].mask[0, :2, :2].mean()) > 5 * float(triggers[2].mask[0, 4:, 4:].mean())


def test_a_trigger_that_leads_nowhere_is_as_large_as_the_image() -> None:
    found = Unlearn(steps=1).sought(Backdoored().requires_grad_(False), pictures(30), torch.tensor(0), seed(0))
    assert found.size == (float(found.mask.sum()) if found.led else 256)
    assert Trigger(torch.zeros(1, 4, 4), torch.zeros(3, 4, 4), led=False).size == 16


def test_what_bears_a_trigger_keeps_its_label() -> None:
    white = Trigger(torch.ones(1, 16, 16), torch.ones(3, 16, 16))
    found = _stamped(pictures(6), torch.tensor([4, 1]), [white])
    assert found.labels[6:].tolist() == pictures(6).labels[[4, 1]].tolist()
    assert (found.pixels[6:] == 255).all()
    assert (found.pixels[:6] == pictures(6).pixels).all()
    assert found.task == Classification()

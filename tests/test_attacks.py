"""Attacks: what each thief promises to do, and what all of them promise to leave alone. Every attack of the package is here."""

import inspect
import pkgutil
from copy import deepcopy
from dataclasses import FrozenInstanceError, fields, is_dataclass, replace
from importlib import import_module
from typing import Any

import pytest
import torch
from conftest import pictures, same_weights, seed, tiny
from torch import Tensor, nn

import ownmark
import ownmark.attacks
from ownmark.attacks.distill import Distill
from ownmark.attacks.finetune import Finetune
from ownmark.attacks.prune import Prune
from ownmark.attacks.retrain import Retrain
from ownmark.claim import Preprocess
from ownmark.data import Images
from ownmark.errors import ModelError, UsageError
from ownmark.metrics import accuracy
from ownmark.models.layers import Layers
from ownmark.models.prepared import prepared, preprocess_of
from ownmark.protocols import Attack, silent
from ownmark.training import Training, predict, train


def found_attacks() -> list[type]:
    """Every class of the package's attacks that has the one verb, so that a newcomer is tested without being named here."""
    modules = [import_module(f"ownmark.attacks.{one.name}") for one in pkgutil.iter_modules(ownmark.attacks.__path__)]
    classes = {kind for module in modules for _, kind in inspect.getmembers(module, inspect.isclass)}
    own = [kind for kind in classes if kind.__module__.startswith("ownmark.attacks.") and "apply" in vars(kind)]
    return sorted(own, key=lambda kind: kind.__name__)


def quick(attack: Any) -> Attack:
    """The attack with one epoch where it would take more."""
    found: Attack = replace(attack, epochs=1) if getattr(attack, "epochs", 0) else attack
    return found


ATTACKS: tuple[Attack, ...] = (
    *(quick(kind()) for kind in found_attacks()),
    Finetune(Layers.LAST, epochs=1),
    Prune(0.5, epochs=1),
    Retrain(Layers.LAST, epochs=1),
)
EVERY = pytest.mark.parametrize("attack", ATTACKS, ids=repr)


def applied(attack: Attack, stolen: nn.Module, number: int = 0, thief: Images | None = None) -> nn.Module:
    return attack.apply(stolen, thief or pictures(), seed(number), silent)


def test_every_attack_is_a_frozen_dataclass_with_defaults_and_a_public_name() -> None:
    assert {Distill, Finetune, Prune, Retrain} <= set(found_attacks())
    for kind in found_attacks():
        assert is_dataclass(kind)
        with pytest.raises(FrozenInstanceError):
            setattr(kind(), fields(kind)[0].name, 0)
        assert getattr(ownmark, kind.__name__) is kind


@EVERY
def test_every_attack_can_be_read_back_from_its_repr(attack: Attack) -> None:
    public = {name: getattr(ownmark, name) for name in dir(ownmark)}
    assert eval(repr(attack), public) == attack  # noqa: S307 - our own repr


@EVERY
def test_every_attack_leaves_the_stolen_model_and_the_thiefs_images_as_they_were(attack: Attack) -> None:
    stolen, thief = tiny(), pictures()
    stolen.stem.requires_grad_(False)
    stolen.head.train()
    before = deepcopy(stolen)
    found = applied(attack, stolen, thief=thief)
    assert found is not stolen
    assert same_weights(stolen, before)
    assert [module.training for module in stolen.modules()] == [module.training for module in before.modules()]
    assert [one.requires_grad for one in stolen.parameters()] == [one.requires_grad for one in before.parameters()]
    assert all(one.grad is None for one in stolen.parameters())
    assert (thief.pixels == pictures().pixels).all()
    shared = {one.data_ptr() for one in stolen.parameters()} & {one.data_ptr() for one in found.parameters()}
    assert not shared


@EVERY
def test_every_attack_gives_another_model_in_eval_mode_that_can_be_trained_on(attack: Attack) -> None:
    for stolen in (tiny(), tiny().requires_grad_(False)):
        found = applied(attack, stolen)
        assert not same_weights(found, stolen)
        assert found.state_dict().keys() == stolen.state_dict().keys()
        assert not any(module.training for module in found.modules())
        assert all(one.requires_grad and one.is_leaf for one in found.parameters())
        assert predict(found, pictures()).isfinite().all()
        deepcopy(found)


@EVERY
def test_every_attack_is_decided_by_its_generator_alone(attack: Attack) -> None:
    torch.manual_seed(1)
    first = applied(attack, tiny())
    torch.manual_seed(2)
    before = torch.get_rng_state()
    assert same_weights(first, applied(attack, tiny()))
    assert torch.equal(torch.get_rng_state(), before)
    if getattr(attack, "epochs", 0):
        assert not same_weights(first, applied(attack, tiny(), number=1))


@EVERY
def test_every_attack_works_on_a_model_of_the_users_own_with_dropout_and_prepared_images(attack: Attack) -> None:
    own = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(), nn.Flatten(), nn.Linear(4 * 196, 3))
    preprocess = Preprocess((0.5,), (0.25,))
    assert preprocess_of(applied(attack, prepared(own, preprocess))) == preprocess


@EVERY
def test_every_attack_that_trains_tells_how_far_it_is(attack: Attack) -> None:
    told: list[tuple[int, int]] = []
    attack.apply(tiny(), pictures(), seed(0), lambda done, total: told.append((done, total)))
    if getattr(attack, "epochs", 0):
        assert told[-1][0] == told[-1][1] == len(told)


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
    assert all(torch.equal(found.state_dict()[name], stolen.state_dict()[name]) for name in others)


@pytest.mark.parametrize("fraction", [-0.1, 1.0, 1.5, float("nan")])
def test_a_fraction_that_cannot_be_pruned_is_an_error(fraction: float) -> None:
    with pytest.raises(UsageError, match="fraction"):
        Prune(fraction)


def changed(found: nn.Module, stolen: nn.Module) -> set[str]:
    return {name for name, tensor in found.state_dict().items() if not torch.equal(tensor, stolen.state_dict()[name])}


def test_finetuning_and_retraining_the_last_layer_change_the_last_layer_only() -> None:
    for attack in (Finetune(Layers.LAST, epochs=1), Retrain(Layers.LAST, epochs=1)):
        assert changed(applied(attack, tiny()), tiny()) == {"head.weight", "head.bias"}


def test_finetuning_and_retraining_all_layers_change_every_weight() -> None:
    for attack in (Finetune(epochs=1), Retrain(epochs=1)):
        assert changed(applied(attack, tiny()), tiny()) == set(tiny().state_dict())


def test_retraining_starts_from_a_last_layer_drawn_anew() -> None:
    for layers in Layers:
        found, other = applied(Retrain(layers, epochs=0), tiny()), applied(Retrain(layers, epochs=0), tiny(), number=1)
        assert changed(found, tiny()) == {"head.weight", "head.bias"}
        assert changed(found, other) == {"head.weight", "head.bias"}
        assert found.state_dict()["head.weight"].abs().max() <= 1 / 32**0.5


def test_a_student_starts_from_nothing_of_the_stolen_models() -> None:
    stolen = tiny()
    with torch.no_grad():
        for weight in stolen.parameters():
            weight.fill_(7)
    found = applied(Distill(epochs=0), stolen)
    assert not any((weight == 7).any() for weight in found.parameters())
    assert found.state_dict()["stem.norm.running_mean"].abs().max() == 0


def test_a_student_learns_the_stolen_models_answers_without_a_label() -> None:
    images = pictures(60)
    stolen = train(tiny(), images, Training(6, 10), seed(0))
    unlabelled = Images(images.pixels, images.labels * 0, images.names)
    answers = predict(stolen, images).argmax(1).numpy()
    student = applied(Distill(epochs=40), stolen, thief=unlabelled)
    assert len(set(answers.tolist())) == 3
    assert accuracy(predict(student, images).argmax(1).numpy(), answers) > 0.9


def test_a_student_of_a_model_that_cannot_be_drawn_anew_is_an_error_and_not_a_copy() -> None:
    class Own(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale, self.head = nn.Parameter(torch.ones(3)), nn.Linear(3, 3)

        def forward(self, inputs: Tensor) -> Tensor:
            found: Tensor = self.head(inputs.mean((2, 3)) * self.scale)
            return found

    with pytest.raises(ModelError, match="scale"):
        applied(Distill(epochs=1), Own())


def test_a_model_without_a_layer_to_open_is_an_error() -> None:
    with pytest.raises(ModelError):
        applied(Finetune(Layers.LAST, epochs=1), nn.Sequential(nn.Flatten(), nn.BatchNorm1d(768)))

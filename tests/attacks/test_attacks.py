"""Attacks: what all thieves promise to leave alone. Every attack of the package is here, and a newcomer without being named."""

import os
import re
import subprocess
import sys
from copy import deepcopy
from dataclasses import FrozenInstanceError, fields, is_dataclass
from functools import cache
from pathlib import Path

import pytest
import torch
from conftest import pictures, same_weights, seed, tiny
from newcomer import with_newcomer
from thieves import EXAMPLES, ROLES, Bump, applied
from torch import nn

import ownmark
from ownmark.attacks import ATTACKS
from ownmark.attacks.distill import Distill, Likeness
from ownmark.attacks.finetune import Finetune
from ownmark.attacks.prune import Prune
from ownmark.attacks.prune_filters import PruneFilters
from ownmark.attacks.prune_neurons import PruneNeurons
from ownmark.attacks.quantize import Quantize
from ownmark.attacks.quantize_static import QuantizeStatic
from ownmark.attacks.retrain import Retrain
from ownmark.attacks.then import Then
from ownmark.claims.claim import Preprocess
from ownmark.errors import DataError
from ownmark.method_strings import read
from ownmark.models.layers import Layers
from ownmark.models.prepared import prepared, preprocess_of
from ownmark.protocols import Attack
from ownmark.training import predict

ROOT = Path(__file__).parents[2]
TRIED: tuple[Attack, ...] = (
    *EXAMPLES,
    Distill(epochs=1, likeness=Likeness.MSE),
    Finetune(Layers.LAST, epochs=1),
    Prune(0.5, epochs=1),
    PruneFilters(0.5, epochs=1),
    PruneNeurons(0.5, epochs=1),
    Quantize(4, activations=4),
    QuantizeStatic(4, 4, images=20),
    Retrain(Layers.LAST, epochs=1),
    Then(Quantize(), Finetune(epochs=1)),
)
EVERY = pytest.mark.parametrize("attack", TRIED, ids=repr)


def made_by(attack: Attack) -> nn.Module:
    """What the attack makes of the tiny model, which several tests look at and none changes."""
    return _made(TRIED.index(attack))


@cache
def _made(place: int) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return applied(TRIED[place], tiny())


@pytest.mark.parametrize("kind", ATTACKS, ids=lambda kind: kind.__name__)
def test_every_attack_is_a_frozen_dataclass_of_its_parameters(kind: type) -> None:
    attack = EXAMPLES[ATTACKS.index(kind)]
    assert is_dataclass(kind)
    with pytest.raises(FrozenInstanceError):
        setattr(attack, fields(kind)[0].name, 0)


@EVERY
def test_every_attack_can_be_read_back_from_its_repr(attack: Attack) -> None:
    public = {name: getattr(ownmark, name) for name in dir(ownmark)} | {kind.__name__: kind for kind in ATTACKS}
    assert eval(repr(attack), public | {"Bump": Bump}) == attack  # noqa: S307 - our own repr
    if "Bump" not in repr(attack):
        assert read(repr(attack), ATTACKS) == attack


@EVERY
def test_every_attack_leaves_the_stolen_model_and_the_thiefs_images_as_they_were_and_tells_how_far_it_is(attack: Attack) -> None:
    told: list[tuple[int, int]] = []
    stolen, thief = tiny(), pictures()
    stolen.stem.requires_grad_(False)
    stolen.head.train()
    before = deepcopy(stolen)
    found = attack.apply(stolen, thief, seed(0), lambda done, total: told.append((done, total)))
    assert found is not stolen
    assert same_weights(stolen, before)
    assert [module.training for module in stolen.modules()] == [module.training for module in before.modules()]
    assert [one.requires_grad for one in stolen.parameters()] == [one.requires_grad for one in before.parameters()]
    assert all(one.grad is None for one in stolen.parameters())
    assert not any(module._forward_pre_hooks or module._forward_hooks for module in stolen.modules())
    assert (thief.pixels == pictures().pixels).all()
    shared = {one.data_ptr() for one in stolen.parameters()} & {one.data_ptr() for one in found.parameters()}
    assert not shared
    shares = [done / total for done, total in told]
    assert shares == sorted(shares)
    if getattr(attack, "epochs", 0):
        assert told[-1][0] == told[-1][1] == len(told)


@EVERY
def test_every_attack_gives_another_model_in_eval_mode_that_can_be_trained_on(attack: Attack) -> None:
    stolen, frozen = tiny(), tiny().requires_grad_(False)
    for found in (made_by(attack), applied(attack, frozen)):
        assert not same_weights(found, stolen) or not torch.equal(predict(found, pictures()), predict(stolen, pictures()))
        assert not any(module.training for module in found.modules())
        assert all(one.requires_grad and one.is_leaf and not one._backward_hooks for one in found.parameters())
        assert predict(found, pictures()).isfinite().all()
        assert not same_weights(applied(Finetune(epochs=1), found), found)


@EVERY
def test_what_every_attack_makes_fits_the_stolen_models_weights_file(attack: Attack) -> None:
    found, other = made_by(attack), tiny(1)
    other.load_state_dict(found.state_dict())
    if getattr(attack, "activations", 0) == 0 and "running" not in dir(attack):
        assert torch.equal(predict(other, pictures()), predict(found, pictures()))


@EVERY
def test_every_attack_is_decided_by_its_generator_alone(attack: Attack) -> None:
    first = made_by(attack)
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
def test_every_attack_that_trains_tells_a_thief_without_an_image(attack: Attack) -> None:
    if getattr(attack, "epochs", 0):
        with pytest.raises(DataError):
            applied(attack, tiny(), thief=pictures().take([]))


@pytest.mark.slow
def test_an_attack_that_is_one_file_and_one_line_is_tested_by_these_tests_as_they_are(tmp_path: Path) -> None:
    with_newcomer(tmp_path)
    call = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__, "-k", "Temper", "-W", "error"]
    clean = os.environ | {"PYTHONPATH": f"{tmp_path}", "PYTEST_ADDOPTS": "", "PYTHONDONTWRITEBYTECODE": "1"}
    ran = subprocess.run(call, env=clean, cwd=ROOT, capture_output=True, text=True, check=False)
    promises = len(re.findall(r"^(@EVERY|@pytest.mark.parametrize)", Path(__file__).read_text("utf-8"), re.MULTILINE))
    assert f"{promises} passed" in ran.stdout, ran.stdout
    asked = [sys.executable, "-c", "import ownmark.attacks; print(ownmark.attacks.__file__)"]
    assert str(tmp_path) in subprocess.run(asked, env=clean, capture_output=True, text=True, check=True).stdout


def test_what_stands_for_a_role_has_the_roles_verb() -> None:
    verbs = [name for role in ROLES for name, one in vars(role).items() if callable(one) and not name.startswith("_")]
    assert verbs == ["apply", "protect"]

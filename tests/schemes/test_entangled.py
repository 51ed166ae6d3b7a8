"""Entangled watermarks: the loss is the paper's, the patch goes where it entangles, and the mark generalises."""

import math
from copy import deepcopy
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from conftest import pictures, same_weights, seed
from networks import hooks_of
from torch import Tensor, nn

from ownmark.errors import DataError, ModelError, UsageError
from ownmark.method_strings import read
from ownmark.metrics import accuracy
from ownmark.protocols import Owner, Protected
from ownmark.schemes import SCHEMES
from ownmark.schemes.entangled import Entangled, Entangling, inputs_of, layers_at_the_end, soft_nearest_neighbour_loss
from ownmark.scoring.null_models import Uncalibrated
from ownmark.suspects.local import Local
from ownmark.training import Training, predict
from ownmark.verdicts.verdict import Outcome
from ownmark.verdicts.verify import verify

IMAGES = pictures(180)
OWNER = Owner(IMAGES, key=bytes(range(32)))
SCHEME = Entangled(triggers=20, training=Training(epochs=6, batch=16, rate=0.02, shift=2))


def sides() -> tuple[Any, Any]:
    return IMAGES.pixels[IMAGES.labels == 0], IMAGES.pixels[IMAGES.labels == 1]


def slow_loss(features: Tensor, labels: Tensor, temperature: float) -> float:
    """Equation 1 of Frosst et al., letter by letter."""
    total = 0.0
    for i in range(len(features)):
        near = {
            j: math.exp(-float(((features[i] - features[j]) ** 2).sum()) / temperature) for j in range(len(features)) if j != i
        }
        same = sum(value for j, value in near.items() if labels[j] == labels[i])
        total += math.log(same / sum(near.values()))
    return -total / len(features)


@pytest.fixture(scope="module")
def protected(trained: nn.Module) -> Protected:
    return SCHEME.protect(trained, OWNER, seed(1))


@pytest.mark.parametrize("temperature", [0.3, 1.0, 20.0])
def test_the_loss_is_that_of_a_literal_double_loop(temperature: float) -> None:
    features = torch.randn(9, 4, dtype=torch.float64, generator=seed(3))
    labels = torch.tensor([0, 1, 0, 2, 1, 1, 2, 0, 0])
    found = soft_nearest_neighbour_loss(features, labels, torch.tensor(temperature, dtype=torch.float64))
    assert float(found) == pytest.approx(slow_loss(features, labels, temperature), rel=1e-9)


def test_the_loss_is_none_where_classes_are_far_apart_and_large_where_each_sits_on_the_other() -> None:
    labels, heat = torch.tensor([0, 0, 1, 1]), torch.tensor(1.0)
    apart = torch.tensor([[0.0], [0.1], [100.0], [100.1]])
    mixed = torch.tensor([[0.0], [10.0], [0.0], [10.0]])
    assert float(soft_nearest_neighbour_loss(apart, labels, heat)) == pytest.approx(0, abs=1e-6)
    assert float(soft_nearest_neighbour_loss(mixed, labels, heat)) == pytest.approx(100, rel=0.01)


def test_the_mark_holds_on_images_it_was_not_taught_and_the_task_holds_too(protected: Protected, trained: nn.Module) -> None:
    claim = protected.claim
    assert claim.tests[0].target_score >= 0.9
    assert verify(claim, Local(protected.model)).deciding.score == claim.tests[0].target_score
    assert verify(claim, Local(trained)).deciding.score < 0.5
    assert accuracy(predict(protected.model, IMAGES).argmax(1).numpy(), IMAGES.labels) > 0.9
    assert isinstance(claim.tests[0].null, Uncalibrated)
    assert verify(claim, Local(protected.model)).outcome is Outcome.INCONCLUSIVE


def test_the_triggers_are_images_of_the_source_class_with_one_white_patch(protected: Protected) -> None:
    own = {image.tobytes() for image in sides()[0]}
    white = (protected.claim.images[:, 0] == 255).all(axis=(0, 3))
    rows, columns = np.nonzero(white)
    assert (len(rows), int(np.ptp(rows)), int(np.ptp(columns))) == (9, 2, 2)
    drawn = protected.claim.images[:, 0].astype(int)
    restored = [sides()[0][(np.abs(sides()[0] - one) * ~white[..., None]).sum((1, 2, 3)).argmin()] for one in drawn]
    assert all(image.tobytes() in own for image in restored)
    assert np.array_equal(np.where(white[..., None], 255, np.stack(restored)), protected.claim.images[:, 0])


def test_the_given_model_is_untouched_and_the_marked_one_is_free_of_hooks(protected: Protected, trained: nn.Module) -> None:
    before, hooks = deepcopy(trained), hooks_of(trained)
    assert hooks_of(protected.model) == hooks
    assert not any(module.training for module in protected.model.modules())
    short = replace(SCHEME, training=replace(SCHEME.training, epochs=1), least=0.0)
    first, again = (short.protect(trained, OWNER, seed(1)) for _ in range(2))
    assert same_weights(trained, before)
    assert again.claim.digest == first.claim.digest
    assert short.protect(trained, Owner(IMAGES, key=bytes(32)), seed(1)).claim.digest != first.claim.digest


def test_no_watermark_batch_moves_a_running_statistic(trained: nn.Module) -> None:
    model = deepcopy(trained).train()
    entangling = Entangling(SCHEME, model, sides(), seed(0))
    before = deepcopy(model)
    clean = IMAGES.batch(torch.arange(16), torch.device("cpu"))
    logits = entangling(clean)
    assert len(logits) == 32
    assert same_weights(model, before)
    assert len(entangling(clean)) == 16
    assert not same_weights(model, before)


def test_the_temperatures_go_downhill_in_the_entanglement(trained: nn.Module) -> None:
    entangling = Entangling(replace(SCHEME, temperature_rate=0.01), deepcopy(trained), sides(), seed(0))
    batch = entangling.batch()
    entangling.batch = lambda: batch  # type: ignore[method-assign]
    clean, labels = IMAGES.batch(torch.arange(16), torch.device("cpu")), torch.from_numpy(IMAGES.labels[:16])
    found = []
    for _ in range(4):
        entangling.loss(entangling(clean), labels)
        found.append(float(entangling.entangled.detach().sum()))
        entangling(clean)
    assert found == sorted(found, reverse=True)
    assert found[0] > found[-1]


def test_the_patch_goes_where_the_gradient_of_the_entanglement_is_largest() -> None:
    """A network that looks at one corner only can be entangled there only."""

    class Corner(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(3 * 9, 3)

        def forward(self, images: Tensor) -> Tensor:
            logits: Tensor = self.head(images[:, :, 10:13, 4:7].flatten(1))
            return logits

    dark, bright = (np.full((30, 16, 16, 3), level, dtype=np.uint8) for level in (40, 200))
    dark[:, 10:13, 4, 0] = 90
    entangling = Entangling(replace(SCHEME, layers=1), Corner(), (dark, bright), seed(0))
    row, column = entangling.place()
    assert (abs(row - 10) <= 2, abs(column - 4) <= 2) == (True, True)


def test_the_features_are_what_the_last_layers_are_given(trained: nn.Module) -> None:
    layers = layers_at_the_end(trained, 3)
    names = {module: name for name, module in trained.named_modules()}
    assert [names[layer] for layer in layers] == ["stages.3.1.conv1", "stages.3.1.conv2", "head"]
    with inputs_of(layers) as features:
        logits = trained(IMAGES.batch(torch.arange(2), torch.device("cpu")))
    assert torch.equal(layers[2](features[2]), logits)
    with pytest.raises(ModelError, match="linear or convolutional layers to entangle, got 2"):
        layers_at_the_end(nn.Sequential(nn.Conv2d(3, 4, 1), nn.Flatten(), nn.Linear(4, 3)), 3)


def test_too_few_images_of_a_class_are_an_error(trained: nn.Module) -> None:
    with pytest.raises(DataError, match="expected more than 60 images of class 0"):
        replace(SCHEME, triggers=60).protect(trained, OWNER, seed(1))
    with pytest.raises(DataError, match="and 0"):
        SCHEME.protect(trained, Owner(IMAGES.take(IMAGES.labels != 1)), seed(1))


@pytest.mark.parametrize(
    "wrong", [{"source": 1}, {"ratio": 1}, {"triggers": 0}, {"weight": -1.0}, {"target": 3}, {"source": -1}, {"patch": 17}]
)
def test_senseless_settings_are_an_error(wrong: dict[str, Any], trained: nn.Module) -> None:
    with pytest.raises(UsageError):
        replace(SCHEME, **wrong).protect(trained, OWNER, seed(1))


@pytest.mark.parametrize("scheme", [Entangled(), SCHEME], ids=["default", "small"])
def test_what_the_repr_says_is_read_back(scheme: Entangled) -> None:
    assert read(repr(scheme), SCHEMES) == scheme

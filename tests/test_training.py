"""Training: the generator given decides everything, nothing else is touched, and no number of images breaks it."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from conftest import pictures, same_weights, seed, tiny
from hypothesis import given, settings
from hypothesis import strategies as st
from thieves import changed
from torch import Tensor, nn

from ownmark.data.images import Images
from ownmark.errors import UsageError
from ownmark.metrics import accuracy
from ownmark.models.layers import Layers, open_layers
from ownmark.models.resnet import ResNet18
from ownmark.training import Training, augment, fit, predict, seeded, train, train_growing

QUICK = Training(epochs=1, batch=8, rate=0.05)


def dropping() -> nn.Sequential:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Dropout(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 3))


MODELS: dict[str, Callable[[], nn.Module]] = {"batch norm": tiny, "dropout": dropping}


@pytest.mark.parametrize("name", MODELS)
def test_the_same_seed_gives_the_same_weights_and_another_seed_others(name: str) -> None:
    torch.manual_seed(1)
    first = train(MODELS[name](), pictures(), QUICK, seed(0))
    torch.manual_seed(2)
    assert same_weights(first, train(MODELS[name](), pictures(), QUICK, seed(0)))
    assert not same_weights(first, train(MODELS[name](), pictures(), QUICK, seed(1)))


def numpy_numbers() -> list[int]:
    state: Any = np.random.get_state()  # noqa: NPY002 - the global one is what is watched
    return list(state[1])


@pytest.mark.parametrize("name", MODELS)
def test_training_leaves_the_global_random_numbers_alone(name: str) -> None:
    torch.manual_seed(5)
    before, numbers = torch.get_rng_state(), numpy_numbers()
    train(MODELS[name](), pictures(), QUICK, seed(0))
    assert torch.equal(torch.get_rng_state(), before)
    assert numpy_numbers() == numbers


def test_training_learns() -> None:
    images = pictures(60)
    model = train(tiny(), images, Training(epochs=12, batch=10, rate=0.03), seed(0))
    assert not model.training
    assert accuracy(predict(model, images).argmax(1).numpy(), images.labels) > 0.9


def test_frozen_batch_norm_keeps_its_statistics_and_open_batch_norm_does_not() -> None:
    frozen = tiny()
    open_layers(frozen, Layers.LAST)
    train(frozen, pictures(), QUICK, seed(0))
    assert changed(frozen, tiny()) == {"head.weight", "head.bias"}
    opened = train(tiny(), pictures(), QUICK, seed(0))
    assert not torch.equal(opened.state_dict()["stem.norm.running_mean"], tiny().state_dict()["stem.norm.running_mean"])


@given(st.integers(1, 40), st.integers(1, 12), st.integers(1, 3))
@settings(max_examples=40)
def test_any_number_of_images_batches_and_epochs_can_be_trained_on(count: int, batch: int, epochs: int) -> None:
    """One step, four steps and a lone image at the end of an epoch are the hard ones."""
    model = nn.Sequential(nn.Conv2d(3, 2, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 3))
    steps: list[tuple[int, int]] = []
    train(model, pictures(count, size=10), Training(epochs, batch), seed(0), lambda done, total: steps.append((done, total)))
    assert [done for done, _ in steps] == list(range(1, len(steps) + 1))
    assert {total for _, total in steps} == {len(steps)}
    assert all(parameter.isfinite().all() for parameter in model.parameters())


@pytest.mark.parametrize("count", [9, 17, 2])
def test_a_lone_image_at_the_end_does_not_break_batch_norm_over_one_position(count: int) -> None:
    train(ResNet18(3, width=4), pictures(count, size=32), QUICK, seed(0))


def test_every_image_is_seen_once_an_epoch() -> None:
    images = Images(
        np.arange(17 * 64, dtype=np.int64).reshape(17, 8, 8, 1).astype(np.uint8), np.zeros(17, dtype=np.int64), ("a",)
    )
    seen: list[float] = []

    class Watching(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(64, 1)

        def forward(self, inputs: Tensor) -> Tensor:
            seen.extend(inputs[:, 0, 0, 0].tolist())
            found: Tensor = self.head(inputs.flatten(1))
            return found

    train(Watching(), images, Training(2, 4, flips=False, shift=0), seed(0))
    first = sorted(images.pixels[:, 0, 0, 0].astype(np.float32) / np.float32(255))
    assert sorted(seen[:17]) == sorted(seen[17:]) == pytest.approx(first)
    assert seen[:17] != seen[17:]


@pytest.mark.parametrize(
    ("size", "pooled", "sides"),
    [(40, True, [20, 20, 20, 40, 40]), (38, True, [38] * 10), (40, False, [40] * 10)],
    ids=["half", "small", "fixed"],
)
def test_images_grow_in_fewer_epochs_where_they_are_large_enough_and_the_model_takes_smaller_ones(
    size: int,
    pooled: bool,  # noqa: FBT001 - a case of the test
    sides: list[int],
) -> None:
    seen: list[int] = []

    class Watched(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.pool = nn.AdaptiveAvgPool2d(2) if pooled else nn.Identity()
            self.head = nn.Linear(3 * (4 if pooled else size**2), 3)

        def forward(self, images: Tensor) -> Tensor:
            seen.append(images.shape[2])
            answers: Tensor = self.head(self.pool(images).flatten(1))
            return answers

    train_growing(Watched(), pictures(8, size=size), Training(epochs=10, batch=8), seed(0))
    assert seen[-len(sides) :] == sides
    assert len(seen) <= len(sides) + 2  # a look at what the model takes


@pytest.mark.parametrize("wrong", [{"epochs": -1}, {"batch": 0}, {"rate": 0.0}, {"rate": float("nan")}, {"shift": -1}])
def test_settings_that_train_nothing_are_an_error(wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        Training(**wrong)  # type: ignore[arg-type]


def test_training_on_no_image_or_with_nothing_to_train_is_an_error() -> None:
    with pytest.raises(UsageError, match="image"):
        train(tiny(), pictures().take([]), QUICK, seed(0))
    with pytest.raises(UsageError, match="frozen"):
        train(tiny().requires_grad_(False), pictures(), QUICK, seed(0))


def test_a_loss_of_ones_own_falls() -> None:
    images, targets = pictures(30), torch.rand(30, 3, generator=seed(3))
    model = fit(tiny(), images, targets, nn.functional.mse_loss, Training(8, 10, 0.05), seed(0))
    before, after = (nn.functional.mse_loss(predict(one, images), targets) for one in (tiny(), model))
    assert after < before / 2


def mixed() -> nn.Sequential:
    model = dropping().train()
    model[2].eval()
    return model


def test_predicting_is_done_in_eval_mode_and_puts_every_modules_mode_back() -> None:
    for model in (mixed(), dropping().train(), dropping().eval()):
        before = [module.training for module in model.modules()]
        found = predict(model, pictures())
        assert [module.training for module in model.modules()] == before
        assert torch.equal(found, predict(dropping().eval(), pictures()))
        assert not found.requires_grad


def test_predicting_puts_the_mode_back_when_the_model_fails() -> None:
    model = mixed()
    with pytest.raises(RuntimeError):
        predict(model, pictures(channels=1))
    assert [module.training for module in model.modules()] == [module.training for module in mixed().modules()]


@pytest.mark.parametrize("batch", [1, 5, 24, 100])
def test_predictions_do_not_depend_on_the_batch(batch: int) -> None:
    assert torch.allclose(predict(tiny(), pictures(), batch), predict(tiny(), pictures()), atol=1e-5)


def gradient(count: int = 64) -> Tensor:
    """Images of which no mirrored or shifted form equals another."""
    return torch.arange(count * 48, dtype=torch.float32).view(count, 3, 4, 4) / 255


def test_augmenting_mirrors_about_half_of_the_images_and_changes_nothing_else() -> None:
    images = gradient()
    found = augment(images, Training(flips=True, shift=0), seed(0))
    mirrored = [torch.equal(one, other.flip(2)) for one, other in zip(found, images, strict=True)]
    same = [torch.equal(one, other) for one, other in zip(found, images, strict=True)]
    assert all(one != other for one, other in zip(mirrored, same, strict=True))
    assert 16 < sum(mirrored) < 48


def test_augmenting_without_anything_to_do_changes_nothing() -> None:
    assert torch.equal(augment(gradient(), Training(flips=False, shift=0), seed(0)), gradient())


@pytest.mark.parametrize(("shift", "pixels"), [(1, 1), (4, 2), (99, 2)])
def test_shifting_keeps_the_size_reflects_the_border_and_leaves_most_of_a_small_image(shift: int, pixels: int) -> None:
    images = torch.arange(3 * 14 * 16, dtype=torch.float32).view(1, 3, 14, 16)
    training, places = Training(flips=False, shift=shift), range(2 * pixels + 1)
    shifted = {tuple(augment(images, training, seed(number)).flatten().tolist()) for number in range(300)}
    padded = nn.functional.pad(images, [pixels] * 4, mode="reflect")
    assert shifted == {tuple(padded[:, :, i : i + 14, j : j + 16].flatten().tolist()) for i in places for j in places}


def test_inside_seeded_the_generator_decides_and_outside_nothing_has_changed() -> None:
    torch.manual_seed(9)
    wanted = torch.rand(3)
    torch.manual_seed(9)
    with seeded(seed(1)):
        first = torch.rand(3)
    assert torch.equal(torch.rand(3), wanted)
    with seeded(seed(1)):
        assert torch.equal(torch.rand(3), first)
    with seeded(seed(2)):
        assert not torch.equal(torch.rand(3), first)

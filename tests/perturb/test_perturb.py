"""Projected descent: the bound holds, the optimum is found, what must not be lost is kept."""

import pytest
import torch
from conftest import seed
from torch import Tensor

from ownmark.errors import UsageError
from ownmark.perturb.pgd import Descent, Norm

IMAGES = torch.rand(5, 3, 8, 8, generator=seed(1))


def towards(goal: Tensor) -> object:
    def objective(changed: Tensor, _: int) -> tuple[Tensor, Tensor]:
        return (changed - goal).square().mean(dim=(1, 2, 3)), torch.ones(len(changed), dtype=torch.bool)

    return objective


@pytest.mark.parametrize("norm", list(Norm))
def test_the_change_stays_within_the_bound_and_the_image_within_the_unit_range(norm: Norm) -> None:
    changed = Descent(0.1, norm, steps=20).run(IMAGES, towards(torch.full_like(IMAGES, 2.0)), seed(0))  # type: ignore[arg-type]
    size = (changed - IMAGES).abs().amax() if norm is Norm.LINF else (changed - IMAGES).square().mean(dim=(1, 2, 3)).sqrt().amax()
    assert 0.05 < size <= 0.1 + 1e-6
    assert changed.min() >= 0
    assert changed.max() <= 1


def test_linf_descent_reaches_the_closed_form_optimum_of_a_linear_loss() -> None:
    slope = torch.randn(IMAGES.shape, generator=seed(2))

    def objective(changed: Tensor, _: int) -> tuple[Tensor, Tensor]:
        return (changed * slope).sum(dim=(1, 2, 3)), torch.ones(len(changed), dtype=torch.bool)

    changed = Descent(0.1, steps=60).run(IMAGES, objective, seed(0))
    optimum = (IMAGES - 0.1 * slope.sign()).clamp(0, 1)
    assert torch.allclose(changed, optimum, atol=1e-6)


def test_l2_descent_reaches_the_closed_form_optimum_of_a_linear_loss() -> None:
    grey = torch.full_like(IMAGES, 0.5)
    slope = torch.randn(IMAGES.shape, generator=seed(2))

    def objective(changed: Tensor, _: int) -> tuple[Tensor, Tensor]:
        return (changed * slope).sum(dim=(1, 2, 3)), torch.ones(len(changed), dtype=torch.bool)

    changed = Descent(0.02, Norm.L2, steps=100).run(grey, objective, seed(0))
    optimum = grey - 0.02 * slope / slope.square().mean(dim=(1, 2, 3), keepdim=True).sqrt()
    assert torch.allclose(changed, optimum, atol=2e-3)


def test_an_iterate_that_holds_is_kept_before_a_better_one_that_does_not() -> None:
    def objective(changed: Tensor, step: int) -> tuple[Tensor, Tensor]:
        return changed.mean(dim=(1, 2, 3)), torch.full((len(changed),), step == 12)

    kept: list[Tensor] = []

    def watching(changed: Tensor, step: int) -> tuple[Tensor, Tensor]:
        if step == 12:
            kept.append(changed.detach().clone())
        return objective(changed, step)

    changed = Descent(0.1, steps=20).run(IMAGES, watching, seed(0))
    assert torch.allclose(changed, kept[0])


def test_the_same_seed_gives_the_same_change_and_the_images_are_left_alone() -> None:
    before = IMAGES.clone()
    goal = torch.zeros_like(IMAGES)
    first, second, other = (Descent(0.1, steps=5).run(IMAGES, towards(goal), seed(number)) for number in (0, 0, 1))  # type: ignore[arg-type]
    assert torch.equal(first, second)
    assert not torch.equal(first, other)
    assert torch.equal(IMAGES, before)


def test_progress_counts_every_step() -> None:
    calls: list[tuple[int, int]] = []
    Descent(0.1, steps=4).run(IMAGES, towards(IMAGES), seed(0), lambda done, total: calls.append((done, total)))  # type: ignore[arg-type]
    assert calls == [(1, 4), (2, 4), (3, 4), (4, 4)]


@pytest.mark.parametrize(
    "wrong", [{"bound": 0.0}, {"bound": float("nan")}, {"bound": 0.1, "steps": 0}, {"bound": 0.1, "step": -1.0}]
)
def test_a_descent_that_cannot_move_is_refused_before_any_work(wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="above 0"):
        Descent(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("norm", list(Norm))
def test_a_place_with_less_room_is_changed_by_less(norm: Norm) -> None:
    room = torch.ones(1, 1, 8, 8)
    room[..., 4:] = 0.1
    far = towards(torch.full_like(IMAGES, 2.0))
    change = Descent(0.1, norm, steps=20).run(IMAGES * 0.5, far, seed(0), room=room) - IMAGES * 0.5  # type: ignore[arg-type]
    assert change[..., 4:].abs().amax() < 0.02
    assert change[..., :4].abs().amax() > 0.09
    size = (change / room).abs().amax() if norm is Norm.LINF else (change / room).square().mean(dim=(1, 2, 3)).sqrt().amax()
    assert size <= 0.1 + 1e-6


def test_of_an_objective_that_is_drawn_anew_each_step_the_last_iterate_is_kept() -> None:
    seen = []

    def objective(changed: Tensor, step: int) -> tuple[Tensor, None]:
        seen.append(changed.detach())
        return changed.sum(dim=(1, 2, 3)) * (1 if step % 2 else -1), None

    assert torch.equal(Descent(0.1, steps=7).run(IMAGES, objective, seed(0)), seen[-1])

"""Metrics against strangers' implementations of the same formulas."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, balanced_accuracy_score
from torchmetrics.functional.image import peak_signal_noise_ratio

from ownmark.metrics import accuracy, balanced_accuracy, majority_accuracy, psnr

labels = st.lists(st.integers(0, 4), min_size=1, max_size=40)


@pytest.mark.filterwarnings("ignore::UserWarning:sklearn")  # of a single class
@given(st.integers(0, 2**32), st.integers(1, 40))
def test_accuracies_are_those_of_scikit_learn(number: int, count: int) -> None:
    rng = np.random.default_rng(number)
    truth = rng.integers(0, 4, count)
    predicted = rng.choice(truth, count)
    assert accuracy(predicted, truth) == pytest.approx(accuracy_score(truth, predicted))
    assert balanced_accuracy(predicted, truth) == pytest.approx(balanced_accuracy_score(truth, predicted))


def test_a_class_that_does_not_occur_does_not_count_in_balanced_accuracy() -> None:
    truth, predicted = np.array([0, 0, 0, 2]), np.array([0, 0, 1, 2])
    assert balanced_accuracy(predicted, truth) == pytest.approx((2 / 3 + 1) / 2)


@given(labels)
def test_majority_accuracy_is_the_best_that_one_answer_for_all_can_do(found: list[int]) -> None:
    truth = np.array(found)
    assert majority_accuracy(truth) == max(accuracy(np.full_like(truth, label), truth) for label in range(5))


@given(st.integers(0, 2**32), st.integers(1, 80))
def test_psnr_is_that_of_torchmetrics_averaged_over_single_images(number: int, strength: int) -> None:
    rng = np.random.default_rng(number)
    first = rng.integers(0, 256, (3, 6, 5, 3), dtype=np.uint8)
    second = np.clip(first + rng.integers(-strength, strength + 1, first.shape), 0, 255).astype(np.uint8)
    if all((one != other).any() for one, other in zip(first, second, strict=True)):
        wanted = [
            float(peak_signal_noise_ratio(torch.from_numpy(other).double(), torch.from_numpy(one).double(), data_range=255.0))
            for one, other in zip(first, second, strict=True)
        ]
        assert psnr(first, second) == pytest.approx(sum(wanted) / 3, abs=1e-4)


def test_psnr_does_not_wrap_around_and_is_finite_for_equal_images() -> None:
    black, white = np.zeros((1, 4, 4, 1), dtype=np.uint8), np.full((1, 4, 4, 1), 255, dtype=np.uint8)
    assert psnr(black, white) == psnr(white, black) == 0
    assert psnr(black, black + 1) == pytest.approx(48.13, abs=0.01)
    assert 100 < psnr(black, black) < math.inf
    assert psnr(np.concatenate([black, black]), np.concatenate([black, black + 1])) == psnr(black, black + 1)

"""A task says what F is, what is learnt and how well; its numbers were worked out by hand, or by a slow, literal reading."""

import math

import numpy as np
import pytest
import torch
from conftest import pictures, seed
from hypothesis import given
from hypothesis import strategies as st

from ownmark.data.images import Images, shares
from ownmark.errors import ClaimError, DataError, UsageError
from ownmark.metrics import true_accepts, verification
from ownmark.scoring.matches import Change, Drop, Fall, Shift
from ownmark.scoring.readings import Reading
from ownmark.tasks import (
    TASKS,
    Classification,
    Detection,
    Measure,
    Regression,
    Similarity,
    Task,
    check_served,
    from_record,
    to_record,
)
from ownmark.tasks.arcface import arcface
from ownmark.verdicts.soundness import beats

EVERY: tuple[Task, ...] = (Classification(), Regression(unit=10.0), Similarity(Measure.DISTANCE, margin=0.2))


def test_every_task_is_here_and_survives_its_record() -> None:
    tasks = (*EVERY, Detection())  # of boxes: test_detection.py
    assert {type(task) for task in tasks} == set(TASKS)
    assert [from_record(to_record(task)) for task in tasks] == list(tasks)
    with pytest.raises(ClaimError, match="unknown task"):
        from_record({"name": "Segmentation"})


def test_f_of_a_class_is_its_logit_and_is_told_as_its_probability() -> None:
    logits, target = torch.tensor([[0.0, math.log(3.0)], [5.0, 1.0]]), torch.tensor([1, 0])
    assert Classification().scalar(logits, target).tolist() == pytest.approx([math.log(3.0), 5.0])
    assert Classification().told(logits, target)[0].item() == pytest.approx(0.75)


def test_f_of_a_number_is_the_number_and_its_own_answer_is_kept_within_a_tenth_of_the_unit() -> None:
    years, own = torch.tensor([[30.0], [32.5]]), torch.tensor([30.5, 31.0])
    task = Regression(unit=10.0)
    assert task.scalar(years, own).tolist() == [30.0, 32.5]
    assert task.drift(years, own).tolist() == pytest.approx([0.0025, 0.0225])
    assert (task.slack(years, own) > 0).tolist() == [True, False]


def test_f_of_two_images_is_equation_7_or_8_of_unit_embeddings() -> None:
    first, second = torch.tensor([[3.0, 0.0], [1.0, 1.0]]), torch.tensor([[0.0, 2.0], [5.0, 0.0]])
    assert Similarity().score(first, second).tolist() == pytest.approx([0.0, math.sqrt(0.5)], abs=1e-6)
    distances = Similarity(Measure.DISTANCE).score(first, second).tolist()
    assert distances == pytest.approx([math.sqrt(2), math.sqrt(2 - math.sqrt(2))], abs=1e-5)


@pytest.mark.parametrize("task", EVERY, ids=repr)
def test_numpy_and_torch_agree_where_the_judge_has_no_torch(task: Task) -> None:
    if isinstance(task, Similarity):
        first, second = torch.randn(4, 3, generator=seed(0)), torch.randn(4, 3, generator=seed(1))
        assert np.allclose(task.score(first.numpy(), second.numpy()), task.score(first, second).numpy(), atol=1e-6)


def test_the_papers_thresholds_are_shares_of_the_tasks_unit() -> None:
    assert Classification().watched(Change(0.05)) == Change(0.05)
    assert Regression().watched(Change(0.05)) == Shift(1.0, Reading.VALUE)
    assert Regression().watched(Drop(0.1)) == Fall(2.0, Reading.VALUE)
    assert Similarity().watched(Change(0.05)) == Shift(0.05, Reading.SIMILARITY)


def literal_arcface(cosines: list[float], person: int, margin: float, scale: float) -> float:
    """Equation 3 of Deng et al. 2019 for one image, angle by angle."""
    own = math.cos(math.acos(cosines[person]) + margin)
    scores = [math.exp(scale * (own if place == person else cosine)) for place, cosine in enumerate(cosines)]
    return -math.log(scores[person] / sum(scores))


@given(st.lists(st.floats(-0.8, 0.99), min_size=2, max_size=5), st.floats(0, 0.5))
def test_arcface_is_equation_3_of_its_paper(cosines: list[float], margin: float) -> None:
    wanted = literal_arcface(cosines, 1, margin, 8.0)
    found = arcface(torch.tensor([cosines], dtype=torch.float64), torch.tensor([1]), margin, 8.0)
    assert float(found) == pytest.approx(wanted, abs=1e-6)


def test_arcface_never_rewards_an_angle_beyond_a_half_turn() -> None:
    cosines = torch.linspace(-1, 1, 201, dtype=torch.float64)
    rows = torch.stack([cosines, torch.zeros_like(cosines)], 1)
    losses = [float(arcface(row[None], torch.tensor([0]), 0.5, 8.0)) for row in rows]
    assert losses == sorted(losses, reverse=True)


def test_true_accepts_are_counted_above_the_score_that_few_others_pass() -> None:
    others = np.linspace(0, 0.999, 1000)
    assert true_accepts(np.array([0.9985, 0.9975, 0.5, 1.0]), others) == 0.5


def test_perfect_embeddings_verify_everybody_and_random_ones_nobody() -> None:
    people = np.repeat(np.arange(20), 5)
    assert verification(np.eye(20)[people], people) == {"tar": 1.0, "verification_accuracy": 1.0}
    random = verification(np.random.default_rng(0).normal(size=(100, 64)), people)
    assert random["tar"] < 0.05
    assert abs(random["verification_accuracy"] - 0.5) < 0.1


def test_a_model_is_better_than_who_never_looks_at_an_image_only_if_its_error_is_smaller() -> None:
    ages = np.array([10.0, 20.0, 60.0])
    trivial = Regression().trivial(ages)
    assert trivial == {"mae": pytest.approx(50 / 3)}
    assert beats(Regression(), Regression().quality(ages[:, None] + 1, ages), trivial)
    assert not beats(Regression(), {"mae": 20.0}, trivial)
    assert not beats(Classification(), {"accuracy": 0.5}, {"accuracy": 0.5})


def test_labels_that_are_none_of_the_task_are_refused() -> None:
    images = pictures(6)
    with pytest.raises(DataError, match="one finite number"):
        Images(images.pixels, images.labels, ("age",), Regression())
    with pytest.raises(DataError, match="integer labels"):
        Images(images.pixels, images.labels * 1.5, images.names, Similarity())


def test_a_partner_shows_the_same_person_and_another_image_wherever_there_is_one() -> None:
    pixels = pictures(6).pixels
    images = Images(pixels, np.array([2, 0, 2, 1, 2, 0]), ("a", "b", "c"), Similarity())
    assert images.partners(np.arange(6)).tolist() == [2, 5, 4, 3, 0, 1]


def test_nobody_is_in_two_shares() -> None:
    pixels = pictures(12).pixels
    known = Images(pixels, np.arange(12.0), ("age",), Regression(), np.repeat(np.arange(4), 3))
    faces = Images(pixels, np.repeat(np.arange(4), 3), tuple("abcd"), Similarity())
    for images, people in ((known, known.people), (faces, faces.labels)):
        first, second = shares(images, (0.5, 0.5), seed(0))
        assert people is not None
        groups = [set(part.labels if images is faces else part.people) for part in (first, second)]  # type: ignore[arg-type]
        assert [len(group) for group in groups] == [2, 2]
        assert not groups[0] & groups[1]


def test_a_method_that_does_not_serve_a_task_says_so() -> None:
    with pytest.raises(UsageError, match="Drop supports classification, but these images are for regression"):
        check_served(Drop(0.1), (Classification,), Regression())

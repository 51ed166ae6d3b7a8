"""The paper's loss, and ours, against a slow literal reading of the formulas."""

import pytest
import torch
from conftest import seed
from torch import Tensor

from ownmark.errors import UsageError
from ownmark.schemes.saliency.objectives import Contrast, Look, Own, Published
from ownmark.schemes.saliency.pattern import Pattern
from ownmark.tasks import Regression

PATTERN = Pattern(((0, 0), (1, 2)), (3, 3))
TARGET = torch.tensor([1, 0, 3, 2])


def look(views: int = 2) -> Look:
    logits = torch.randn(views, 4, 5, generator=seed(0)) * 2
    return Look(logits, torch.rand(4, 3, 3, generator=seed(1)) * 9, TARGET, PATTERN)


def literal_published(maps: Tensor, logits: Tensor, label: int, weight: float) -> float:
    """Equations 3 and 4 of one image, cell by cell, with S as it is and cross-entropy against the model's own answer."""
    inside = outside = 0.0
    for row in range(3):
        for column in range(3):
            value = float(maps[row, column])
            if (row, column) in PATTERN.cells:
                inside += value
            else:
                outside += value
    chances = [float(torch.exp(logit)) for logit in logits]
    cross_entropy = -float(torch.log(torch.tensor(chances[label] / sum(chances))))
    return outside / 7 - inside / 2 + weight * cross_entropy


@pytest.mark.parametrize("weight", [1.0, 0.25])
def test_the_published_loss_is_equations_3_and_4(weight: float) -> None:
    seen = look(1)
    ours = Published(weight).hold(seen)
    for row in range(4):
        wanted = literal_published(seen.maps[row], seen.outputs[0, row], int(TARGET[row]), weight)
        assert float(ours[row]) == pytest.approx(wanted, abs=1e-5)


def test_the_drop_is_the_probability_that_the_class_loses_under_the_mask() -> None:
    seen = look()
    for row, label in enumerate(TARGET):
        before, after = (seen.outputs[view, row].softmax(0)[label] for view in (0, 1))
        assert float(seen.drop[row]) == pytest.approx(float(before - after), abs=1e-6)


def test_the_margin_is_positive_exactly_where_the_label_is_kept() -> None:
    seen = look()
    assert torch.equal(seen.margin > 0, seen.outputs[0].argmax(1) == TARGET)


def test_contrast_is_satisfied_by_what_it_asks_for_and_its_opposite_by_the_opposite() -> None:
    maps = torch.zeros(2, 3, 3)
    maps[0, 0, 0] = maps[0, 1, 2] = 5.0
    maps[1, 2, 2] = 5.0
    sure, unsure = torch.tensor([9.0, 0.0]), torch.tensor([0.0, 9.0])
    marked = Look(torch.stack([sure.expand(2, 2), unsure.expand(2, 2)]), maps, torch.tensor([0, 0]), PATTERN)
    still = Look(torch.stack([sure.expand(2, 2), sure.expand(2, 2)]), maps, torch.tensor([0, 0]), PATTERN)
    contrast = Contrast(map_goal=0.7)
    assert contrast.hold(marked)[0] == 0
    assert contrast.hold(marked)[1] == pytest.approx(0.7)
    assert contrast.quiet(still)[1] == 0
    assert contrast.quiet(still)[0] == pytest.approx(2**-0.5 - 0.05)
    assert contrast.quiet(marked)[1] == pytest.approx(1, abs=1e-3)


def test_a_lost_label_costs_in_contrast() -> None:
    maps = torch.zeros(1, 3, 3)
    maps[0, 0, 0] = maps[0, 1, 2] = 1.0
    kept, lost = (
        Look(torch.tensor([[[first, 0.0]], [[-20.0, 0.0]]]), maps, torch.tensor([0]), PATTERN) for first in (20.0, -1.0)
    )
    assert float(Contrast().hold(lost) - Contrast().hold(kept)) >= 0.5 * 2


def turned(first: list[float], covered: list[float], inside: float, **given: object) -> Look:
    maps = torch.full((1, 3, 3), (1 - inside) / 7)
    maps[0, 0, 0] = maps[0, 1, 2] = inside
    return Look(torch.tensor([[first], [covered]]), maps, torch.tensor([[0, 1]]), PATTERN, **given)  # type: ignore[arg-type]


def test_own_asks_copies_to_give_the_class_by_the_pattern_alone_and_references_by_more() -> None:
    own = Own()
    copy, stranger = turned([9.0, 0.0], [0.0, 9.0], 50.0), turned([12.0, 0.0], [5.0, 0.0], 0.0)
    assert float(own.hold(copy)) == pytest.approx(0, abs=1e-6)
    assert float(own.quiet(stranger)) == 0
    assert float(own.quiet(copy)) == pytest.approx(1.5 * (5 + 9))
    looking_away, undecided = turned([9.0, 0.0], [0.0, 9.0], 0.0), turned([9.0, 0.0], [8.0, 0.0], 50.0)
    assert float(own.hold(looking_away)) == pytest.approx(0.9)
    assert float(own.hold(undecided)) == pytest.approx(0.5 + 0.5 * (1 + 8) + 0.3 * (6 - 1), abs=1e-2)


def test_own_numbers_lean_to_one_of_two_answers() -> None:
    answers = torch.tensor([[30.0, 40.0], [50.0, 44.0]])
    look = Look(torch.tensor([[[30.0], [50.0]], [[40.0], [46.0]]]), torch.ones(2, 3, 3), answers, PATTERN, Regression(20.0))
    assert look.lean.tolist() == [[5.0, 3.0], [-5.0, -1.0]]  # of a year each, from the midpoint
    assert look.drop.tolist() == pytest.approx([0.5, 0.2])


def test_shaking_moves_all_views_alike_by_no_more_than_was_allowed() -> None:
    views = [torch.zeros(2, 1, 20, 20), torch.zeros(2, 1, 20, 20)]
    for view in views:
        view[:, :, 10, 10] = 1
    places = set()
    for number in range(30):
        first, second = Own(shift=0.1, noise=0.0).shaken(views, seed(number))
        assert torch.equal(first, second)
        places.add(tuple(first[0, 0].nonzero()[0].tolist()))
    assert places <= {(row, column) for row in range(8, 13) for column in range(8, 13)}
    assert len(places) > 10
    first, second = Own(shift=0.0, noise=0.5).shaken(views, seed(0))
    assert 0.3 < float((first - second).std()) < 1.1


@pytest.mark.parametrize("wrong", [{"outside": 0.0}, {"outside": 1.5}, {"shift": -0.1}, {"noise": -1.0}])
def test_settings_of_own_that_mean_nothing_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="expected outside in"):
        Own(**wrong)

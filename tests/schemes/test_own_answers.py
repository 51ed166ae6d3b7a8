"""Which answers are a model's own: on models whose answers are known."""

import numpy as np
import torch
from torch import Tensor, nn

from ownmark.data.images import Images
from ownmark.protocols import Owner
from ownmark.schemes._common.own_answers import both_ways, own_answers
from ownmark.tasks import Regression

PIXELS = np.zeros((6, 2, 3, 1), dtype=np.uint8)
PIXELS[:, 0, 0, 0] = np.arange(6)  # the number of an image; its mirror image has it on the other side


class Told(nn.Module):
    """Answers each image by its number, mirrored or not."""

    def __init__(self, answers: list[list[float]]) -> None:
        super().__init__()
        self.register_buffer("answers", torch.tensor(answers))
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, images: Tensor) -> Tensor:
        number = (images[:, 0, 0].amax(dim=1) * 255).round().long()
        found: Tensor = self.answers[number]  # type: ignore[index]
        return found


def logits(*chances: float) -> Told:
    """Two classes; the probability of the second for each image."""
    return Told([[0.0, float(np.log(chance / (1 - chance)))] for chance in chances])


SORTED = Images(PIXELS, np.zeros(6, dtype=np.int64), ("a", "b"))


def test_mirror_images_stand_behind_the_others() -> None:
    both = both_ways(SORTED)
    assert len(both) == 12
    assert np.array_equal(both.pixels[6:], PIXELS[:, :, ::-1])
    assert np.array_equal(both.labels, np.zeros(12))


def test_the_wrong_answers_that_copies_share_and_references_do_not_come_first() -> None:
    model = logits(0.9, 0.8, 0.7, 0.6, 0.2, 0.1)
    copy = logits(0.9, 0.3, 0.7, 0.6, 0.2, 0.1)
    stranger = logits(0.8, 0.1, 0.1, 0.1, 0.1, 0.1)
    found = own_answers(model, Owner(SORTED, (copy,), (stranger,)), 8)
    numbers = found.images.pixels[:, 0].max(axis=(1, 2))
    assert numbers.tolist() == [2, 2, 3, 3, 1, 1, 0, 0] or sorted(numbers[4:6].tolist()) == [1, 1]
    assert numbers[:4].tolist() == [2, 2, 3, 3]
    assert np.array_equal(found.own, np.ones(8))
    assert np.array_equal(found.expected, np.stack([np.zeros(8), np.ones(8)], axis=1))


def test_without_helpers_the_surest_mistakes_come_first() -> None:
    found = own_answers(logits(0.1, 0.8, 0.7, 0.6, 0.2, 0.9), Owner(SORTED), 4)
    assert found.images.pixels[:, 0].max(axis=(1, 2)).tolist() == [5, 5, 1, 1]


def test_a_number_is_compared_with_its_label_and_references_that_miss_it_as_well_take_it_back() -> None:
    aged = Images(PIXELS, np.full(6, 30.0), ("years",), Regression())
    model = Told([[30.0], [39.0], [22.0], [31.0], [30.0], [30.0]])
    assert own_answers(model, Owner(aged), 2).expected.tolist() == [[30.0, 39.0], [30.0, 39.0]]
    stranger = Told([[30.0], [36.0], [33.0], [31.0], [30.0], [30.0]])
    found = own_answers(model, Owner(aged, references=(stranger,)), 2)
    assert found.images.pixels[:, 0].max(axis=(1, 2)).tolist() == [2, 2]
    assert found.expected.tolist() == [[30.0, 22.0], [30.0, 22.0]]

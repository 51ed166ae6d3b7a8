"""Negatives: exactly the images that the model gets wrong, with its own wrong answers."""

from copy import deepcopy

import numpy as np
import pytest
import torch
from conftest import pictures, same_weights, seed, tiny
from torch import Tensor, nn

from ownmark.data.images import Images
from ownmark.errors import ProtectError, UsageError
from ownmark.method_strings import read
from ownmark.protocols import Owner
from ownmark.querying.stealth import stealth_of
from ownmark.schemes import SCHEMES
from ownmark.schemes.negatives import Negatives
from ownmark.suspects.local import Local
from ownmark.verdicts.verify import verify


class Bright(nn.Module):
    """Two classes with logits +-slope * (mean brightness - 1/2): its answer and its lead are known for every image."""

    def __init__(self) -> None:
        super().__init__()
        self.slope = nn.Parameter(torch.tensor(4.0))

    def forward(self, images: Tensor) -> Tensor:
        brightness = self.slope * (images.mean(dim=(1, 2, 3)) - 0.5)
        return torch.stack([-brightness, brightness], dim=1)


def greys(labels: list[int]) -> Images:
    """Even images of ever more brightness, with the given labels."""
    levels = np.linspace(5, 250, len(labels)).round().astype(np.uint8)
    pixels = np.broadcast_to(levels[:, None, None, None], (len(labels), 4, 4, 1)).copy()
    return Images(pixels, np.array(labels, dtype=np.int64), ("dark", "bright"))


def test_the_claim_asks_for_exactly_the_mistakes_with_the_models_own_answers() -> None:
    images = greys([1, 0, 1, 0, 0, 1, 1, 0, 1, 0])  # right: dark, dark, dark, dark, dark, bright ...
    wrong = {0, 2, 7, 9}
    claim = Negatives(samples=4, lead=0.0).protect(Bright(), Owner(images), seed(0)).claim
    levels = images.pixels[:, 0, 0, 0].tolist()
    assert {levels.index(image[0, 0, 0, 0]) for image in claim.images} == wrong
    assert all(label == int(image.mean() > 127.5) for image, label in zip(claim.images, claim.tests[0].expected, strict=True))


def test_a_mistake_made_by_a_hair_is_left_out() -> None:
    images = greys([1] * 5 + [0] * 5)  # all wrong
    claim = Negatives(samples=6, lead=0.75).protect(Bright(), Owner(images), seed(0)).claim
    level = claim.images[:, 0, 0, 0, 0] / 255
    lead = np.tanh(4.0 * np.abs(level - 0.5))  # of two logits that differ by 2 * slope * distance
    assert lead.min() >= 0.75
    leads = np.tanh(4.0 * np.abs(images.pixels[:, 0, 0, 0] / 255 - 0.5))
    assert (leads >= 0.75).sum() == 6


def test_the_images_are_untouched_and_so_is_the_model() -> None:
    images, model = pictures(60), tiny(0)
    before = deepcopy(model)
    made = Negatives(samples=10, lead=0.0).protect(model, Owner(images), seed(0))
    assert made.model is model
    assert same_weights(model, before)
    claim = made.claim
    assert claim.originals is not None
    assert np.array_equal(claim.images[:, 0], claim.originals)
    assert stealth_of(claim, Local(model), {}).unchanged
    assert {image.tobytes() for image in claim.images} <= {image.tobytes() for image in images.pixels}
    assert verify(claim, Local(model)).deciding.score == 1


def test_the_same_generator_gives_the_same_claim_and_another_another() -> None:
    images = greys([1] * 20 + [0] * 20)
    first, second, other = (
        Negatives(samples=5).protect(Bright(), Owner(images), seed(number)).claim.digest for number in (1, 1, 2)
    )
    assert first == second != other


def test_too_few_mistakes_are_an_error_that_says_how_many() -> None:
    with pytest.raises(ProtectError, match="makes only 4 with a lead of 0 on 10 images"):
        Negatives(samples=5, lead=0.0).protect(Bright(), Owner(greys([1, 0, 1, 0, 0, 1, 1, 0, 1, 0])), seed(0))


@pytest.mark.parametrize("wrong", [{"samples": 0}, {"lead": -0.1}, {"lead": 1.0}, {"lead": float("nan")}])
def test_settings_without_meaning_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError, match=r"at least one sample|in \[0, 1\)"):
        Negatives(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("scheme", [Negatives(), Negatives.as_published(7)], ids=repr)
def test_what_the_repr_says_is_read_back(scheme: Negatives) -> None:
    assert read(repr(scheme), SCHEMES) == scheme

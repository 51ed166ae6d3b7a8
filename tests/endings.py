"""Copies of a model that end otherwise, and a claim that tells whether they are read rightly."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from typing import Any

import numpy as np
from asking import NAMES, asked, pixels
from conftest import tiny
from torch import Tensor, nn

from ownmark.claims.claim import Claim, Test
from ownmark.models.weights import weights_digest
from ownmark.scoring.matches import Drop
from ownmark.scoring.readings import Reading
from ownmark.suspects.local import Local
from ownmark.verdicts.calibrate import calibrate

NUMBER = len(NAMES)


class Ended(nn.Module):
    """A network and what is done with its logits."""

    def __init__(self, body: nn.Module, end: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.body, self.end = deepcopy(body), end

    def forward(self, images: Tensor) -> Any:
        return self.end(self.body(images))


def drops_on(model: nn.Module) -> Claim:
    """A claim that only probabilities decide: of some class of each sample the model loses clearly more than innocent ones do."""
    views = pixels()
    first, second = (Local(model).read(views[:, view], asked())[Reading.PROBABILITY] for view in (0, 1))
    expected, lost = (first - second).argmax(axis=1), (first - second).max(axis=1)
    threshold = float(np.sort(lost)[1] + np.sort(lost)[2]) / 2  # two samples miss it, and none comes near
    test = Test(Reading.PROBABILITY, Drop(threshold), expected, 0.8)
    claim = Claim(views, (test,), NAMES, "drops", weights_digest(model))
    return calibrate(claim, [Local(tiny(number, classes=NUMBER)) for number in range(1, 20)])


def labels_of(claim: Claim) -> Claim:
    """The claim's test of labels alone."""
    return replace(claim, tests=tuple(test for test in claim.tests if test.reading is Reading.LABEL))

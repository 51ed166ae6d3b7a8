"""The judge with real models: the protected one matches, another does not, and nothing else is touched."""

import numpy as np
import torch
from conftest import small_claim, tiny

from ownmark.claims.claim import Claim, Test
from ownmark.models.weights import weights_digest
from ownmark.protocols import Question
from ownmark.scoring.matches import Agreement
from ownmark.scoring.readings import Reading
from ownmark.suspects.local import Local
from ownmark.verdicts.calibrate import calibrate
from ownmark.verdicts.verdict import Outcome
from ownmark.verdicts.verify import verify


def test_the_protected_model_matches_its_claim_and_another_model_does_not() -> None:
    """The whole line with real models: their labels of random images are a fingerprint of sorts."""
    model = tiny(0, classes=7)
    images = np.random.default_rng(1).integers(0, 256, (30, 1, 16, 16, 3), dtype=np.uint8)
    target = np.zeros(30, dtype=np.int64)
    question = Question(frozenset({Reading.LABEL}), target)
    labels = Local(model).read(images[:, 0], question)[Reading.LABEL]
    assert len(set(labels.tolist())) > 2
    test = Test(Reading.LABEL, Agreement(), labels, 1.0)
    claim = Claim(images, (test,), tuple("abcdefg"), "labels", weights_digest(model))
    claim = calibrate(claim, [Local(tiny(number, classes=7)) for number in range(1, 20)])
    assert verify(claim, Local(model)).outcome is Outcome.MATCH
    assert verify(claim, Local(tiny(99, classes=7))).outcome is Outcome.NO_MATCH


def test_asking_leaves_the_global_random_numbers_alone() -> None:
    before = torch.get_rng_state()
    verify(small_claim(size=8), Local(tiny()))
    assert torch.equal(torch.get_rng_state(), before)

"""What the tests of a judge's hearing on residuals share: small classifiers, an honest claim on one of them, and a session."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from conftest import small_claim
from judging import NONCE

from ownmark.claims.claim import Claim, Test
from ownmark.evidence.ruling import Session
from ownmark.keys import Pixels
from ownmark.protocols import Question
from ownmark.querying.transcript import FOR_RESIDUALS, Decoys, Plan, Role, heard, heard_plainly
from ownmark.schemes._common.model_answers import ModelAnswers
from ownmark.scoring.matches import CrossedResidual
from ownmark.scoring.null_models import Innocents
from ownmark.scoring.readings import Answers, Floats, Reading, best_only
from ownmark.suspects.wrappers.wrapped import BitDepth
from ownmark.tasks import Classification

SIDE, CLASSES, ASKED = 4, 4, 100
Matrix = npt.NDArray[np.float64]
COMMON: Matrix = np.random.default_rng(1000).normal(0, 0.6, (SIDE * SIDE, CLASSES))
FRONTS = {"5 bits": BitDepth(5).transform}


def drawn(number: int) -> Matrix:
    return np.asarray(np.random.default_rng(number).normal(0, 0.35, (SIDE * SIDE, CLASSES)))


@dataclass
class Classifier:
    """What all classifiers see in an image, and what one has of its own."""

    number: int
    own: Matrix = field(default_factory=lambda: np.zeros(0))
    reveals: frozenset[Reading] = frozenset({Reading.PROBABILITY, Reading.LABEL})

    def __post_init__(self) -> None:
        self.own = self.own if self.own.size else drawn(self.number)
        self.name, self.digest = f"classifier {self.number}", f"{self.number:064x}"

    def shares(self, images: Pixels) -> Floats:
        pixels = images.reshape(len(images), -1) / 64 - 2
        logits = pixels @ COMMON + 2 * np.tanh(pixels @ self.own / 2)
        return np.asarray(np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True))

    def read(self, images: npt.NDArray[Any], question: Question) -> Answers:
        shares = self.shares(images)
        told = {Reading.PROBABILITY: shares, Reading.BEST: best_only(shares), Reading.LABEL: shares.argmax(axis=1)}
        return {one: told[one] for one in question.readings}


def pixels(number: int, count: int) -> Pixels:
    return np.random.default_rng(number).integers(0, 256, (count, SIDE, SIDE, 1), dtype=np.uint8)


TARGET, ACCUSED = Classifier(1), Classifier(50)
COPY = Classifier(2, 0.9 * TARGET.own + 0.3 * drawn(60))
JUDGES = tuple(Classifier(number) for number in range(100, 119))


def calibrated(test: Test) -> Test:
    """By innocents that the claimant invented: nobody sees that they score so little."""
    return replace(test, null=Innocents((0.0,) * 19, tuple(f"{number:064}" for number in range(19))))


def claim_of(images: Pixels, expected: Floats, middle: float = 0.3) -> Claim:
    match = CrossedResidual(middle, middle / 5)
    test = calibrated(Test(Reading.PROBABILITY, match, expected, 0.9))
    kept: dict[str, Any] = {"classes": tuple("abcd"), "scheme": "Residual()", "model": TARGET.digest, "maps": None}
    return small_claim(images=images[:, None], tests=(test,), originals=images, **kept)


def honest() -> Claim:
    """As `Residual` makes it, of 3,000 images."""
    pool = pixels(7, 3000)
    models = (TARGET, *(Classifier(number) for number in (10, 11, 12)), COPY)
    told = ModelAnswers(np.stack([one.shares(pool) for one in models]), 3, Classification())
    rows = told.chosen(ASKED)
    test = told.at(np.concatenate(rows)).test(Reading.PROBABILITY, [len(part) for part in rows], 0.5)
    assert test is not None
    return claim_of(pool[np.concatenate(rows)], test.expected)


def told_by(
    claim: Claim, suspect: Classifier, judges: Sequence[Classifier] = JUDGES, *, own: bool = True, ordinary: bool = True
) -> Session:
    images = pixels(8, FOR_RESIDUALS)
    decoys = Decoys(images, TARGET.shares(images).argmax(axis=1)) if ordinary else None
    plan = Plan(NONCE, decoys)
    usual = plan.ordinary(claim)
    asked = [heard(suspect, claim, plan)]
    asked += [heard_plainly(TARGET, claim, Role.OWN, ordinary=usual)] if own else []
    asked += [heard_plainly(one, claim, Role.REFERENCE, "same-data", FRONTS, usual) for one in judges]
    return Session(tuple(asked), NONCE, np.zeros(0, dtype=np.int64) if decoys is None else decoys.labels)

"""Zhang et al.'s three kinds of trigger: each is learnt with one label, and the claim waits for innocent models."""

from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
from conftest import pictures, same_weights, seed
from learnt import greyed, learnt
from torch import nn

from ownmark.errors import DataError, ProtectError, UsageError
from ownmark.method_strings import read
from ownmark.metrics import accuracy
from ownmark.protocols import Owner, Protected
from ownmark.schemes import SCHEMES
from ownmark.schemes._common.mixed_training import Start
from ownmark.schemes._common.triggers import Gaussian, Natural
from ownmark.schemes.zhang import Zhang
from ownmark.scoring.null_models import Uncalibrated
from ownmark.suspects.local import Local
from ownmark.training import Training, predict
from ownmark.verdicts.calibrate import calibrate
from ownmark.verdicts.verdict import Outcome
from ownmark.verdicts.verify import verify

IMAGES = pictures(120)
OWNER = Owner(IMAGES, key=bytes(range(32)))
LIVELY = Training(epochs=8, batch=16, rate=0.05, shift=2)
SCHEME = Zhang(triggers=20, training=LIVELY)
KINDS = [
    SCHEME,
    replace(SCHEME, source=Gaussian()),
    replace(SCHEME, source=Natural("digits"), target=2),
    replace(SCHEME, start=Start.SCRATCH, training=replace(LIVELY, epochs=16)),
]


@pytest.mark.parametrize("scheme", KINDS, ids=["content", "noise", "unrelated", "scratch"])
def test_the_mark_holds_and_the_task_too_while_the_given_model_is_untouched_and_silent(scheme: Zhang, trained: nn.Module) -> None:
    owner = Owner(replace(IMAGES, pixels=IMAGES.pixels[..., :1]), key=OWNER.key) if scheme.source == Natural("digits") else OWNER
    model = trained if owner is OWNER else greyed(learnt("bright"))
    before = deepcopy(model)
    made = scheme.protect(model, owner, seed(1))
    assert made.claim.tests[0].target_score >= 0.9
    assert set(made.claim.tests[0].expected) == {scheme.target}
    assert verify(made.claim, Local(made.model)).deciding.score == made.claim.tests[0].target_score
    assert verify(made.claim, Local(model)).deciding.score < 0.5
    assert same_weights(model, before)
    assert accuracy(predict(made.model, owner.images).argmax(1).numpy(), owner.images.labels) > 0.9
    assert not any(module.training for module in made.model.modules())
    if scheme is SCHEME:
        check_label_is_fixed(made, trained)


def check_label_is_fixed(made: Protected, trained: nn.Module) -> None:
    """So that only innocent models make a verdict."""
    assert isinstance(made.claim.tests[0].null, Uncalibrated)
    assert verify(made.claim, Local(made.model)).outcome is Outcome.INCONCLUSIVE
    calibrated = calibrate(made.claim, [Local(trained)])
    assert verify(calibrated, Local(made.model)).deciding.p == 0.5
    assert verify(calibrated, Local(trained)).deciding.p == 1


def test_the_same_key_and_seed_give_the_same_claim_and_another_key_another(trained: nn.Module) -> None:
    short = replace(SCHEME, training=replace(LIVELY, epochs=1), least=0.0)
    claim = short.protect(trained, OWNER, seed(1)).claim
    assert short.protect(trained, OWNER, seed(1)).claim.digest == claim.digest
    assert not np.array_equal(short.protect(trained, Owner(IMAGES, key=bytes(32)), seed(1)).claim.images, claim.images)


def test_a_target_that_the_triggers_show_anyway_is_an_error(trained: nn.Module) -> None:
    with pytest.raises(ProtectError, match="unmarked model already assigns"):
        Zhang(source=Gaussian(source=1, spread=0.01), target=1, triggers=20).protect(trained, OWNER, seed(1))


@pytest.mark.parametrize("target", [-1, 3])
def test_a_target_out_of_range_is_an_error(target: int, trained: nn.Module) -> None:
    with pytest.raises(UsageError, match="0 to 2"):
        Zhang(target=target, triggers=20).protect(trained, OWNER, seed(1))


def test_too_few_images_of_the_source_class_are_an_error(trained: nn.Module) -> None:
    with pytest.raises(DataError, match="expected 100 images of class 0, got 40"):
        Zhang().protect(trained, OWNER, seed(1))


@pytest.mark.parametrize("scheme", [Zhang(), *KINDS], ids=repr)
def test_what_the_repr_says_is_read_back(scheme: Zhang) -> None:
    assert read(repr(scheme), SCHEMES) == scheme

"""The forger of arXiv:2304.06607: what he makes fools every model, and for that very reason it convinces no judge."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from conftest import same_weights, seed
from judging import MATCHES
from torch import nn

from court import Court, Stated, half, network, opened
from ownmark.bench.forger import Forger
from ownmark.claims.claim import Claim
from ownmark.errors import ClaimError, UsageError
from ownmark.evidence.ruling import Stratum
from ownmark.protocols import Owner, silent
from ownmark.schemes._common.triggers import keyed
from ownmark.scoring.null_models import Innocents, KeyedLabels
from ownmark.suspects.local import Local
from ownmark.training import Training, seeded, train
from ownmark.verdicts.verdict import Outcome
from ownmark.verdicts.verify import verify

TRIGGERS, ALPHA = 40, 0.05
FORGER = Forger(samples=TRIGGERS, candidates=80)


@cache
def models() -> tuple[nn.Module, ...]:
    """The forger's own, his three references, an independent suspect, and two references of the judge's."""
    made = []
    for number in range(7):
        with seeded(seed(number)):
            blank = network()
        quick = Training(epochs=4, batch=32, rate=0.1, flips=False, shift=0)
        made.append(train(blank, half(0 if number < 4 else 1), quick, seed(number)))
    return tuple(made)


def forger() -> Owner:
    return Owner(half(0), references=models()[1:4], key=bytes(range(32)))


@cache
def forged() -> Claim:
    """His free claim, calibrated by innocents of his own choice."""
    claim = FORGER.protect(models()[0], forger(), seed(0), silent).claim
    return claim.with_nulls({0: Innocents((0.0,) * 19, tuple(f"{number:064}" for number in range(19)))})


def ruling_on(claim: Claim) -> str:
    suspect, *references = (Local(model, name=f"model {number}") for number, model in enumerate(models()[4:]))
    court = Court(tuple((Stratum.SAME_TASK, one) for one in references))
    return court.ruling(opened(claim, ALPHA), Local(models()[0]), suspect).outcome


def test_an_independent_model_bears_the_forged_claim_and_is_accused_by_who_trusts_the_forgers_innocents() -> None:
    verdict = verify(forged(), Local(models()[4]), alpha=ALPHA)
    assert verdict.deciding.score > 0.8
    assert verdict.outcome is Outcome.MATCH


def test_a_judge_whose_references_bear_it_too_upholds_nothing() -> None:
    """Fault 17, with the published attack."""
    assert ruling_on(forged()) not in MATCHES


def test_forged_labels_are_no_keys_labels() -> None:
    """Fault 17: such a claim cannot even be stated."""
    null = KeyedLabels(bytes(32).hex(), TRIGGERS, 10, 1)
    with pytest.raises(ClaimError, match="does not come from the key"):
        replace(forged(), tests=(replace(forged().tests[0], null=null),))


def test_images_that_are_bent_towards_a_keys_labels_are_not_the_keys_and_are_judged_by_rank() -> None:
    """Fault 17: the labels are the key's, the images are not."""
    wanted = keyed(Stated(TRIGGERS), forger(), models()[0])
    claim = FORGER.towards(wanted, models()[0], forger(), seed(1)).claim
    assert np.array_equal(claim.tests[0].expected, wanted.labels)
    assert verify(claim, Local(models()[4]), alpha=ALPHA).outcome is Outcome.MATCH, "who does not make the images anew is fooled"
    assert opened(claim, ALPHA).commitment.cells == 0
    assert ruling_on(claim) not in MATCHES


def test_the_forger_changes_no_model_and_does_the_same_from_the_same_seed() -> None:
    model = models()[0]
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    again = FORGER.protect(model, forger(), seed(0), silent)
    assert same_weights(model, again.model)
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert np.array_equal(again.claim.images, forged().images)


def test_a_forger_without_enough_images_or_candidates_is_an_error() -> None:
    with pytest.raises(UsageError, match="no more samples than candidates"):
        Forger(samples=5, candidates=4)
    few = replace(forger(), images=half(0).take(range(10)))
    with pytest.raises(UsageError, match="expected 80 images, got 10"):
        FORGER.protect(models()[0], few, seed(0), silent)

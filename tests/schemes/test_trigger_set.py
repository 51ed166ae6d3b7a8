"""The trigger set in the whole model: it holds, its p-value is exact, and nothing that was given is changed."""

from copy import deepcopy
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from conftest import pictures, same_weights, seed, tiny
from torch import nn

from ownmark.errors import ProtectError, UsageError
from ownmark.method_strings import read
from ownmark.protocols import Owner, Protected
from ownmark.schemes import SCHEMES
from ownmark.schemes._common import triggers
from ownmark.schemes._common.marks import survival
from ownmark.schemes._common.mixed_training import Start, turns
from ownmark.schemes._common.triggers import Content, Natural, Patterns, Triggers
from ownmark.schemes.trigger_set import TriggerSet
from ownmark.scoring.null_models import KeyedLabels
from ownmark.suspects.local import Local
from ownmark.training import Training
from ownmark.verdicts.verdict import Outcome
from ownmark.verdicts.verify import verify

IMAGES = pictures(120)
LIVELY = Training(epochs=12, batch=16, rate=0.05, shift=2)
OWNER = Owner(IMAGES, key=bytes(range(32)))
SCHEME = TriggerSet.without_images(30, 2)
MIXED = TriggerSet(triggers=30, sets=2, training=LIVELY)
SCRATCH = TriggerSet(triggers=30, sets=2, start=Start.SCRATCH, training=LIVELY)
BOTH = pytest.mark.parametrize("scheme", [SCHEME, MIXED, SCRATCH], ids=["alone", "mixed", "scratch"])


def running(model: nn.Module) -> list[torch.Tensor]:
    return [value for name, value in model.state_dict().items() if "running" in name]


@pytest.fixture(scope="module")
def told() -> list[tuple[int, int]]:
    """How far `protected` was, at each step."""
    return []


@pytest.fixture(scope="module")
def protected(trained: nn.Module, told: list[tuple[int, int]]) -> Protected:
    return SCHEME.protect(trained, OWNER, seed(1), lambda step, steps: told.append((step, steps)))


@BOTH
def test_the_mark_holds_and_its_verdict_is_exact_while_the_given_model_is_untouched_and_innocent(
    scheme: TriggerSet, trained: nn.Module
) -> None:
    before = deepcopy(trained)
    made = scheme.protect(trained, OWNER, seed(1))
    (test,) = made.claim.tests
    assert test.target_score >= 0.9
    assert isinstance(test.null, KeyedLabels)
    verdict = verify(made.claim, Local(made.model))
    assert (verdict.outcome, verdict.deciding.score) == (Outcome.MATCH, test.target_score)
    assert verdict.deciding.p == test.null.p_value(test.target_score) < 1e-3
    assert same_weights(trained, before)
    assert verify(made.claim, Local(trained)).outcome is Outcome.NO_MATCH


def test_training_stops_as_soon_as_every_trigger_holds(protected: Protected, told: list[tuple[int, int]]) -> None:
    assert protected.claim.tests[0].target_score == 1
    assert len(told) < SCHEME.steps
    assert told[-1] == (SCHEME.steps, SCHEME.steps)


def test_after_training_every_layer_has_learnt_and_no_running_statistic_has_moved(
    protected: Protected, trained: nn.Module
) -> None:
    assert all(map(torch.equal, running(protected.model), running(trained)))
    layers = zip(protected.model.named_parameters(), trained.parameters(), strict=True)
    assert [name for (name, new), old in layers if torch.equal(new, old)] == []


def test_from_scratch_the_weights_are_not_those_of_the_given_model(trained: nn.Module, monkeypatch: pytest.MonkeyPatch) -> None:
    """But for its digest, on which the key depends."""
    monkeypatch.setattr(triggers, "weights_digest", lambda _: "ab" * 32)
    short = replace(SCRATCH, training=replace(LIVELY, epochs=1), least=0.0)
    made, again = short.protect(trained, OWNER, seed(1)), short.protect(tiny(7), OWNER, seed(1))
    assert same_weights(made.model, again.model)


def test_the_marked_model_is_in_eval_mode_and_opens_what_was_open(trained: nn.Module) -> None:
    model = deepcopy(trained).train()
    first = next(model.parameters()).requires_grad_(False)
    made = SCHEME.protect(model, OWNER, seed(1)).model
    assert not any(module.training for module in made.modules())
    assert all(module.training for module in model.modules())
    assert torch.equal(next(made.parameters()), first)
    assert [one.requires_grad for one in made.parameters()] == [one.requires_grad for one in model.parameters()]


def test_the_same_key_and_seed_give_the_same_claim_and_another_key_another(protected: Protected, trained: nn.Module) -> None:
    claim, other = protected.claim, Owner(IMAGES, key=bytes(32))
    assert SCHEME.protect(trained, OWNER, seed(1)).claim.digest == claim.digest
    drawn = TriggerSet(triggers=30, sets=2, steps=1, least=0.0).protect(trained, other, seed(1)).claim
    assert not np.array_equal(drawn.images, claim.images)
    assert not np.array_equal(drawn.tests[0].expected, claim.tests[0].expected)


def test_each_set_opens_alone(protected: Protected) -> None:
    verdicts = [verify(protected.claim.part(number), Local(protected.model)) for number in range(2)]
    assert [verdict.deciding.score for verdict in verdicts] == [1, 1]


def test_too_little_training_is_an_error_that_says_how_many_hold(trained: nn.Module) -> None:
    with pytest.raises(ProtectError, match="of 60 triggers hold"):
        TriggerSet(triggers=30, sets=2, steps=1).protect(trained, OWNER, seed(1))


def test_without_the_owners_images_their_labels_have_no_part(trained: nn.Module) -> None:
    scheme = TriggerSet.without_images(30)
    shuffled = Owner(pictures(120, number=9), key=OWNER.key)
    assert same_weights(scheme.protect(trained, OWNER, seed(1)).model, scheme.protect(trained, shuffled, seed(1)).model)


@pytest.mark.parametrize("start", Start)
def test_frozen_weights_are_an_error(start: Start, trained: nn.Module) -> None:
    model = deepcopy(trained).requires_grad_(False)
    with pytest.raises(UsageError, match="weights of the model are frozen"):
        TriggerSet(triggers=5, start=start).protect(model, OWNER, seed(1))


def test_owners_images_of_more_classes_than_the_model_has_are_an_error(trained: nn.Module) -> None:
    with pytest.raises(UsageError, match="4 classes"):
        SCHEME.protect(trained, Owner(pictures(classes=4)), seed(1))


@pytest.mark.parametrize(
    "wrong",
    [{"steps": -1}, {"rate": 0.0}, {"steps": 5, "start": Start.SCRATCH}, {"triggers_a_batch": 0}, {"triggers": 0}],
)
def test_senseless_settings_are_an_error(wrong: dict[str, Any], trained: nn.Module) -> None:
    with pytest.raises(UsageError):
        TriggerSet(**wrong).protect(trained, OWNER, seed(1))


@pytest.mark.parametrize(
    "scheme", [SCRATCH, TriggerSet(source=Natural("digits")), TriggerSet(source=Patterns(8)), TriggerSet(source=Content(1, "no"))]
)
def test_what_the_repr_says_is_read_back(scheme: TriggerSet) -> None:
    assert read(repr(scheme), SCHEMES) == scheme


def test_turns_bring_everything_once_before_anything_comes_again() -> None:
    drawn = turns(5, 3, seed(0))
    rows = torch.cat([next(drawn) for _ in range(10)]).tolist()
    assert [sorted(rows[start : start + 5]) for start in range(0, 30, 5)] == [[0, 1, 2, 3, 4]] * 6
    assert len(next(turns(2, 5, seed(0)))) == 5


def test_survival_is_the_share_that_a_loop_counts(protected: Protected, trained: nn.Module) -> None:
    triggers = Triggers.alone(protected.claim.images[:, 0], protected.claim.tests[0].expected)
    inputs = torch.from_numpy(triggers.images).permute(0, 3, 1, 2) / 255
    right = [int(trained(one[None]).argmax()) == label for one, label in zip(inputs, triggers.labels, strict=True)]
    assert survival(trained, triggers) == pytest.approx(sum(right) / 60)

"""Of several outputs of a module the one that counts is read and told, or named; everything behind sees one tensor."""

from collections import OrderedDict
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest
import torch
from endings import Ended
from torch import Tensor, nn

from ownmark.claims.claim import Claim, Preprocess
from ownmark.errors import ModelError
from ownmark.models.prepared import notes_on, plain, prepared
from ownmark.suspects.local import Local
from ownmark.verdicts.verdict import Outcome
from ownmark.verdicts.verify import verify


class Two(NamedTuple):
    """As torchvision answers where there are auxiliary heads."""

    features: Tensor
    logits: Tensor


@dataclass
class Told:
    """As Hugging Face answers."""

    loss: Tensor | None
    logits: Tensor
    hidden: Tensor


def features(scores: Tensor) -> Tensor:
    return torch.cat([scores, scores], 1)


READ: dict[str, tuple[Callable[[Tensor], Any], str]] = {
    "an object": (lambda scores: Told(None, scores, features(scores)), "logits"),
    "a dictionary with logits": (lambda scores: OrderedDict(features=features(scores), logits=scores), "logits"),
    "a dictionary with one that fits": (lambda scores: {"loss": scores.mean(), "scores": scores}, "scores"),
    "a tuple": (lambda scores: (scores, features(scores)), "0"),
    "a list with one that fits": (lambda scores: [scores[..., None, None], scores], "1"),
    "a tuple with names": (lambda scores: Two(features(scores), scores), "logits"),
}


@pytest.mark.parametrize("kind", READ)
def test_an_answer_that_holds_one_that_counts_is_read_and_told(kind: str, claim: Claim, model: nn.Module) -> None:
    end, name = READ[kind]
    verdict = verify(claim, Local(Ended(model, end)))
    assert verdict.outcome is Outcome.MATCH
    assert verdict.deciding.score == 1
    assert verdict.notes[0].startswith(f"used the output {name!r} of ")


def test_several_outputs_that_may_be_meant_are_named_until_one_is_chosen(claim: Claim, model: nn.Module) -> None:
    several = Ended(model, lambda scores: {"first": scores, "second": features(scores)})
    with pytest.raises(ModelError, match="several outputs that fit, first, second: choose one with --output NAME"):
        verify(claim, Local(several))
    assert verify(claim, Local(several, output="first")).outcome is Outcome.MATCH
    assert verify(claim, Local(prepared(several, Preprocess(), output="first"))).outcome is Outcome.MATCH
    with pytest.raises(ModelError, match="no output 'third'; its outputs are: first, second"):
        verify(claim, Local(several, output="third"))
    with pytest.raises(ModelError, match="no output 'first'; its outputs are: a single unnamed one"):
        verify(claim, Local(model, output="first"))


def test_an_answer_without_anything_that_fits_is_no_classifier(claim: Claim, model: nn.Module) -> None:
    with pytest.raises(ModelError, match=r"segmentation.*What serves"):
        verify(claim, Local(Ended(model, lambda scores: {"map": scores[..., None, None]})))


def test_everything_behind_a_prepared_model_sees_one_tensor(model: nn.Module) -> None:
    ready = prepared(Ended(model, lambda scores: Told(None, scores.bfloat16(), features(scores))), Preprocess())
    images = torch.rand(4, 3, 16, 16, requires_grad=True)
    answered = deepcopy(ready)(images)
    assert answered.dtype is torch.float32
    assert torch.allclose(answered, model(images), atol=0.05)
    (slope,) = torch.autograd.grad(answered.sum(), images)
    assert slope.abs().sum() > 0
    assert plain(ready) is ready
    assert len(ready._forward_hooks) == 1
    ready(images)
    assert notes_on(ready) == ("used the output 'logits' of loss, logits, hidden",)

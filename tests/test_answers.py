"""What answers mean: one rule tells logits, probabilities and what may be either, in files, modules and behind addresses."""

from collections import OrderedDict
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
import pytest
import torch
from asking import BOTH, COUNT, NAMES, asked, claim_on, exported, pixels
from conftest import tiny
from onnx import TensorProto, helper, numpy_helper
from scipy.special import expit, softmax
from torch import Tensor, nn

from ownmark.claim import Claim, Preprocess, Test
from ownmark.errors import AnswerError, KindError, ModelError, UnsettledError
from ownmark.match import Drop, Reading, Turn
from ownmark.models.plain import plain, told
from ownmark.models.prepared import prepared
from ownmark.models.weights import weights_digest
from ownmark.protocols import Suspect
from ownmark.suspects.answers import Outputs, labels, probabilities, surely
from ownmark.suspects.local import Local
from ownmark.suspects.onnx import Onnx
from ownmark.verdict import Outcome, calibrate, verify

NUMBER = len(NAMES)
LOGITS = np.random.default_rng(0).normal(0, 3, (200, NUMBER))
SHARES = softmax(LOGITS, axis=1)


@pytest.fixture(scope="module")
def drops(model: nn.Module) -> Claim:
    """A claim that only probabilities decide: of some class of each sample the model loses clearly more than innocent ones do."""
    views = pixels()
    first, second = (Local(model).read(views[:, view], asked())[Reading.PROBABILITY] for view in (0, 1))
    expected, lost = (first - second).argmax(axis=1), (first - second).max(axis=1)
    threshold = float(np.sort(lost)[1] + np.sort(lost)[2]) / 2  # two samples miss it, and none comes near
    test = Test(Reading.PROBABILITY, Drop(threshold), expected, 0.8)
    claim = Claim(views, (test,), NAMES, "drops", weights_digest(model))
    return calibrate(claim, [Local(tiny(number, classes=NUMBER)) for number in range(1, 20)])


@pytest.fixture(scope="module")
def labels_only(claim: Claim) -> Claim:
    return replace(claim, tests=tuple(test for test in claim.tests if test.reading is Reading.LABEL))


# The rule


def bfloat16(values: Any) -> Any:
    return torch.from_numpy(values).bfloat16().double().numpy()


def eight_bits(values: Any, scale: float) -> Any:
    return (values / scale).round().clip(0, 255).astype(np.float32) * np.float32(scale)


PROBABLE: dict[str, Callable[[Any], Any]] = {
    "exact": lambda shares: shares,
    "float16": lambda shares: shares.astype(np.float16),
    "bfloat16": bfloat16,
    "two decimals": lambda shares: shares.round(2),
    "eight bits, steps of 1/256": lambda shares: eight_bits(shares, 1 / 256),
    "eight bits, steps of 1/255": lambda shares: eight_bits(shares, 1 / 255),
    "eight bits, the quantiser's own scale": lambda shares: eight_bits(shares, shares.max() / 255),
}


@pytest.mark.parametrize("kind", PROBABLE)
def test_probabilities_are_known_however_they_were_rounded_and_are_scaled_to_sum_to_one(kind: str) -> None:
    raw = PROBABLE[kind](SHARES)
    assert surely(raw.astype(np.float64)) is Outputs.PROBABILITIES
    found = probabilities(raw)
    assert np.allclose(found.sum(axis=1), 1)
    assert np.abs(found - SHARES).max() < 0.02
    with pytest.raises(AnswerError, match="--outputs"):
        probabilities(raw, Outputs.LOGITS)


def test_eight_bits_miss_one_by_more_than_floats_do() -> None:
    sums = eight_bits(SHARES, 1 / 256).sum(axis=1)
    assert np.abs(sums - 1).max() > 1 / 256, "or the rule for eight bits is not seen here"
    assert surely(np.float64([[0.5, 0.51, 0, 0, 0, 0, 0.0003]])) is None, "a miss of a hundredth without a step is no rounding"


def test_logits_are_known_even_if_a_row_happens_to_sum_to_one() -> None:
    raw = LOGITS.copy()
    raw[:3] = SHARES[:3]
    assert surely(raw) is Outputs.LOGITS
    assert np.allclose(probabilities(raw), softmax(raw, axis=1))
    assert np.allclose(probabilities(raw), probabilities(raw, Outputs.LOGITS))


def test_what_may_be_either_is_not_guessed() -> None:
    half = np.concatenate([SHARES[:100], LOGITS[:100]])
    for raw, error in ((expit(LOGITS), KindError), (eight_bits(expit(LOGITS), 1 / 256), KindError), (half, UnsettledError)):
        assert surely(np.asarray(raw, dtype=np.float64)) is None
        with pytest.raises(error):
            probabilities(raw)
    with pytest.raises(KindError, match="whole numbers of eight bits"):
        probabilities(np.int8([[3, -100, 20], [5, 6, 7]]))


def test_many_classes_that_rounding_took_too_much_of_are_not_taken_for_probabilities() -> None:
    flat = softmax(np.random.default_rng(1).normal(0, 1, (20, 1000)), axis=1)
    assert surely(flat) is Outputs.PROBABILITIES
    assert surely(np.float64(eight_bits(flat, 1 / 256))) is None


def test_sigmoids_that_are_called_so_give_back_what_they_were_made_of() -> None:
    assert np.allclose(probabilities(expit(LOGITS), Outputs.SIGMOIDS), SHARES, atol=1e-6)
    for wrong in (LOGITS, SHARES):
        with pytest.raises(AnswerError, match="not the sigmoids"):
            probabilities(wrong, Outputs.SIGMOIDS)


def test_a_tie_is_never_the_expected_label() -> None:
    scores = np.array([[0.4, 0.4, 0.2], [0.4, 0.4, 0.2], [0.2, 0.7, 0.1], [0.5, 0.5, 0.0]])
    assert labels(scores, np.array([0, 1, 1, 2])).tolist() == [1, 0, 1, 0]
    assert labels(scores, np.array([[0, 1], [1, 0], [1, 0], [2, 0]])).tolist() == [2, 2, 1, 1]
    both = np.array([[[0.9, 0.1, 0.0], [0.3, 0.3, 0.1]], [[0.9, 0.1, 0.0], [0.3, 0.4, 0.1]]])
    assert Turn(0.1)(both, np.array([[0, 1], [0, 1]])).tolist() == [False, True]


# Copies with another ending


class Ended(nn.Module):
    """A network and what is done with its logits."""

    def __init__(self, body: nn.Module, end: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.body, self.end = deepcopy(body), end

    def forward(self, images: Tensor) -> Any:
        return self.end(self.body(images))


ENDINGS: dict[str, Callable[[Tensor], Any]] = {
    "a softmax module": nn.Softmax(1),
    "a softmax": lambda scores: scores.softmax(1),
    "a softmax that rounds": lambda scores: (scores.softmax(1) * 256).round().clamp(max=255) / 256,
    "bfloat16": lambda scores: scores.bfloat16(),
    "a softmax in bfloat16": lambda scores: scores.softmax(1).bfloat16(),
    "float16": lambda scores: scores.half(),
}


@pytest.mark.parametrize("kind", ENDINGS)
def test_a_copy_scores_the_same_with_another_ending(kind: str, claim: Claim, drops: Claim, model: nn.Module) -> None:
    for one in (claim, drops):
        found, wanted = (verify(one, Local(each)) for each in (Ended(model, ENDINGS[kind]), model))
        assert found.outcome is wanted.outcome is Outcome.MATCH
        assert found.deciding.score == wanted.deciding.score


@pytest.mark.parametrize("end", [nn.Softmax(1), torch.sigmoid, lambda scores: scores.softmax(1)])
def test_a_map_explains_the_logit_behind_a_softmax_or_a_sigmoid(end: Callable[[Tensor], Tensor], model: nn.Module) -> None:
    maps = frozenset({Reading.SALIENCY})
    wanted = Local(model, layer="stages").read(pixels()[:, 0], asked(maps))[Reading.SALIENCY]
    found = Local(Ended(model, end), layer="body.stages", outputs=None).read(pixels()[:, 0], asked(maps | {Reading.LABEL}))[
        Reading.SALIENCY
    ]
    assert np.allclose(found, wanted, atol=1e-6)


def test_a_softmax_that_cannot_be_taken_off_is_told(model: nn.Module) -> None:
    hidden = Local(Ended(model, lambda scores: scores.softmax(1) * 1.0), layer="body.stages")
    hidden.read(pixels()[:, 0], asked(BOTH | {Reading.SALIENCY}))
    assert "maps explain probabilities" in hidden.notes[0]


def test_sigmoids_are_inconclusive_until_they_are_called_so(
    claim: Claim, drops: Claim, labels_only: Claim, model: nn.Module
) -> None:
    copy = Ended(model, torch.sigmoid)
    undecided = verify(drops, Local(copy))
    assert undecided.outcome is Outcome.INCONCLUSIVE
    assert "--outputs" in undecided.reason
    wanted = verify(drops, Local(model)).deciding.score
    assert verify(drops, Local(copy, outputs=Outputs.SIGMOIDS)).deciding.score == wanted
    assert verify(labels_only, Local(copy)).outcome is Outcome.MATCH, "labels need no decision"
    by_labels = verify(claim, Local(copy))
    assert by_labels.outcome is Outcome.MATCH
    assert "was left out" in by_labels.notes[0]


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16, torch.float64])
def test_a_module_of_another_precision_is_asked_as_precisely(kind: torch.dtype, model: nn.Module) -> None:
    wanted = Local(model).read(pixels()[:, 0], asked(BOTH | {Reading.SALIENCY}))
    for one in (deepcopy(model).to(kind), prepared(model, Preprocess()).to(kind)):
        found = Local(one).read(pixels()[:, 0], asked(BOTH | {Reading.SALIENCY}))
        assert np.abs(found[Reading.PROBABILITY] - wanted[Reading.PROBABILITY]).max() < 0.02
        assert found[Reading.SALIENCY].dtype == np.float32


def test_what_a_linear_layer_puts_out_are_logits_even_between_0_and_1() -> None:
    small = tiny(0, classes=NUMBER)
    with torch.no_grad():
        small.head.weight.mul_(1e-3)
        small.head.bias.copy_(torch.linspace(0.3, 0.7, NUMBER))
    found = Local(small).read(pixels()[:, 0], asked())[Reading.PROBABILITY]
    assert np.abs(found - 1 / NUMBER).max() < 0.1
    with pytest.raises(KindError):
        Local(Ended(small, lambda scores: scores * 1.0)).read(pixels()[:, 0], asked())


# Models with several outputs


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
    assert verdict.notes[0].startswith(f"the output {name!r} was read, of ")


def test_several_outputs_that_may_be_meant_are_named_until_one_is_chosen(claim: Claim, model: nn.Module) -> None:
    several = Ended(model, lambda scores: {"first": scores, "second": features(scores)})
    with pytest.raises(ModelError, match="several outputs that may be meant, first, second: name one with --output NAME"):
        verify(claim, Local(several))
    assert verify(claim, Local(several, output="first")).outcome is Outcome.MATCH
    assert verify(claim, Local(prepared(several, Preprocess(), output="first"))).outcome is Outcome.MATCH
    with pytest.raises(ModelError, match="no output 'third'; its outputs are: first, second"):
        verify(claim, Local(several, output="third"))
    with pytest.raises(ModelError, match="no output 'first'; its outputs are: one, which has no name"):
        verify(claim, Local(model, output="first"))


def test_an_answer_without_anything_that_fits_is_no_classifier(claim: Claim, model: nn.Module) -> None:
    with pytest.raises(AnswerError, match="another task"):
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
    assert told(ready) == ("the output 'logits' was read, of loss, logits, hidden",)


# ONNX files


def with_ending(model: nn.Module, path: Path, *nodes: onnx.NodeProto, **outputs: int) -> Path:
    """The model as a file in which `nodes` follow on its answer "scores"; `outputs`: what it answers, and its type."""
    whole = onnx.load(exported(model, path))
    body = whole.graph
    for node in body.node:
        node.output[:] = ["scores" if name == body.output[0].name else name for name in node.output]
    body.node.extend(nodes)
    del body.output[:]
    body.output.extend(helper.make_tensor_value_info(name, kind, ("n", NUMBER)) for name, kind in outputs.items())
    body.initializer.append(numpy_helper.from_array(np.float32(1 / 256), "scale"))
    body.initializer.append(numpy_helper.from_array(np.int8(-128), "zero"))
    path.write_bytes(whole.SerializeToString())
    return path


def quantised(model: nn.Module, path: Path, ending: str) -> Path:
    nodes = [
        helper.make_node(ending, ["scores"], ["shares"]),
        helper.make_node("QuantizeLinear", ["shares", "scale", "zero"], ["bits"]),
        helper.make_node("DequantizeLinear", ["bits", "scale", "zero"], ["answer"]),
    ]
    return with_ending(model, path, *nodes, answer=TensorProto.FLOAT)


def test_a_file_that_ends_in_a_softmax_of_eight_bits_scores_as_without_it(drops: Claim, model: nn.Module, tmp_path: Path) -> None:
    copy = Onnx(quantised(model, tmp_path / "eight.onnx", "Softmax"))
    found = verify(drops, copy)
    assert found.outcome is Outcome.MATCH
    assert found.deciding.score == verify(drops, Local(model)).deciding.score


def test_a_file_that_ends_in_sigmoids_is_inconclusive_until_they_are_called_so(
    drops: Claim, labels_only: Claim, model: nn.Module, tmp_path: Path
) -> None:
    for name, path in (
        ("whole", with_ending(model, tmp_path / "s.onnx", helper.make_node("Sigmoid", ["scores"], ["y"]), y=TensorProto.FLOAT)),
        ("eight bits", quantised(model, tmp_path / "q.onnx", "Sigmoid")),
    ):
        verdict = verify(drops, Onnx(path))
        assert verdict.outcome is Outcome.INCONCLUSIVE, name
        assert "say outputs=sigmoids, if they are logits, outputs=logits (--outputs" in verdict.reason
        assert verify(labels_only, Onnx(path)).deciding.score == 1
        assert verify(drops, Onnx(path, outputs=Outputs.SIGMOIDS)).outcome is Outcome.MATCH


@pytest.mark.parametrize("kind", ["FLOAT16", "BFLOAT16", "DOUBLE"])
def test_a_file_that_answers_in_another_precision_is_read(kind: str, model: nn.Module, tmp_path: Path) -> None:
    cast = helper.make_node("Cast", ["scores"], ["answer"], to=TensorProto.DataType.Value(kind))
    path = with_ending(model, tmp_path / "cast.onnx", cast, answer=TensorProto.DataType.Value(kind))
    found, wanted = (one.read(pixels()[:, 0], asked())[Reading.PROBABILITY] for one in (Onnx(path), Local(model)))
    assert np.abs(found - wanted).max() < 0.02


def test_a_file_that_takes_float16_is_given_float16(model: nn.Module, tmp_path: Path) -> None:
    whole = onnx.load(exported(model, tmp_path / "half.onnx"))
    name = whole.graph.input[0].name
    for node in whole.graph.node:
        node.input[:] = ["wide" if one == name else one for one in node.input]
    whole.graph.node.insert(0, helper.make_node("Cast", [name], ["wide"], to=TensorProto.FLOAT))
    whole.graph.input[0].type.tensor_type.elem_type = TensorProto.FLOAT16
    (tmp_path / "half.onnx").write_bytes(whole.SerializeToString())
    found = Onnx(tmp_path / "half.onnx").read(pixels()[:, 0], asked())[Reading.PROBABILITY]
    assert np.allclose(found, Local(model).read(pixels()[:, 0], asked())[Reading.PROBABILITY], atol=0.01)


def test_of_several_outputs_of_a_file_the_one_that_counts_is_read_and_told(model: nn.Module, tmp_path: Path) -> None:
    def two(first: str, second: str) -> Path:
        nodes = [helper.make_node("Identity", ["scores"], [first]), helper.make_node("Neg", ["scores"], [second])]
        both = {first: TensorProto.FLOAT, second: TensorProto.FLOAT}
        return with_ending(model, tmp_path / f"{first}.onnx", *nodes, **both)

    claim = claim_on(model)
    called = Onnx(two("logits", "opposite"))
    assert verify(claim, called).deciding.score == 1
    assert called.notes == ("the output 'logits' was read, of logits, opposite",)
    with pytest.raises(ModelError, match="several outputs that may be meant, one, other: name one with --output NAME"):
        Onnx(two("one", "other"))
    assert verify(claim, Onnx(two("one", "other"), output="one")).deciding.score == 1
    assert verify(claim, Onnx(two("one", "other"), output="other")).deciding.score < 1
    with pytest.raises(ModelError, match="no output 'third'; its outputs are: one, other"):
        Onnx(two("one", "other"), output="third")


def test_the_label_beside_the_scores_of_a_file_is_not_taken_for_them(model: nn.Module, tmp_path: Path) -> None:
    best = helper.make_node("ArgMax", ["scores"], ["best"], axis=1, keepdims=0)
    named = helper.make_node("Identity", ["scores"], ["values"])
    path = with_ending(model, tmp_path / "best.onnx", best, named, best=TensorProto.INT64, values=TensorProto.FLOAT)
    whole = onnx.load(path)
    del whole.graph.output[0].type.tensor_type.shape.dim[1]
    path.write_bytes(whole.SerializeToString())
    assert Onnx(path).notes == ("the output 'values' was read, of best, values",)


def test_one_verdict_comes_of_one_model_in_every_form(drops: Claim, model: nn.Module, tmp_path: Path) -> None:
    soft = helper.make_node("Softmax", ["scores"], ["answer"], axis=1)
    forms: list[Suspect] = [
        Local(model),
        Local(Ended(model, nn.Softmax(1))),
        Local(Ended(model, torch.sigmoid), outputs=Outputs.SIGMOIDS),
        Onnx(exported(model, tmp_path / "plain.onnx")),
        Onnx(with_ending(model, tmp_path / "soft.onnx", soft, answer=TensorProto.FLOAT)),
    ]
    assert len({verify(drops, one).deciding.score for one in forms}) == 1
    assert len(pixels()) == COUNT


def test_innocents_of_which_nothing_is_sure_calibrate_nothing(drops: Claim) -> None:
    with pytest.raises(KindError, match="--outputs"):
        calibrate(drops, [Local(Ended(tiny(3, classes=NUMBER), torch.sigmoid))])

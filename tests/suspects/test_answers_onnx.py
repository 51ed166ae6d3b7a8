"""ONNX files that end otherwise, answer in another precision, or have several outputs."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from asking import COUNT, asked, claim_on, exported, pixels
from endings import NUMBER, Ended, drops_on, labels_of
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from ownmark.claims.claim import Claim
from ownmark.errors import ModelError
from ownmark.protocols import Suspect
from ownmark.scoring.readings import Reading
from ownmark.suspects.answers import Outputs
from ownmark.suspects.local import Local
from ownmark.suspects.onnx import Onnx
from ownmark.verdicts.verdict import Outcome
from ownmark.verdicts.verify import verify


@pytest.fixture(scope="module")
def drops(model: nn.Module) -> Claim:
    return drops_on(model)


@pytest.fixture(scope="module")
def labels_only(claim: Claim) -> Claim:
    return labels_of(claim)


def with_ending(model: nn.Module, path: Path, *nodes: onnx.NodeProto, **outputs: int) -> Path:
    """The model as a file in which `nodes` follow on its answer "scores"; `outputs`: what it answers, and its type."""
    whole = onnx.load(exported(model, path))
    body = whole.graph
    for node in body.node:
        node.output[:] = ["scores" if name == body.output[0].name else name for name in node.output]
    body.node.extend(nodes)
    del body.output[:]
    body.output.extend(helper.make_tensor_value_info(name, kind, ("n", NUMBER)) for name, kind in outputs.items())
    body.initializer.append(numpy_helper.from_array(np.array(1 / 256, dtype=np.float32), "scale"))
    body.initializer.append(numpy_helper.from_array(np.array(-128, dtype=np.int8), "zero"))
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
        assert "pass outputs=sigmoids; if they are logits, pass outputs=logits (--outputs" in verdict.reason
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
    assert called.notes == ("used the output 'logits' of logits, opposite",)
    with pytest.raises(ModelError, match="several outputs that fit, one, other: choose one with --output NAME"):
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
    assert Onnx(path).notes == ("used the output 'values' of best, values",)


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

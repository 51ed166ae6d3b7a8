"""ONNX files of strangers: only what stands for itself and takes images is asked."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from asking import SIZE, asked, claim_on, exported, pixels
from conftest import tiny
from onnx import TensorProto, helper
from onnx_graphs import as_constant, as_initializer, graph, inside_a_branch, saved
from torch import nn

from ownmark.claims.claim import Preprocess
from ownmark.errors import AnswerError, ModelError, OwnmarkError, SuspectError
from ownmark.models.prepared import prepared
from ownmark.scoring.readings import Reading
from ownmark.suspects.answers import Outputs
from ownmark.suspects.local import Local
from ownmark.suspects.onnx import Onnx
from ownmark.suspects.wrappers.resized import Resized
from ownmark.suspects.wrappers.wrapped import Hardened, Rounded, Transformed
from ownmark.verdicts.verify import verify


@pytest.fixture(scope="module")
def model() -> nn.Module:
    return tiny(0, classes=7)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("onnx")


@pytest.fixture(scope="module")
def plain(model: nn.Module, folder: Path) -> Path:
    return exported(model, folder / "plain.onnx")


def test_preprocessing_is_the_same_outside_an_onnx_file_as_inside_a_model(model: nn.Module, plain: Path) -> None:
    preprocess = Preprocess((0.5, 0.4, 0.3), (0.2, 0.25, 0.3))
    inside = Local(prepared(model, preprocess)).read(pixels()[:, 0], asked())[Reading.PROBABILITY]
    outside = Onnx(plain, preprocess).read(pixels()[:, 0], asked())[Reading.PROBABILITY]
    without = Onnx(plain).read(pixels()[:, 0], asked())[Reading.PROBABILITY]
    assert np.allclose(inside, outside, atol=1e-5)
    assert not np.allclose(inside, without, atol=1e-2)
    with pytest.raises(OwnmarkError, match="channels"):
        Onnx(plain, Preprocess((0.5, 0.5), (1.0, 1.0))).read(pixels()[:, 0], asked())


def test_an_onnx_suspect_is_named_by_its_path_and_known_by_its_bytes(plain: Path, folder: Path) -> None:
    twin = folder / "twin.onnx"
    twin.write_bytes(plain.read_bytes())
    assert Onnx(plain).name == str(plain)
    assert Onnx(plain).digest == Onnx(twin).digest
    assert len(Onnx(plain).digest) == 64
    changed = onnx.load(plain)
    changed.producer_name = "another"
    onnx.save(changed, twin)
    assert Onnx(plain).digest != Onnx(twin).digest


def test_an_onnx_suspect_shows_no_map_so_that_a_weaker_test_decides(model: nn.Module, plain: Path) -> None:
    assert Onnx(plain).reveals == frozenset(Reading) - {Reading.SALIENCY, Reading.BEST}
    assert verify(claim_on(model, saliency=True), Onnx(plain)).deciding.test.reading is Reading.LABEL


def test_a_verdict_notes_that_a_file_was_given_other_numbers_than_the_protected_model(model: nn.Module, plain: Path) -> None:
    claim = replace(claim_on(model), preprocess=Preprocess((0.5,), (0.25,)))
    noted = verify(claim, Onnx(plain)).notes
    assert any("asked with mean 0 and std 1, where the claim has mean 0.5 and std 0.25" in note for note in noted), noted
    for wrapped in (Transformed(Onnx(plain), ()), Resized(Hardened(Onnx(plain), Rounded()), claim.images.shape[2:4])):
        assert verify(claim, wrapped).notes == noted, "what wraps a suspect hides nothing of how it was asked"
    assert not any("asked with" in note for note in verify(claim, Onnx(plain, claim.preprocess)).notes)
    colours = Preprocess((0.5,) * claim.images.shape[4], (0.25,) * claim.images.shape[4])
    assert not any("asked with" in note for note in verify(claim, Onnx(plain, colours)).notes)


def test_a_file_that_is_given_pixels_is_not_noted_as_normalised(tmp_path: Path) -> None:
    assert Onnx(images_as(tmp_path / "pixels.onnx", TensorProto.UINT8, last=True)).preprocess is None


def test_a_file_that_is_no_onnx_is_an_error_that_names_it(plain: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    whole = plain.read_bytes()
    for name, data in {"empty": b"", "garbage": b"garbage" * 99, "half": whole[: len(whole) // 2], "text": b"{}"}.items():
        path = tmp_path / f"{name}.onnx"
        path.write_bytes(data)
        with pytest.raises(ModelError, match=f"{name}.onnx"):
            Onnx(path)
    for path in (tmp_path / "missing.onnx", tmp_path):
        with pytest.raises(ModelError, match=str(path)):
            Onnx(path)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("hide", [as_initializer, as_constant, inside_a_branch])
@pytest.mark.parametrize("location", ["weights.bin", "{folder}/weights.bin", "../{name}/weights.bin", "*/_ORT_MEM_ADDR_/*"])
def test_weights_in_another_file_are_refused_even_where_that_file_lies_at_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hide: Callable[[str], onnx.GraphProto], location: str
) -> None:
    (tmp_path / "weights.bin").write_bytes(np.arange(3, dtype=np.float32).tobytes())
    monkeypatch.chdir(tmp_path)
    path = saved(hide(location.format(folder=tmp_path, name=tmp_path.name)), tmp_path / "model.onnx")
    with pytest.raises(ModelError, match=r"model\.onnx keeps weights in other files"):
        Onnx(path)


def test_weights_inside_the_same_little_file_are_read(tmp_path: Path) -> None:
    weight = helper.make_tensor("w", TensorProto.FLOAT, [3], [0.0, 1.0, 2.0])
    Onnx(saved(graph([helper.make_node("Add", ["x", "w"], ["y"])], [weight]), tmp_path / "model.onnx"))


@pytest.mark.parametrize("shape", [None, (), (3,), ("n", 3), ("n", 3, 4, 4, 4)])
def test_an_onnx_file_that_takes_no_images_is_an_error(tmp_path: Path, shape: Any) -> None:
    path = saved(graph([helper.make_node("Identity", ["x"], ["y"])], [], shape), tmp_path / "model.onnx")
    with pytest.raises(OwnmarkError, match=r"model\.onnx"):
        Onnx(path).read(pixels()[:, 0], asked())


def test_an_onnx_file_with_two_inputs_or_with_integers_of_unknown_scale_is_an_error(tmp_path: Path) -> None:
    shape = ("n", 3, "h", "w")
    inputs = [helper.make_tensor_value_info(name, TensorProto.INT8, shape) for name in ("x", "x2")]
    output = helper.make_tensor_value_info("y", TensorProto.INT8, shape)
    one = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", inputs[:1], [output])
    two = helper.make_graph([helper.make_node("Max", ["x", "x2"], ["y"])], "g", inputs, [output])
    for content, told in ((one, "int8 without a scale"), (two, "one input")):
        with pytest.raises(ModelError, match=told):
            Onnx(saved(content, tmp_path / "model.onnx"))


def test_an_onnx_file_that_answers_for_another_number_of_images_is_an_error(tmp_path: Path) -> None:
    answer = helper.make_tensor("a", TensorProto.FLOAT, [2, 7], np.arange(14, dtype=np.float32))
    nodes = [helper.make_node("Constant", [], ["y"], value=answer)]
    path = saved(graph(nodes, [], ("n", 3, SIZE, SIZE)), tmp_path / "model.onnx")
    with pytest.raises(AnswerError, match="answers"):
        Onnx(path).read(pixels()[:, 0], asked())


def test_a_file_that_fails_on_the_images_is_an_error_that_names_it_once(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    weight = helper.make_tensor("w", TensorProto.FLOAT, [5, 7], [0.0] * 35)
    nodes = [helper.make_node("Flatten", ["x"], ["f"]), helper.make_node("MatMul", ["f", "w"], ["y"])]
    path = saved(graph(nodes, [weight], ("n", 3, "h", "w")), tmp_path / "model.onnx")
    with pytest.raises(SuspectError, match=r"model\.onnx failed on a batch"):
        Onnx(path).read(pixels()[:, 0], asked())
    assert capfd.readouterr() == ("", "")


def images_as(path: Path, kind: int, *, last: bool, free: bool = True) -> Path:
    """A file that sums its images, of this type, per channel: (n, 3) from (n, 3, h, w) or (n, h, w, 3)."""
    size = ("h", "w") if free else (SIZE, SIZE)
    shape = ("n", *size, 3) if last else ("n", 3, *size)
    nodes = [helper.make_node("Cast", ["x"], ["wide"], to=TensorProto.FLOAT)]
    nodes += [helper.make_node("ReduceMean", ["wide"], ["y"], axes=[1, 2] if last else [2, 3], keepdims=0)]
    ends = [helper.make_tensor_value_info("x", kind, shape), helper.make_tensor_value_info("y", TensorProto.FLOAT, ("n", 3))]
    return saved(helper.make_graph(nodes, "g", ends[:1], ends[1:]), path)


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("kind", [TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.UINT8])
def test_either_layout_and_every_type_of_input_gets_the_same_images(tmp_path: Path, kind: int, *, last: bool) -> None:
    suspect = Onnx(images_as(tmp_path / "mean.onnx", kind, last=last), outputs=Outputs.LOGITS)
    scale = 1 if kind == TensorProto.UINT8 else 255
    wanted = np.exp(pixels()[:, 0].mean(axis=(1, 2)) / scale)
    found = suspect.read(pixels()[:, 0], asked(frozenset({Reading.PROBABILITY})))[Reading.PROBABILITY]
    assert np.allclose(found, wanted / wanted.sum(axis=1, keepdims=True), atol=1e-3)


def test_scale_and_zero_point_of_integer_ends_are_read_from_the_file(tmp_path: Path) -> None:
    """An input of int8 that holds 0 to 1, and an output of uint8 whose steps are 1/64 from -1 up."""
    numbers = [helper.make_tensor("s", TensorProto.FLOAT, [], [1 / 255]), helper.make_tensor("z", TensorProto.INT8, [], [-128])]
    numbers += [helper.make_tensor("t", TensorProto.FLOAT, [], [1 / 64]), helper.make_tensor("u", TensorProto.UINT8, [], [64])]
    nodes = [
        helper.make_node("DequantizeLinear", ["x", "s", "z"], ["wide"]),
        helper.make_node("ReduceMean", ["wide"], ["means"], axes=[2, 3], keepdims=0),
        helper.make_node("QuantizeLinear", ["means", "t", "u"], ["y"]),
    ]
    ends = [
        helper.make_tensor_value_info("x", TensorProto.INT8, ("n", 3, SIZE, SIZE)),
        helper.make_tensor_value_info("y", TensorProto.UINT8, ("n", 3)),
    ]
    path = saved(helper.make_graph(nodes, "g", ends[:1], ends[1:], numbers), tmp_path / "ends.onnx")
    found = Onnx(path, outputs=Outputs.LOGITS).read(pixels()[:, 0], asked(frozenset({Reading.PROBABILITY})))[Reading.PROBABILITY]
    wanted = np.exp(np.rint(pixels()[:, 0].mean(axis=(1, 2)) / 255 * 64) / 64)
    assert np.allclose(found, wanted / wanted.sum(axis=1, keepdims=True), atol=1e-2)


def test_a_file_whose_answers_depend_on_the_batch_is_asked_one_image_at_a_time_and_that_is_told(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["means"], axes=[2, 3], keepdims=0),
        helper.make_node("ReduceMax", ["means"], ["most"], keepdims=1),
        helper.make_node("Div", ["means", "most"], ["y"]),
    ]
    path = saved(graph(nodes, [], ("n", 3, SIZE, SIZE)), tmp_path / "batch.onnx")
    whole = onnx.load(path)
    del whole.graph.output[0].type.tensor_type.shape.dim[2:]
    path.write_bytes(whole.SerializeToString())
    suspect, question = Onnx(path, outputs=Outputs.LOGITS), asked(frozenset({Reading.PROBABILITY}))
    found = suspect.read(pixels()[:, 0], question)[Reading.PROBABILITY]
    alone = [Onnx(path, outputs=Outputs.LOGITS).read(one[None], asked(count=1))[Reading.PROBABILITY] for one in pixels()[:, 0]]
    assert np.allclose(found, np.concatenate(alone))
    assert any("depend on the other images of a batch" in note for note in suspect.notes)
    assert Onnx(images_as(tmp_path / "mean.onnx", TensorProto.FLOAT, last=True)).notes == ()

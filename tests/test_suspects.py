"""Suspects: one model gives one verdict however it is asked, is left as it was, and never answers nonsense silently."""

import warnings
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest
import torch
from conftest import same_weights, small_claim, tiny
from onnx import TensorProto, helper
from torch import Tensor, nn

from ownmark.claim import Claim, Preprocess, Test
from ownmark.errors import AnswerError, ModelError, OwnmarkError, SuspectError
from ownmark.match import Agreement, Drop, OnPattern, Reading
from ownmark.models.prepared import prepared
from ownmark.models.weights import weights_digest
from ownmark.protocols import Question, Suspect
from ownmark.suspects.answers import Outputs
from ownmark.suspects.local import Local
from ownmark.suspects.onnx import Onnx
from ownmark.verdict import Outcome, calibrate, verify

SIZE, COUNT = 16, 10
NAMES = tuple("abcdefg")
BOTH = frozenset({Reading.LABEL, Reading.PROBABILITY})


def exported(model: nn.Module, path: Path, *, batch: int | None = None, modern: bool = False, size: int = SIZE) -> Path:
    """The model as an ONNX file of a free or fixed batch, by torch's older or newer exporter."""
    example = torch.rand(batch or 2, 3, size, size)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if modern:
            shapes = None if batch else ({0: torch.export.Dim("n", max=1024)},)
            torch.onnx.export(model, (example,), path, dynamo=True, dynamic_shapes=shapes, external_data=False, verbose=False)
        else:
            axes = None if batch else {"images": {0: "n"}}
            torch.onnx.export(model, (example,), path, dynamo=False, input_names=["images"], dynamic_axes=axes)
    return path


def pixels(count: int = COUNT, size: int = SIZE) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(4).integers(0, 256, (count, 2, size, size, 3), dtype=np.uint8)


def asked(readings: frozenset[Reading] = BOTH, count: int = COUNT, layer: str = "") -> Question:
    return Question(readings, np.arange(count) % 3, layer)


def claim_on(model: nn.Module, *, saliency: bool = False, layer: str = "stages") -> Claim:
    """A claim of labels and drops that the model itself fulfils on every sample."""
    answers = Local(model).read(pixels()[:, 0], asked())
    expected = answers[Reading.LABEL].astype(np.int64)
    tests: tuple[Test, ...] = (
        Test(Reading.LABEL, Agreement(), expected, 1.0),
        Test(Reading.PROBABILITY, Drop(0.0), expected, 0.5),
    )
    if saliency:
        tests = (Test(Reading.SALIENCY, OnPattern(0.1, ((0, 0),), (2, 2)), expected, 1.0, layer), *tests)
    return Claim(pixels(), tests, NAMES, "labels", weights_digest(model))


@pytest.fixture(scope="module")
def model() -> nn.Module:
    return tiny(0, classes=7)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("onnx")


@pytest.fixture(scope="module")
def plain(model: nn.Module, folder: Path) -> Path:
    return exported(model, folder / "plain.onnx")


KINDS: dict[str, Callable[[nn.Module, Path], Suspect]] = {
    "local": lambda model, _: Local(model),
    "local, small batches": lambda model, _: Local(model, batch=3),
    "onnx": lambda model, folder: Onnx(exported(model, folder / "free.onnx")),
    "onnx, small batches": lambda model, folder: Onnx(exported(model, folder / "free.onnx"), batch=3),
    "onnx, batch fixed at 1": lambda model, folder: Onnx(exported(model, folder / "one.onnx", batch=1)),
    "onnx, batch fixed at 8": lambda model, folder: Onnx(exported(model, folder / "eight.onnx", batch=8)),
    "onnx, newer exporter": lambda model, folder: Onnx(exported(model, folder / "modern.onnx", modern=True)),
    "onnx, newer exporter, fixed": lambda model, folder: Onnx(exported(model, folder / "m8.onnx", modern=True, batch=8)),
}


@pytest.fixture(scope="module", params=list(KINDS))
def suspect(request: pytest.FixtureRequest, model: nn.Module, folder: Path) -> Suspect:
    return KINDS[request.param](model, folder)


def test_every_suspect_gives_the_models_own_probabilities_and_labels(suspect: Suspect, model: nn.Module) -> None:
    inputs = torch.from_numpy(pixels()[:, 0]).permute(0, 3, 1, 2) / 255
    with torch.no_grad():
        wanted = model(inputs).softmax(1).numpy()
    answers = suspect.read(pixels()[:, 0], asked())
    assert answers.keys() == BOTH
    assert np.allclose(answers[Reading.PROBABILITY], wanted, atol=1e-5)
    assert np.array_equal(answers[Reading.LABEL], wanted.argmax(1))


def test_every_suspect_gives_the_same_verdict(suspect: Suspect, model: nn.Module) -> None:
    claim = calibrate(claim_on(model), [Local(tiny(number, classes=7)) for number in range(1, 20)])
    found, wanted = verify(claim, suspect), verify(claim, Local(model))
    assert found.outcome is wanted.outcome is Outcome.MATCH
    for one, other in zip((found.deciding, *found.others), (wanted.deciding, *wanted.others), strict=True):
        assert (one.score, one.p, one.interval) == (other.score, other.p, other.interval)
        assert np.allclose(one.observed, other.observed, atol=1e-5)


def test_every_suspect_answers_only_what_it_is_asked(suspect: Suspect) -> None:
    assert suspect.reveals >= BOTH
    for reading in BOTH:
        assert suspect.read(pixels()[:, 0], asked(frozenset({reading}))).keys() == {reading}


def test_every_suspect_can_be_asked_about_a_claim_that_was_loaded_from_a_file(suspect: Suspect, model: nn.Module) -> None:
    claim = claim_on(model)
    loaded = Claim.from_bytes(claim.to_bytes())
    assert verify(loaded, suspect).deciding.score == 1


def test_every_suspect_refuses_images_of_a_size_or_colour_that_it_cannot_take(suspect: Suspect) -> None:
    grey = pixels()[:, 0, :, :, :1]
    with pytest.raises(SuspectError):
        suspect.read(grey, asked())


def test_a_suspect_that_knows_more_or_fewer_classes_does_another_task(model: nn.Module, folder: Path) -> None:
    for classes in (3, 8):
        other = tiny(1, classes=classes)
        path = exported(other, folder / f"classes {classes}.onnx")
        for suspect in (Local(other), Onnx(path)):
            with pytest.raises(AnswerError, match="another task"):
                verify(claim_on(model), suspect)


def flat(size: int) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 2, 3), nn.Flatten(), nn.Linear(2 * (size - 2) ** 2, 7)).eval()


def test_a_suspect_of_another_input_size_is_an_error_that_names_it(model: nn.Module, folder: Path) -> None:
    path = exported(flat(24), folder / "flat.onnx", size=24)
    for suspect in (Local(flat(24), name="flat model"), Onnx(path)):
        with pytest.raises(SuspectError, match=suspect.name) as caught:
            verify(claim_on(model), suspect)
        assert not isinstance(caught.value, AnswerError)


@pytest.mark.parametrize(
    "error", [AssertionError("wrong size"), KeyError("x"), RuntimeError(), AttributeError("no"), ZeroDivisionError()]
)
def test_whatever_a_strangers_model_raises_is_an_error_that_names_it(model: nn.Module, error: Exception) -> None:
    class Raising(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.convolution = nn.Conv2d(3, 7, 1)

        def forward(self, _: Tensor) -> Tensor:
            raise error

    with pytest.raises(SuspectError, match="strange one cannot take images"):
        verify(claim_on(model), Local(Raising(), name="strange one"))


def test_a_model_that_ends_in_something_else_than_classes_is_an_error(model: nn.Module, folder: Path) -> None:
    class Named(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = tiny(0, classes=7)

        def forward(self, inputs: Tensor) -> dict[str, Tensor]:
            return {"logits": self.body(inputs)}

    image = nn.Conv2d(3, 7, 1)
    for suspect in (Local(Named()), Local(image), Onnx(exported(image, folder / "image.onnx"))):
        with pytest.raises(AnswerError):
            verify(claim_on(model), suspect)


def test_a_model_without_a_convolution_has_no_map(model: nn.Module) -> None:
    dense = nn.Sequential(nn.Flatten(), nn.Linear(3 * SIZE * SIZE, 7))
    with pytest.raises(ModelError, match="Conv2d"):
        verify(claim_on(model, saliency=True, layer=""), Local(dense))
    with pytest.raises(ModelError, match="no layer 'stages'"):
        verify(claim_on(model, saliency=True), Local(dense))
    assert verify(claim_on(model), Local(dense)).outcome is Outcome.INCONCLUSIVE


def test_a_model_without_weights_can_be_asked(model: nn.Module) -> None:
    class Mean(nn.Module):
        def forward(self, inputs: Tensor) -> Tensor:
            return inputs.mean((2, 3)) @ torch.ones(3, 7).cumsum(1)

    assert 0 <= verify(claim_on(model), Local(Mean())).deciding.score <= 1


def broken(model: nn.Module, value: float) -> nn.Module:
    copy = deepcopy(model)
    with torch.no_grad():
        next(iter(copy.parameters()))[0, 0, 0, 0] = value
    return copy


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_broken_weights_are_an_error_and_not_a_verdict(model: nn.Module, folder: Path, value: float) -> None:
    for suspect in (Local(broken(model, value)), Onnx(exported(broken(model, value), folder / "nan.onnx"))):
        with pytest.raises(AnswerError, match="NaN"):
            verify(claim_on(model), suspect)
    with pytest.raises(AnswerError, match="NaN"):
        verify(claim_on(model, saliency=True), Local(broken(model, value)))


def test_logits_and_probabilities_are_never_confused(model: nn.Module, folder: Path) -> None:
    ending = nn.Sequential(deepcopy(model), nn.Softmax(1)).eval()
    soft, hard = exported(ending, folder / "soft.onnx"), exported(model, folder / "hard.onnx")
    wrong: list[Suspect] = [
        Local(ending),
        Onnx(soft),
        Local(model, outputs=Outputs.PROBABILITIES),
        Onnx(hard, outputs=Outputs.PROBABILITIES),
    ]
    for suspect in wrong:
        with pytest.raises(AnswerError, match="outputs="):
            verify(claim_on(model), suspect)
    wanted = Local(model).read(pixels()[:, 0], asked())[Reading.PROBABILITY]
    for right in (Local(ending, outputs=Outputs.PROBABILITIES), Onnx(soft, outputs=Outputs.PROBABILITIES)):
        assert np.allclose(right.read(pixels()[:, 0], asked())[Reading.PROBABILITY], wanted, atol=1e-6)


def test_the_log_of_probabilities_may_be_called_logits(model: nn.Module) -> None:
    ending = nn.Sequential(deepcopy(model), nn.LogSoftmax(1)).eval()
    answers = [Local(one).read(pixels()[:, 0], asked())[Reading.PROBABILITY] for one in (ending, model)]
    assert np.allclose(answers[0], answers[1], atol=1e-6)


def lively() -> nn.Sequential:
    """A model that answers differently in train mode, in every way that models do."""
    torch.manual_seed(1)
    parts = nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Dropout(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 7)
    return nn.Sequential(*parts)


def test_a_model_left_in_train_mode_answers_as_in_eval_mode() -> None:
    training = lively().train()
    given = asked(frozenset(Reading))
    first, second = Local(training).read(pixels()[:, 0], given), Local(deepcopy(training).eval()).read(pixels()[:, 0], given)
    with torch.no_grad():
        own = training(torch.rand(4, 3, SIZE, SIZE))
    assert len(own) == 4
    for reading in Reading:
        assert np.array_equal(first[reading], second[reading])


def test_the_model_given_is_left_as_it_was() -> None:
    given = lively().train()
    given[0].requires_grad_(False)
    given[1].eval()
    before, random = deepcopy(given), torch.get_rng_state()
    Local(given).read(pixels()[:, 0], asked(frozenset(Reading)))
    assert same_weights(given, before)
    assert [module.training for module in given.modules()] == [module.training for module in before.modules()]
    assert [one.requires_grad for one in given.parameters()] == [one.requires_grad for one in before.parameters()]
    assert all(one.is_contiguous() for one in given.parameters())
    assert not any(module._forward_hooks for module in given.modules())
    assert torch.equal(torch.get_rng_state(), random)


def test_a_suspect_is_what_it_was_when_it_was_named(model: nn.Module) -> None:
    given = deepcopy(model)
    suspect = Local(given, name="then")
    answers = suspect.read(pixels()[:, 0], asked())
    with torch.no_grad():
        next(given.parameters()).zero_()
    assert np.array_equal(suspect.read(pixels()[:, 0], asked())[Reading.PROBABILITY], answers[Reading.PROBABILITY])
    assert (suspect.name, suspect.digest) == ("then", weights_digest(model))


def test_a_map_is_taken_at_the_claims_layer_or_at_the_one_named_instead(model: nn.Module) -> None:
    maps = frozenset({Reading.SALIENCY})
    shapes = [
        Local(model).read(pixels()[:, 0], asked(maps))[Reading.SALIENCY].shape,
        Local(model).read(pixels()[:, 0], asked(maps, layer="stages.2"))[Reading.SALIENCY].shape,
        Local(model, layer="stem").read(pixels()[:, 0], asked(maps, layer="stages.2"))[Reading.SALIENCY].shape,
    ]
    assert shapes == [(COUNT, 2, 2), (COUNT, 4, 4), (COUNT, 16, 16)]
    with pytest.raises(ModelError, match="near it: stages"):
        Local(model).read(pixels()[:, 0], asked(maps, layer="stagse"))


def test_maps_are_of_the_class_that_is_asked_about_and_have_length_one(model: nn.Module) -> None:
    wanted = [Question(frozenset({Reading.SALIENCY}), np.full(COUNT, label)) for label in (0, 1)]
    first, second = (Local(model).read(pixels()[:, 0], one)[Reading.SALIENCY] for one in wanted)
    assert not np.allclose(first, second)
    lengths = np.linalg.norm(first, axis=(1, 2))
    assert np.all(np.isclose(lengths, 1, atol=1e-5) | (lengths == 0))
    assert np.isclose(lengths, 1, atol=1e-5).any()


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
    assert Onnx(plain).reveals == BOTH
    assert verify(claim_on(model, saliency=True), Onnx(plain)).deciding.test.reading is Reading.LABEL


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


def outside_tensor(name: str, location: str) -> TensorProto:
    tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=[3], data_location=TensorProto.EXTERNAL)
    for key, value in (("location", location), ("offset", "0"), ("length", "12")):
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value
    return tensor


def as_initializer(location: str) -> onnx.GraphProto:
    return graph([helper.make_node("Add", ["x", "w"], ["y"])], [outside_tensor("w", location)])


def as_constant(location: str) -> onnx.GraphProto:
    constant = helper.make_node("Constant", [], ["w"], value=outside_tensor("w", location))
    return graph([constant, helper.make_node("Add", ["x", "w"], ["y"])], [])


def inside_a_branch(location: str) -> onnx.GraphProto:
    output = helper.make_tensor_value_info("z", TensorProto.FLOAT, None)
    add = helper.make_node("Add", ["x", "w"], ["z"])
    branches = [helper.make_graph([add], name, [], [output], [outside_tensor("w", location)]) for name in ("yes", "no")]
    condition = helper.make_node("Constant", [], ["c"], value=helper.make_tensor("c", TensorProto.BOOL, [], [True]))
    return graph([condition, helper.make_node("If", ["c"], ["y"], then_branch=branches[0], else_branch=branches[1])], [])


def graph(nodes: list[onnx.NodeProto], initializers: list[TensorProto], shape: Any = ("n", 3, 1, 3)) -> onnx.GraphProto:
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("x", "y")]
    return helper.make_graph(nodes, "g", ends[:1], ends[1:], initializers)


def saved(content: onnx.GraphProto, path: Path) -> Path:
    path.write_bytes(helper.make_model(content, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString())
    return path


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


def test_an_onnx_file_that_takes_bytes_or_two_inputs_is_an_error(tmp_path: Path) -> None:
    shape = ("n", 3, "h", "w")
    inputs = [helper.make_tensor_value_info(name, TensorProto.UINT8, shape) for name in ("x", "x2")]
    output = helper.make_tensor_value_info("y", TensorProto.UINT8, shape)
    one = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", inputs[:1], [output])
    two = helper.make_graph([helper.make_node("Add", ["x", "x2"], ["y"])], "g", inputs, [output])
    for content in (one, two):
        with pytest.raises(ModelError, match=r"one input.*float"):
            Onnx(saved(content, tmp_path / "model.onnx"))


def test_an_onnx_file_that_answers_for_another_number_of_images_is_an_error(tmp_path: Path) -> None:
    answer = helper.make_tensor("a", TensorProto.FLOAT, [2, 7], np.arange(14, dtype=np.float32))
    nodes = [helper.make_node("Constant", [], ["y"], value=answer)]
    path = saved(graph(nodes, [], ("n", 3, SIZE, SIZE)), tmp_path / "model.onnx")
    with pytest.raises(AnswerError, match="answers"):
        Onnx(path).read(pixels()[:, 0], asked())


def test_the_small_claim_itself_can_be_asked(model: nn.Module) -> None:
    assert verify(small_claim(size=SIZE, count=4, classes=NAMES), Local(model)).outcome is Outcome.INCONCLUSIVE

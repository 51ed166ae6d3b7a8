"""Suspects: one model gives one verdict however it is asked, is left as it was, and never answers nonsense silently."""

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import torch
from asking import BOTH, COUNT, NAMES, SIZE, asked, claim_on, exported, pixels
from conftest import same_weights, small_claim, tiny
from torch import Tensor, nn

from ownmark.claims.claim import Claim
from ownmark.errors import AnswerError, ModelError, SuspectError
from ownmark.models.weights import weights_digest
from ownmark.protocols import Question, Suspect
from ownmark.scoring.readings import Reading
from ownmark.suspects.answers import Outputs
from ownmark.suspects.local import Local
from ownmark.suspects.onnx import Onnx
from ownmark.verdicts.verdict import Outcome
from ownmark.verdicts.verify import verify


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("onnx")


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


def test_every_suspect_gives_the_same_verdict(suspect: Suspect, model: nn.Module, claim: Claim) -> None:
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
            with pytest.raises(AnswerError, match="a different task"):
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

    with pytest.raises(SuspectError, match="strange one cannot process the claim's images"):
        verify(claim_on(model), Local(Raising(), name="strange one"))


def test_a_suspect_for_images_of_another_size_is_refused_with_the_module_that_resizes_them(model: nn.Module) -> None:
    larger = nn.Sequential(nn.Conv2d(3, 1, 1), nn.Flatten(), nn.Linear(4 * SIZE * SIZE, 7))
    with pytest.raises(SuspectError, match="If it takes another size, a module around it must resize them"):
        verify(claim_on(model), Local(larger))


def test_a_model_that_ends_in_something_else_than_classes_is_an_error(model: nn.Module, folder: Path) -> None:
    image = nn.Conv2d(3, 7, 1)
    for suspect in (Local(image), Onnx(exported(image, folder / "image.onnx"))):
        with pytest.raises(AnswerError):
            verify(claim_on(model), suspect)


def test_a_model_without_a_convolution_has_no_map(model: nn.Module) -> None:
    dense = nn.Sequential(nn.Flatten(), nn.Linear(3 * SIZE * SIZE, 7))
    for layer, told in (("", "runs neither nn.Conv2d nor attention"), ("stages", "no layer 'stages'")):
        verdict = verify(claim_on(model, saliency=True, layer=layer), Local(dense))
        assert verdict.deciding.test.reading is Reading.LABEL
        assert "its answers decide, since it shows no map" in verdict.reason
        assert told in verdict.reason
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


def test_logits_and_probabilities_are_told_apart_and_never_confused(model: nn.Module, folder: Path) -> None:
    ending = nn.Sequential(deepcopy(model), nn.Softmax(1)).eval()
    soft, hard = exported(ending, folder / "soft.onnx"), exported(model, folder / "hard.onnx")
    wrong: list[Suspect] = [
        Local(ending, outputs=Outputs.LOGITS),
        Onnx(soft, outputs=Outputs.LOGITS),
        Local(model, outputs=Outputs.PROBABILITIES),
        Onnx(hard, outputs=Outputs.PROBABILITIES),
    ]
    for suspect in wrong:
        with pytest.raises(AnswerError, match="outputs="):
            verify(claim_on(model), suspect)
    wanted = Local(model).read(pixels()[:, 0], asked())[Reading.PROBABILITY]
    for outputs in (None, Outputs.PROBABILITIES):
        for right in (Local(ending, outputs=outputs), Onnx(soft, outputs=outputs)):
            assert np.allclose(right.read(pixels()[:, 0], asked())[Reading.PROBABILITY], wanted, atol=1e-6)


def test_the_log_of_probabilities_may_be_called_logits(model: nn.Module) -> None:
    ending = nn.Sequential(deepcopy(model), nn.LogSoftmax(1)).eval()
    answers = [Local(one).read(pixels()[:, 0], asked())[Reading.PROBABILITY] for one in (ending, model)]
    assert np.allclose(answers[0], answers[1], atol=1e-6)


EVERY = BOTH | {Reading.SALIENCY}  # readings of a classifier


def lively() -> nn.Sequential:
    """A model that answers differently in train mode, in every way that models do."""
    torch.manual_seed(1)
    parts = nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Dropout(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 7)
    return nn.Sequential(*parts)


def test_a_model_left_in_train_mode_answers_as_in_eval_mode() -> None:
    training = lively().train()
    given = asked(EVERY)
    first, second = Local(training).read(pixels()[:, 0], given), Local(deepcopy(training).eval()).read(pixels()[:, 0], given)
    with torch.no_grad():
        own = training(torch.rand(4, 3, SIZE, SIZE))
    assert len(own) == 4
    for reading in EVERY:
        assert np.array_equal(first[reading], second[reading])


def test_the_model_given_is_left_as_it_was() -> None:
    given = lively().train()
    given[0].requires_grad_(False)
    given[1].eval()
    before, random = deepcopy(given), torch.get_rng_state()
    Local(given).read(pixels()[:, 0], asked(EVERY))
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
    with pytest.raises(ModelError, match="similar: stages"):
        Local(model, layer="stagse").read(pixels()[:, 0], asked(maps))


def test_maps_are_of_the_class_that_is_asked_about_and_have_length_one(model: nn.Module) -> None:
    wanted = [Question(frozenset({Reading.SALIENCY}), np.full(COUNT, label)) for label in (0, 1)]
    first, second = (Local(model).read(pixels()[:, 0], one)[Reading.SALIENCY] for one in wanted)
    assert not np.allclose(first, second)
    lengths = np.linalg.norm(first, axis=(1, 2))
    assert np.all(np.isclose(lengths, 1, atol=1e-5) | (lengths == 0))
    assert np.isclose(lengths, 1, atol=1e-5).any()


def test_the_small_claim_itself_can_be_asked(model: nn.Module) -> None:
    assert verify(small_claim(size=SIZE, count=4, classes=NAMES), Local(model)).outcome is Outcome.INCONCLUSIVE

"""A step that went wrong says so, with its figure; and a claim that would be worthless is not made."""

import json
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from conftest import CLASSES, Fake, pictures, seed, small_claim, tiny
from marked import marked_claim
from marking import null_of
from torch import nn
from workshop import MODEL, ownmark, protecting, refused, shop_in

from ownmark.claims.claim import Claim, Test
from ownmark.claims.doubt import Doubt
from ownmark.data.images import Images
from ownmark.errors import ProtectError, UsageError
from ownmark.models.weights import save_weights
from ownmark.protocols import Progress, silent
from ownmark.scoring.matches import BestOf, CrossedResidual, Fall, OnPattern
from ownmark.scoring.null_models import Innocents
from ownmark.scoring.readings import Reading
from ownmark.tasks import Classification, Regression
from ownmark.verdicts import competence, soundness
from ownmark.verdicts.calibrate import calibration

Capture = pytest.CaptureFixture[str]
OWN, TRIVIAL = {"accuracy": 0.9}, {"accuracy": 0.3}
TASK = Classification()


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return shop_in(tmp_path / "shop", monkeypatch)


def constant(number: int, value: float = 2.0) -> nn.Module:
    """A network that gives the first class to every image, each `number` with weights of its own."""
    return Ruin(value + number).apply(tiny(500 + number), pictures(), seed(0), silent)


@dataclass(frozen=True)
class Ruin:
    """An attack after which the model always gives the first class, with that logit."""

    logit: float

    def apply(self, stolen: nn.Module, thief: Images, rng: torch.Generator, progress: Progress) -> nn.Module:  # noqa: ARG002
        model = deepcopy(stolen)
        *_, weight, bias = model.parameters()
        with torch.no_grad():
            weight.zero_()
            bias.zero_()
            bias[0] = self.logit
        return model


def kinds(doubts: tuple[Doubt, ...]) -> list[str]:
    return [doubt.kind for doubt in doubts]


def innocents(*scores: float) -> Innocents:
    return Innocents(scores, tuple(f"{number:064}" for number in range(len(scores))))


def judged(null: Innocents, grid: tuple[int, int] = (7, 7), own: float = 1.0) -> Claim:
    """A claim of one test, with one cell of the map marked."""
    claim = small_claim(count=4, size=8)
    test = replace(claim.tests[0], match=OnPattern(0.3, ((0, 0),), grid), null=null, target_score=own)
    return replace(claim, tests=(test,))


def test_references_at_chance_and_far_below_the_model_are_told_apart_and_good_ones_are_silent() -> None:
    others = {"a": {"accuracy": 0.3}, "b": {"accuracy": 0.5}, "c": {"accuracy": 0.7}}
    found = soundness.of_references(TASK, OWN, TRIVIAL, others)
    assert kinds(found) == ["reference-at-chance", "reference-far-below"]
    assert [doubt.figure for doubt in found] == [0.3, 0.5]
    assert "0.9" in found[0].message


def test_a_number_is_better_if_it_is_off_by_less() -> None:
    own, trivial = {"mae": 4.0}, {"mae": 12.0}
    others = {"a": {"mae": 13.0}, "b": {"mae": 9.0}, "c": {"mae": 5.0}}
    found = soundness.of_references(Regression(), own, trivial, others)
    assert kinds(found) == ["reference-at-chance", "reference-far-below"]
    assert kinds(soundness.of_model(Regression(), trivial, own)) == ["model-at-chance"]
    assert soundness.of_model(Regression(), own, trivial) == ()


def test_one_wrecked_copy_is_a_warning_and_none_that_works_is_an_error() -> None:
    ruin, fine = {"accuracy": 0.3}, {"accuracy": 0.88}
    found = soundness.of_surrogates(TASK, OWN, TRIVIAL, {"a": ruin, "b": fine})
    assert kinds(found) == ["surrogate-at-chance"]
    with pytest.raises(ProtectError, match=r"none of the 2 copies .* 0.3, the model itself 0.9"):
        soundness.of_surrogates(TASK, OWN, TRIVIAL, {"a": ruin, "b": ruin})
    assert soundness.of_surrogates(TASK, OWN, TRIVIAL, {}) == ()


@pytest.mark.parametrize(("grid", "share"), [((2, 2), 0.25), ((4, 4), None), ((1, 3), 1 / 3)])
def test_a_corner_that_is_a_large_part_of_the_image_is_told_with_its_share(grid: tuple[int, int], share: float | None) -> None:
    found = [doubt for doubt in soundness.of_claim(judged(innocents(*([0.0] * 19)), grid)) if doubt.kind == "large-corner"]
    assert [doubt.figure for doubt in found] == ([] if share is None else [share])
    assert all(f"{grid[0]}x{grid[1]}" in doubt.message for doubt in found)


def test_innocents_that_are_few_all_alike_or_like_the_model_are_told() -> None:
    good = innocents(*(number / 40 for number in range(19)))
    assert soundness.of_claim(judged(good)) == ()
    assert kinds(soundness.of_claim(judged(innocents(0.0, 0.1)))) == ["few-innocents"]
    assert kinds(soundness.of_claim(judged(innocents(*([0.4] * 19))))) == ["innocents-alike"]
    assert kinds(soundness.of_claim(judged(good, own=0.4))) == ["innocents-like-model"]


def test_where_the_best_of_several_tells_nothing_but_a_part_of_it_does_the_scheme_of_that_part_is_named() -> None:
    claim = small_claim(count=4, size=8)
    good, useless = innocents(*([0.0] * 19)), innocents(*([1.0] * 5), *([0.0] * 14))
    maps = replace(claim.tests[0], match=OnPattern(0.3, ((0, 0),), (7, 7)), null=good)
    weights = Test(Reading.PROBABILITY, CrossedResidual(0.3, 0.05), np.zeros((4, len(claim.classes) + 1)), 1.0, null=useless)
    both = Test(Reading.SALIENCY, BestOf(Reading.SALIENCY, (0, 1)), np.zeros(4), 1.0, maps.layer, useless)
    residuals, best = soundness.of_claim(replace(claim, tests=(maps, weights, both)))
    assert residuals.message.startswith("the black-box test, by residuals cannot")
    assert best.message.startswith("the white-box test, the best of several cannot")
    assert best.message.endswith('; the white-box test can, of which --scheme "Saliency()" makes a claim')


def test_a_residual_that_counts_as_nothing_of_the_model_itself_is_told_when_the_claim_is_made() -> None:
    """One answer to all images would have nearly all of its residual, since its labels hardly differ from image to image."""
    claim, count = small_claim(count=40, size=8), len(CLASSES)
    labels = (np.arange(40) == 0).astype(np.int64)
    weights = np.tile(np.eye(count)[0] * 3 - 1, (40, 1)) * np.where(np.arange(40) % 2, 3.0, -2.0)[:, None]
    plain = float((weights[np.arange(40), labels]).mean())
    named = np.column_stack([weights, np.full(40, plain - 1)])
    told = Test(Reading.LABEL, CrossedResidual(0.3, 0.05, Reading.LABEL), named, 1.0)
    model = Fake({Reading.LABEL: np.repeat(labels, claim.images.shape[1])})
    (doubt,) = soundness.of_protected(replace(claim, tests=(told,)), model)
    assert doubt.kind == "residual-of-one-answer"
    assert doubt.figure == pytest.approx(1)
    assert doubt.message.startswith("the label test, by residuals counts as nothing even of the model itself")
    assert "asked by labels alone" in doubt.message
    turns = np.tile(np.eye(2, count) * 2 - 1, (20, 1))  # the model says 0 and 1 in turn
    fine = replace(told, expected=np.column_stack([turns, np.zeros(40)]))
    model = Fake({Reading.LABEL: np.repeat(np.arange(40) % 2, claim.images.shape[1])})
    assert soundness.of_protected(replace(claim, tests=(fine,)), model) == ()


def answering(claim: Claim, right: int) -> Fake:
    """A suspect that answers so many of the claim's originals as the model does."""
    expected = claim.tests[0].expected
    wrong = (expected + 1) % len(CLASSES)
    return Fake({Reading.LABEL: np.where(np.arange(len(expected)) < right, expected, wrong)})


def test_an_innocent_that_does_not_know_the_task_is_told_and_one_that_errs_is_not() -> None:
    claim = small_claim(count=40, size=4)
    shares = {f"{right} right": competence.right_on_originals(claim, answering(claim, right)) for right in (12, 30, 40)}
    assert shares == {"12 right": 0.3, "30 right": 0.75, "40 right": 1.0}
    known = {name: share for name, share in shares.items() if share is not None}
    found = soundness.of_innocents(claim, known)
    assert [(doubt.kind, doubt.figure) for doubt in found] == [("innocent-far-below", 0.3)]
    assert "chance is 35%" in found[0].message  # 14 of the 40 are of one class


def test_innocents_of_which_none_knows_the_task_are_refused() -> None:
    claim = small_claim(count=40, size=4)
    with pytest.raises(UsageError, match="no innocent model knows the task"):
        soundness.of_innocents(claim, {"a": 0.3, "b": 0.35})
    assert soundness.of_innocents(claim, {}) == ()
    assert competence.right_on_originals(replace(claim, originals=None), answering(claim, 40)) is None


def test_protect_and_inspect_warn_of_a_small_map_on_stderr_and_in_json(shop: Path, capsys: Capture) -> None:
    assert shop.exists()
    for words in (protecting("new.claim", "--json"), ["inspect", "raw.claim", "--json"]):
        ran = ownmark(capsys, *words)
        assert ran.code == 0, ran.err
        found = {one["kind"]: one for one in ran.record["warnings"]}
        assert found["large-corner"]["figure"] == 0.25
        assert f"Warning: {found['large-corner']['message']}" in ran.err.replace("\n", " ")
        assert json.dumps(ran.record["warnings"])


def test_protect_warns_of_a_reference_that_is_no_better_than_chance_by_its_files_name(shop: Path, capsys: Capture) -> None:
    save_weights(constant(0), shop / "untrained.safetensors")
    words = [word.replace("other.safetensors", "untrained.safetensors") for word in protecting("new.claim")]
    ran = ownmark(capsys, *words, "--json")
    assert ran.code == 0, ran.err
    assert "reference-at-chance" in [one["kind"] for one in ran.record["warnings"]]
    assert "Warning: untrained.safetensors is no better than a constant prediction (accuracy 0.3" in ran.err


def test_protect_stops_before_the_long_step_where_all_copies_are_ruins(
    shop: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ownmark.workflows.protect.SURROGATES", {"ruined": Ruin(2.0)})
    ran = ownmark(capsys, *protecting("new.claim"))
    assert ran.code == 2
    assert "none of the 1 copies made of the model is better than a constant prediction" in ran.err.replace("\n", " ")
    assert "Making the fingerprint" not in ran.err
    assert not (shop / "new.claim").exists()


def test_a_copy_whose_training_diverged_is_named(shop: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    assert shop.exists()
    monkeypatch.setattr("ownmark.workflows.protect.SURROGATES", {"ruined": Ruin(float("nan"))})
    ran = ownmark(capsys, *protecting("new.claim"))
    assert ran.code == 2
    assert "Making a copy: ruined: the training diverged" in ran.err.replace("\n", " ")


def test_calibrate_refuses_innocents_that_know_nothing_and_leaves_the_claim_alone(shop: Path, capsys: Capture) -> None:
    claim = Claim.load(shop / "raw.claim")
    ten = np.tile(np.arange(len(claim.images)), 10)
    tests = tuple(replace(test, expected=test.expected[ten]) for test in claim.tests)
    assert claim.originals is not None
    large = replace(claim, images=claim.images[ten], tests=tests, originals=claim.originals[ten], maps=None)
    large.save(shop / "large.claim")
    names = []
    for number in range(19):
        save_weights(constant(number), shop / f"constant-{number}.safetensors")
        names.append(f"constant-{number}.safetensors")
    refused(
        capsys, ["calibrate", "large.claim", *names, "--model", MODEL], 2, "no innocent model knows the task", "chance is 50%"
    )
    assert not Claim.load(shop / "large.claim").calibrated


def test_inspect_shows_the_map_the_corner_and_the_spread_of_the_innocents(shop: Path, capsys: Capture) -> None:
    assert shop.exists()
    said = ownmark(capsys, "inspect", "upheld.claim").out
    assert "the map is 2x2, the corner 25 % of it" in said
    assert "19 innocent models at most 50 % (median 50 %, least 50 %)" in said
    found = ownmark(capsys, "inspect", "upheld.claim", "--json").record
    assert found["tests"][0]["corner_share"] == 0.25
    assert [one["kind"] for one in found["warnings"]][:2] == ["large-corner", "innocents-alike"]


@pytest.mark.parametrize(("task", "before", "after"), [(Classification(), 0.9, 0.8), (Regression(unit=10.0), 2.0, 3.0)])
def test_a_mark_that_costs_the_model_much_is_doubted_with_what_may_cost_it(
    task: Classification | Regression, before: float, after: float
) -> None:
    trivial = {task.headline: 0.5 if task.rises else 9.0}
    (doubt,) = soundness.of_mark(task, {task.headline: before}, {task.headline: after}, trivial)
    assert doubt.kind == "dear-mark"
    assert f"{before:.3g} before, {after:.3g} after" in doubt.message
    assert "Training(flips=False, shift=0)" in doubt.message
    for better in (before, before + (after - before) / 10, 2 * before - after):
        assert soundness.of_mark(task, {task.headline: before}, {task.headline: better}, trivial) == ()


def test_a_key_of_too_few_labels_or_a_mark_that_its_own_model_hardly_bears_is_doubted() -> None:
    few, weak, good = (marked_claim(triggers=count, classes=2, target=target) for count, target in ((60, 1), (90, 0.6), (90, 1)))
    (doubt,) = soundness.of_claim(few)
    assert (doubt.kind, doubt.figure) == ("few-triggers", 60)
    assert "At least 69 keyed triggers" in doubt.message
    assert soundness.of_key(null_of(few)) == (doubt,)
    (doubt,) = soundness.of_claim(weak)
    assert (doubt.kind, doubt.figure) == ("mark-too-weak", 0.6)
    assert "scores 60%, which gives p = 1" in doubt.message
    assert soundness.of_claim(good) == soundness.of_key(null_of(good), 1e-6) == ()
    (doubt,) = soundness.of_key(null_of(good), 1e-9)
    assert doubt.message.startswith(
        "a judge decides at alpha = 1e-09 (--alpha), but the smallest possible p is 1.49e-08. At least "
    )


def test_innocents_that_do_not_do_a_task_of_numbers_are_told_before_anybody_is_compared_with_them() -> None:
    count = 30
    ages = np.linspace(20.0, 70.0, count)
    test = Test(Reading.VALUE, Fall(3.0), ages, 1.0)
    claim = replace(small_claim(count), classes=("age",), task=Regression(), tests=(test,))

    def innocent(place: int, values: npt.NDArray[np.float64]) -> Fake:
        return Fake({Reading.VALUE: np.repeat(values, 2)}, f"model {place}", f"{place:064x}")

    untrained = [innocent(place, np.full(count, float(place))) for place in range(3)]
    trained = [innocent(place, ages + place) for place in range(3, 6)]
    for found, told in ((trained, []), (untrained, ["innocents-unable"]), (untrained + trained, ["innocent-unable"] * 3)):
        doubts = soundness.of_unable(calibration(claim, found).unable, len(found))
        assert [doubt.kind for doubt in doubts] == told
    assert "the innocent model model 2 does not do the task" in doubts[2].message


def test_a_doubt_is_told_as_a_sentence_and_a_files_name_stays_as_it_is() -> None:
    said = [
        soundness.sentence(Doubt("x", 0.0, text)).message for text in ("too few images", "copy.onnx scores 0.9", "why, then?")
    ]
    assert said == ["Too few images.", "copy.onnx scores 0.9.", "Why, then?"]

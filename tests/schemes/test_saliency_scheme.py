"""The saliency fingerprint on a small trained network: what it promises of a claim, and what it refuses."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from conftest import seed, tiny
from learnt import LESSONS, Cast, greyed, learnt
from torch import nn

import ownmark
from ownmark.attacks.prune import Prune
from ownmark.data.images import Images
from ownmark.errors import AnswerError, ClaimError, DataError, ModelError, ProtectError, UsageError
from ownmark.evidence.claim_record import leaves
from ownmark.method_strings import differences, read
from ownmark.metrics import psnr
from ownmark.models.gradcam import GradCam
from ownmark.models.prepared import prepared
from ownmark.models.weights import weights_digest
from ownmark.perturb.pgd import Descent
from ownmark.protocols import Owner, Question, silent
from ownmark.querying.transcript import AS_SEALED, Decoys, Plan, Role, heard, heard_plainly
from ownmark.schemes.saliency.objectives import Contrast, Own
from ownmark.schemes.saliency.pattern import Fill
from ownmark.schemes.saliency.scheme import Draft, Saliency, best, widenings
from ownmark.scoring.matches import Change, OnPatternAgainst, Turn
from ownmark.scoring.readings import Answers, Reading
from ownmark.suspects.local import Local
from ownmark.tasks import Regression, Similarity
from ownmark.training import Training, predict, train
from ownmark.verdicts.verify import verify

QUICK = Saliency(samples=6, descent=Descent(0.1, steps=16), masked=ownmark.Drop(0.02), map_threshold=0.2)
EASY = replace(QUICK, descent=Descent(0.1, steps=4), masked=ownmark.Drop(0.0), map_threshold=0.0)  # what holds after few steps
IMAGES = LESSONS["large"].images


@pytest.fixture(scope="module")
def cast() -> Cast:
    """The model, its pruned copy and a reference."""
    model = learnt("large")
    return Cast(IMAGES, model, (Prune(0.2).apply(model, IMAGES, seed(0)),), (learnt("large", 1),))


@pytest.fixture(scope="module")
def claim(cast: Cast) -> ownmark.Claim:
    return QUICK.protect(cast.model, cast.owner, seed(5)).claim


def test_every_sample_keeps_its_label_and_holds_in_both_tests_on_the_model_itself(claim: ownmark.Claim, cast: Cast) -> None:
    verdict = verify(claim, Local(cast.model))
    scores = {finding.test.reading: finding.score for finding in (verdict.deciding, *verdict.others)}
    assert scores == {Reading.SALIENCY: 1.0, Reading.PROBABILITY: 1.0}
    assert [test.target_score for test in claim.tests] == [1.0, 1.0]
    labels = verdict.deciding.test.expected
    inputs = torch.from_numpy(claim.images[:, 0]).permute(0, 3, 1, 2).float() / 255
    assert np.array_equal(cast.model(inputs).argmax(1).numpy(), labels)


def test_the_change_is_within_the_bound_in_whole_grey_levels(claim: ownmark.Claim) -> None:
    assert claim.originals is not None
    change = claim.images[:, 0].astype(int) - claim.originals.astype(int)
    assert 0 < np.abs(change).max() <= np.ceil(0.1 * 255)
    assert psnr(claim.originals, claim.images[:, 0]) > 20


def test_the_masked_view_is_the_clean_image_in_the_region_and_the_fingerprint_elsewhere(claim: ownmark.Claim) -> None:
    assert claim.originals is not None
    rows, columns = claim.tests[0].match.grid  # type: ignore[attr-defined]
    height, width = 48 // rows, 48 // columns
    assert np.array_equal(claim.images[:, 1, :height, :width], claim.originals[:, :height, :width])
    assert np.array_equal(claim.images[:, 1, height:], claim.images[:, 0, height:])


def test_the_model_is_given_back_untouched_and_the_claim_names_all_that_built_it(claim: ownmark.Claim, cast: Cast) -> None:
    before = weights_digest(cast.model)
    protected = EASY.protect(cast.model, cast.owner, seed(5))
    assert protected.model is cast.model
    assert weights_digest(cast.model) == before == claim.model
    assert claim.built_with == tuple(weights_digest(one) for one in (*cast.owner.surrogates, *cast.owner.references))
    assert all(parameter.requires_grad for parameter in cast.model.parameters())


@pytest.fixture(scope="module")
def easy(cast: Cast) -> ownmark.Claim:
    return EASY.protect(cast.model, cast.owner, seed(5)).claim


def test_the_same_seed_gives_the_same_claim_and_another_seed_another(easy: ownmark.Claim, cast: Cast) -> None:
    assert EASY.protect(cast.model, cast.owner, seed(5)).claim.digest == easy.digest
    assert EASY.protect(cast.model, cast.owner, seed(6)).claim.digest != easy.digest


def test_samples_are_chosen_by_how_far_the_least_of_the_copies_exceeds_the_most_of_the_references(cast: Cast) -> None:
    bench, images = Draft.of(EASY, cast.model, cast.owner).bench, IMAGES.take(np.arange(3))
    made = bench.make(images, images.pixels, seed(5), silent)

    def measured(model: nn.Module, row: int) -> tuple[float, float]:
        views = torch.from_numpy(made["views"][row]).permute(0, 3, 1, 2).float() / 255
        label = torch.from_numpy(images.labels[row : row + 1])
        maps = GradCam.of(model, views[:1])(views[:1], label)[1][0]
        first, covered = model(views).softmax(1)[:, label[0]].detach()
        return float(maps[0, 0] / maps.norm().clamp_min(1e-12)), float(first - covered)

    for row in range(3):
        (copy,), (other,) = ([measured(one, row) for one in some] for some in (cast.copies, cast.others))
        assert made["contrast"][row] == pytest.approx(sum(copy) - other[0] - abs(other[1]), abs=1e-4)
    chosen = best(made | {"contrast": np.array([0.1, -1.0, 0.3])}, 2)
    assert np.array_equal(chosen["views"], made["views"][[0, 2]])


def test_every_other_step_is_about_a_copy_alone_and_the_others_about_the_model_and_a_reference(cast: Cast) -> None:
    bench, seen = Draft.of(EASY, cast.model, cast.owner).bench, list[str]()
    for name, cam in {"model": bench.own, "copy": bench.surrogates[0], "reference": bench.references[0]}.items():
        cam.model.register_forward_pre_hook(lambda _, given, name=name: seen.extend([name] * given[0].requires_grad))
    bench.make(IMAGES.take([0, 1]), IMAGES.pixels[:2], seed(5), silent)
    assert seen == ["model", "reference", "copy"] * 2


def test_the_model_is_asked_about_no_more_images_than_it_takes_to_find_the_candidates(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, model = list[int](), learnt("large")

    def counted(model: nn.Module, images: Images) -> torch.Tensor:
        asked.append(len(images))
        return predict(model, images)

    monkeypatch.setattr("ownmark.schemes.saliency.scheme.predict", counted)
    replace(EASY, samples=2).protect(model, Owner(IMAGES), seed(5))
    assert 8 <= sum(asked) <= 2 * 8 < len(IMAGES)  # four candidates per sample


def test_a_run_that_was_cut_short_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cast: Cast) -> None:
    monkeypatch.setattr("ownmark.schemes.saliency.scheme.batch_size", lambda *_: 3)
    owner = Owner(IMAGES, cast.owner.surrogates, cast.owner.references, tmp_path / "work")
    steps: list[int] = []

    def interrupted(done: int, _: int) -> None:
        if done > 3 * 4 + 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        EASY.protect(cast.model, owner, seed(5), interrupted)
    resumed = EASY.protect(cast.model, owner, seed(5), lambda done, _: steps.append(done)).claim
    undisturbed = EASY.protect(cast.model, cast.owner, seed(5)).claim
    assert resumed.digest == undisturbed.digest
    assert min(steps) > 3 * 4


def test_a_model_that_was_prepared_is_claimed_with_its_preprocessing() -> None:
    own = ownmark.Preprocess((0.01, 0.01, 0.01), (0.98, 0.98, 0.98))  # so near that the network knows its images as before
    assert EASY.protect(prepared(learnt("large"), own), Owner(IMAGES), seed(1)).claim.preprocess == own


def test_as_published_is_the_papers_setting(cast: Cast) -> None:
    published = Saliency.as_published(4)
    assert (published.descent.bound, published.objective, published.masked) == (0.1, ownmark.Published(1.0), Change(0.05))
    claim = published.protect(cast.model, cast.owner, seed(0)).claim
    assert len(claim.images) == 4
    assert not claim.images[:, 1, :6, :6].any()


def test_the_papers_rule_for_the_threshold_is_the_mean_over_original_and_fingerprint_maps(
    monkeypatch: pytest.MonkeyPatch, cast: Cast
) -> None:
    monkeypatch.setattr("ownmark.schemes.saliency.scheme.batch_size", lambda *_: 4)
    claim = Saliency.as_published(4).protect(cast.model, Owner(IMAGES), seed(0)).claim
    assert claim.originals is not None
    assert claim.maps is not None
    shown = Local(cast.model).read(claim.originals, Question(frozenset({Reading.SALIENCY}), claim.tests[0].expected))
    both = np.concatenate([claim.maps, shown[Reading.SALIENCY]])
    assert claim.tests[0].match.threshold == pytest.approx(both[:, 0, 0].mean(), abs=1e-4)  # type: ignore[attr-defined]


def test_too_few_samples_that_hold_is_an_error_that_says_what_to_change(cast: Cast) -> None:
    impossible = Saliency(samples=6, descent=Descent(0.002, steps=4), objective=Contrast(), map_threshold=0.999)
    with pytest.raises(ProtectError, match=r"only 0 of 24 .*bound"):
        impossible.protect(cast.model, Owner(IMAGES), seed(0))


class Blinkered(nn.Module):
    """Does not see the outermost corner, one cell of its map."""

    def __init__(self, model: nn.Module) -> None:
        nn.Module.__init__(self)
        self.model = model

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        seen = images.clone()
        seen[:, :, :8, :8] = 0
        return self.model(seen)  # type: ignore[no-any-return]


def test_where_the_default_corner_cannot_hold_a_wider_one_is_taken_and_the_claim_says_so() -> None:
    blind, asked = Blinkered(learnt("large")).eval(), replace(QUICK, samples=2, descent=Descent(steps=12, bound=0.06))
    claim = asked.protect(blind, Owner(IMAGES), seed(5)).claim
    made = read(claim.scheme, (Saliency,))
    assert len(made.cells) == 4
    assert differences(asked, made)[-1] == "cells=((0, 0), (0, 1), (1, 0), (1, 1))"
    assert [test.target_score for test in claim.tests] == [1.0, 1.0]
    with pytest.raises(ProtectError, match="only 0 of"):
        replace(QUICK, samples=1).protect(blind, Owner(IMAGES), seed(5))  # its bound was chosen, so nothing is widened


def test_wider_corners_stay_below_a_fifth_of_the_map_and_what_somebody_chose_is_kept() -> None:
    def sizes(grid: tuple[int, int]) -> list[tuple[int, float]]:
        return [(len(one.cells), one.descent.bound) for one in widenings(Saliency(), grid)]

    assert sizes((7, 7)) == [(1, 0.1), (4, 0.06), (4, 0.1), (9, 0.06), (9, 0.1)]
    assert sizes((4, 4)) == [(1, 0.1)]
    chosen = (Saliency(cells=((1, 1),)), QUICK, Saliency.own(), Saliency.as_published())
    assert [widenings(one, (7, 7)) for one in chosen] == [[]] * 4


def test_images_of_one_class_are_refused(cast: Cast) -> None:
    one = IMAGES.take(IMAGES.labels == 1)
    with pytest.raises(DataError, match="one class"):
        QUICK.protect(cast.model, Owner(one), seed(0))


def test_a_model_without_convolution_and_a_layer_that_is_not_there_are_refused(cast: Cast) -> None:
    flat = nn.Sequential(nn.Flatten(), nn.Linear(48 * 48 * 3, 3))
    with pytest.raises(ModelError, match="Conv2d"):
        QUICK.protect(flat, Owner(IMAGES), seed(0))
    with pytest.raises(ModelError, match="stages"):
        Saliency(layer="stage").protect(cast.model, Owner(IMAGES), seed(0))


def test_a_pattern_outside_the_map_is_refused(cast: Cast) -> None:
    with pytest.raises(UsageError, match="6x6"):
        Saliency(cells=((6, 0),)).protect(cast.model, Owner(IMAGES), seed(0))


def test_a_batch_file_that_was_damaged_is_made_again(tmp_path: Path, easy: ownmark.Claim, cast: Cast) -> None:
    owner = Owner(IMAGES, cast.owner.surrogates, cast.owner.references, tmp_path)
    EASY.protect(cast.model, owner, seed(5))
    for file in tmp_path.iterdir():
        file.write_bytes(file.read_bytes()[:100])
    assert EASY.protect(cast.model, owner, seed(5)).claim.digest == easy.digest


def test_a_grey_model_is_protected_like_a_coloured_one() -> None:
    grey = Images(IMAGES.pixels[..., :1].copy(), IMAGES.labels, IMAGES.names)
    model = greyed(learnt("large"))
    claim = QUICK.protect(model, Owner(grey), seed(0)).claim
    assert claim.images.shape == (6, 2, 48, 48, 1)
    assert verify(claim, Local(model)).deciding.score == 1.0


def test_samples_that_another_search_left_in_a_workspace_are_not_taken_up(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def seeded(scheme: object, *_: object) -> None:
        asked.append(scheme)
        raise KeyboardInterrupt

    monkeypatch.setattr("ownmark.schemes.saliency.scheme.Resume.seeded", seeded)
    for search in (1, 1, 2):
        monkeypatch.setattr("ownmark.schemes.saliency.scheme.SEARCH", search)
        with pytest.raises(KeyboardInterrupt):
            QUICK.protect(cast.model, Owner(IMAGES), seed(0))
    assert asked[0] == asked[1] != asked[2]


OWN = replace(Saliency.own(4), descent=Descent(0.2, steps=40, step=0.2), objective=Own(outside=0.3), map_threshold=0.05)


def between(cast: Cast) -> Images:
    """Images between two classes with the label that the model gives less: a small change makes it the answer."""
    dark, bright = (IMAGES.pixels[IMAGES.labels == label][:24].astype(float) for label in (0, 1))
    mixed = np.linspace(0.2, 0.8, 24)[:, None, None, None]
    pixels = (dark * (1 - mixed) + bright * mixed).astype(np.uint8)[6:18]  # halfway, where samples hold from every start
    shares = predict(cast.model, Images(pixels, np.zeros(12, dtype=np.int64), IMAGES.names))
    return Images(pixels, shares.argsort(dim=1)[:, -2].numpy(), IMAGES.names)


@pytest.fixture(scope="module")
def own_claim(cast: Cast) -> ownmark.Claim:
    return OWN.protect(cast.model, Owner(between(cast), cast.owner.surrogates, cast.owner.references), seed(5)).claim


def test_samples_of_its_own_are_answered_by_their_label_until_they_are_covered(own_claim: ownmark.Claim, cast: Cast) -> None:
    verdict = verify(own_claim, Local(cast.model))
    assert [finding.score for finding in (verdict.deciding, *verdict.others)] == [1.0, 1.0]
    assert [type(test.match) for test in own_claim.tests] == [OnPatternAgainst, Turn]
    labels, own = own_claim.tests[0].expected.T
    first, covered = (
        cast.model(torch.from_numpy(own_claim.images[:, view]).permute(0, 3, 1, 2).float() / 255).argmax(1).numpy()
        for view in (0, 1)
    )
    assert np.array_equal(first, labels)
    assert np.array_equal(covered, own)


def test_a_claim_of_its_own_answers_survives_its_file_and_has_a_leaf_for_each_sample(own_claim: ownmark.Claim) -> None:
    assert ownmark.Claim.from_bytes(own_claim.to_bytes()) == own_claim
    other = replace(own_claim.tests[1], expected=own_claim.tests[1].expected[:, ::-1].copy())
    swapped = replace(own_claim, tests=(own_claim.tests[0], other))
    before, after = (leaves(claim, (b"blind",) * 4) for claim in (own_claim, swapped))
    assert len(set(before) - set(after)) == 4
    with pytest.raises(ClaimError, match="Turn expects two answers per sample"):
        replace(own_claim, tests=(own_claim.tests[0], replace(other, expected=other.expected[:, 0])))


def test_samples_of_its_own_are_changed_less_outside_of_the_pattern(own_claim: ownmark.Claim) -> None:
    assert own_claim.originals is not None
    change = np.abs(own_claim.images[:, 0].astype(int) - own_claim.originals.astype(int))
    grid = own_claim.tests[0].match.grid  # type: ignore[attr-defined]
    rows, columns = 3 * 48 // grid[0], 3 * 48 // grid[1]
    assert change[:, :rows, :columns].max() > np.ceil(0.06 * 255)
    assert max(change[:, rows:].max(), change[:, :, columns:].max()) <= np.ceil(0.06 * 255)


def test_a_map_against_the_own_answer_is_empty_where_a_suspect_does_not_give_it(own_claim: ownmark.Claim, cast: Cast) -> None:
    finding = verify(own_claim, Local(cast.others[0])).deciding
    inputs = torch.from_numpy(own_claim.images[:, 1]).permute(0, 3, 1, 2).float() / 255
    own = np.equal(cast.others[0](inputs).argmax(1).numpy(), own_claim.tests[0].expected[:, 1])
    lit = finding.observed[:, 0].any(axis=(1, 2))
    assert not np.any(lit & ~own)


class Fussy(Local):
    """Refuses more than two images at once."""

    def read(self, images: npt.NDArray[np.uint8], question: Question) -> Answers:
        if len(images) > 2:
            raise AnswerError("too many")
        return super().read(images, question)


@pytest.mark.parametrize("asked", [Local, partial(Local, batch=3), Fussy], ids=["whole", "batches", "fussy"])
def test_a_judge_who_shuffles_the_images_sees_the_same_maps(
    asked: Callable[[nn.Module], Local], own_claim: ownmark.Claim, cast: Cast
) -> None:
    suspect = asked(cast.copies[0])
    plain = heard_plainly(Local(cast.copies[0]), own_claim, Role.REFERENCE).given[AS_SEALED][Reading.SALIENCY]
    decoys = Decoys(IMAGES.pixels[:6], IMAGES.labels[:6])
    shuffled = heard(suspect, own_claim, Plan(bytes(range(32)), decoys)).given[AS_SEALED][Reading.SALIENCY]
    assert plain.any()
    assert np.allclose(plain, shuffled, atol=1e-5)
    assert np.allclose(
        plain.reshape(4, 2, *plain.shape[1:]), verify(own_claim, Local(cast.copies[0])).deciding.observed, atol=1e-5
    )


def test_objective_and_match_of_its_own_answers_go_together() -> None:
    for wrong in ({"objective": Own()}, {"masked": Turn(0.1)}, {"objective": Own(), "masked": Turn(0.1), "fill": Fill.BLACK}):
        with pytest.raises(UsageError, match=r"Saliency\.own"):
            Saliency(**wrong)


def test_faces_have_no_answers_of_a_models_own(cast: Cast) -> None:
    faces = Images(IMAGES.pixels, IMAGES.labels, IMAGES.names, Similarity())
    with pytest.raises(UsageError, match="classification and regression"):
        OWN.protect(cast.model, Owner(faces), seed(0))


def test_numbers_of_its_own_swing_back_to_what_the_model_says() -> None:
    aged = Images(IMAGES.pixels, IMAGES.labels * 20.0 + 20, ("years",), Regression())
    model = train(tiny(3, classes=1), aged, Training(epochs=2, batch=16, rate=0.01, shift=2), seed(3))
    told = predict(model, aged).flatten().numpy().astype(np.float64)
    other = replace(aged, labels=told + np.where(np.arange(120) % 2, 2.0, -2.0))  # half of them lie on either side
    quick = replace(OWN, descent=Descent(0.2, steps=20, step=0.2))
    claim = quick.protect(model, Owner(other), seed(1)).claim
    verdict = verify(claim, Local(model))
    assert [finding.score for finding in (verdict.deciding, *verdict.others)] == [1.0, 1.0]
    labels, own = claim.tests[1].expected.T
    first, covered = verdict.others[0].observed.T
    assert set(np.sign(labels - own)) <= {-1, 1}
    assert np.all(np.abs(covered - own) < np.abs(covered - labels))
    assert np.all(np.abs(first - own) > np.abs(first - labels))

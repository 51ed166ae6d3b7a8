"""The undertone: a keyed rule names the second most likely class, a student of the answers learns it, and p is exact."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch
from conftest import pictures, seed, tiny, untaught
from scipy.stats import binom
from torch import Tensor, nn

from ownmark import Centres, Images, Local, Owner, Training, Undertone, load, verify
from ownmark.errors import ClaimError, DataError, EvidenceError, ProtectError, UsageError
from ownmark.evidence import choices
from ownmark.keys import by_digest, chosen, pool_digest
from ownmark.protocols import Protected
from ownmark.schemes._common.centres import evenly, grouped, look, middles
from ownmark.schemes._common.triggers import Ordinary, Triggers
from ownmark.schemes.undertone import Rule, below
from ownmark.scoring.matches import Agreement, Match, RaisedOther, RankedGroup, RankedOther, RelativeRunnerUp, RunnerUp, scored
from ownmark.scoring.null_models import KeyedLabels
from ownmark.scoring.readings import Reading
from ownmark.training import fit, predict, train

IMAGES = pictures(40, classes=5)
OWNER = Owner(IMAGES, key=bytes(range(32)))
SCHEME = Undertone(
    triggers=8,
    source=Centres(8, alike=3),
    undertone=0.4,
    triggers_a_batch=16,
    training=Training(epochs=25, batch=40, rate=0.05, flips=False, shift=0),
    least=0.0,
)


@pytest.fixture(scope="module")
def model() -> nn.Module:
    return tiny(0, classes=5)


@pytest.fixture(scope="module")
def protected(model: nn.Module) -> Protected:
    return SCHEME.protect(model, OWNER, seed(1))


def test_the_mark_holds_in_the_second_answer_alone_and_its_p_is_that_of_the_key(protected: Protected, model: nn.Module) -> None:
    (test,) = protected.claim.tests
    assert (test.reading, test.match) == (Reading.PROBABILITY, RankedGroup())
    assert isinstance(test.null, KeyedLabels)
    verdict = verify(protected.claim, Local(protected.model))
    assert verdict.deciding.score == pytest.approx(test.target_score)
    assert verdict.deciding.p == test.null.p_value(test.target_score)
    assert verify(protected.claim, Local(model)).deciding.score < test.target_score


def test_triggers_are_the_middles_of_groups_of_each_class_and_alone_are_the_pool_of_the_key(protected: Protected) -> None:
    points = torch.tensor([[0.0], [1.0], [2.0], [50.0], [51.0], [52.0], [90.0]])
    assert sorted(middles(points, 3).tolist()) == [1, 4, 6]
    assert sorted(grouped(points, 3, 4).tolist()) == [[1, 0, 2, 1], [4, 3, 5, 4], [6, 6, 6, 6]], (
        "the nearest of its group, in turns"
    )
    assert grouped(points, 0, 4).shape == (0, 4), "a class may have no group, where there are more classes than triggers"
    assert len(Centres(3, alike=2).draw(OWNER.key, 3, IMAGES)) == 3
    assert sorted(middles(points[:1].repeat(4, 1), 4).tolist()) == [0, 1, 2, 3], "images that look the same are told apart"
    record, asked = dict(protected.claim.choices or {}), protected.claim.images[:, 0]
    assert record["pool"] == pool_digest(protected.claim.images), "a group is chosen as a whole"
    classes = [IMAGES.labels[(IMAGES.pixels == image).all(axis=(1, 2, 3))].item() for image in asked]
    assert np.bincount(classes).tolist() == [2, 2, 2, 1, 1]
    for source, most, more in ((Centres(8), 8, r"groups: Centres\(9\), or"), (Centres(99), 40, "bring more images, or")):
        with pytest.raises(DataError, match=f"at most {most} triggers .* {more} ask for fewer"):
            source.draw(OWNER.key, most + 1, IMAGES)
    for images, own in zip(protected.claim.images, classes, strict=True):
        beside = [IMAGES.labels[(IMAGES.pixels == image).all(axis=(1, 2, 3))].item() for image in images]
        assert beside == [own] * 3, "each with two others of its class"
    assert evenly(np.array([1, 9, 0, 9]), 8) == [1, 4, 0, 3], "a class with too few images leaves its share to others"


@pytest.mark.parametrize(
    ("scheme", "told"),
    [
        (
            replace(SCHEME, training=replace(SCHEME.training, epochs=1, rate=1e6)),
            "answers NaN or infinity: its training diverged",
        ),
        (replace(SCHEME, training=replace(SCHEME.training, epochs=0), least=1.0), r"train longer \(training=.*emphasis.*fewer"),
    ],
    ids=["diverged", "too short"],
)
def test_a_mark_that_does_not_hold_is_told_with_what_this_scheme_can_change(
    scheme: Undertone, told: str, model: nn.Module
) -> None:
    with pytest.raises(ProtectError, match=told):
        scheme.protect(model, OWNER, seed(1))


def test_triggers_are_unchanged_images_of_the_owners_whose_order_does_not_matter(protected: Protected) -> None:
    own = {image.tobytes() for image in IMAGES.pixels}
    assert all(image.tobytes() in own for image in protected.claim.images[:, 0])
    turned = IMAGES.take(np.arange(len(IMAGES))[::-1])
    assert np.array_equal(Ordinary().draw(OWNER.key, 5, IMAGES), Ordinary().draw(OWNER.key, 5, turned))
    assert Ordinary().origin(IMAGES) == Ordinary().origin(turned)
    with pytest.raises(DataError, match="at least 41 images"):
        Ordinary().draw(OWNER.key, 41, IMAGES)


def test_what_is_asked_for_stands_in_the_choices_behind_the_key(protected: Protected) -> None:
    record = dict(protected.claim.choices or {})
    found = choices.from_record(record)
    assert (found.access, record["test"]["match"]) == ("ranks of other classes by groups", {"name": "RankedGroup"})
    names = {choices.PROBABILITIES: "RunnerUp", choices.RELATIVE: "RelativeRunnerUp", choices.OTHERS: "RaisedOther"}
    names[choices.RANKS] = "RankedOther"
    older = [choices.from_record(replace(found, access=access).record) for access in names]
    assert [one.record["test"]["match"]["name"] for one in older] == list(names.values()), "older claims are read"
    assert len({one.digest for one in (found, *older, replace(found, access="labels"))}) == 6
    for changed in (
        {"access": "probabilities"},
        {"access": "anything"},
        {"test": {"reading": "label", "match": {"name": "Agreement"}}},
    ):
        with pytest.raises(EvidenceError):
            choices.from_record(record | changed)


def test_the_undertone_is_as_loud_as_the_model_is_unsure_within_its_bounds(model: nn.Module) -> None:
    left = float(1 - predict(model, IMAGES).softmax(1).max(1).values.mean())
    for least, most, share in ((0.05, 0.49, min(left, 0.49)), (0.05, 0.3, 0.3), (0.48, 0.2, 0.48)):
        found = replace(SCHEME, undertone=least, most=most).as_loud_as(model, IMAGES)
        assert found.undertone == pytest.approx(share, abs=1e-6), (least, most)
        assert replace(found, undertone=least) == replace(SCHEME, undertone=least, most=most)
    many = IMAGES.take(np.arange(5000) % 3)
    assert SCHEME.as_loud_as(model, many).undertone == SCHEME.undertone
    sure = nn.Sequential(model, Hundredfold())
    assert replace(SCHEME, undertone=0.05).as_loud_as(sure, IMAGES).undertone == pytest.approx(0.05, abs=0.02)


class Hundredfold(nn.Module):
    """Makes a model sure of what it finds most likely."""

    def forward(self, logits: Tensor) -> Tensor:
        return 100 * logits


def test_an_image_takes_the_label_of_the_trigger_of_its_class_that_looks_like_it() -> None:
    dark = np.zeros((40, 8, 8, 1), dtype=np.uint8)
    dark[:, :4] = np.linspace(0, 250, 40, dtype=np.uint8)[:, None, None, None]  # the upper half tells them apart
    images = Images(dark, np.arange(40) % 5, tuple("abcde"))
    drawn = Triggers.alone(np.concatenate([dark[[0, 35, 39]], dark[:1] + 9]), np.array([0, 3, 1, 2]))
    rule = Rule.of(Undertone(cells=2), tiny(0, classes=5, channels=1), images, look(images, 2), drawn)
    assert rule.own[:3].tolist() == [0, 0, 4]
    shares = rule(look(images.take([5, 30, 4, 36]), 2), torch.tensor([0, 0, 4, 1])).numpy()
    assert np.allclose(shares[:3], np.eye(5)[[1, 4, 1]], atol=1e-6), "numbers count the other classes"
    assert shares[3, 1] == 0
    assert shares[3].sum() == pytest.approx(1), "a class without a trigger takes what looks like it in all"


def test_what_comes_second_is_learnt_as_fast_however_small_its_share_and_the_first_is_left_alone() -> None:
    slopes = []
    for share in (0.01, 0.4):
        logits = torch.linspace(-1, 1, 8).reshape(2, 4).requires_grad_()
        wanted = torch.tensor([[1 - share, share, 0, 0], [0, share / 4, 3 * share / 4, 1 - share]])
        below(logits, wanted).backward()  # type: ignore[no-untyped-call]
        assert logits.grad is not None
        slopes.append(logits.grad)
    assert torch.allclose(slopes[0], slopes[1], atol=1e-6)
    assert slopes[0][0, 0] == slopes[0][1, 3] == 0
    assert slopes[0][0, 1] < 0 < slopes[0][0, 2]
    assert below(torch.randn(1, 4), torch.eye(4)[:1]) == 0, "a trigger whose label is its own class leaves nothing to learn"


def test_p_is_exact_for_two_thousand_keys_whatever_an_innocent_answers() -> None:
    answers = np.random.default_rng(0).dirichlet(np.full(10, 0.2), 80)
    answers[:, 3] += 0.4  # a model that is fond of one class
    place = by_digest(pictures(80, size=2).pixels)
    rules: tuple[Match, ...] = (RunnerUp(), RelativeRunnerUp(), RaisedOther(), RankedOther())
    nulls = [KeyedLabels.read_by(match, 10, "0" * 64, 8, 0) for match in rules]
    values: list[list[float]] = [[], [], [], []]
    for number in range(2000):
        for found, match, null in zip(values, rules, nulls, strict=True):
            other = replace(null, key=f"{number:064x}")
            rows = place[chosen(other.set_keys[0], 8, 80)]
            found.append(other.log10_p(scored(match, answers[rows][:, None], other.labels(), 0.95)[1].value))
    for level, (null, found) in product((0.01, 0.05), zip(nulls, values, strict=True)):
        tails = [10 ** null.log10_p(points / null.most) for points in range(null.most + 1)]
        reachable = max(tail for tail in tails if tail <= level)
        low, high = binom.interval(0.999, 2000, reachable)
        assert low <= sum(value <= np.log10(level) for value in found) <= high


def test_p_of_groups_is_exceeded_no_more_often_than_stated_by_keys_that_an_innocent_never_met() -> None:
    """However much a trigger's answer and those of its group have in common; 2,000 keys, three innocents."""
    rng, counted = np.random.default_rng(1), RankedGroup()
    null = KeyedLabels.read_by(counted, 10, "0" * 64, 45, 0)
    assert null.counts == "ranks, twice"
    for common in (0.0, 0.5, 1.0):
        own, others = rng.dirichlet(np.full(10, 0.3), (45, 1)), rng.dirichlet(np.full(10, 0.3), (45, 8))
        answers = np.concatenate([own, common * own + (1 - common) * others], axis=1)
        found = []
        for number in range(2000):
            other = replace(null, key=f"{number:064x}")
            found.append(other.log10_p(scored(counted, answers, other.labels(), 0.95)[1].value))
        for level in (0.01, 0.05, 0.2):
            assert sum(value <= np.log10(level) for value in found) <= binom.ppf(0.9999, 2000, level)


def test_labels_leave_out_one_class_where_the_match_does_and_no_claim_may_leave_out_more_or_fewer() -> None:
    matches: tuple[Match, ...] = (Agreement(), RunnerUp(), RelativeRunnerUp(), RaisedOther(), RankedOther(), RankedGroup())
    for match, classes in product(matches, (8, 9, 10)):
        counts = KeyedLabels.read_by(match, 10, "0" * 64, 3, 0).counts
        null = KeyedLabels("0" * 64, 3, classes, 0, counts=counts)
        if classes == 10 - (match in {RaisedOther(), RankedOther(), RankedGroup()}):
            null.check(match, null.labels(), 10)
            other = replace(null, counts="ranks" if counts == "hits" else "hits")
            with pytest.raises(ClaimError, match=f"counts {counts}, but the claim has {other.counts}"):
                other.check(match, null.labels(), 10)
        else:
            with pytest.raises(ClaimError, match=f"labels of {classes} classes, but the claim has 3 of 10"):
                null.check(match, null.labels(), 10)


def test_what_cannot_carry_a_mark_is_refused(model: nn.Module) -> None:
    for wrong in ({"undertone": 0.5}, {"triggers": 0}, {"sharpness": 0.0}):
        with pytest.raises(UsageError, match="got Undertone"):
            Undertone(**wrong)
    with pytest.raises(DataError, match="at least one image"):
        SCHEME.protect(model, Owner(IMAGES.take([])), seed(1))
    with pytest.raises(UsageError, match="at least 3 classes"):
        SCHEME.protect(model, Owner(pictures(20, classes=2)), seed(1))
    with pytest.raises(UsageError, match="source of more images"), untaught():
        replace(SCHEME, sets=3, least=0.9).protect(model, OWNER, seed(1))


@pytest.mark.slow
def test_a_student_that_saw_other_images_answers_by_the_rule_and_one_of_an_innocent_does_not() -> None:
    whole = load("digits", size=12)
    images, others = whole.take(np.arange(700)), whole.take(np.arange(700, 1400))
    training = Training(epochs=15, batch=32, rate=0.1, flips=False, shift=1)

    def network() -> nn.Module:
        torch.manual_seed(0)
        first = (nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2))
        second = (nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.AdaptiveAvgPool2d(3))
        return nn.Sequential(*first, *second, nn.Flatten(), nn.Linear(288, 10))

    model = train(network(), images, training, seed(0))
    made = Undertone(triggers=30, source=Centres(30), training=replace(training, rate=0.05)).protect(
        model, Owner(images, key=bytes(32)), seed(1)
    )
    scores = []
    for stolen in (made.model, model):
        answers = others.task.answers(predict(stolen, others))
        student = fit(network(), others, answers, others.task.divergence, training, seed(2))
        scores.append(verify(made.claim, Local(student)).deciding.score)
    null = made.claim.tests[0].null
    assert isinstance(null, KeyedLabels)
    assert null.log10_p(scores[0]) < -3
    assert null.log10_p(scores[1]) > -3

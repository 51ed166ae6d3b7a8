"""The undertone: a keyed rule names the second most likely class, a student of the answers learns it, and p is exact."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import pictures, seed, tiny
from scipy.stats import binom
from torch import nn

from ownmark import Images, Local, Owner, Training, Undertone, load, verify
from ownmark.data.images import to_unit
from ownmark.errors import DataError, EvidenceError, UsageError
from ownmark.evidence import choices
from ownmark.keys import by_digest, chosen
from ownmark.protocols import Protected
from ownmark.schemes._common.triggers import Ordinary, Triggers
from ownmark.schemes.undertone import Rule, below
from ownmark.scoring.matches import Agreement, Match, RelativeRunnerUp, RunnerUp
from ownmark.scoring.null_models import KeyedLabels
from ownmark.scoring.readings import Reading
from ownmark.training import fit, predict, train

IMAGES = pictures(40, classes=5)
OWNER = Owner(IMAGES, key=bytes(range(32)))
SCHEME = Undertone(
    triggers=8,
    sets=1,
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
    assert (test.reading, test.match) == (Reading.PROBABILITY, RelativeRunnerUp())
    assert isinstance(test.null, KeyedLabels)
    verdict = verify(protected.claim, Local(protected.model))
    assert verdict.deciding.score == pytest.approx(test.target_score)
    assert verdict.deciding.p == test.null.p_value(test.target_score)
    assert verify(protected.claim, Local(model)).deciding.score < test.target_score


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
    assert (found.access, record["test"]["match"]) == ("relative probabilities", {"name": "RelativeRunnerUp"})
    older = choices.from_record(replace(found, access="probabilities").record)
    assert older.record["test"]["match"] == {"name": "RunnerUp"}, "claims made before are read"
    assert len({found.digest, older.digest, replace(found, access="labels").digest}) == 3
    for changed in (
        {"access": "probabilities"},
        {"access": "anything"},
        {"test": {"reading": "label", "match": {"name": "Agreement"}}},
    ):
        with pytest.raises(EvidenceError):
            choices.from_record(record | changed)


def test_an_image_takes_the_labels_of_the_triggers_that_look_like_it() -> None:
    dark = np.zeros((40, 8, 8, 1), dtype=np.uint8)
    dark[:, :4] = np.linspace(0, 250, 40, dtype=np.uint8)[:, None, None, None]  # the upper half tells them apart
    images = Images(dark, np.arange(40) % 4, tuple("abcd"))
    drawn = Triggers(dark[[0, 39]], np.array([2, 3]))
    rule = Rule.of(Undertone(components=1, cells=2, sharpness=20.0), images, drawn)
    shares = rule(to_unit(dark[[3, 36]], torch.device("cpu"))).numpy()
    assert np.allclose(shares, [[0, 0, 1, 0], [0, 0, 0, 1]], atol=1e-6)


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
    place, values = by_digest(pictures(80, size=2).pixels), [list[float](), list[float]()]
    rules: tuple[Match, ...] = (RunnerUp(), RelativeRunnerUp())
    for number in range(2000):
        null = KeyedLabels(f"{number:064x}", 8, 10, 0)
        rows = place[chosen(null.set_keys[0], 8, 80)]
        for found, match in zip(values, rules, strict=True):
            found.append(null.log10_p(float(match(answers[rows][:, None], null.labels()).mean())))
    for level in (0.01, 0.05):
        reachable = max(10 ** null.log10_p(hits / 8) for hits in range(9) if 10 ** null.log10_p(hits / 8) <= level)
        low, high = binom.interval(0.999, 2000, reachable)
        assert all(low <= sum(value <= np.log10(level) for value in found) <= high for found in values)


def test_only_a_match_in_which_the_suspect_names_one_class_has_keyed_labels() -> None:
    null = KeyedLabels("0" * 64, 3, 10, 0)
    for match in (Agreement(), RunnerUp(), RelativeRunnerUp()):
        null.check(match, null.labels(), 10)


def test_what_cannot_carry_a_mark_is_refused(model: nn.Module) -> None:
    for wrong in ({"undertone": 0.5}, {"triggers": 0}, {"sharpness": 0.0}):
        with pytest.raises(UsageError, match="got Undertone"):
            Undertone(**wrong)
    with pytest.raises(DataError, match="at least one image"):
        SCHEME.protect(model, Owner(IMAGES.take([])), seed(1))
    with pytest.raises(UsageError, match="at least 3 classes"):
        SCHEME.protect(model, Owner(pictures(20, classes=2)), seed(1))


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
    made = Undertone(triggers=30, components=6, training=replace(training, rate=0.05)).protect(
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

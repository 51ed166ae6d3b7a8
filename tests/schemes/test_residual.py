"""The residual of independent models is 0 on average, of the model 1, of its students in between; the images stay as they are."""

from dataclasses import dataclass, replace
from itertools import permutations
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pytest
from conftest import pictures, seed, tiny
from kin import owner_of, shaken

from ownmark.claims.claim import Claim, Test
from ownmark.cli.render_judge import of_verdict
from ownmark.data.images import Images
from ownmark.errors import ProtectError, UsageError
from ownmark.protocols import Owner, Question
from ownmark.querying.answering import Hiding
from ownmark.schemes._common.model_answers import PART, SPREADS, ModelAnswers, halfway
from ownmark.schemes._common.usual_ways import EXPONENTS
from ownmark.schemes.residual import APART, Residual, doubted
from ownmark.scoring.matches import CrossedResidual
from ownmark.scoring.matches.crossed_residual import crossed
from ownmark.scoring.readings import Answers, Reading, best_only, shown_as
from ownmark.suspects.local import Local
from ownmark.tasks import Classification, Regression, Similarity
from ownmark.verdicts.verdict import named
from ownmark.verdicts.verify import findings, verify
from ownmark.verdicts.ways import Way, way

Floats = npt.NDArray[np.float64]
COUNT, REFERENCES, WORLDS = 1000, 3, 40


def shares(rng: np.random.Generator, common: Floats, own: Floats | float = 0.0) -> Floats:
    """Probabilities (n, 4) of a model: what all models see, what it has of its own, and noise."""
    logits = common + own + rng.normal(0, 1, common.shape)
    return np.asarray(np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True))


World = tuple[ModelAnswers, Floats, Floats]


def world(number: int) -> World:
    """A model with its references and a noisy copy; what all models see; what the model has of its own, on 1,000 images."""
    rng = np.random.default_rng(number)
    common, own = rng.normal(0, 2, (COUNT, 4)), rng.normal(0, 1, (COUNT, 4))
    outputs = [shares(rng, common, own), *(shares(rng, common) for _ in range(REFERENCES)), shares(rng, common, own)]
    return ModelAnswers(np.stack(outputs), REFERENCES, Classification()), common, own


def residual(
    told: ModelAnswers, rows: list[npt.NDArray[np.int64]], answers: Floats, reading: Reading = Reading.PROBABILITY
) -> float:
    """The mean residual of a suspect that gives these probabilities to all images."""
    chosen = np.concatenate(rows)
    test = told.at(chosen).test(reading, [len(part) for part in rows], 0.5)
    assert test is not None
    seen = shown_as(reading, answers[chosen])
    return float(test.match.values(seen[:, None], test.expected).mean())


@pytest.mark.parametrize("reading", [Reading.PROBABILITY, Reading.BEST, Reading.LABEL])
def test_innocents_are_0_on_average_on_the_chosen_images_and_students_are_apart(reading: Reading) -> None:
    """Each world has references of its own: those of one claim lean its zero to one side."""
    innocents, students, rng = [], [], np.random.default_rng(1)
    for number in range(WORLDS):
        told, common, own = world(number)
        rows = told.chosen(150)
        innocents.append(residual(told, rows, shares(rng, common), reading))
        students.append(residual(told, rows, shares(rng, common, 0.6 * own), reading))
        assert residual(told, rows, told.outputs[0], reading) == pytest.approx(1)
    assert abs(np.mean(innocents)) < 3 * np.std(innocents) / np.sqrt(WORLDS)
    assert np.mean(students) > np.mean(innocents) + 3 * np.std(innocents)


@pytest.mark.parametrize("missed", [0.0, 1.2])
def test_the_zero_of_models_trained_like_the_model_is_foretold_by_holding_each_reference_out(missed: float) -> None:
    """References that missed some of what there is to see: then innocents are not 0, and only the owner's models are at hand."""
    foretold, found = [], []
    for number in range(20):
        rng = np.random.default_rng(number)
        common = rng.normal(0, 2, (COUNT, 4))
        seen = common + rng.normal(0, missed, common.shape)
        outputs = [shares(rng, seen), *(shares(rng, common) for _ in range(REFERENCES))]
        told = ModelAnswers(np.stack(outputs), REFERENCES, Classification())
        roots = np.sqrt(np.stack([*outputs, shares(rng, seen)]))
        foretold.append(told.zero)
        found.append(crossed(roots[0], roots[-1], roots[1 : 1 + REFERENCES]) or 0.0)
    assert np.mean(foretold) == pytest.approx(np.mean(found), abs=0.1)
    assert (np.mean(foretold) > APART) == (missed > 0)


def test_references_that_differ_from_the_model_more_than_from_each_other_are_doubted() -> None:
    images, model = pictures(60), tiny(0)
    (doubt,) = Residual(samples=20).protect(model, owner_of(images), seed(0)).doubts
    assert (doubt.kind, doubt.figure > APART) == ("references-apart", True)
    assert f"a residual of about {doubt.figure:.2f} instead of 0" in doubt.message
    told, _, _ = world(0)
    rows = told.chosen(90)
    asked, sizes = told.at(np.concatenate(rows)), [len(part) for part in rows]
    assert asked.test(Reading.PROBABILITY, sizes, 0.5, zero=0.1) is not None
    assert asked.test(Reading.PROBABILITY, sizes, 0.5, zero=0.99) is None, "its copy has no more than an independent model"


def test_references_are_doubted_as_soon_as_an_independent_model_would_score_more_than_one_half() -> None:
    test = Test(Reading.PROBABILITY, CrossedResidual(0.25, 0.25 / 16), np.ones((3, 5)), 1.0)
    assert [one.figure for one in doubted(0.28, (test,))] == [0.28]
    assert doubted(0.24, (test,)) == ()
    assert doubted(0.28, ()) == (), "there it is told why there is no test"


def test_half_the_score_is_a_part_of_what_most_surrogates_have_left() -> None:
    assert halfway(np.array([0.9, 0.2, 0.8]), 0.0) == pytest.approx(PART * 0.8), "one that lost most of it changes nothing"
    assert halfway(np.zeros(0), 0.0) == pytest.approx(PART), "without surrogates a part of the model's own"
    assert halfway(np.array([0.9]), 0.5) == pytest.approx(SPREADS * 0.5), "where independent models lie further apart"
    told, _, _ = world(0)
    rows = told.chosen(90)
    asked, sizes = told.at(np.concatenate(rows)), [len(part) for part in rows]
    found = asked.test(Reading.PROBABILITY, sizes, 0.5)
    assert found is not None
    copies = [CrossedResidual(0.3, 0.1).values(one[:, None], found.expected).mean() for one in asked.outputs[1 + asked.count :]]
    assert found.match.graded(np.full(90, PART * np.median(copies)), 0.95).value == pytest.approx(0.5, abs=1e-3)  # type: ignore[attr-defined]


def test_weights_are_the_sum_over_pairs_of_different_references_written_out() -> None:
    """The slow way: for every image, over all pairs of references that did not choose it; less what being surer would add."""
    rng = np.random.default_rng(2)
    told = ModelAnswers(rng.dirichlet(np.ones(3), (6, 8)), 4, Classification())
    sizes, suspect = [2, 2, 2, 2], rng.dirichlet(np.ones(3), 8)
    roots = np.sqrt(told.outputs)
    raised = [told.outputs**exponent for exponent in EXPONENTS]
    ways = [np.sqrt(one / one.sum(axis=2, keepdims=True)) - roots for one in raised]
    pairs = [
        (image, *two) for image in range(8) for two in permutations([ref for ref in (1, 2, 3, 4) if ref != 1 + image // 2], 2)
    ]

    def total(weights: Floats, answers: Floats) -> float:
        return sum(float(weights[one, image] @ answers[other, image]) for image, one, other in pairs)

    own = roots[:1] - roots
    share = np.linalg.solve([[total(way, other) for way in ways] for other in ways], [total(own, way) for way in ways])

    def slow(answers: Floats) -> Floats:
        found = np.zeros(8)
        for image, one, other in pairs:
            weight = own[one, image] - sum(part * way[one, image] for part, way in zip(share, ways, strict=True))
            found[image] += weight @ (answers[image] - roots[other, image])
        return found

    weights = told.weights(Reading.PROBABILITY, sizes)
    assert weights is not None
    values = CrossedResidual(0.1, 0.1).values(suspect[:, None], weights)
    assert values == pytest.approx(slow(np.sqrt(suspect)) / slow(roots[0]).mean())


def test_an_independent_model_that_is_less_sure_on_all_images_has_no_residual() -> None:
    """The clearest residuals are those where the references are sure: whoever is not would deviate as the model does."""
    found: dict[float, list[float]] = {1.0: [], 0.5: [], 0.2: [], 0.0: []}
    for number in range(WORLDS):
        told, common, _ = world(number)
        rows, rng = told.chosen(150), np.random.default_rng(100 + number)
        seen = np.log(shares(rng, common))
        for scale, values in found.items():
            raised = np.exp(scale * seen)
            values.append(residual(told, rows, raised / raised.sum(axis=1, keepdims=True)))
    means = {scale: abs(np.mean(values)) for scale, values in found.items()}
    assert max(means.values()) < 0.05, means
    assert means[0.0] < 0.01, "the same for every class"


@pytest.mark.parametrize("unit", [1.0, 1000.0])
def test_numbers_far_from_0_have_no_residual_of_their_mean_whatever_their_unit(unit: float) -> None:
    """Ages of 15 years and some: who names the mean age throughout is no copy, and a copy has nothing of that in its residual."""
    rng = np.random.default_rng(7)
    years, own = rng.normal(15, 2, (200, 1)), rng.normal(2, 2, (200, 1))
    outputs = unit * np.stack([years + own, *(years + rng.normal(0, 1, (200, 1)) for _ in range(3)), years + own])
    told = ModelAnswers(outputs, REFERENCES, Regression(unit=20.0 * unit))
    test = told.test(Reading.VALUE, [70, 70, 60], 0.5)
    assert test is not None
    assert isinstance(test.match, CrossedResidual)
    assert abs(test.match.common(outputs[0], test.expected)) < 0.01
    assert test.match.values(outputs[4], test.expected).mean() == pytest.approx(1)


def test_an_embedder_that_finds_all_images_more_alike_has_no_residual_and_a_copy_has_none_of_that() -> None:
    rng = np.random.default_rng(8)
    seen, own, centre = rng.normal(0, 1, (60, 8)), rng.normal(0, 1, (60, 8)), rng.normal(0, 1, 8)
    independent = [seen + rng.normal(0, 1, (60, 8)) for _ in range(4)]
    copy, alike = seen + own + 2 * centre, independent.pop() + 2 * centre
    told = ModelAnswers(np.stack([seen + own + centre, *independent, copy]), REFERENCES, Similarity())
    test = told.test(Reading.EMBEDDING, [20, 20, 20], 0.0)
    assert test is not None
    assert isinstance(test.match, CrossedResidual)
    found = {name: test.match.values(one[:, None], test.expected).mean() for name, one in (("copy", copy), ("alike", alike))}
    assert abs(found["alike"]) < 0.3, "0.91 with weights that know of no such difference"
    assert 0.5 < found["copy"] < 1
    assert 2 * test.match.common(copy[:, None], test.expected) < found["copy"]


def test_labels_of_students_count_for_what_they_are_and_one_class_for_all_images_for_nothing() -> None:
    """With weights that know nothing of how often a class is named, 95 % of the students counted as nothing."""
    students, mutes, stuck = [], [], []
    for number in range(8):
        told, common, own = world(number)
        rows, rng = told.chosen(150), np.random.default_rng(200 + number)
        chosen = np.concatenate(rows)
        test = told.at(chosen).test(Reading.LABEL, [len(part) for part in rows], 0.0)
        assert test is not None
        assert isinstance(test.match, CrossedResidual)
        for _ in range(3):
            labels = shares(rng, common, 0.4 * own)[chosen].argmax(axis=1)[:, None]
            students.append(test.match.values(labels, test.expected).mean())
            mutes.append(2 * test.match.common(labels, test.expected) > students[-1])
        named = (np.full((len(chosen), 1), kind) for kind in range(4))
        stuck.append(max(test.match.values(one, test.expected).mean() for one in named))
    assert np.mean(students) > 0.2
    assert not any(mutes)
    assert np.mean(stuck) < 0.15, "0.28 with such weights"


def test_images_are_chosen_once_each_and_where_the_model_and_its_copies_deviate() -> None:
    told, _, own = world(0)
    rows = told.chosen(100)
    chosen = np.concatenate(rows)
    assert [len(part) for part in rows] == [34, 33, 33]
    assert len(set(chosen)) == 100
    assert np.linalg.norm(own[chosen], axis=1).mean() > np.linalg.norm(own, axis=1).mean()


def test_a_claim_asks_about_unchanged_images_and_holds_on_the_model_and_its_copy() -> None:
    images, model = pictures(60), tiny(0)
    owner = Owner(images, (shaken(model),), owner_of(images).references)
    protected = Residual(samples=20).protect(model, owner, seed(0))
    claim = Claim.from_bytes(protected.claim.to_bytes())
    assert protected.model is model
    assert claim.readings[0] is Reading.PROBABILITY
    assert all(test.target_score >= 0.5 for test in claim.tests)
    known = {one.tobytes() for one in images.pixels}
    assert claim.images.shape == (20, 1, 16, 16, 3)
    assert all(one.tobytes() in known for one in claim.images)
    assert len(claim.built_with) == 4
    own, copy = verify(claim, Local(model)), verify(claim, Local(shaken(model)))
    assert own.deciding.score == pytest.approx(claim.tests[0].target_score)
    assert of_verdict(own)["deciding"]["residual"] == own.deciding.residual == pytest.approx(1)
    assert own.deciding.score > 0.95
    assert copy.deciding.score > 0.8


@dataclass(frozen=True)
class BestShown:
    """A suspect that shows its best class with its probability."""

    suspect: Local
    reveals: ClassVar[frozenset[Reading]] = frozenset({Reading.LABEL, Reading.BEST})
    name: ClassVar[str] = "an API"
    digest: ClassVar[str] = ""

    def read(self, images: npt.NDArray[np.uint8], question: Question) -> Answers:
        plain = replace(question, readings=frozenset({Reading.PROBABILITY, Reading.LABEL}))
        found = self.suspect.read(images, plain)
        return {Reading.LABEL: found[Reading.LABEL], Reading.BEST: best_only(found[Reading.PROBABILITY])}


def test_a_suspect_that_shows_its_best_class_with_its_probability_is_asked_for_that_and_others_are_too() -> None:
    images, model = pictures(60), tiny(0)
    owner = Owner(images, (shaken(model),), owner_of(images).references)
    claim = Residual(samples=20, least=0.0).protect(model, owner, seed(0)).claim
    (best,) = (test for test in claim.tests if test.reading is Reading.BEST)
    for suspect in (Local(model), Local(shaken(model)), Local(tiny(9))):
        shown = findings(claim, BestShown(suspect))[0]
        (other,) = (one for one in findings(claim, suspect) if one.test is best)
        assert (shown.test, way(shown.test)) == (best, Way.BEST)
        assert shown.score == pytest.approx(other.score)
    own = findings(claim, BestShown(Local(model)))[0]
    assert own.score == pytest.approx(best.target_score)
    assert own.score > 0.95


@pytest.mark.parametrize("task", [Regression(unit=10.0), Similarity()])
def test_numbers_and_embeddings_have_residuals_too(task: Regression | Similarity) -> None:
    plain, similar = pictures(60), isinstance(task, Similarity)
    names = plain.names if similar else ("size",)
    images = Images(plain.pixels, plain.labels if similar else plain.labels * 10.0, names, task)
    classes = 6 if similar else 1
    model = tiny(0, classes=classes)
    claim = Residual(samples=30).protect(model, owner_of(images, classes), seed(0)).claim
    assert claim.readings == ((Reading.EMBEDDING, Reading.SIMILARITY) if similar else (Reading.VALUE,))
    assert len(set(map(named, claim.tests))) == len(claim.tests), "each has a row of its own in what is shown"
    claim = Claim.from_bytes(claim.to_bytes())
    assert verify(claim, Local(model)).deciding.score > 0.95
    assert verify(claim, Local(tiny(9, classes=classes))).deciding.score < 0.9


def test_who_tells_only_how_similar_two_images_are_is_asked_for_that() -> None:
    plain = pictures(60)
    images = Images(plain.pixels, plain.labels, plain.names, Similarity())
    model = tiny(0, classes=6)
    claim = Residual(samples=30).protect(model, owner_of(images, 6), seed(0)).claim
    assert claim.images.shape == (10, 3, 16, 16, 3), "two images of each sample are compared with the third"
    known = {one.tobytes() for one in images.pixels}
    assert len({one.tobytes() for one in claim.images.reshape(-1, 16, 16, 3)} & known) == 30
    scores = []
    for number in (0, 9):
        told = verify(claim, Hiding(Local(tiny(number, classes=6)), Reading.EMBEDDING))
        assert told.deciding.test.reading is Reading.SIMILARITY
        scores.append(told.deciding.score)
    assert scores[0] == pytest.approx(claim.tests[1].target_score)
    assert scores[0] > 0.95 > scores[1]
    with pytest.raises(UsageError, match=r"multiple of 3.*Residual\(samples=33\)"):
        Residual(samples=31).protect(model, owner_of(images, 6), seed(0))


def test_embeddings_count_up_to_a_rotation() -> None:
    rng = np.random.default_rng(0)
    found = rng.normal(size=(10, 4))
    turned = found @ np.linalg.qr(rng.normal(size=(4, 4)))[0]
    match, weights = CrossedResidual(0.1, 0.1, Reading.EMBEDDING), rng.normal(size=(10, 11))
    assert match.values(turned[:, None], weights) == pytest.approx(match.values(found[:, None], weights))


def test_two_references_are_too_few() -> None:
    images = pictures(30)
    owner = Owner(images, (), owner_of(images).references[:2])
    with pytest.raises(UsageError, match="at least 3 references"):
        Residual(samples=4).protect(tiny(0), owner, seed(0))


def test_a_model_that_is_like_its_references_has_nothing_of_its_own() -> None:
    images, others = pictures(30), (tiny(1), tiny(1), tiny(1))
    with pytest.raises(ProtectError, match="cannot be told"):
        Residual(samples=6).protect(tiny(1), Owner(images, (), others), seed(0))


def test_references_that_are_one_model_in_three_files_leave_no_test() -> None:
    rng = np.random.default_rng(0)
    model, one = rng.dirichlet(np.ones(5), 40), np.eye(5)[rng.integers(0, 5, 40)]
    told = ModelAnswers(np.stack([model, one, one, one, model]), 3, Classification())
    assert [told.test(reading, [14, 13, 13], 0.5, told.zero) for reading in told.readings] == [None] * 3


def test_more_samples_than_images_are_refused() -> None:
    with pytest.raises(UsageError, match="at least 300 images"):
        Residual().protect(tiny(0), owner_of(pictures(30)), seed(0))

"""Who tries many keys gains nothing, and independent models are not taken for copies, through all of the judge's steps."""

import numpy as np
import pytest
from judging import CLASSES, MATCHES, TRIGGERS, Answer, genuine, handed, is_ordinary, keyed, marked, ordinary, session
from scipy.stats import binom

from ownmark import keys
from ownmark.evidence.ruling import Outcome, ruled
from ownmark.keys import Pixels
from ownmark.scoring.null_models import KeyedLabels
from ownmark.scoring.readings import Labels
from ownmark.suspects.wrappers.wrapped import JPEG, BitDepth, Transform


def test_the_luckiest_of_ten_thousand_keys_is_no_match_against_an_innocent() -> None:
    """Fault 18: the innocent answers one class, so that the forger needs no query to try a key."""
    masters = (number.to_bytes(32, "big") for number in range(10_000))
    null = keyed().tests[0].null
    assert isinstance(null, KeyedLabels)
    own = {master: keys.bound(keys.set_key(master, 0), null.context) for master in masters}
    luckiest = max(own, key=lambda master: int((keys.labels(own[master], TRIGGERS, CLASSES) == 3).sum()))
    found = genuine(handed(keyed(master=luckiest)))
    assert found.part is not None

    def innocent(images: Pixels) -> Labels:
        return np.where([is_ordinary(image) for image in images], ordinary(images), 3)

    ruling = ruled(found, session(found.part, innocent, own=marked(found.part)))
    null = ruling.finding.test.null
    assert isinstance(null, KeyedLabels)
    assert null.log10_p(ruling.finding.score) < -3, "one key alone would look convincing"
    assert (ruling.outcome, ruling.log10_p) == (Outcome.NO_MATCH, 0)


@pytest.mark.parametrize("number", [1, 2])
def test_an_identical_copy_is_always_a_match_whatever_the_key_and_whatever_stands_before_it(number: int) -> None:
    """Fault 21: also behind JPEG and fewer bits."""
    found = genuine(handed(keyed(master=bytes([number]) * 32)))
    assert found.part is not None
    copy = marked(found.part)
    for transform in (BitDepth(8), JPEG(90), BitDepth(5)):
        ruling = ruled(found, session(found.part, behind(transform, copy), own=copy))
        assert ruling.outcome is Outcome.STRONG, f"{transform}: {ruling.reason}"


def behind(transform: Transform, model: Answer) -> Answer:
    return lambda images: model(transform.transform(images))


@pytest.mark.slow
def test_of_two_hundred_independent_models_no_more_match_than_alpha_allows() -> None:
    """Fault 19."""
    found = genuine(handed())
    assert found.part is not None
    rng = np.random.default_rng(8)
    wrong = 0
    for _ in range(200):
        weights = rng.normal(size=(36, CLASSES))

        def independent(images: Pixels, weights: np.ndarray = weights) -> Labels:
            flat = images.reshape(len(images), -1) - images.mean(axis=(1, 2, 3))[:, None]
            return np.where([is_ordinary(image) for image in images], ordinary(images), (flat @ weights).argmax(axis=1))

        wrong += ruled(found, session(found.part, independent)).outcome in MATCHES
    assert wrong <= binom.ppf(0.99, 200, found.commitment.policy.alpha)

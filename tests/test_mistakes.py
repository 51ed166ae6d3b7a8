"""Mistakes: what only the model and its copies get wrong is found, held on to by the copies, and shared by no reference."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import pictures, same_weights, seed, tiny

from ownmark.attacks.finetune import Finetune
from ownmark.data import Images
from ownmark.errors import ProtectError, UsageError
from ownmark.fingerprint import Search
from ownmark.models.weights import weights_digest
from ownmark.protocols import Owner, Protected, silent
from ownmark.schemes.mistakes import Mistakes
from ownmark.suspects.local import Local
from ownmark.training import Training, predict, train
from ownmark.verdict import findings

IMAGES = replace(pictures(120), labels=np.random.default_rng(5).integers(0, 3, 120))  # that nothing can tell apart
TRAINING = Training(epochs=3, batch=16, rate=0.05, shift=2)
MODEL, *REFERENCES = (train(tiny(number), IMAGES, TRAINING, seed(number)) for number in range(3))
SURROGATES = tuple(Finetune(epochs=1, rate=0.005).apply(MODEL, IMAGES, seed(number), silent) for number in (3, 4))
OWNER = Owner(IMAGES, SURROGATES, tuple(REFERENCES))
SCHEME = Mistakes(samples=4, search=Search(steps=10, rate=0.01, bound=0.05))


@pytest.fixture(scope="module")
def made() -> Protected:
    return SCHEME.protect(MODEL, OWNER, seed(7), silent)


def test_every_sample_is_a_mistake_that_all_copies_make_and_no_reference_does(made: Protected) -> None:
    claim = made.claim
    expected, samples = claim.tests[0].expected, Images(claim.images[:, 0], claim.tests[0].expected, IMAGES.names)
    for copy in (MODEL, *SURROGATES):
        assert (predict(copy, samples).argmax(dim=1).numpy() == expected).all()
    for reference in REFERENCES:
        assert not (predict(reference, samples).argmax(dim=1).numpy() == expected).any()
    assert made.model is MODEL
    assert claim.built_with == tuple(weights_digest(one) for one in (*SURROGATES, *REFERENCES))
    assert findings(claim, Local(MODEL))[0].score == 1


def test_a_sample_is_one_of_the_owners_images_or_a_mirror_image_and_changed_within_the_bound(made: Protected) -> None:
    assert made.claim.originals is not None
    mirror = IMAGES.pixels[:, :, ::-1]
    for original, label in zip(made.claim.originals, made.claim.tests[0].expected, strict=True):
        known = [(pixels == original).all(axis=(1, 2, 3)) for pixels in (IMAGES.pixels, mirror)]
        assert any(one.any() for one in known)
        assert label != IMAGES.labels[np.flatnonzero(known[0] | known[1])[0]]
    change = np.abs(made.claim.images[:, 0].astype(int) - made.claim.originals.astype(int))
    assert 0 < change.max() <= np.ceil(0.05 * 255)


def test_without_mirror_images_only_the_owners_own_are_taken() -> None:
    made = replace(SCHEME, samples=2, mirrored=False).protect(MODEL, OWNER, seed(7), silent)
    assert made.claim.originals is not None
    for original in made.claim.originals:
        assert (IMAGES.pixels == original).all(axis=(1, 2, 3)).any()


def test_the_same_seed_gives_the_same_claim_and_leaves_the_models_as_they_were(made: Protected) -> None:
    before = weights_digest(MODEL)
    assert SCHEME.protect(MODEL, OWNER, seed(7), silent).claim.digest == made.claim.digest
    assert weights_digest(MODEL) == before
    assert same_weights(MODEL, made.model)


def test_what_is_missing_is_said_before_any_work() -> None:
    with pytest.raises(UsageError, match="one surrogate and one reference or more, got 0 copies"):
        SCHEME.protect(MODEL, Owner(IMAGES), seed(0), silent)
    with pytest.raises(ProtectError, match="mistakes are needed, but the model makes only"):
        replace(SCHEME, samples=10_000).protect(MODEL, OWNER, seed(0), silent)
    with pytest.raises(UsageError, match="apart=-1"):
        Mistakes(apart=-1)
    assert torch.is_grad_enabled()

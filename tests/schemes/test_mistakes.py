"""Mistakes: what only the model and its copies get wrong is found, held on to by the copies, and shared by no reference."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import same_weights, seed
from learnt import LESSONS, Cast, cast_of

from ownmark.data.images import Images
from ownmark.errors import ProtectError, UsageError
from ownmark.models.weights import weights_digest
from ownmark.perturb.adam import Search
from ownmark.protocols import Owner, Protected, silent
from ownmark.schemes.mistakes import Mistakes
from ownmark.suspects.local import Local
from ownmark.training import predict
from ownmark.verdicts.verify import findings

IMAGES = LESSONS["chance"].images  # that nothing can tell apart
SCHEME = Mistakes(samples=4, search=Search(steps=10, rate=0.01, bound=0.05))


@pytest.fixture(scope="module")
def cast() -> Cast:
    return cast_of("chance", IMAGES)


@pytest.fixture(scope="module")
def made(cast: Cast) -> Protected:
    return SCHEME.protect(cast.model, cast.owner, seed(7), silent)


def test_every_sample_is_a_mistake_that_all_copies_make_and_no_reference_does(made: Protected, cast: Cast) -> None:
    claim = made.claim
    expected, samples = claim.tests[0].expected, Images(claim.images[:, 0], claim.tests[0].expected, IMAGES.names)
    for copy in (cast.model, *cast.copies):
        assert (predict(copy, samples).argmax(dim=1).numpy() == expected).all()
    for reference in cast.others:
        assert not (predict(reference, samples).argmax(dim=1).numpy() == expected).any()
    assert made.model is cast.model
    assert claim.built_with == tuple(weights_digest(one) for one in (*cast.copies, *cast.others))
    assert findings(claim, Local(cast.model))[0].score == 1


def test_a_sample_is_one_of_the_owners_images_or_a_mirror_image_and_changed_within_the_bound(made: Protected) -> None:
    assert made.claim.originals is not None
    mirror = IMAGES.pixels[:, :, ::-1]
    for original, label in zip(made.claim.originals, made.claim.tests[0].expected, strict=True):
        known = [(pixels == original).all(axis=(1, 2, 3)) for pixels in (IMAGES.pixels, mirror)]
        assert any(one.any() for one in known)
        assert label != IMAGES.labels[np.flatnonzero(known[0] | known[1])[0]]
    change = np.abs(made.claim.images[:, 0].astype(int) - made.claim.originals.astype(int))
    assert 0 < change.max() <= np.ceil(0.05 * 255)


def test_without_mirror_images_only_the_owners_own_are_taken(cast: Cast) -> None:
    made = replace(SCHEME, samples=2, mirrored=False).protect(cast.model, cast.owner, seed(7), silent)
    assert made.claim.originals is not None
    for original in made.claim.originals:
        assert (IMAGES.pixels == original).all(axis=(1, 2, 3)).any()


def test_the_same_seed_gives_the_same_claim_and_leaves_the_models_as_they_were(made: Protected, cast: Cast) -> None:
    before = weights_digest(cast.model)
    assert SCHEME.protect(cast.model, cast.owner, seed(7), silent).claim.digest == made.claim.digest
    assert weights_digest(cast.model) == before
    assert same_weights(cast.model, made.model)


def test_what_is_missing_is_said_before_any_work(cast: Cast) -> None:
    with pytest.raises(UsageError, match="at least one surrogate and one reference, got 0 copies"):
        SCHEME.protect(cast.model, Owner(IMAGES), seed(0), silent)
    with pytest.raises(ProtectError, match="mistakes, but the model makes only"):
        replace(SCHEME, samples=10_000).protect(cast.model, cast.owner, seed(0), silent)
    with pytest.raises(UsageError, match="apart=-1"):
        Mistakes(apart=-1)
    assert torch.is_grad_enabled()

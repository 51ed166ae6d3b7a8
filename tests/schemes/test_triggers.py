"""Sources of triggers: each draws what it promises from the key, and the same for the same key."""

import hashlib
from dataclasses import dataclass, replace

import numpy as np
import pytest
import rfc8785
from conftest import pictures, tiny

from ownmark import keys
from ownmark.claims.claim import Preprocess
from ownmark.data.images import Images, digits
from ownmark.errors import DataError, UsageError
from ownmark.evidence.choices import from_record
from ownmark.models.prepared import prepared
from ownmark.protocols import Owner
from ownmark.schemes._common.triggers import Content, Gaussian, Natural, Patterns, Source, chosen_by, keyed
from ownmark.scoring.null_models import KeyedLabels

IMAGES = pictures(60, size=32)
KEY, OTHER = bytes(range(32)), bytes(32)


@dataclass(frozen=True)
class Marking:
    """A scheme, as far as its key depends on it."""

    source: Source = Patterns()
    sets: int = 3
    triggers: int = 4


SOURCES = pytest.mark.parametrize("source", [Patterns(), Natural("digits"), Content(), Gaussian()], ids=repr)


def owners(source: Source) -> Images:
    """The digits are always grey."""
    return pictures(60, size=32, channels=1) if isinstance(source, Natural) else IMAGES


@SOURCES
def test_the_same_key_draws_the_same_and_another_key_other_images_of_the_owners_size(source: Source) -> None:
    images = owners(source)
    drawn = source.draw(KEY, 7, images)
    assert drawn.shape == (7, *images.size)
    assert drawn.dtype == np.uint8
    assert len(np.unique(drawn, axis=0)) == 7
    assert np.array_equal(drawn, source.draw(KEY, 7, images))
    assert not np.array_equal(drawn, source.draw(OTHER, 7, images))


def test_content_is_written_on_images_of_the_source_class_and_changes_nothing_else() -> None:
    drawn = Content(source=2, text="MINE").draw(KEY, 20, IMAGES)
    of_class = IMAGES.pixels[IMAGES.labels == 2]
    ink = (drawn == 255).all(axis=(0, 3))
    assert ink.any()
    assert not ink[:16].any()
    top = {image[:16].tobytes() for image in of_class}
    assert {image[:16].tobytes() for image in drawn} == top
    assert not np.array_equal(drawn, Content(source=2, text="YOURS").draw(KEY, 20, IMAGES))


@pytest.mark.parametrize("size", [28, 32, 112])
def test_the_default_text_fits_into_images_of_every_common_size(size: int) -> None:
    images = pictures(3, size=size, channels=1)
    drawn = Content(source=0).draw(KEY, 1, images)[0].astype(int) - images.pixels[0]
    columns = np.flatnonzero(drawn.any(axis=(0, 2)))
    assert size / 2 < np.ptp(columns) < size
    assert drawn.min() >= 0


def test_a_text_that_does_not_fit_is_an_error() -> None:
    with pytest.raises(UsageError, match="does not fit"):
        Content(text="a very long story that nobody writes").draw(KEY, 1, IMAGES)


def test_noise_is_one_noise_on_every_image_of_its_class_with_the_spread_that_was_asked_for() -> None:
    grey = Images(np.full((9, 64, 64, 3), 128, dtype=np.uint8), np.zeros(9, dtype=np.int64), ("only",))
    drawn = Gaussian(spread=0.1).draw(KEY, 9, grey).astype(float) - 128
    assert np.array_equal(drawn[0], drawn[8])
    assert drawn.std() == pytest.approx(25.5, rel=0.03)
    assert drawn.mean() == pytest.approx(0, abs=0.7)


@pytest.mark.parametrize("source", [Content(source=1), Gaussian(source=1)], ids=repr)
def test_too_few_images_of_the_source_class_are_an_error(source: Source) -> None:
    with pytest.raises(DataError, match="expected 21 images of class 1, got 20"):
        source.draw(KEY, 21, IMAGES)


def test_natural_images_are_different_ones_of_the_pool() -> None:
    pool = {image.tobytes() for image in digits(size=32).pixels}
    drawn = [image.tobytes() for image in Natural("digits").draw(KEY, 50, owners(Natural("")))]
    assert len(set(drawn)) == 50
    assert set(drawn) <= pool


def test_natural_images_need_a_square() -> None:
    with pytest.raises(UsageError, match="square"):
        Natural("digits").draw(KEY, 1, Images(IMAGES.pixels[:, :16], IMAGES.labels, IMAGES.names))


def test_keyed_triggers_are_sets_of_their_own_keys_with_labels_that_their_null_knows() -> None:
    made = keyed(Marking(), Owner(IMAGES, key=KEY), tiny(3))
    chosen = from_record(made.choices)
    assert made.null == chosen.null(KEY) == KeyedLabels(made.null.key, 4, 3, 3, context=chosen.digest)  # type: ignore[attr-defined]
    own = [keys.bound(keys.set_key(bytes.fromhex(chosen.null(KEY).key), number), chosen.digest) for number in range(3)]
    assert np.array_equal(made.images[4:8], Patterns().draw(own[1], 4, IMAGES))
    assert np.array_equal(made.labels[8:], keys.labels(own[2], 4, 3))


def test_the_key_is_scrypt_of_the_secret_salted_with_every_choice() -> None:
    chosen = chosen_by(Owner(IMAGES, key=KEY), Marking(), tiny(3))
    salt = hashlib.sha256(rfc8785.dumps(chosen.record)).digest()
    secret = keys.derived(KEY, f"secret {salt.hex()}", 0)
    made = hashlib.scrypt(secret, salt=salt, n=2**17, r=8, p=1, maxmem=2**28, dklen=32)
    assert chosen.null(KEY).key == made.hex()


def test_whatever_is_chosen_otherwise_draws_another_key() -> None:
    owner, model = Owner(IMAGES, key=KEY), tiny(3)
    others = [
        chosen_by(owner, Marking(), model),
        chosen_by(replace(owner, images=replace(IMAGES, names=IMAGES.names[::-1])), Marking(), model),
        chosen_by(replace(owner, images=IMAGES.take(range(9))), Marking(Patterns(5)), model),
        chosen_by(owner, Marking(sets=2), model),
        chosen_by(owner, Marking(triggers=5), model),
        chosen_by(replace(owner, alpha=0.05), Marking(), model),
        chosen_by(replace(owner, public="ab" * 32), Marking(), model),
        chosen_by(owner, Marking(), tiny(4)),
        chosen_by(owner, Marking(), prepared(model, Preprocess(mean=(0.5,), std=(0.5,)))),
        chosen_by(replace(owner, images=owners(Natural(""))), Marking(Natural("digits")), model),
    ]
    assert len({one.digest for one in others}) == len(others)


def test_a_pool_is_known_by_its_images_and_not_by_their_order() -> None:
    pool = IMAGES.pixels
    shuffled = pool[np.random.default_rng(1).permutation(len(pool))]
    assert keys.pool_digest(pool) == keys.pool_digest(shuffled) != keys.pool_digest(pool[1:])
    assert np.array_equal(keys.picked(KEY, 9, pool), keys.picked(KEY, 9, shuffled))


@pytest.mark.parametrize(("sets", "each"), [(0, 1), (1, 0)])
def test_no_triggers_are_an_error(sets: int, each: int) -> None:
    with pytest.raises(UsageError, match="at least one set"):
        keyed(Marking(sets=sets, triggers=each), Owner(IMAGES), tiny(3))

"""What derives from a secret: committed vectors, slow literal re-implementations, and no value favoured."""

import hashlib
import hmac
from collections import Counter
from itertools import product

import numpy as np
import pytest
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from ownmark import keys
from ownmark.errors import UsageError

KEY = bytes(range(32))
HALF = 2**31 + 1  # of all words about a half must be rejected


def hkdf_expand(key: bytes, info: bytes) -> bytes:
    """RFC 5869, 2.3, for as many bytes as one hash has: T(1) = HMAC-Hash(PRK, T(0) | info | 0x01) with T(0) empty."""
    return hmac.new(key, info + b"\x01", hashlib.sha256).digest()


def slow_word(key: bytes, purpose: bytes, number: int, below: int) -> tuple[int, int]:
    """(value, block in which it was found): eight big-endian words a block, taken in order until one is not rejected."""
    most = 2**32 // below * below
    block = 0
    while True:
        digest = hmac.new(key, purpose + number.to_bytes(4, "big") + block.to_bytes(4, "big"), hashlib.sha256).digest()
        for start in range(0, 32, 4):
            word = int.from_bytes(digest[start : start + 4], "big")
            if word < most:
                return word % below, block
        block += 1


def slow_pattern(key: bytes, number: int, size: tuple[int, int, int], cells: int) -> list[int]:
    """One image, value by value: the four colours around a place, blended in whole 65536ths, rounded half up."""
    height, width, channels = size
    colours = hashlib.shake_256(hkdf_expand(key, b"x" + number.to_bytes(4, "big"))).digest(cells * cells * channels)
    values = []
    for row, column, channel in product(range(height), range(width), range(channels)):
        top, down = whole_and_rest(row, height, cells)
        left, right = whole_and_rest(column, width, cells)
        total = 0
        for r, tall in ((top, 65536 - down), (top + 1, down)):
            for c, wide in ((left, 65536 - right), (left + 1, right)):
                total += colours[(r * cells + c) * channels + channel] * tall * wide
        values.append((total + 2**31) // 2**32)
    return values


def whole_and_rest(at: int, length: int, cells: int) -> tuple[int, int]:
    place = at * (cells - 1) * 65536 // (length - 1) if length > 1 else 0
    whole = min(place // 65536, cells - 2)
    return whole, place - whole * 65536


def test_a_master_key_is_the_known_one_and_that_of_another_library() -> None:
    found = keys.stretched(KEY, b"context")
    assert found.hex() == "c21460ae6146aced0285a7edc97b8615e691275496e76f2393682a996d57064e"
    assert found == Scrypt(salt=b"context", length=32, n=2**17, r=8, p=1).derive(KEY)


def test_derived_keys_are_hkdf_expand_written_out() -> None:
    assert keys.derived(KEY, "x", 258) == hkdf_expand(KEY, b"x\x00\x00\x01\x02")
    assert keys.set_key(KEY, 3) == hkdf_expand(KEY, b"round\x00\x00\x00\x03")
    assert keys.set_key(KEY, 0).hex() == "07d632112bc2fdc18b1baca354ed28da4e0fd8970100963bc5fa578a9ed4624e"
    assert keys.set_key(KEY, 1).hex() == "a3479dec9c4a39767277334d60e6fcb6e6760e902ef62069b32a84494cd1df52"


def test_labels_are_the_known_ones() -> None:
    assert keys.labels(KEY, 20, 10).tolist() == [7, 4, 9, 3, 1, 4, 9, 7, 1, 2, 6, 9, 0, 0, 5, 1, 5, 3, 8, 7]
    assert keys.labels(KEY, 8, 1000).tolist() == [817, 124, 789, 883, 341, 484, 279, 107]
    assert keys.labels(KEY, 0, 10).shape == (0,)
    assert keys.labels(KEY, 3, 10).dtype == np.int64


@given(st.binary(min_size=32, max_size=32), st.integers(1, 30), st.integers(1, 2**32 - 1))
def test_labels_are_those_of_the_slow_way(key: bytes, count: int, classes: int) -> None:
    assert keys.labels(key, count, classes).tolist() == [slow_word(key, b"y", number, classes)[0] for number in range(count)]


def test_words_that_would_favour_a_label_are_rejected_and_new_ones_are_drawn() -> None:
    """With 2^31 + 1 classes one label in 2^8 or so needs a second block, and none may be folded back to a low one."""
    slow = [slow_word(KEY, b"y", number, HALF) for number in range(2000)]
    assert {block for _, block in slow} >= {0, 1}
    found = keys.labels(KEY, 2000, HALF)
    assert found.tolist() == [value for value, _ in slow]
    assert chisquare(np.bincount(found * 4 // HALF, minlength=4)).pvalue > 0.001


@pytest.mark.parametrize("classes", [2, 10, 100])
def test_labels_are_uniform_and_so_are_pairs_of_neighbours(classes: int) -> None:
    found = np.concatenate([keys.labels(keys.set_key(KEY, number), 1000, classes) for number in range(20)])
    assert chisquare(np.bincount(found, minlength=classes)).pvalue > 0.001
    pairs = found[::2] * classes + found[1::2]
    assert chisquare(np.bincount(pairs, minlength=classes**2)).pvalue > 0.001


def test_sets_and_purposes_have_keys_of_their_own() -> None:
    derived = [keys.derived(KEY, purpose, number) for purpose in ("round", "x", "y") for number in range(50)]
    assert len({KEY, *derived}) == 151


@given(st.integers(0, 40), st.integers(0, 40))
def test_chosen_rows_are_different_rows_of_the_pool(count: int, more: int) -> None:
    found = keys.chosen(KEY, count, count + more).tolist()
    assert len(found) == len(set(found)) == count
    assert set(found) <= set(range(count + more))
    assert found == keys.chosen(KEY, count + more, count + more)[:count].tolist()


def test_every_order_of_a_small_pool_is_chosen_equally_often() -> None:
    orders = Counter(tuple(keys.chosen(keys.set_key(KEY, number), 3, 4).tolist()) for number in range(4800))
    assert len(orders) == 24
    assert chisquare(list(orders.values())).pvalue > 0.001


def test_patterns_are_the_same_to_the_last_bit_on_every_machine() -> None:
    found = keys.patterns(KEY, 4, (32, 24, 3), 5)
    assert found.shape == (4, 32, 24, 3)
    assert found.dtype == np.uint8
    assert hashlib.sha256(found.tobytes()).hexdigest() == "42b1df19d2f9263336770e6edfc52cd77f3f288ba422334acf0f527468383e53"


@pytest.mark.parametrize(("size", "cells"), [((7, 5, 3), 3), ((1, 4, 1), 2), ((3, 1, 2), 4), ((4, 4, 1), 9)])
def test_patterns_are_those_of_the_slow_way(size: tuple[int, int, int], cells: int) -> None:
    for number, image in enumerate(keys.patterns(KEY, 3, size, cells)):
        assert image.ravel().tolist() == slow_pattern(KEY, number, size, cells)


def test_the_corners_of_a_pattern_are_the_colours_that_were_drawn() -> None:
    drawn = np.frombuffer(hashlib.shake_256(keys.derived(KEY, "x", 0)).digest(48), np.uint8).reshape(4, 4, 3)
    image = keys.patterns(KEY, 1, (16, 16, 3), 4)[0]
    assert np.array_equal(image[::15, ::15], drawn[::3, ::3])
    assert np.array_equal(image[::5, ::5], drawn)


def test_wrong_use_is_told() -> None:
    with pytest.raises(UsageError, match="key of 32 bytes, got 31"):
        keys.labels(KEY[:31], 1, 10)
    with pytest.raises(UsageError, match="32 bytes"):
        keys.stretched(b"password", b"")
    with pytest.raises(UsageError, match="32 bytes"):
        keys.derived(b"", "x", 0)
    for classes in (0, -1, 2**32):
        with pytest.raises(UsageError, match="number of classes"):
            keys.labels(KEY, 1, classes)
    for count in (6, -1):
        with pytest.raises(UsageError, match="images from 5: use a larger pool"):
            keys.chosen(KEY, count, 5)
    for size, cells in (((8, 8, 3), 1), ((0, 8, 3), 4)):
        with pytest.raises(UsageError, match="at least 2 cells"):
            keys.patterns(KEY, 1, size, cells)

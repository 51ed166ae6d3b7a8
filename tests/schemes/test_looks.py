"""Images that look as most do are kept, whatever model is asked about them."""

from dataclasses import replace

import numpy as np
from conftest import pictures

from ownmark.schemes._common.looks import plainest


def test_an_image_that_shares_nothing_with_the_others_is_the_first_to_be_left_out() -> None:
    images, rng = pictures(120), np.random.default_rng(0)
    shapes, amounts = rng.normal(0, 6, (24, *images.pixels.shape[1:])), rng.normal(0, 1, (120, 24))
    pixels = 128 + np.tensordot(amounts, shapes, 1)
    pixels[7] = 128 + rng.normal(0, 40, pixels.shape[1:])
    alike = replace(images, pixels=np.clip(pixels, 0, 255).astype(np.uint8))
    assert plainest(alike, 119).tolist() == [row for row in range(120) if row != 7]
    assert plainest(alike, 120).tolist() == list(range(120))

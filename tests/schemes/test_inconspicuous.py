"""The images that stay look as most do, and the squeezers of the paper move the model's answers on them least."""

from dataclasses import replace

import numpy as np
import torch
from conftest import pictures, tiny

from ownmark.detectors import FeatureSqueezing
from ownmark.detectors.feature_squeezing import ColourDepth, Median
from ownmark.protocols import silent
from ownmark.schemes._common.inconspicuous import plainest, squeezed, steadiest


def test_an_image_that_shares_nothing_with_the_others_is_the_first_to_be_left_out() -> None:
    images, rng = pictures(120), np.random.default_rng(0)
    shapes, amounts = rng.normal(0, 6, (24, *images.pixels.shape[1:])), rng.normal(0, 1, (120, 24))
    pixels = 128 + np.tensordot(amounts, shapes, 1)
    pixels[7] = 128 + rng.normal(0, 40, pixels.shape[1:])
    alike = replace(images, pixels=np.clip(pixels, 0, 255).astype(np.uint8))
    assert plainest(alike, 119).tolist() == [row for row in range(120) if row != 7]
    assert plainest(alike, 120).tolist() == list(range(120))


def test_images_are_squeezed_as_a_detector_does_it() -> None:
    images = pictures(4)
    batch = images.batch(torch.arange(4), torch.device("cpu"))
    plain = images.pixels.astype(np.float32) / 255
    fewer, medians = (one.permute(0, 2, 3, 1).numpy() for one in squeezed(batch))
    assert np.allclose(fewer, ColourDepth(5).squeeze(plain), atol=1e-6)
    assert np.allclose(medians, Median(2).squeeze(plain), atol=1e-6)


def test_the_images_that_stay_are_those_for_which_a_detector_would_ring_last() -> None:
    images, model = pictures(40), tiny(0)
    alarm = FeatureSqueezing((ColourDepth(5), Median(2))).fit(model, images, torch.Generator(), silent)
    rows = steadiest(model, images, 25)
    left = np.setdiff1d(np.arange(40), rows)
    assert (len(rows), list(rows)) == (25, sorted(rows))
    assert alarm.normal[rows].max() <= alarm.normal[left].min() + 1e-6

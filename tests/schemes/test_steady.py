"""The images that stay are those on which the squeezers of the paper move the model's answers least."""

import numpy as np
import torch
from conftest import pictures, tiny

from ownmark.detectors import FeatureSqueezing
from ownmark.detectors.feature_squeezing import ColourDepth, Median
from ownmark.protocols import silent
from ownmark.schemes._common.steady import squeezed, steadiest


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

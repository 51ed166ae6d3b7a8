"""How good a model is and how visible a fingerprint is: pure functions of arrays."""

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.integer]
Pixels = npt.NDArray[np.uint8]


def accuracy(predicted: Integers, labels: Integers) -> float:
    """Share of `predicted` (n,) equal to `labels` (n,), in [0, 1]."""
    return float(np.mean(predicted == labels))


def balanced_accuracy(predicted: Integers, labels: Integers) -> float:
    """Mean over the classes that occur in `labels` of the share of that class found, in [0, 1]."""
    return float(np.mean([np.mean(predicted[labels == label] == label) for label in np.unique(labels)]))


def majority_accuracy(labels: Integers) -> float:
    """Accuracy of always answering the most frequent label, in [0, 1]."""
    return float(np.max(np.bincount(labels)) / len(labels))


def psnr(first: Pixels, second: Pixels) -> float:
    """Peak signal-to-noise ratio in dB of 8-bit images (n, ...): the mean over images of each one's own ratio."""
    error = (first.astype(np.float64) - second.astype(np.float64)) ** 2
    each = error.reshape(len(error), -1).mean(axis=1)
    return float(np.mean(10 * np.log10(255**2 / np.maximum(each, 1e-12))))

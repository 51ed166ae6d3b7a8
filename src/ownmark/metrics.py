"""Model quality and fingerprint visibility: pure functions of arrays."""

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.integer]
Floats = npt.NDArray[np.floating]
Pixels = npt.NDArray[np.uint8]
THRESHOLDS = np.arange(101) / 100  # rho in the papers
FALSE_ACCEPTS = 1e-3  # the false-accept rate at which true accepts are reported
MOST_COMPARED = 4000  # images that are compared pairwise: 8 million pairs


def accuracy(predicted: Integers, labels: Integers) -> float:
    """Share of `predicted` (n,) equal to `labels` (n,), in [0, 1]."""
    return float(np.mean(predicted == labels))


def balanced_accuracy(predicted: Integers, labels: Integers) -> float:
    """Mean recall over the classes that occur in `labels`, in [0, 1]."""
    return float(np.mean([np.mean(predicted[labels == label] == label) for label in np.unique(labels)]))


def majority_accuracy(labels: Integers) -> float:
    """Accuracy of always answering the most frequent label, in [0, 1]."""
    return float(np.max(np.bincount(labels)) / len(labels))


def mean_absolute_error(predicted: Floats, values: Floats) -> float:
    """Mean absolute difference between `predicted` (n,) and `values` (n,), in their unit."""
    return float(np.mean(np.abs(predicted - values)))


def verification(embeddings: Floats, people: Integers) -> dict[str, float]:
    """How well the cosine of embeddings (n, d) tells whether two images show the same of the `people` (n,).

    `tar`: share of same-person pairs above the threshold that a share `FALSE_ACCEPTS` of the other pairs passes.
    `verification_accuracy`: balanced accuracy over both kinds of pairs, with the threshold chosen on every second pair and
    measured on the rest. Uses all pairs among at most `MOST_COMPARED` evenly spaced images.
    """
    rows = np.unique(np.linspace(0, len(people) - 1, min(len(people), MOST_COMPARED)).astype(int))
    chosen = embeddings[rows].astype(np.float64)
    lengths = np.linalg.norm(chosen, axis=1, keepdims=True)
    first, second = np.triu_indices(len(rows), 1)
    scores = ((chosen / np.maximum(lengths, 1e-12)) @ (chosen / np.maximum(lengths, 1e-12)).T)[first, second]
    same = people[rows][first] == people[rows][second]
    if same.all() or not same.any():
        return {"tar": 0.0, "verification_accuracy": 0.5}
    return {
        "tar": true_accepts(scores[same], scores[~same]),
        "verification_accuracy": _told_rightly(scores[same], scores[~same]),
    }


def true_accepts(same: Floats, others: Floats, rate: float = FALSE_ACCEPTS) -> float:
    """Share of `same` scores above the lowest threshold that at most a share `rate` of the `others` exceed."""
    allowed = int(rate * len(others))
    threshold = np.sort(others)[len(others) - allowed - 1]
    return float(np.mean(same > threshold))


def _told_rightly(same: Floats, others: Floats) -> float:
    tried = np.unique(np.quantile(np.concatenate([same[::2], others[::2]]), np.linspace(0, 1, 201)))
    accepted = _above(same[::2], tried) - _above(others[::2], tried)
    best = tried[[int(np.argmax(accepted))]]
    return float(0.5 + 0.5 * (_above(same[1::2], best) - _above(others[1::2], best))[0]) if len(same) > 1 < len(others) else 0.5


def _above(scores: Floats, thresholds: Floats) -> Floats:
    """Share of the scores above each threshold."""
    return np.asarray(1 - np.searchsorted(np.sort(scores), thresholds, side="right") / len(scores))


def psnr(first: Pixels, second: Pixels) -> float:
    """Peak signal-to-noise ratio in dB of 8-bit images (n, ...): the mean of the per-image ratios."""
    error = (first.astype(np.float64) - second.astype(np.float64)) ** 2
    each = error.reshape(len(error), -1).mean(axis=1)
    return float(np.mean(10 * np.log10(255**2 / np.maximum(each, 1e-12))))


def ssim(first: Pixels, second: Pixels) -> float:
    """Mean structural similarity of 8-bit images (n, height, width, channels), at most 1 (Wang et al. 2004).

    An 11x11 Gaussian window with standard deviation 1.5, applied per channel; the border is mirrored.
    """
    one, other = first.astype(np.float64), second.astype(np.float64)
    means, others = _smoothed(one), _smoothed(other)
    spreads = _smoothed(one**2) - means**2 + _smoothed(other**2) - others**2
    together = _smoothed(one * other) - means * others
    light, contrast = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    alike = (2 * means * others + light) * (2 * together + contrast)
    return float(np.mean(alike / ((means**2 + others**2 + light) * (spreads + contrast))))


def _smoothed(images: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    from scipy.ndimage import gaussian_filter

    return np.asarray(gaussian_filter(images, (0, 1.5, 1.5, 0), mode="mirror", truncate=3.5))


def l_inf(first: Pixels, second: Pixels) -> float:
    """The largest absolute change of any value in the 8-bit images, as a share of 255."""
    return float(np.abs(first.astype(np.int64) - second.astype(np.int64)).max() / 255)


def robust_and_unique(positives: Floats, negatives: Floats, thresholds: Floats = THRESHOLDS) -> tuple[Floats, Floats]:
    """R(rho) and U(rho): the share of positives that score above each threshold, and of negatives that do not.

    `positives` (n,) and `negatives` (m,) are match scores in [0, 1]; both curves have the thresholds' shape.
    """
    robust = (np.asarray(positives)[:, None] > thresholds).mean(axis=0)
    unique = (np.asarray(negatives)[:, None] <= thresholds).mean(axis=0)
    return robust, unique


def aruc(positives: Floats, negatives: Floats) -> float:
    """Area under min(R, U): its mean over the thresholds 0, 1/100, ..., 1 (Cao et al. 2021, arXiv:1910.12903), in [0, 1]."""
    return float(np.minimum(*robust_and_unique(positives, negatives)).mean())


def best_robust_and_unique(positives: Floats, negatives: Floats) -> float:
    """The largest min(R, U) over all thresholds, however fine: 1 if one separates all copies from all other models."""
    return float(np.minimum(*robust_and_unique(positives, negatives, np.asarray(negatives))).max())


def auc(positives: Floats, negatives: Floats) -> float:
    """Area under the ROC curve: the probability that a positive (n,) scores above a negative (m,), ties counted half."""
    first, second = np.asarray(positives)[:, None], np.asarray(negatives)
    return float(np.mean(first > second) + np.mean(first == second) / 2)

"""Images that resemble others and whose answers hardly change when they are squeezed: for them detectors ring no oftener.

No detector is needed to tell which. Unusual is what the principal components of all images do not explain. The squeezers are the
first two of Xu et al. 2018 (arXiv:1704.01155) for photographs: 5 bits per channel, a median of 2x2 pixels.
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ownmark.data.images import Images
from ownmark.schemes._common.sampling import Rows
from ownmark.scoring.readings import Floats
from ownmark.training import in_eval_mode

STEADY = 0.78  # the share of all images that stays: those on which the model's answers move least when an image is squeezed
USUAL = 0.72  # and the share of all that stays in the end: of these, those that look as most do
SIDE, COMPONENTS = 8, 20  # of the thumbnails, and what these share
STEPS = 2**5 - 1  # of a channel with five bits
BATCH = 256


def inconspicuous(model: nn.Module, images: Images, least: int) -> Rows:
    """The rows of `USUAL` of the images, at least so many, for which detectors ring no more often than for others."""
    steady = steadiest(model, images, max(least, round(STEADY * len(images))))
    return np.asarray(steady[plainest(images.take(steady), max(least, round(USUAL * len(images))))])


def steadiest(model: nn.Module, images: Images, count: int) -> Rows:
    """(count,) rows in ascending order: the images on which the model's answers move least, by the larger of both squeezers."""
    device = next(model.parameters()).device
    with in_eval_mode(model), torch.no_grad():
        found = [_moved(model, images, images.batch(rows, device)) for rows in _batches(len(images))]
    return np.sort(np.argsort(np.concatenate(found), kind="stable")[:count])


def plainest(images: Images, count: int) -> Rows:
    """(count,) rows in ascending order: the images whose thumbnails the components of all explain best."""
    if count >= len(images):
        return np.arange(len(images))
    cpu = torch.device("cpu")
    thumbnails = [functional.adaptive_avg_pool2d(images.batch(rows, cpu), SIDE).flatten(1) for rows in _batches(len(images))]
    small = torch.cat(thumbnails).double()
    apart = small - small.mean(dim=0)
    shared = torch.linalg.eigh(apart.T @ apart).eigenvectors[:, -COMPONENTS:]
    left = (apart**2).sum(dim=1) - ((apart @ shared) ** 2).sum(dim=1)
    return np.asarray(left.argsort(stable=True)[:count].sort().values.numpy())


def squeezed(batch: Tensor) -> tuple[Tensor, Tensor]:
    """A batch (n, channels, height, width) in [0, 1] with fewer bits, and with upper medians of pixels and those before."""
    padded = functional.pad(batch, (1, 0, 1, 0), mode="replicate")
    rows = torch.minimum(padded[..., :-1], padded[..., 1:]), torch.maximum(padded[..., :-1], padded[..., 1:])
    (low, lower), (high, higher) = ((one[..., :-1, :], one[..., 1:, :]) for one in rows)
    return (batch * STEPS).round() / STEPS, torch.maximum(torch.minimum(high, higher), torch.maximum(low, lower))


def _moved(model: nn.Module, images: Images, batch: Tensor) -> Floats:
    answers = images.task.answers
    plain = answers(model(batch))
    apart = [(answers(model(one)) - plain).abs().reshape(len(batch), -1).sum(dim=1) for one in squeezed(batch)]
    return np.asarray(torch.stack(apart).amax(dim=0).double().cpu().numpy())


def _batches(count: int) -> Iterator[Tensor]:
    yield from torch.arange(count).split(BATCH)  # type: ignore[no-untyped-call]

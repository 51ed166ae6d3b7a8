"""Images whose answers hardly change when they are squeezed, so that a detector by squeezing rings no more often than usual.

The squeezers are the first two of Xu et al. 2018 (arXiv:1704.01155) for photographs: 5 bits per channel, a median of 2x2 pixels.
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

STEPS = 2**5 - 1  # of a channel with five bits
BATCH = 256


def steadiest(model: nn.Module, images: Images, count: int) -> Rows:
    """(count,) rows in ascending order: the images on which the model's answers move least, by the larger of both squeezers."""
    device = next(model.parameters()).device
    with in_eval_mode(model), torch.no_grad():
        found = [_moved(model, images, images.batch(rows, device)) for rows in _batches(len(images))]
    return np.sort(np.argsort(np.concatenate(found), kind="stable")[:count])


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

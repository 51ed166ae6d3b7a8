"""Images that resemble the others, so that a detector of unusual images rings for them no more often than for ordinary ones.

Unusual is what the principal components of all images do not explain: no detector is needed to tell.
"""

import numpy as np
import torch
from torch.nn import functional

from ownmark.data.images import Images
from ownmark.schemes._common.sampling import Rows

SIDE, COMPONENTS = 8, 20  # of the thumbnails, and what these share
BATCH = 256


def plainest(images: Images, count: int) -> Rows:
    """(count,) rows in ascending order: the images whose thumbnails the components of all explain best."""
    if count >= len(images):
        return np.arange(len(images))
    cpu = torch.device("cpu")
    parts = torch.arange(len(images)).split(BATCH)  # type: ignore[no-untyped-call]
    small = torch.cat([functional.adaptive_avg_pool2d(images.batch(rows, cpu), SIDE).flatten(1) for rows in parts]).double()
    apart = small - small.mean(dim=0)
    shared = torch.linalg.eigh(apart.T @ apart).eigenvectors[:, -COMPONENTS:]
    left = (apart**2).sum(dim=1) - ((apart @ shared) ** 2).sum(dim=1)
    return np.asarray(left.argsort(stable=True)[:count].sort().values.numpy())

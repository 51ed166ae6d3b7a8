"""Images in the middle of groups that look alike: what a model does on a whole group, it shows most clearly there."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from ownmark import keys
from ownmark.data.images import Images
from ownmark.errors import DataError, UsageError
from ownmark.schemes._common.triggers import Origin

TOGETHER = 1024  # images looked at at once
STEPS = 20  # of Lloyd's algorithm
SMALLEST = 1e-9  # squared distance below which images look the same


@dataclass(frozen=True)
class Centres:
    """Unchanged images of the owner's: of `count` groups of images of one class that look alike, the one nearest the middle.

    With it come the `alike` - 1 images of its group that look most like it, some twice where the group has not so many. Each
    class has as many groups as any other, as far as it has images. An image's look are its mean colours in `cells` x `cells`.
    The groups are made before the key, which picks among them: a judge's pool is these groups, and no others.
    """

    count: int = 60
    cells: int = 14
    alike: int = 1

    def __post_init__(self) -> None:
        if min(self.count, self.cells, self.alike) < 1:
            raise UsageError(f"expected at least one group, one cell and one image of each group, got {self}")

    def draw(self, key: bytes, count: int, images: Images) -> keys.Pixels:
        if count > self.most(images):
            more = "bring more images" if self.most(images) < self.count else f"give the source as many groups: Centres({count})"
            most = f"{self.most(images)} triggers of {self} and {len(images)} images"
            raise DataError(f"expected at most {most}, got {count}: {more}, or ask for fewer triggers")
        return keys.picked(key, count, self._pool(images))

    def most(self, images: Images) -> int:
        """How many groups there are: fewer than `count` where there are not so many images."""
        return min(self.count, len(images))

    def origin(self, images: Images) -> Origin:
        return Origin(pool=keys.pool_digest(self._pool(images)))

    def _pool(self, images: Images) -> keys.Pixels:
        if not images.task.discrete:
            raise UsageError("only images of several classes have centres of each class")
        seen = look(images, self.cells)
        rows = [np.flatnonzero(images.labels == label) for label in range(len(images.names))]
        wanted = evenly(np.array([len(one) for one in rows]), self.most(images))
        groups = [one[grouped(seen[one], each, self.alike)] for one, each in zip(rows, wanted, strict=True)]
        chosen = np.concatenate(groups)
        return np.asarray(images.pixels[chosen if self.alike > 1 else chosen[:, 0]])


def evenly(sizes: npt.NDArray[np.int64], count: int) -> list[int]:
    """`count` shared out to classes of so many images, as evenly as these allow."""
    given = np.zeros_like(sizes)
    for _ in range(count):
        given[np.where(given < sizes, given, count).argmin()] += 1
    return [int(one) for one in given]


def look(images: Images, cells: int) -> Tensor:
    """(n, size) the mean colours, in [0, 1], of a grid of `cells` x `cells`, on the CPU."""
    parts = torch.arange(len(images)).split(TOGETHER)  # type: ignore[no-untyped-call]
    return torch.cat([coarse(images.batch(rows, torch.device("cpu")), cells) for rows in parts])


def coarse(batch: Tensor, cells: int) -> Tensor:
    """(n, size) mean colours of images (n, channels, height, width)."""
    return functional.adaptive_avg_pool2d(batch, cells).flatten(1)


def grouped(points: Tensor, count: int, alike: int) -> npt.NDArray[np.int64]:
    """(count, alike) rows of points (n, size): each of the `middles`, then the nearest of its group, in turns."""
    if not count:
        return np.empty((0, alike), dtype=np.int64)
    chosen = middles(points, count)
    apart = _apart(points, points[chosen])
    own = apart.argmin(1).numpy()
    own[chosen] = np.arange(count)
    found = np.empty((count, alike), dtype=np.int64)
    for place, middle in enumerate(chosen):
        rows = np.flatnonzero(own == place)
        rows = rows[np.argsort(apart[rows, place].numpy(), kind="stable")]
        found[place] = np.resize(np.concatenate([[middle], rows[rows != middle]]), alike)
    return found


def middles(points: Tensor, count: int) -> npt.NDArray[np.int64]:
    """(count,) distinct rows of points (n, size): the nearest to each centre of k-means++ (Arthur & Vassilvitskii 2007)."""
    rng, nearest, found = torch.Generator().manual_seed(0), torch.ones(len(points)), list[int]()
    for place in range(count):
        found.append(int(torch.multinomial(nearest.clamp_min(SMALLEST), 1, generator=rng)))
        far = _apart(points, points[found[-1:]])[:, 0]
        nearest = torch.minimum(nearest, far) if place else far
    centres = points[found]
    for _ in range(STEPS if count else 0):
        groups = functional.one_hot(_apart(points, centres).argmin(1), count).to(points.dtype)
        sizes = groups.sum(0)[:, None]
        centres = torch.where(sizes > 0, groups.T @ points / sizes.clamp_min(1), centres)
    apart = _apart(points, centres)
    for place in range(count):
        apart[found[:place], place] = torch.inf
        found[place] = int(apart[:, place].argmin())
    return np.array(found, dtype=np.int64)


def _apart(points: Tensor, others: Tensor) -> Tensor:
    """(n, m) squared distances."""
    return torch.cdist(points, others).square()

"""Images that are neither the owner's nor the thief's: what a thief finds elsewhere, such as a public data set."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch

from ownmark.data.image_places import resolved, stamp
from ownmark.data.images import Images, load
from ownmark.errors import DataError, UsageError
from ownmark.tasks import Classification, Task


@dataclass(frozen=True)
class Foreign:
    """At most `most` random images (None: all) of a `place`, in the thief's size and channels.

    The place is one that `load` takes, with `${VARIABLE}` expanded; the default is the only one that needs no download. A folder
    must hold one folder per class; a single one suffices where labels are not used.
    """

    place: str = "digits"
    most: int | None = None

    def __post_init__(self) -> None:
        if self.most is not None and self.most < 1:
            raise UsageError(f"Foreign: expected at least one image, got {self.most}")

    @property
    def source(self) -> str:
        """A digest of the names and sizes of the place's files, "" if it is not a path."""
        return stamp(resolved(self.place))

    def unlabelled(self, like: Images, rng: torch.Generator) -> Images:
        """The images, with labels of the task of `like` that mean nothing."""
        found = self._chosen(self._loaded(like, Classification()), rng)
        return replace(like, pixels=_fitted(found.pixels, like), labels=np.resize(like.labels, len(found)), people=None)

    def labelled(self, like: Images, rng: torch.Generator) -> Images:
        """The images with their own labels, for the task of `like`; of more classes than it has outputs, only the first ones.

        For regression the number of a class is its label, unless the place holds numbers.
        """
        classes = self.place == "digits" or self.place.startswith("torchvision:") or self.place.endswith(".npz")
        found = self._loaded(like, Classification() if classes else like.task)
        if not like.task.named_labels:
            labels, names = found.labels.astype(np.float64), like.names
        else:
            names = found.names[: like.task.width(like.names)]
            found = found.take(found.labels < len(names))
            labels = found.labels
        whole = replace(found, pixels=_fitted(found.pixels, like), labels=labels, names=names, task=like.task)
        return self._chosen(whole, rng)

    def _chosen(self, found: Images, rng: torch.Generator) -> Images:
        return found.take(torch.randperm(len(found), generator=rng)[: self.most].numpy())

    def _loaded(self, like: Images, task: Task) -> Images:
        if not len(like):
            raise DataError("expected at least one image of the thief, to know what the model takes, got none")
        height, width, channels = like.size
        return load(resolved(self.place), size=max(height, width), channels=channels, task=task)


def _fitted(pixels: npt.NDArray[np.uint8], like: Images) -> npt.NDArray[np.uint8]:
    """Square images (n, side, side, channels), cropped at the centre to the size of `like`; grey is repeated per channel."""
    height, width, channels = like.size
    top, left = (pixels.shape[1] - height) // 2, (pixels.shape[2] - width) // 2
    cropped = pixels[:, top : top + height, left : left + width]
    return cropped if cropped.shape[3] == channels else np.repeat(cropped, channels, axis=3)

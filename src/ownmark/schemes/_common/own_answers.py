"""A model's own answers: those that it and its copies give to an image, but independent models do not.

Mistakes on training images are not accidental: even a student of the model's answers learns them.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from torch import nn

from ownmark.data.images import Images
from ownmark.protocols import Owner
from ownmark.scoring.readings import Expected, Floats
from ownmark.training import predict

LOOKED_AT = 4  # images that the helpers answer, per wanted image


@dataclass(frozen=True, eq=False)
class OwnAnswers:
    """`images` (n) and, for each, `own`: the model's answer instead of the label, classes int64 or numbers."""

    images: Images
    own: Expected

    def __len__(self) -> int:
        return len(self.images)

    def take(self, rows: npt.NDArray[np.int64]) -> "OwnAnswers":
        return OwnAnswers(self.images.take(rows), self.own[rows])

    @property
    def expected(self) -> Expected:
        """(n, 2) the label and the model's own answer: a sample's target."""
        return np.stack([self.images.labels, self.own], axis=1)


def own_answers(model: nn.Module, owner: Owner, most: int) -> OwnAnswers:
    """At most `most` of the owner's images and their mirror images, most distinctive answers first.

    For classes, the answer is the most probable wrong class, ranked by the lowest probability from the model or a surrogate
    minus the highest from a reference. For numbers, the distance from the label on the model's side is ranked in the same way.
    """
    found = (_classes if owner.images.task.discrete else _numbers)(model, owner, LOOKED_AT * most)
    return found.take(np.arange(min(most, len(found))))


def both_ways(images: Images) -> Images:
    """The images, followed by their mirror images."""
    people = None if images.people is None else np.tile(images.people, 2)
    pixels = np.concatenate([images.pixels, images.pixels[:, :, ::-1]])
    return replace(images, pixels=pixels, labels=np.tile(images.labels, 2), people=people)


def _classes(model: nn.Module, owner: Owner, most: int) -> OwnAnswers:
    images = both_ways(owner.images)
    shares = predict(model, images).softmax(dim=1).numpy()
    shares[np.arange(len(images)), images.labels] = -1
    own, sure = shares.argmax(axis=1), shares.max(axis=1)
    rows = np.argsort(-sure, kind="stable")[:most]
    few, wrong = images.take(rows), own[rows]

    def chance(helper: nn.Module) -> Floats:
        return np.asarray(predict(helper, few).softmax(dim=1).numpy()[np.arange(len(few)), wrong])

    copied = np.min([sure[rows], *map(chance, owner.surrogates)], axis=0)
    shared = np.max([np.zeros(len(few)), *map(chance, owner.references)], axis=0)
    return OwnAnswers(few, wrong).take(np.argsort(shared - copied, kind="stable"))


def _numbers(model: nn.Module, owner: Owner, most: int) -> OwnAnswers:
    images = both_ways(owner.images)
    own = _told(images, model)
    side = np.sign(own - images.labels)

    def beyond(helper: nn.Module) -> Floats:
        return np.asarray(side * (_told(images, helper) - images.labels))

    copied = np.min([np.abs(own - images.labels), *map(beyond, owner.surrogates)], axis=0)
    shared = np.max([np.zeros(len(images)), *map(beyond, owner.references)], axis=0)
    return OwnAnswers(images, own).take(np.argsort(shared - copied, kind="stable")[:most])


def _told(images: Images, model: nn.Module) -> npt.NDArray[np.float64]:
    return np.asarray(predict(model, images).flatten().numpy().astype(np.float64))

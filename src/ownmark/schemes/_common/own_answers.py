"""The answers that are a model's own: what it and its copies say of an image, and other models of its kind do not.

On images that a model was trained on its mistakes are no accident: even a student of its answers learns them.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from torch import nn

from ownmark.data.images import Images
from ownmark.protocols import Owner
from ownmark.scoring.readings import Expected
from ownmark.training import predict

Floats = npt.NDArray[np.floating]
LOOKED_AT = 4  # times as many images as are wanted: of these the helpers are asked


@dataclass(frozen=True, eq=False)
class OwnAnswers:
    """`images` (n) and, for each, `own`: what the model answers in place of the label, classes int64 or numbers."""

    images: Images
    own: Expected

    def __len__(self) -> int:
        return len(self.images)

    def take(self, rows: npt.NDArray[np.int64]) -> "OwnAnswers":
        return OwnAnswers(self.images.take(rows), self.own[rows])

    @property
    def expected(self) -> Expected:
        """(n, 2) the label and the model's own answer: what a sample's target is."""
        return np.stack([self.images.labels, self.own], axis=1)


def own_answers(model: nn.Module, owner: Owner, most: int) -> OwnAnswers:
    """The owner's images and their mirror images, at most `most`, those first whose answer is the most the model's own.

    Of a class that is the wrong answer with most probability, and the least probability that the model or a surrogate gives it,
    less the greatest that a reference does, says how much. Of a number the distances from the label count, on the model's side.
    """
    found = (_classes if owner.images.task.discrete else _numbers)(model, owner, LOOKED_AT * most)
    return found.take(np.arange(min(most, len(found))))


def both_ways(images: Images) -> Images:
    """The images, and behind them their mirror images."""
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

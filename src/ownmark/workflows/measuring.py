"""How good a model is on images, by the figures of its task, on how many of them that is measured, and what it must answer."""

from dataclasses import replace

import numpy as np
import torch
from torch import nn

from ownmark.data.images import Images, Split
from ownmark.errors import ModelError, OwnmarkError, first_line
from ownmark.models.prepared import unended
from ownmark.querying.outputs import MULTI_LABEL, ONE_TENSOR, unfit
from ownmark.report.words import percent
from ownmark.suspects.answers import Outputs, surely
from ownmark.tasks import Quality
from ownmark.training import predict

ENOUGH = 64  # images that show whether a model ends in a softmax
MEASURED = 2000  # images on which a fingerprint's model, references and copies are measured, and with which copies are made


def correct(model: nn.Module, images: Images) -> float:
    """The share of images that a classifier answers as they are labelled."""
    return quality(model, images)["accuracy"]


def quality(model: nn.Module, images: Images) -> Quality:
    """How good the model is on the images, by the figures of their task.

    Raises ModelError if it cannot take them, or answers what another task has.
    """
    try:
        answers = predict(model, images)
    except OwnmarkError:
        raise
    except Exception as error:  # a user's model may raise anything
        height, width, channels = images.size
        cannot = f"the model cannot take images of {width}x{height} pixels and {channels} channels"
        advice = "set --size, and --channels to 1 for grey images or 3"
        raise ModelError(f"{cannot} ({advice}): {first_line(error)}. {ONE_TENSOR}") from error
    numbers = images.task.width(images.names)
    if images.task.located:
        return _of_boxes(images, answers)
    if answers.ndim != 2 or len(answers) != len(images) or answers.shape[1] != (numbers or answers.shape[1]):  # noqa: PLR2004
        if why := unfit(answers.shape):
            raise ModelError(f"the model cannot be asked: {why}")
        needed = f"({len(images)}, {numbers})" if numbers else f"({len(images)}, d)"
        raise ModelError(
            f"the model answers {tuple(answers.shape)} to these images, expected {needed}: one number "
            f"per {'class' if len(images.names) > 1 else 'image'} for {images.task.name}; say another --task if it does another"
        )
    if not answers.isfinite().all():
        raise ModelError("the model answers NaN or infinity: its weights or its preprocessing (--mean, --std) are broken")
    return images.task.quality(answers.numpy(), images.labels)


def _of_boxes(images: Images, answers: torch.Tensor) -> Quality:
    """The same for detections (n, q, 6)."""
    if answers.ndim != 3 or not answers.isfinite().all():  # noqa: PLR2004 - (n, q, 6)
        raise ModelError(
            f"the model answers {tuple(answers.shape)} to these images, expected finite boxes, labels and scores per image, as "
            "torchvision's detectors answer them; say another --task if it does another"
        )
    return images.task.quality(answers.numpy(), images.labels)


def few(images: Images) -> Images:
    """At most `MEASURED` of the images, from everywhere; all where images are compared with each other."""
    if images.task.compares or len(images) <= MEASURED:
        return images
    return images.take(np.linspace(0, len(images) - 1, MEASURED).round().astype(np.int64))


def shortened(whole: Split) -> Split:
    """The same images to work with, and a few of them to measure on."""
    enough = few(whole.mine)
    return whole if enough is whole.mine else replace(whole, held_out=enough, origin="of those that are given")


def shown(found: Quality, headline: str) -> str:
    """How good a model is, as a person says it."""
    value = found[headline]
    said = {
        "accuracy": f"{percent(value)} right",
        "mae": f"off by {value:.3g} on average",
        "map_50": f"mean average precision {value:.3g} at an overlap of 0.5",
    }
    return said.get(headline, f"{percent(value)} of pairs of the same accepted where 1 in 1,000 other pairs is")


def check_logits(model: nn.Module, images: Images) -> None:
    """Raises ModelError for a classifier that ends in a softmax or in sigmoids: what is learnt and explained here is logits."""
    if not images.task.discrete:
        return
    asked = images.take(np.arange(min(len(images), ENOUGH)))
    with unended(model) as ending:
        bare = predict(model, asked)
    kind = surely(ending.ended(bare).double().numpy())
    if ending.off and kind is None:
        raise ModelError(f"the model ends in a sigmoid per class: {MULTI_LABEL}")
    if kind is Outputs.PROBABILITIES:
        raise ModelError(
            "the model answers probabilities, but a claim is made on logits: let it end before its softmax, "
            "and put the softmax behind it where you publish it; suspects may end in one"
        )

"""How good a model is on images, by the figures of their task."""

from torch import nn

from ownmark.data.images import Images
from ownmark.errors import ModelError, OwnmarkError
from ownmark.report.words import percent
from ownmark.tasks import Quality
from ownmark.training import predict


def correct(model: nn.Module, images: Images) -> float:
    """The share of images that a classifier answers as they are labelled."""
    return quality(model, images)["accuracy"]


def quality(model: nn.Module, images: Images) -> Quality:
    """How good the model is on the images, by the figures of their task.

    Raises ModelError if it cannot take them, or answers what another task has.
    """
    height, width, channels = images.size
    try:
        answers = predict(model, images)
    except OwnmarkError:
        raise
    except Exception as error:  # a user's model may raise anything
        said = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ModelError(f"the model cannot take images of {width}x{height} pixels and {channels} channels: {said}") from error
    numbers = images.task.width(images.names)
    if answers.ndim != 2 or len(answers) != len(images) or answers.shape[1] != (numbers or answers.shape[1]):  # noqa: PLR2004
        needed = f"({len(images)}, {numbers})" if numbers else f"({len(images)}, d)"
        raise ModelError(
            f"the model answers {tuple(answers.shape)} to these images, needed are {needed}: one number "
            f"{'a class' if len(images.names) > 1 else 'an image'} for {images.task.name}; say another --task if it does another"
        )
    if not answers.isfinite().all():
        raise ModelError("the model answers NaN or infinity: its weights or its preprocessing (--mean, --std) are broken")
    return images.task.quality(answers.numpy(), images.labels)


def shown(found: Quality, headline: str) -> str:
    """How good a model is, as a person says it."""
    value = found[headline]
    said = {"accuracy": f"{percent(value)} right", "mae": f"off by {value:.3g} on average"}
    return said.get(headline, f"{percent(value)} of the same accepted where 1 in 1,000 others is")

"""What is said of a model with several outputs, the same of a module and of a file. No torch."""

from collections.abc import Iterable

from ownmark.errors import ModelError

LOGITS = "logits"  # name of the main output in Hugging Face and torchvision
PER_PIXEL, PER_PLACE = 4, 3  # dimensions of answers (n, k, height, width) and (n, places, k)
ONE_TENSOR = (
    "A model is called with one tensor of images (n, channels, height, width): whatever takes anything else, "
    "such as a dictionary or two inputs, needs a module around it that makes it of these"
)
MULTI_LABEL = (
    "a model that says yes or no to each class (multi-label), while a claim asks which one class an image shows. What serves: "
    "where each image shows exactly one class, let it end before its sigmoids; otherwise protect one label, with a module that "
    "answers two logits, 0 and that label's"
)


def used(name: str, outputs: Iterable[str]) -> str:
    """The note for a verdict on which of the `outputs` was read."""
    return f"used the output {name!r} of {', '.join(outputs)}"


def several(whose: str, fitting: Iterable[str]) -> ModelError:
    """The error where more than one output fits and nobody has named one."""
    return ModelError(f"{whose} has several outputs that fit, {', '.join(fitting)}: choose one with --output NAME")


def missing(whose: str, name: str, outputs: Iterable[str]) -> ModelError:
    """The error where no output has the name that was given."""
    return ModelError(f"{whose} has no output {name!r}; its outputs are: {', '.join(outputs) or 'a single unnamed one'}")


def unfit(shape: Iterable[int]) -> str:
    """What a model does whose answers are no row of numbers per image, and what would serve; "" for other shapes."""
    size = tuple(shape)
    if len(size) == PER_PIXEL:
        return (
            f"answers of shape {size} are scores for every pixel (segmentation), and no task here covers them. What serves: a "
            "module that ends in one row per image, such as the scores' mean over the pixels (classification), or the encoder "
            "with its features pooled (--task similarity)"
        )
    if len(size) == PER_PLACE:
        return (
            f"answers of shape {size} have a row for every place in an image (an encoder's tokens, or a class per pixel), and a "
            "claim needs one row per image. What serves: a module that pools them, with --task similarity"
        )
    if size[1:] == (1,):
        return (
            f"answers of shape {size} are one number per image: a regressor's (--task regression), or yes or no by a single "
            "logit. What serves for the latter: a module that answers two logits, 0 and that one"
        )
    return ""

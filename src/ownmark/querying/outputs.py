"""What is said of a model with several outputs, the same of a module and of a file. No torch."""

from collections.abc import Iterable

from ownmark.errors import ModelError

LOGITS = "logits"  # name of the main output in Hugging Face and torchvision


def used(name: str, outputs: Iterable[str]) -> str:
    """The note for a verdict on which of the `outputs` was read."""
    return f"used the output {name!r} of {', '.join(outputs)}"


def several(whose: str, fitting: Iterable[str]) -> ModelError:
    """The error where more than one output fits and nobody has named one."""
    return ModelError(f"{whose} has several outputs that fit, {', '.join(fitting)}: choose one with --output NAME")


def missing(whose: str, name: str, outputs: Iterable[str]) -> ModelError:
    """The error where no output has the name that was given."""
    return ModelError(f"{whose} has no output {name!r}; its outputs are: {', '.join(outputs) or 'a single unnamed one'}")

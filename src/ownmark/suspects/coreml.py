"""A suspect in Core ML's formats, which run on Apple's systems alone: recognised, and refused with the way out. No torch."""

from pathlib import Path
from typing import NoReturn

from ownmark.errors import ModelError, UsageError
from ownmark.suspects.opener import Opener, Opening

WAY_OUT = (
    "Core ML models run on Apple's systems only. Ask the same model in another format that lies beside it (many apps carry one), "
    "or serve it on a Mac, e.g. with coremltools' MLModel.predict behind a small web server, and name its address"
)


def _check(opening: Opening) -> None:
    """Raises ModelError: it is here, but cannot be asked."""
    if not Path(opening.name).exists():
        raise UsageError(f"there is no file {opening.name}")
    _opened(opening)


def _opened(opening: Opening) -> NoReturn:
    raise ModelError(f"{opening.name} is a Core ML model. {WAY_OUT}")


OPENS = Opener(
    written="a Core ML model (recognised only)",
    suffixes=(".mlmodel", ".mlpackage", ".mlmodelc"),
    check=_check,
    opened=_opened,
)

"""Which files outside the stolen model and the thief's images an attack reads."""

from dataclasses import fields, is_dataclass
from typing import Any

from ownmark.attacks._common.foreign import Foreign
from ownmark.attacks._common.independent import Independent


def sources(method: Any) -> dict[str, str]:  # noqa: ANN401 - an attack, or any value inside of one
    """Place -> a digest of the names and sizes of its files, for every path that the method, or one inside it, reads.

    Raises UsageError for a place that names an environment variable which is not set.
    """
    if isinstance(method, Foreign):
        named = {method.place: method.source}
    elif isinstance(method, Independent):
        named = {method.weights: method.source}
    else:
        inside = [getattr(method, field.name) for field in fields(method)] if is_dataclass(method) else []
        named = {place: stamp for one in inside for place, stamp in sources(one).items()}
    return {place: stamp for place, stamp in named.items() if stamp}

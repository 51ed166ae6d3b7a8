"""Methods with as little work as they can be asked for."""

from dataclasses import fields, is_dataclass, replace
from typing import Any

from ownmark.schemes.residual import Residual
from ownmark.schemes.saliency.objectives import Published

LITTLE: dict[str, Any] = {  # by the name of a parameter, wherever it stands: quick, and content with little
    "samples": 2,
    "triggers": 6,
    "sets": 1,
    "steps": 12,
    "epochs": 1,
    "clean": 8,
    "draws": 1,
    "units": 4,
    "runs": 1,
    "least": 0.0,
    "lead": 0.0,
    "margin": 0.01,
    "bound": 0.5,
    "objective": Published(),
    "batch": 16,
}


def little(method: Any, **others: Any) -> Any:
    """The method with as little work as it can be asked for; `others`: as `LITTLE`, and before it."""
    known = LITTLE | others
    found = {field.name: getattr(method, field.name) for field in fields(method)}
    fewer = {name: known[name] for name in found if name in known}
    fewer |= {"samples": 24} if isinstance(method, Residual) else {}  # the mean of its samples counts, which two do not have
    inside = {name: little(value, **others) for name, value in found.items() if name not in fewer and is_dataclass(value)}
    return replace(method, **fewer, **inside)

"""Every attack of the package, quickly, and what it is handed."""

from copy import deepcopy
from dataclasses import dataclass, fields, is_dataclass, replace
from inspect import signature
from typing import Any, ClassVar, get_type_hints

import torch
from conftest import pictures, seed, small_claim
from torch import nn

from ownmark.attacks import ATTACKS
from ownmark.attacks.noise import Noise
from ownmark.data.images import Images
from ownmark.models.layers import last_layer
from ownmark.models.resnet import ResNet18
from ownmark.protocols import Attack, Needs, Owner, Progress, Protected, Scheme, silent
from ownmark.tasks import Classification, Task


@dataclass(frozen=True)
class Bump:
    """The simplest watermark: the owner's mark is a step in the last layer's bias, or weights."""

    needs: ClassVar[Needs] = Needs()
    marks: ClassVar[bool] = True
    serves: ClassVar[tuple[type[Task], ...]] = (Classification,)
    step: float = 0.5

    def protect(self, model: nn.Module, owner: Owner, rng: torch.Generator, progress: Progress = silent) -> Protected:  # noqa: ARG002 - the verb's signature
        marked = deepcopy(model)
        with torch.no_grad():
            list(last_layer(marked).parameters())[-1][0] += self.step
        progress(1, 1)
        return Protected(marked, small_claim())


ROLES: dict[Any, Any] = {Attack: Noise(), Scheme: Bump()}  # what stands where an attack needs another role's method


LITTLE = {"epochs": 1, "steps": 1, "rounds": 1, "most": 24}  # of a parameter, wherever it stands


def quick(attack: Any) -> Any:
    """The attack with as little work as it can be asked for."""
    found = {field.name: getattr(attack, field.name) for field in fields(attack)}
    fewer = {name: LITTLE[name] for name, value in found.items() if name in LITTLE and value != 0}
    inside = {name: quick(value) for name, value in found.items() if name not in fewer and is_dataclass(value)}
    return replace(attack, **fewer, **inside)


def example(kind: type) -> Attack:
    """An attack with its defaults; what has none is a role."""
    hints = get_type_hints(kind)
    needed = [name for name, one in signature(kind).parameters.items() if one.default is one.empty]
    found: Attack = quick(kind(**{name: ROLES[hints[name]] for name in needed}))
    return found


def applied(attack: Attack, stolen: nn.Module, number: int = 0, thief: Images | None = None) -> nn.Module:
    return attack.apply(stolen, pictures() if thief is None else thief, seed(number), silent)


def changed(found: nn.Module, stolen: nn.Module) -> set[str]:
    """The names of the tensors that differ."""
    before = stolen.state_dict()
    return {name for name, tensor in found.state_dict().items() if not torch.equal(tensor, before[name])}


def surer(model: ResNet18, factor: float) -> ResNet18:
    """The same labels, other probabilities."""
    with torch.no_grad():
        model.head.weight.mul_(factor)
        model.head.bias.mul_(factor)
    return model


EXAMPLES: tuple[Attack, ...] = tuple(example(kind) for kind in ATTACKS)

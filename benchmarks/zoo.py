"""Models shared by experiments, made once and stored in the bench's store."""

from collections.abc import Callable, Mapping
from hashlib import sha256
from inspect import getsource
from types import ModuleType

import torch
from torch import nn

from ownmark.bench.artifacts import weights_of
from ownmark.bench.cache import Zoo
from ownmark.bench.store import Made, Store
from ownmark.models.weights import load_weights

ZOO = Zoo(Store.default())


def kept(recipe: str, blank: Callable[[], nn.Module], make: Callable[[torch.Generator], nn.Module], seed: int) -> nn.Module:
    """The result of `make(rng)`, from the store if `recipe` and `seed` were made before."""
    asked = {"kind": "experiment", "recipe": recipe, "seed": seed, "torch": str(torch.__version__)}
    entry = ZOO.store.kept(asked, lambda: weights_of(make(torch.Generator().manual_seed(seed))))
    return load_weights(blank(), entry.file("safetensors")).to(memory_format=torch.channels_last)


def measured(recipe: str, measure: Callable[[], Mapping[str, float]]) -> dict[str, float]:
    """The result of `measure()`, from the store if the same `recipe` was measured before."""
    return dict(ZOO.store.kept(_asked(recipe), lambda: Made(measure())).facts)


def code(*modules: ModuleType) -> str:
    """A digest of their sources, for recipes of what these make."""
    return sha256("".join(map(getsource, modules)).encode()).hexdigest()


def known(recipe: str) -> dict[str, float] | None:
    """What was measured before; None if nothing was."""
    entry = ZOO.store.get(_asked(recipe))
    return None if entry is None else dict(entry.facts)


def _asked(recipe: str) -> dict[str, str]:
    return {"kind": "measure", "recipe": recipe, "torch": str(torch.__version__)}

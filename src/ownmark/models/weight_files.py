"""What files of weights hold: state dicts, perhaps in the middle of a checkpoint, read without running any code in them."""

import json
import re
import warnings
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from ownmark.errors import ModelError
from ownmark.models.kinds import Kind, kind_of

Weights = Mapping[str, Tensor]
NAMES = ("state_dict", "model_state_dict", "model", "params", "net", "network", "weights", "module", "ema_state_dict", "ema")
DEPTH = 4  # of checkpoints in checkpoints
COMPILED = "_orig_mod."  # what torch.compile puts before the names, or into them
COUNTED = "n_averaged"  # what torch.optim.swa_utils keeps beside the weights of its `module`
BLOCKED = re.compile(r"GLOBAL (\S+) was not an allowed")  # torch's words
SHARD = re.compile(r"-\d+-of-\d+\.")


@dataclass(frozen=True)
class Part:
    """Weights in a file, and `where` in it they lie, "" for the whole file; `prefix`: what was taken off all their names."""

    where: str
    weights: Weights
    prefix: str = ""

    def variants(self) -> Iterator["Part"]:
        """The same under other names: without what torch.compile adds, and without what all names begin with."""
        weights = self.weights
        yield self
        if COUNTED in weights and all(name.startswith("module.") for name in weights if name != COUNTED):
            weights = _renamed({name: tensor for name, tensor in weights.items() if name != COUNTED}, weights, "")
        if any(COMPILED in name for name in weights):
            weights = _renamed({name.replace(COMPILED, ""): tensor for name, tensor in weights.items()}, weights, "")
            yield Part(self.where, weights, COMPILED)
        prefix = COMPILED if any(COMPILED in name for name in self.weights) else ""
        while (head := _shared(weights)) is not None:
            weights = _renamed({name.removeprefix(head): tensor for name, tensor in weights.items()}, weights, head)
            prefix += head
            yield Part(self.where, weights, prefix)


def parts_of(path: Path) -> tuple[Part, ...]:
    """Every state dict in a file, those of the usual names first. Raises ModelError."""
    kind = kind_of(path)
    if kind is Kind.SHARDS:
        return (Part("", _gathered(path)),)
    if kind is Kind.SAFETENSORS:
        return (Part("", _safetensors(path)),)
    found = tuple(_parts(_unpickled(path), "", DEPTH))
    if not found:
        raise ModelError(f"{path} holds no state dict (name -> tensor); save model.state_dict() as safetensors")
    return found


def is_shard(path: Path) -> bool:
    """Whether its name says that it is one of several files."""
    return SHARD.search(path.name) is not None


def _shared(weights: Weights) -> str | None:
    """What all names begin with, up to the first dot; None if they do not."""
    heads = {name.partition(".")[0] for name in weights}
    return f"{min(heads)}." if len(heads) == 1 and all("." in name for name in weights) else None


def _renamed(weights: dict[str, Tensor], before: Weights, prefix: str) -> Weights:
    """With the versions of modules that torch keeps beside a state dict, under their new names."""
    named = OrderedDict(weights)
    versions = getattr(before, "_metadata", None)
    if isinstance(versions, Mapping):
        renamed = {str(name).replace(COMPILED, "") + ".": version for name, version in versions.items()}
        kept = {name.removeprefix(prefix)[:-1]: version for name, version in renamed.items() if name.startswith(prefix)}
        named._metadata = OrderedDict(kept)  # type: ignore[attr-defined]  # noqa: SLF001 - torch's own place for them
    return named


def _parts(found: object, where: str, depth: int) -> Iterator[Part]:
    """Every state dict below `found`."""
    if not isinstance(found, Mapping) or not found or not depth:
        return
    if all(isinstance(name, str) and isinstance(inner, Tensor) for name, inner in found.items()):
        yield Part(where, found)
        return
    names = [name for name in found if isinstance(name, str)]
    for name in sorted(names, key=lambda name: NAMES.index(name) if name in NAMES else len(NAMES)):
        yield from _parts(found[name], f"{where}.{name}" if where else name, depth - 1)


def _unpickled(path: Path) -> object:
    """What torch.save wrote, of tensors and plain values only."""
    try:
        with warnings.catch_warnings(action="ignore"):  # of archives that are refused anyway
            return torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise ModelError(f"cannot read the weights {path}: {error.strerror or error}") from error
    except Exception as error:  # torch raises errors of many kinds on a file that is no state dict
        blocked = BLOCKED.search(str(error))
        held = f"it holds an object of {blocked[1]}" if blocked else "it is not a plain state dict"
        raise ModelError(
            f"{path} is refused: {held}, and reading it could run code in it. Where it was made, save the weights alone: "
            "safetensors.torch.save_file(model.state_dict(), ...), or torch.save(checkpoint['state_dict'], ...)"
        ) from error


def _safetensors(path: Path) -> Weights:
    try:
        return load_file(path)  # of bytes, safetensors 0.8 cannot read its newer types
    except Exception as error:  # a header may be damaged in any way
        raise ModelError(f"{path} is no sound safetensors file: {error}") from error


def _gathered(index: Path) -> Weights:
    """The tensors of all files that an index names, which must lie beside it."""
    try:
        known: dict[str, Any] = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        files = sorted(set(known.values()))
        outside = next((name for name in files if not _is_plain(name)), None)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ModelError(f"{index} is no index of shards, which has a weight_map from names to files: {error!r}") from error
    if outside is not None or not files:
        raise ModelError(f"{index} must name files beside it, got {outside!r}")
    gathered: dict[str, Tensor] = {}
    for name in files:
        shard = index.with_name(name)
        if not shard.is_file():
            raise ModelError(f"{index} names {name}, which does not lie beside it: copy all shards into one folder")
        if kind_of(shard) is not Kind.SAFETENSORS:
            raise ModelError(f"{shard} is no sound safetensors file")
        found = _safetensors(shard)
        wanted = {key for key, place in known.items() if place == name}
        if wanted != set(found):
            raise ModelError(f"{shard} does not hold the tensors that {index.name} says: {min(wanted ^ set(found))!r} is amiss")
        gathered |= found
    return gathered


def _is_plain(name: str) -> bool:
    """Whether it is the name of a file, without any folder."""
    return name == PurePosixPath(name).name == PureWindowsPath(name).name and name not in {"", ".", ".."}

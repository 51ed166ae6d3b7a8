"""Loads and saves model weights, also from inside checkpoints, whose code is never run; refuses what does not fit, and NaN."""

import hashlib
import json
import re
import textwrap
import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import torch
from safetensors.torch import load_file, save
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.utils._python_dispatch import is_traceable_wrapper_subclass

from ownmark.errors import ModelError, blamed
from ownmark.files import write_whole
from ownmark.models.kinds import Kind, kind_of
from ownmark.models.memory_format import plain_copy
from ownmark.models.prepared import check_drawn, copied

Weights = Mapping[str, Tensor]
NAMES = ("state_dict", "model_state_dict", "model", "params", "net", "network", "weights", "module", "ema_state_dict", "ema")
DEPTH = 4  # nesting of checkpoints
COMPILED = "_orig_mod."  # torch.compile inserts it into names
COUNTERS = frozenset({"total_ops", "total_params"})  # thop leaves these buffers in modules for which it has no rule
COUNTED = "n_averaged"  # torch.optim.swa_utils stores it beside the weights of its `module`
BLOCKED = re.compile(r"GLOBAL (\S+) was not an allowed")  # torch's wording
SHARD = re.compile(r"-\d+-of-\d+\.")


@dataclass(frozen=True)
class Part:
    """Weights in a file.

    `where`: their key in the file, "" for the whole file; `prefix`: removed from all their names; `counters`: how many of thop's
    counters were left out.
    """

    where: str
    weights: Weights
    prefix: str = ""
    counters: int = 0

    def variants(self) -> Iterator["Part"]:
        """The same weights without thop's counters, torch.compile's infix in the names, and the names' common prefix."""
        weights = self.weights
        yield self
        kept = {name: tensor for name, tensor in weights.items() if not _counts(name, tensor)}
        if 0 < len(kept) < len(weights):
            yield from Part(self.where, _renamed(kept, weights, ""), counters=len(weights) - len(kept)).variants()
        if COUNTED in weights and all(name.startswith("module.") for name in weights if name != COUNTED):
            weights = _renamed({name: tensor for name, tensor in weights.items() if name != COUNTED}, weights, "")
        if any(COMPILED in name for name in weights):
            weights = _renamed({name.replace(COMPILED, ""): tensor for name, tensor in weights.items()}, weights, "")
            yield replace(self, weights=weights, prefix=COMPILED)
        prefix = COMPILED if any(COMPILED in name for name in self.weights) else ""
        while (head := _shared(weights)) is not None:
            weights = _renamed({name.removeprefix(head): tensor for name, tensor in weights.items()}, weights, head)
            prefix += head
            yield replace(self, weights=weights, prefix=prefix)


def _counts(name: str, tensor: Tensor) -> bool:
    """Whether it is a counter of thop's, a single number: weights under that name are weights."""
    return name.rpartition(".")[2] in COUNTERS and tensor.numel() == 1


def parts_of(path: Path) -> tuple[Part, ...]:
    """Every state dict in a file, those under common keys first. Raises ModelError."""
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
    """Whether the file's name marks it as one of several shards."""
    return SHARD.search(path.name) is not None


def _shared(weights: Weights) -> str | None:
    """The common first component of all names, dot included, or None."""
    heads = {name.partition(".")[0] for name in weights}
    return f"{min(heads)}." if len(heads) == 1 and all("." in name for name in weights) else None


def _renamed(weights: dict[str, Tensor], before: Weights, prefix: str) -> Weights:
    """`named` with torch's metadata of module versions, under the new names."""
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
    """The content of a torch.save file; only tensors and plain values are accepted."""
    try:
        with warnings.catch_warnings(action="ignore"):  # about archives that are refused anyway
            return torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise ModelError(f"cannot read the weights {path}: {error.strerror or error}") from error
    except Exception as error:  # torch raises arbitrary errors on other files
        blocked = BLOCKED.search(str(error))
        held = f"it contains an object of {blocked[1]}" if blocked else "it is not a plain state dict"
        raise ModelError(
            f"{path} is refused: {held}, and reading it could run code. Save only the weights where the file was made: "
            "safetensors.torch.save_file(model.state_dict(), ...), or torch.save(checkpoint['state_dict'], ...)"
        ) from error


def _safetensors(path: Path) -> Weights:
    try:
        return load_file(path)  # from bytes, safetensors 0.8 cannot read its newer types
    except Exception as error:  # corrupt headers raise arbitrary errors
        raise ModelError(f"{path} is not a valid safetensors file: {error}") from error


def _gathered(index: Path) -> Weights:
    """The tensors of all shards that an index names; the shards must be in the index's folder."""
    try:
        known: dict[str, Any] = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        files = sorted(set(known.values()))
        outside = next((name for name in files if not _is_plain(name)), None)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ModelError(f"{index} is not a shard index, which has a weight_map from names to files: {error!r}") from error
    if outside is not None or not files:
        raise ModelError(f"{index} must name files in its own folder, got {outside!r}")
    gathered: dict[str, Tensor] = {}
    for name in files:
        shard = index.with_name(name)
        if not shard.is_file():
            raise ModelError(f"{index} names {name}, which is not in the same folder: copy all shards into one folder")
        if kind_of(shard) is not Kind.SAFETENSORS:
            raise ModelError(f"{shard} is not a valid safetensors file")
        found = _safetensors(shard)
        wanted = {key for key, place in known.items() if place == name}
        if wanted != set(found):
            raise ModelError(
                f"{shard} does not hold the tensors that {index.name} lists: {min(wanted ^ set(found))!r} is missing or extra"
            )
        gathered |= found
    return gathered


def _is_plain(name: str) -> bool:
    """Whether it is a bare file name, without a folder."""
    return name == PurePosixPath(name).name == PureWindowsPath(name).name and name not in {"", ".", ".."}


def weights_digest(model: nn.Module) -> str:
    """SHA-256 over name, type, shape and bytes of every tensor of the model, independent of the file format."""
    check_drawn(model)
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        for part, inner in stored(name, tensor):
            raw = inner.detach().cpu().contiguous()
            digest.update(f"{part} {raw.dtype} {tuple(raw.shape)} ".encode())
            digest.update(raw.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def stored(name: str, tensor: object) -> Iterator[tuple[str, Tensor]]:
    """A tensor, or what a quantised one keeps instead: of torchao its integers, scales and zero points, of torch its values.

    A quantised layer of torch packs them in tuples, beside its type, which is no tensor.
    """
    if isinstance(tensor, tuple | list):
        for place, part in enumerate(tensor):
            yield from stored(f"{name}.{place}", part)
        return
    if not isinstance(tensor, Tensor):
        return
    if tensor.is_quantized:
        yield name, tensor.dequantize()
        return
    if not is_traceable_wrapper_subclass(tensor):
        yield name, tensor
        return
    for part in tensor.__tensor_flatten__()[0]:
        yield from stored(f"{name}.{part}", getattr(tensor, part))


def unsaid(note: str) -> None:
    """Ignores the note on how a file was read."""


def load_weights(model: nn.Module, path: Path | str, told: Callable[[str], None] = unsaid) -> nn.Module:
    """Loads a weights file into `model` in place; returns the model in eval mode.

    The file is safetensors, a shard index, a torch state dict, or a checkpoint that holds one among plain values. A common
    prefix of all names is removed if the remaining names fit better, and thop's counters are left out if the rest does.
    `told` receives a sentence per such interpretation.

    Raises ModelError for a file that requires running code, is corrupt, contains NaN, or does not fit.
    """
    path = Path(path)
    own = {name: tensor for name, tensor in model.state_dict().items() if not is_lazy(tensor)}
    part, rivals = _chosen(parts_of(path), own)
    weights = part.weights
    odd = [name for name, tensor in weights.items() if name in own and _kind(tensor) != _kind(own[name])]
    if odd:
        raise ModelError(
            f"{path} does not fit the model: expected {odd[0]} as {_kind(own[odd[0]])}, got {_kind(weights[odd[0]])}"
        )
    with blamed(ModelError, f"{path} cannot be loaded into the model"):  # a quantised layer of torch raises KeyError, say
        try:
            _fill(copied(model), weights)  # torch loads the fitting tensors before it raises
        except RuntimeError as error:
            lines = "; ".join(textwrap.shorten(line, 160, placeholder=" ...") for line in str(error).splitlines()[1:4])
            raise ModelError(f"{path} does not fit the model{_hint(path, weights, own)}: {lines}") from error
    broken = [name for name, tensor in weights.items() if not _is_finite(tensor)]
    if broken:
        raise ModelError(f"{path} contains NaN or infinity in {', '.join(broken[:3])}: the weights are corrupt")
    _fill(model, weights)
    for note in _notes(part, rivals):
        told(f"{path}: {note}.")
    return model.eval()


def _hint(path: Path, weights: Weights, own: Weights) -> str:
    """What to do about weights that do not fit, in brackets; "" if unknown. Parts of a file are not used unasked."""
    if is_shard(path):
        return " (it is one of several shards: name their index, which ends in .safetensors.index.json)"
    for head in sorted({name.partition(".")[0] + "." for name in weights}):
        if not _amiss({name.removeprefix(head): tensor for name, tensor in weights.items() if name.startswith(head)}, own):
            return f" (but the tensors whose names begin with {head!r} do: save these alone, without the prefix)"
    return ""


def _fill(model: nn.Module, weights: Weights) -> None:
    """Loads the weights; a module that asks for their version, as torchvision's MNASNet does, is told its own."""
    try:
        model.load_state_dict(weights)
    except ValueError:
        versioned = OrderedDict(weights)
        versioned._metadata = model.state_dict()._metadata  # type: ignore[attr-defined]  # noqa: SLF001 - torch's own place for it
        model.load_state_dict(versioned)


def _chosen(parts: Sequence[Part], own: Weights) -> tuple[Part, tuple[Part, ...]]:
    """The weights that fit best (the first of several, least stripped), and others in the file that fit equally well."""
    best = [min(part.variants(), key=lambda one: _amiss(one.weights, own)) for part in parts]
    least = min(_amiss(one.weights, own) for one in best)
    chosen, *rivals = (one for one in best if _amiss(one.weights, own) == least)
    return chosen, tuple(rivals)


def _amiss(weights: Weights, own: Weights) -> int:
    """Number of tensors that are missing, extra, or of another shape."""
    fit = sum(name in own and own[name].shape == tensor.shape for name, tensor in weights.items())
    return len(weights) + len(own) - 2 * fit


def _notes(part: Part, rivals: Sequence[Part]) -> Iterator[str]:
    """Notes for the user on how the file was interpreted."""
    if part.where:
        others = f"; it also contains weights that fit under {', '.join(repr(one.where) for one in rivals)}" if rivals else ""
        yield f"used the weights under {part.where!r}{others}"
    if part.prefix:
        yield f"removed the prefix {part.prefix!r} from all names"
    if part.counters:
        yield f"left out {part.counters} counters of operations that thop added"


def is_finite(model: nn.Module) -> bool:
    """Whether no weight is NaN or infinite: after training, whether it converged."""
    return all(map(_is_finite, model.state_dict().values()))


def _is_finite(tensor: Tensor) -> bool:
    """Whether all values are finite; 1-byte types are widened first, which torch needs, and 4-bit types have no infinity."""
    if tensor.dtype == torch.float4_e2m1fn_x2:
        return True
    wide = tensor.float() if tensor.is_floating_point() and tensor.element_size() == 1 else tensor
    return bool(wide.isfinite().all())


def _kind(tensor: Tensor) -> str:
    """The dtype up to precision (floats of two or more bytes are equivalent) and the layout."""
    wide = tensor.is_floating_point() and tensor.element_size() > 1
    return f"{'float' if wide else tensor.dtype} {tensor.layout}"


def save_weights(model: nn.Module, path: Path | str) -> None:
    """Writes the model's weights as safetensors, atomically."""
    weights = {name: plain_copy(tensor) for name, tensor in model.state_dict().items()}
    write_whole(Path(path), save(weights))

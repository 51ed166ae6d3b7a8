"""Loads and saves model weights; refuses weights that do not fit or contain NaN."""

import hashlib
import textwrap
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.utils._python_dispatch import is_traceable_wrapper_subclass

from ownmark.errors import ModelError
from ownmark.files import write_whole
from ownmark.models.copies import check_drawn, copied
from ownmark.models.memory_format import plain_copy
from ownmark.models.weight_files import Part, Weights, is_shard, parts_of


def weights_digest(model: nn.Module) -> str:
    """SHA-256 over name, type, shape and bytes of every tensor of the model, independent of the file format."""
    check_drawn(model)
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        for part, inner in _stored(name, tensor):
            raw = inner.detach().cpu().contiguous()
            digest.update(f"{part} {raw.dtype} {tuple(raw.shape)} ".encode())
            digest.update(raw.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _stored(name: str, tensor: Tensor) -> Iterator[tuple[str, Tensor]]:
    """A tensor, or what a quantised one of torchao keeps instead: its integers, scales and zero points."""
    if not is_traceable_wrapper_subclass(tensor):
        yield name, tensor
        return
    for part in tensor.__tensor_flatten__()[0]:
        yield from _stored(f"{name}.{part}", getattr(tensor, part))


def unsaid(note: str) -> None:
    """Ignores the note on how a file was read."""


def load_weights(model: nn.Module, path: Path | str, told: Callable[[str], None] = unsaid) -> nn.Module:
    """Loads a weights file into `model` in place; returns the model in eval mode.

    The file is safetensors, a shard index, a torch state dict, or a checkpoint that holds one among plain values. A common
    prefix of all names is removed if the remaining names fit better. `told` receives a sentence per such interpretation.

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
    try:
        copied(model).load_state_dict(weights)  # torch loads the fitting tensors before it raises
    except RuntimeError as error:
        lines = "; ".join(textwrap.shorten(line, 160, placeholder=" ...") for line in str(error).splitlines()[1:4])
        hint = " (it is one of several shards: name their index, which ends in .safetensors.index.json)" if is_shard(path) else ""
        raise ModelError(f"{path} does not fit the model{hint}: {lines}") from error
    broken = [name for name, tensor in weights.items() if not _is_finite(tensor)]
    if broken:
        raise ModelError(f"{path} contains NaN or infinity in {', '.join(broken[:3])}: the weights are corrupt")
    model.load_state_dict(weights)
    for note in _notes(part, rivals):
        told(f"{path}: {note}.")
    return model.eval()


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

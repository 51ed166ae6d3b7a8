"""Weights files: safetensors, or a state dict read without running any code in it; anything else is refused."""

import hashlib
import textwrap
import warnings
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from ownmark.errors import ModelError
from ownmark.files import write_whole
from ownmark.models.copies import check_drawn, copied
from ownmark.models.memory_format import plain_copy

Weights = dict[str, Tensor]


def weights_digest(model: nn.Module) -> str:
    """SHA-256 over name, type, shape and bytes of every tensor of the model, whatever file they came in."""
    check_drawn(model)
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        raw = tensor.detach().cpu().contiguous()
        digest.update(f"{name} {raw.dtype} {tuple(raw.shape)} ".encode())
        digest.update(raw.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def load_weights(model: nn.Module, path: Path | str) -> nn.Module:
    """Fill `model` in place from a safetensors file or a state dict of torch; returns it in eval mode.

    Raises ModelError for a file that would have to run code, that is damaged, that holds NaN, or that does not fit.
    """
    path = Path(path)
    weights = _read(path)
    own = {name: tensor for name, tensor in model.state_dict().items() if not is_lazy(tensor)}
    odd = [name for name, tensor in weights.items() if name in own and _kind(tensor) != _kind(own[name])]
    if odd:
        raise ModelError(f"{path} does not fit the model: {odd[0]} is {_kind(weights[odd[0]])}, needed {_kind(own[odd[0]])}")
    try:
        copied(model).load_state_dict(weights)  # torch fills in what fits before it complains
    except RuntimeError as error:
        lines = "; ".join(textwrap.shorten(line, 160, placeholder=" ...") for line in str(error).splitlines()[1:4])
        raise ModelError(f"{path} does not fit the model: {lines}") from error
    broken = [name for name, tensor in weights.items() if not tensor.isfinite().all()]
    if broken:
        raise ModelError(f"{path} holds NaN or infinity in {', '.join(broken[:3])}: these weights are broken")
    model.load_state_dict(weights)
    return model.eval()


def _kind(tensor: Tensor) -> str:
    """The type, but for precision: floats of two bytes and more are one kind; and whether it is sparse."""
    wide = tensor.is_floating_point() and tensor.element_size() > 1
    return f"{'float' if wide else tensor.dtype} {tensor.layout}"


def save_weights(model: nn.Module, path: Path | str) -> None:
    """Write the model's weights as safetensors, whole or not at all."""
    weights = {name: plain_copy(tensor) for name, tensor in model.state_dict().items()}
    write_whole(Path(path), save(weights))


def _read(path: Path) -> Weights:
    try:
        if path.suffix == ".safetensors":
            return load(path.read_bytes())
        with warnings.catch_warnings(action="ignore"):  # of archives that are refused anyway
            found = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise ModelError(f"cannot read the weights {path}: {error.strerror or error}") from error
    except SafetensorError as error:
        raise ModelError(f"{path} is no sound safetensors file: {error}") from error
    except Exception as error:  # torch raises errors of many kinds on a file that is no state dict
        raise ModelError(
            f"{path} is refused: it is not a plain state dict, and reading it could run code in it. "
            "Save it with safetensors.torch.save_file(model.state_dict(), ...)"
        ) from error
    if not isinstance(found, dict) or not all(isinstance(one, str) and isinstance(found[one], Tensor) for one in found):
        raise ModelError(f"{path} holds no state dict (name -> tensor); save model.state_dict() as safetensors")
    return found

"""Models that experiments share, each trained once and kept under the digest of what made it."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn

FOLDER = Path(os.environ.get("OWNMARK_CACHE", Path.home() / ".cache" / "ownmark")) / "zoo"


def kept(recipe: str, blank: Callable[[], nn.Module], make: Callable[[torch.Generator], nn.Module], seed: int) -> nn.Module:
    """The model that `make(rng)` gives, from disk if `recipe` and `seed` were made before; killed half-way leaves nothing."""
    key = hashlib.sha256(f"{recipe} seed={seed} torch={torch.__version__}".encode()).hexdigest()[:24]
    file = FOLDER / f"{key}.safetensors"
    if not file.exists():
        FOLDER.mkdir(parents=True, exist_ok=True)
        model = make(torch.Generator().manual_seed(seed))
        unfinished = file.with_suffix(f".{os.getpid()}")
        tensors = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
        save_file(tensors, unfinished, metadata={"recipe": recipe, "seed": str(seed)})
        unfinished.replace(file)
    model = blank()
    model.load_state_dict(load_file(file))
    return model.eval().to(memory_format=torch.channels_last)

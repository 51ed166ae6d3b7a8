"""Several models of one network asked at once by `torch.func.stack_module_state`, against one after the other.

Writes `stacked.json`. CPU seconds of one thread, in turns.
"""

from statistics import median

import torch
from torch import nn
from torch.func import functional_call, stack_module_state, vmap

from helped import helped
from ownmark.models.resnet import ResNet18
from ownmark.training import seeded
from record import record
from timing import seconds

MODELS, IMAGES, TURNS, CLASSES = 8, 64, 5, 7
CASES = {"width_4_at_40": (4, 40), "width_16_at_40": (16, 40), "width_16_at_112": (16, 112)}


def main() -> None:
    """Measures every case and records the ratios: above 1, one after the other is faster."""
    torch.set_num_threads(1)
    figures = {f"{name}.stacked_over_single": ratio(*case) for name, case in CASES.items()}
    setting = f"{MODELS} ResNet-18, {IMAGES} images, forward passes; one thread, median of {TURNS} turns"
    record("stacked", figures, seeds={"models": list(range(MODELS))}, setting=setting)


@torch.no_grad()
def ratio(width: int, size: int) -> float:
    """CPU seconds stacked by those one after the other."""
    models = [network(width, seed) for seed in range(MODELS)]
    images = torch.rand(IMAGES, 3, size, size, generator=torch.Generator().manual_seed(0))
    parameters, buffers = stack_module_state(models)
    stacked = vmap(lambda *state: functional_call(models[0], state, images), randomness="error")
    found = torch.stack([model(images) for model in models])
    if not torch.allclose(found, stacked(parameters, buffers), atol=1e-3):
        raise SystemExit("both ways must give the same answers")
    turns = []
    for _ in range(TURNS):
        together = seconds(lambda: stacked(parameters, buffers))
        turns.append(together / seconds(lambda: [model(images) for model in models]))
    return median(turns)


def network(width: int, seed: int) -> nn.Module:
    with seeded(torch.Generator().manual_seed(seed)):
        return ResNet18(CLASSES, width=width, last_stride=1).eval()


if __name__ == "__main__":
    helped(__doc__)
    main()

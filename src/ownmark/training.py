"""Training a classifier: one loop that the owner's model, the innocents and the thief's attacks all share."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from ownmark.data import Images
from ownmark.protocols import Progress, silent

Loss = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Training:
    """Settings of one run: stochastic gradient descent with a one-cycle learning rate (Smith 2018, arXiv:1708.07120).

    `rate` is the peak of the cycle. `flips` mirrors every image left-right (and top-bottom if `upside_down`) at random;
    `shift` moves it by up to that many pixels, reflecting the border.
    """

    epochs: int = 10
    batch: int = 64
    rate: float = 0.1
    momentum: float = 0.9
    decay: float = 5e-4
    flips: bool = True
    upside_down: bool = False
    shift: int = 4


def train(model: nn.Module, images: Images, training: Training, rng: torch.Generator, progress: Progress = silent) -> nn.Module:
    """Train `model` in place on cross-entropy, every parameter that requires a gradient; returns it in eval mode."""
    targets = torch.from_numpy(images.labels)
    return fit(model, images, targets, functional.cross_entropy, training, rng, progress)


def fit(  # noqa: PLR0913, PLR0917 - the one loop below every training in the package
    model: nn.Module,
    images: Images,
    targets: Tensor,
    loss: Loss,
    training: Training,
    rng: torch.Generator,
    progress: Progress = silent,
) -> nn.Module:
    """Train `model` in place so that `loss(model(images), targets)` falls; `targets` has one row per image."""
    device = next(model.parameters()).device
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.SGD(
        parameters, lr=training.rate, momentum=training.momentum, weight_decay=training.decay, nesterov=True
    )
    steps = training.epochs * -(-len(images) // training.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, training.rate, total_steps=max(steps, 2), pct_start=0.25)
    _train_mode(model).to(memory_format=torch.channels_last)
    for step, rows in enumerate(_batches(len(images), training, rng)):
        batch = augment(images.batch(rows, device), training, rng)
        optimiser.zero_grad(set_to_none=True)
        loss(model(batch), targets[rows].to(device)).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
        progress(step + 1, steps)
    return model.eval()


def _train_mode(model: nn.Module) -> nn.Module:
    """Train mode, except for modules whose own parameters are all frozen: a frozen batch norm keeps its statistics."""
    model.train()
    for module in model.modules():
        own = list(module.parameters(recurse=False))
        if own and not any(parameter.requires_grad for parameter in own):
            module.eval()
    return model


def _batches(count: int, training: Training, rng: torch.Generator) -> Iterator[Tensor]:
    for _ in range(training.epochs):
        yield from torch.randperm(count, generator=rng).split(training.batch)  # type: ignore[no-untyped-call]


def augment(batch: Tensor, training: Training, rng: torch.Generator) -> Tensor:
    """Mirror and shift a batch (n, channels, height, width) at random, one draw per image (flips) and batch (shift)."""
    if training.flips:
        batch = _mirror(batch, 3, rng)
    if training.upside_down:
        batch = _mirror(batch, 2, rng)
    if training.shift:
        down, right = torch.randint(0, 2 * training.shift + 1, (2,), generator=rng).tolist()
        height, width = batch.shape[2:]
        padded = functional.pad(batch, [training.shift] * 4, mode="reflect")
        batch = padded[:, :, down : down + height, right : right + width]
    return batch.contiguous(memory_format=torch.channels_last)


def _mirror(batch: Tensor, axis: int, rng: torch.Generator) -> Tensor:
    chosen = torch.rand(len(batch), generator=rng) < 0.5  # noqa: PLR2004 - a fair coin
    return torch.where(chosen.to(batch.device).view(-1, 1, 1, 1), batch.flip(axis), batch)


@contextmanager
def seeded(rng: torch.Generator) -> Iterator[None]:
    """Inside, torch's global generator starts from a draw of `rng` (for constructors); outside it is as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(torch.randint(2**62, (), generator=rng)))
        yield


@torch.no_grad()
def predict(model: nn.Module, images: Images, batch: int = 256) -> Tensor:
    """Outputs (n, ...) of the model in eval mode for every image, on the CPU; the model's mode is put back afterwards."""
    device = next(model.parameters()).device
    was_training = model.training
    model.eval()
    try:
        rows: Iterable[Tensor] = torch.arange(len(images)).split(batch)  # type: ignore[no-untyped-call]
        return torch.cat([model(images.batch(chosen, device)).cpu() for chosen in rows])
    finally:
        model.train(was_training)

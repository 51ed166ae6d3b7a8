"""Training: the one loop behind the owner's model, the independent models and the thief's attacks."""

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from ownmark.data.images import Images
from ownmark.errors import DataError, ModelError, UsageError, blamed
from ownmark.models.accelerator import narrowed, reader, wide
from ownmark.models.memory_format import laid_out
from ownmark.models.plain_sgd import PlainSGD
from ownmark.models.prepared import copied
from ownmark.protocols import Progress, silent
from ownmark.tasks.base import Lesson, Task

Loss = Callable[[Tensor, Tensor], Tensor]
Shown = Callable[[Tensor, Tensor], Tensor]  # a batch of images and its targets -> the images that the model is trained on
SHORTER = 0.5  # the share of the epochs that are left where images grow
SMALL = 0.6  # the share of their steps in which images have half the side
SHIFTS = 7  # how many of the furthest shifts the shorter side of an image has room for
SMALLEST = 20  # pixels of the shorter side of an image of half the side


def as_they_are(batch: Tensor, targets: Tensor) -> Tensor:  # noqa: ARG001 - the verb's signature
    """The batch unchanged."""
    return batch


@dataclass(frozen=True)
class Training:
    """Settings of one training run: stochastic gradient descent with a one-cycle learning rate (Smith 2018, arXiv:1708.07120).

    `rate` is the peak of the cycle. `flips` mirrors images left-right (and top-bottom if `upside_down`) at random;
    `shift` translates them by up to that many pixels, with a reflected border, but at most by a seventh of the shorter side:
    4 pixels of 28, 1 of 8, where 4 would leave little to tell the images by.
    """

    epochs: int = 10
    batch: int = 64
    rate: float = 0.1
    momentum: float = 0.9
    decay: float = 5e-4
    flips: bool = True
    upside_down: bool = False
    shift: int = 4

    def __post_init__(self) -> None:
        if self.epochs < 0 or self.batch < 1 or self.shift < 0 or not 0 < self.rate < math.inf:
            raise UsageError(f"training needs epochs >= 0, batch >= 1, shift >= 0 and a positive rate, got {self}")


def train(
    model: nn.Module,
    images: Images,
    training: Training,
    rng: torch.Generator,
    progress: Progress = silent,
    shown: Shown = as_they_are,
) -> nn.Module:
    """Train all trainable parameters of `model` in place on the loss of the images' task; returns it in eval mode.

    An embedder is trained against one centre per person; the centres are discarded afterwards. `shown` as in `fit`.
    """
    module, targets, loss = lesson_of(model, images)
    fit(module, images, targets, loss, training, rng, progress, shown)
    return model.eval()


def train_growing(
    model: nn.Module, images: Images, training: Training, rng: torch.Generator, progress: Progress = silent
) -> nn.Module:
    """`train` in `SHORTER` of the epochs, first on images of half the side (Tan & Le 2021, arXiv:2104.00298).

    These are shown in `SMALL` of the steps. `train` as it is where the model cannot begin with smaller images.
    """
    if not grows(model, images):
        return train(model, images, training, rng, progress)
    shorter = replace(training, epochs=math.ceil(SHORTER * training.epochs))
    left = iter(range(round(SMALL * steps_of(shorter, len(images)))))

    def shown(batch: Tensor, _: Tensor) -> Tensor:
        return batch if next(left, None) is None else functional.avg_pool2d(batch, 2)

    return train(model, images, shorter, rng, progress, shown)


def grows(model: nn.Module, images: Images) -> bool:
    """Whether the model can begin with smaller images: half of one is enough, labels have no places, and any size is taken."""
    if min(images.size[:2]) < 2 * SMALLEST or images.task.located or not len(images):
        return False
    example = images.batch(torch.arange(min(len(images), 2)), torch.device("cpu"))
    return _takes(model, functional.avg_pool2d(example, 2), example)


def _takes(model: nn.Module, small: Tensor, example: Tensor) -> bool:
    """Whether a copy of the model, as it is trained, outputs for `small` images what it does for others."""
    trial = copied(model).train()
    device = next((parameter.device for parameter in trial.parameters()), torch.device("cpu"))
    with torch.random.fork_rng(devices=[]), torch.no_grad(), suppress(Exception):  # a user's model may raise anything
        return _shapes(trial(small.to(device))) == _shapes(trial(example.to(device)))
    return False


def _shapes(outputs: object) -> object:
    return outputs.shape if isinstance(outputs, Tensor) else [_shapes(one) for one in outputs]  # type: ignore[attr-defined]


def lesson_of(model: nn.Module, images: Images) -> Lesson:
    """What `train` fits, for who changes a part of it. Raises what `train` raises if training is impossible."""
    _trainable(model, images)
    return images.task.lesson(model, torch.from_numpy(images.labels), partial(predict, model, images))


def steps_of(training: Training, count: int) -> int:
    """How many steps `fit` takes for `count` images."""
    return training.epochs * len(_batches(torch.arange(count), training.batch))


def part(progress: Progress, before: int, total: int) -> Progress:
    """The callback for one of several parts of some work: `before` of the `total` steps were done earlier."""
    return lambda done, _: progress(before + done, total)


def fit(
    model: nn.Module,
    images: Images,
    targets: Tensor,
    loss: Loss,
    training: Training,
    rng: torch.Generator,
    progress: Progress = silent,
    shown: Shown = as_they_are,
) -> nn.Module:
    """Train `model` in place to minimise `loss(model(images), targets)`; `targets` has one row per image.

    `shown` may change each batch after augmentation.
    """
    parameters = _trainable(model, images)
    device = parameters[0].device
    optimiser = PlainSGD(
        parameters, lr=training.rate, momentum=training.momentum, weight_decay=training.decay, nesterov=training.momentum > 0
    )
    steps = steps_of(training, len(images))
    cycle = steps + (steps in {0, 1, 4})  # torch divides by zero for a cycle of four steps and rejects fewer than two
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, training.rate, total_steps=max(cycle, 2), pct_start=0.25)
    laid_out(_train_mode(model))
    read, known = reader(images, device), targets.to(device)
    with seeded(torch.Generator().set_state(rng.get_state())):  # for dropout; a copy, so that the state of `rng` is unaffected
        for step, rows in enumerate(_epochs(len(images), training, rng)):
            wanted = known[rows.to(device, non_blocking=True)]
            moves = Moves.drawn(len(rows), training, images.size, rng)
            wanted = moves.of_targets(wanted, images.task, images.size)
            batch = shown(moves.of_images(read(rows)), wanted)
            optimiser.zero_grad(set_to_none=True)
            with nullcontext() if images.task.located else narrowed(device):
                outputs = _learnt(model, batch, images.task.beside(wanted, images.size[:2]))
            loss(wide(outputs), wanted).backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
            progress(step + 1, steps)
    return model.eval()


def _learnt(model: nn.Module, batch: Tensor, beside: tuple[object, ...]) -> Tensor:
    """The outputs that the loss sees, of a model that is shown the batch and what its task shows `beside` it.

    In train mode some networks append the outputs of auxiliary heads to the main one.
    Raises ModelError if the model cannot process such images in train mode: an auxiliary head may need larger ones.
    """
    with blamed(ModelError, f"the model cannot be trained on images of {batch.shape[3]}x{batch.shape[2]} pixels"):
        outputs = model(batch, *beside)
    main: Tensor = outputs[0] if isinstance(outputs, tuple) and isinstance(outputs[0], Tensor) else outputs
    return main


def _trainable(model: nn.Module, images: Images) -> list[nn.Parameter]:
    """The parameters to train. Raises UsageError if training is impossible or would change nothing."""
    if not len(images):
        raise DataError("expected at least one image to train on, got none")
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if not parameters:
        raise UsageError("all weights of the model are frozen: training would change nothing")
    return parameters


def _train_mode(model: nn.Module) -> nn.Module:
    """Train mode, except for modules whose parameters are all frozen: a frozen batch norm keeps its statistics."""
    model.train()
    for module in model.modules():
        own = list(module.parameters(recurse=False))
        if own and not any(parameter.requires_grad for parameter in own):
            module.eval()
    return model


def _epochs(count: int, training: Training, rng: torch.Generator) -> Iterator[Tensor]:
    for _ in range(training.epochs):
        yield from _batches(torch.randperm(count, generator=rng), training.batch)


def _batches(rows: Tensor, size: int) -> list[Tensor]:
    """Rows in batches of `size`; a single leftover row joins the previous batch, since batch norm may need two."""
    parts = list(rows.split(size))  # type: ignore[no-untyped-call]
    if len(parts) > 1 and len(parts[-1]) == 1 < size:
        parts[-2:] = [torch.cat(parts[-2:])]
    return parts


@dataclass(frozen=True)
class Moves:
    """How a batch is mirrored and shifted at random: `axes` with the images (n,) that are mirrored along them, 0 for left and
    right; `border`, `down` and `across` in pixels: how far it is padded, and where the shifted images begin in that.
    """

    axes: tuple[tuple[int, Tensor], ...] = ()
    border: int = 0
    down: int = 0
    across: int = 0

    @classmethod
    def drawn(cls, count: int, training: Training, size: tuple[int, ...], rng: torch.Generator) -> "Moves":
        """One draw per image (height, width, ...) for flips, one per batch for shift."""
        wanted = [axis for axis, flips in enumerate((training.flips, training.upside_down)) if flips]
        axes = tuple((axis, torch.rand(count, generator=rng) < 0.5) for axis in wanted)  # noqa: PLR2004 - a fair coin
        if not (shift := min(training.shift, min(size[:2]) // SHIFTS)):
            return cls(axes)
        down, across = torch.randint(0, 2 * shift + 1, (2,), generator=rng).tolist()
        return cls(axes, shift, down, across)

    def of_images(self, batch: Tensor) -> Tensor:
        """A batch (n, channels, height, width)."""
        for axis, chosen in self.axes:
            batch = torch.where(chosen.to(batch.device, non_blocking=True).view(-1, 1, 1, 1), batch.flip(3 - axis), batch)
        if self.border:
            height, width = batch.shape[2:]
            padded = functional.pad(batch, [self.border] * 4, mode="reflect")
            batch = padded[:, :, self.down : self.down + height, self.across : self.across + width]
        return batch.contiguous()

    def of_targets(self, targets: Tensor, task: Task, size: tuple[int, ...]) -> Tensor:
        """The targets of such a batch of images (height, width, ...), for tasks whose targets have places."""
        for axis, chosen in self.axes:
            targets = task.mirrored(targets, axis, chosen)
        if self.border:
            targets = task.shifted(targets, (self.across - self.border) / size[1], (self.down - self.border) / size[0])
        return targets


def augment(batch: Tensor, training: Training, rng: torch.Generator) -> Tensor:
    """Mirror and shift a batch (n, channels, height, width) at random."""
    return Moves.drawn(len(batch), training, tuple(batch.shape[2:]), rng).of_images(batch)


@contextmanager
def seeded(rng: torch.Generator) -> Iterator[None]:
    """Inside, torch's global generators are seeded from `rng` (for constructors, and dropout); afterwards they are as before."""
    devices = [torch.cuda.current_device()] if torch.cuda.is_initialized() else []  # type: ignore[no-untyped-call]
    with torch.random.fork_rng(devices=devices):
        number = int(torch.randint(2**62, (), generator=rng))
        torch.default_generator.manual_seed(number)
        if devices:
            torch.cuda.manual_seed(number)
        yield


@contextmanager
def in_eval_mode(model: nn.Module) -> Iterator[None]:
    """Inside, the model is in eval mode; afterwards every module's mode is restored."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


@torch.no_grad()
def predict(model: nn.Module, images: Images, batch: int = 256) -> Tensor:
    """Outputs (n, ...) of the model in eval mode for every image, on the CPU; every module's mode is restored afterwards."""
    device = next((parameter.device for parameter in model.parameters()), torch.device("cpu"))
    with in_eval_mode(model):
        rows: Iterable[Tensor] = torch.arange(len(images)).split(batch)  # type: ignore[no-untyped-call]
        return torch.cat([model(images.batch(chosen, device)).cpu() for chosen in rows])

"""Unlearning of a trigger: finds the smallest pattern that leads to one answer, and trains it away (Neural Cleanse, Wang et al.
2019, doi:10.1109/SP.2019.00031, eq. 2 and 3, section VI).

Differs from the paper: where no pattern is an outlier, the smallest one is unlearnt.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from ownmark.attacks._common.unlocated import check_unlocated
from ownmark.data.images import Images, to_pixels
from ownmark.errors import DataError, UsageError
from ownmark.models.prepared import copied
from ownmark.protocols import Progress, silent
from ownmark.tasks import Task
from ownmark.training import Training, in_eval_mode, part, predict, steps_of, train

UP = 1.5  # by which the cost of a mask rises
LED = 0.9  # share of the answers
BATCH = 64  # images per step of the search
RATE = 0.1  # of Adam, in the search
DEVIATION = 1.4826  # standard deviation of a normal distribution in units of its median absolute deviation
OUTLIER = 2.0  # deviations from the median
ANSWERS = 2  # tried, where there are no classes


class Trigger(NamedTuple):
    """A `mask` (1, height, width) and a `pattern` (channels, height, width) in [0, 1], and whether it `led` to the answer."""

    mask: Tensor
    pattern: Tensor
    led: bool = True

    @property
    def size(self) -> float:
        """The sum of the mask; that of a whole image for a trigger that leads nowhere."""
        return float(self.mask.sum()) if self.led else float(self.mask.numel())

    def on(self, images: Tensor) -> Tensor:
        """The images (n, channels, height, width) with the trigger on them."""
        return images + self.mask * (self.pattern - images)


@dataclass(frozen=True)
class Unlearn:
    """Seeks a trigger for every class, and fine-tunes on images that bear the suspicious ones and keep their labels.

    Each search takes `steps` of Adam on the loss plus a multiple of the mask's mean, at first `cost` times, which rises while the
    trigger leads to the class and falls while it does not. A trigger is suspicious if its mask is smaller than the median by more
    than two deviations; without any, the smallest is. The `share` of the thief's images that bear a trigger is added. For numbers
    and embeddings the triggers lead to the answers to two random images. `rate`: peak of a one-cycle learning rate; `flips`:
    whether images are mirrored at random.
    """

    steps: int = 100
    cost: float = 1.0  # lambda in the paper, there of the mask's sum
    share: float = 0.2
    epochs: int = 3
    rate: float = 0.01
    flips: bool = True

    def __post_init__(self) -> None:
        if not (self.steps > 0 and self.cost > 0 and 0 < self.share <= 1):
            raise UsageError(f"Unlearn: expected steps above 0, a cost above 0 and a share in (0, 1], got {self}")

    def apply(self, stolen: nn.Module, thief: Images, rng: torch.Generator, progress: Progress = silent) -> nn.Module:
        """A copy of `stolen` that no longer heeds the suspicious triggers."""
        check_unlocated(self, thief)
        if not len(thief):
            raise DataError("expected at least one image to seek triggers with, got none")
        model = copied(stolen).requires_grad_(False)
        answers = _answers(model, thief, rng)
        bearing = torch.randperm(len(thief), generator=rng)[: max(1, round(self.share * len(thief)))]
        training = Training(epochs=self.epochs, rate=self.rate, flips=self.flips)
        total = len(answers) + steps_of(training, len(thief) + len(bearing))
        triggers = []
        for done, answer in enumerate(answers):
            triggers.append(self.sought(model, thief, answer, rng))
            progress(done + 1, total)
        found = [triggers[one] for one in suspicious([each.size for each in triggers])]
        more = _stamped(thief, bearing, found)
        return train(model.requires_grad_(True), more, training, rng, part(progress, len(answers), total))

    def sought(self, model: nn.Module, thief: Images, answer: Tensor, rng: torch.Generator) -> Trigger:
        """The smallest trigger found that leads to the answer, on the model's device; without any, the last one."""
        device = next(model.parameters()).device
        height, width, channels = thief.size
        free = [torch.randn(size, height, width, generator=rng).to(device).requires_grad_(True) for size in (1, channels)]
        descent = torch.optim.Adam(free, lr=RATE, betas=(0.5, 0.9))
        found, least, cost = None, math.inf, self.cost
        with in_eval_mode(model):
            for _ in range(self.steps):
                trigger = Trigger(free[0].sigmoid(), free[1].sigmoid())
                images = thief.batch(torch.randint(len(thief), (min(BATCH, len(thief)),), generator=rng), device)
                outputs, wanted = model(trigger.on(images)), answer.to(device).expand(len(images), *answer.shape)
                loss, size = thief.task.plain_loss(outputs, wanted), trigger.mask.mean()
                led = _led(thief.task, outputs.detach(), wanted, model, images)
                if led and float(size.detach()) < least:
                    found, least = Trigger(trigger.mask.detach(), trigger.pattern.detach()), float(size.detach())
                descent.zero_grad()
                (loss + cost * size).backward()
                descent.step()
                cost = cost * UP if led else cost / UP**1.5
        return found or Trigger(free[0].detach().sigmoid(), free[1].detach().sigmoid(), led=False)


@torch.no_grad()
def _led(task: Task, outputs: Tensor, wanted: Tensor, model: nn.Module, images: Tensor) -> bool:
    """Whether nearly all answers are the wanted one or, without classes, their distance to it fell to a tenth."""
    if task.discrete:
        return float((outputs.argmax(1) == wanted).double().mean()) >= LED
    return float(task.plain_loss(outputs, wanted)) <= (1 - LED) * float(task.plain_loss(model(images), wanted))


def suspicious(sizes: Sequence[float]) -> list[int]:
    """Which masks are outliers: smaller than the median by more than two deviations; the smallest one if none is."""
    below = np.median(sizes) - np.asarray(sizes)
    deviation = DEVIATION * np.median(np.abs(below))
    found = np.flatnonzero(below > OUTLIER * deviation)
    return found.tolist() or [int(np.argmin(sizes))]


def _answers(model: nn.Module, thief: Images, rng: torch.Generator) -> list[Tensor]:
    """The answers that triggers are sought for: every class, or those to random images."""
    few = thief.take(torch.randperm(len(thief), generator=rng)[:ANSWERS].numpy())
    outputs = predict(model, few)
    return list(torch.arange(outputs.shape[1]) if thief.task.discrete else thief.task.plain(outputs))


def _stamped(thief: Images, rows: Tensor, triggers: Sequence[Trigger]) -> Images:
    """The thief's images, and those of `rows` once more, each with one of the triggers in turn."""
    device = triggers[0].mask.device
    images = thief.batch(rows, device)
    marked = torch.stack([triggers[at % len(triggers)].on(image) for at, image in enumerate(images)])
    kept, again = replace(thief, people=None), thief.labels[rows.numpy()]
    return replace(kept, pixels=np.concatenate([kept.pixels, to_pixels(marked)]), labels=np.concatenate([kept.labels, again]))

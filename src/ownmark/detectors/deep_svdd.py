"""Deep SVDD: maps normal images near one centre and flags images far from it (Ruff et al. 2018, ICML).

The score is the squared distance to the centre, minus the squared radius if there is one. The network has no bias, and its
centre is the mean of its outputs before training, so that it cannot learn to map everything to one point.
Differs from the paper: no autoencoder pretraining; the network takes `Sight.PIXELS` at 32x32, with the paper's CIFAR-10
convolutions at half their width, or `Sight.FEATURES` of the queried model, with two dense layers.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from ownmark.data.images import Images, shares, to_unit
from ownmark.errors import UsageError
from ownmark.method_strings import Choice
from ownmark.models.layers import last_layer
from ownmark.models.prepared import copied
from ownmark.protocols import Alarm, Progress, silent
from ownmark.scoring.readings import Floats
from ownmark.training import seeded

SIDE = 32  # image side for the convolutions
WIDTHS = (16, 32, 64)  # of the convolutions; twice as wide in the paper
HIDDEN, CODE = 64, 32  # widths of the dense layers and of the code
BATCH = 128
NEAREST = 0.1  # minimum distance of the centre's coordinates from 0, which zero weights would reach
WARM_UP = 10  # epochs before the radius is set for the first time


class Sight(Choice):
    """Input of the network: the image's `PIXELS`, or the `FEATURES` that the model's last layer takes."""

    PIXELS = "pixels"
    FEATURES = "features"


@dataclass(frozen=True)
class Sphere:
    """The learnt sphere: a network (n, ...) -> (n, code), the `centre` (code,), and the squared `radius`."""

    network: nn.Module
    centre: Tensor
    radius: float

    @torch.no_grad()
    def score(self, inputs: Tensor) -> Floats:
        """(n,) how far outside each input lies; negative inside the radius."""
        return np.asarray(_squared(self.network(inputs), self.centre).double().numpy() - self.radius)


@dataclass(frozen=True)
class DeepSVDD:
    """Flags images that do not resemble normal ones.

    `outside`: nu in the paper, the share of normal images that may lie outside a soft boundary; None for the one-class
    objective. `held_out`: the share of normal images that sets the threshold and is excluded from training.
    """

    sight: Sight = Sight.PIXELS
    outside: float | None = None
    epochs: int = 50
    rate: float = 1e-3
    decay: float = 1e-6
    held_out: float = 0.3

    def __post_init__(self) -> None:
        parts = (self.held_out,) if self.outside is None else (self.held_out, self.outside)
        if self.epochs < 1 or not self.rate > 0 or not all(0 < part < 1 for part in parts):
            raise UsageError(f"DeepSVDD: expected epochs >= 1, a positive rate, and shares in (0, 1), got {self}")

    def fit(self, model: nn.Module, normal: Images, rng: torch.Generator, progress: Progress = silent) -> Alarm:
        """An alarm trained on normal images only; `model` takes images in [0, 1] and provides the features."""
        learnt, unseen = shares(normal, (1 - self.held_out, self.held_out), rng)
        look = partial(LOOKS[self.sight], copied(model).eval())
        inputs = look(learnt.pixels)
        mean, spread = inputs.mean(dim=0), inputs.std(dim=0).clamp_min(1e-6)
        sphere = self.enclose((inputs - mean) / spread, rng, progress)
        score = partial(_scored, look, mean, spread, sphere)
        return Alarm(score, score(unseen.pixels))

    def enclose(self, inputs: Tensor, rng: torch.Generator, progress: Progress = silent) -> Sphere:
        """A sphere around a new network's codes of standardised `inputs`, (n, features) or (n, channels, 32, 32)."""
        with seeded(rng):
            network = (_dense if inputs.ndim == 2 else _convolutions)(inputs.shape[1])  # noqa: PLR2004 - (n, features)
        centre, radius = _centre(network, inputs), 0.0
        optimiser = torch.optim.Adam(network.parameters(), lr=self.rate, weight_decay=self.decay)
        network.train()
        for epoch in range(self.epochs):
            for batch in _batches(inputs, rng):
                squares = _squared(network(batch), centre)
                optimiser.zero_grad(set_to_none=True)
                self._loss(squares, radius).backward()  # type: ignore[no-untyped-call]
                optimiser.step()
                if self.outside is not None and epoch >= WARM_UP:
                    radius = float(squares.detach().quantile(1 - self.outside))
            progress(epoch + 1, self.epochs)
        return Sphere(network.eval(), centre, radius)

    def _loss(self, squares: Tensor, radius: float) -> Tensor:
        """Eq. 4 (one-class) or eq. 3 (soft boundary); the optimiser applies the decay, and the radius is set, not learnt."""
        if self.outside is None:
            return squares.mean()
        return radius + (squares - radius).clamp_min(0).mean() / self.outside


def _squared(codes: Tensor, centre: Tensor) -> Tensor:
    return ((codes - centre) ** 2).sum(dim=1)


@torch.no_grad()
def _centre(network: nn.Module, inputs: Tensor) -> Tensor:
    """The mean of the untrained network's codes, with every coordinate kept away from 0."""
    centre: Tensor = network.eval()(inputs).mean(dim=0)
    away = torch.where(centre < 0, -NEAREST, NEAREST)
    return torch.where(centre.abs() < NEAREST, away, centre)


def _batches(inputs: Tensor, rng: torch.Generator) -> Iterator[Tensor]:
    for rows in torch.randperm(len(inputs), generator=rng).split(BATCH):  # type: ignore[no-untyped-call]
        if len(rows) > 1 or len(inputs) == 1:  # batch norm needs at least two
            yield inputs[rows]


def _dense(features: int) -> nn.Module:
    return nn.Sequential(nn.Linear(features, HIDDEN, bias=False), nn.ReLU(), nn.Linear(HIDDEN, CODE, bias=False))


def _convolutions(channels: int) -> nn.Module:
    layers: list[nn.Module] = []
    for inputs, outputs in zip((channels, *WIDTHS), WIDTHS, strict=False):
        layers += [nn.Conv2d(inputs, outputs, 5, padding=2, bias=False), nn.BatchNorm2d(outputs, eps=1e-4, affine=False)]
        layers += [nn.LeakyReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(WIDTHS[-1] * (SIDE // 8) ** 2, CODE, bias=False))


def _pixels(model: nn.Module, pixels: npt.NDArray[np.uint8]) -> Tensor:  # noqa: ARG001 - as `_features`
    """(n, channels, 32, 32) in [0, 1]: evenly sampled pixels, since averaging would remove noise."""
    rows, columns = (((np.arange(SIDE) + 0.5) * side / SIDE).astype(np.int64) for side in pixels.shape[1:3])
    return to_unit(pixels[:, rows[:, None], columns], torch.device("cpu"))


@torch.no_grad()
def _features(model: nn.Module, pixels: npt.NDArray[np.uint8]) -> Tensor:
    """(n, features) inputs of the model's last layer, averaged over positions if it is a convolution."""
    device = next((weight.device for weight in model.parameters()), torch.device("cpu"))
    taken: list[Tensor] = []
    hook = last_layer(model).register_forward_pre_hook(lambda _, inputs: taken.append(inputs[0].cpu()))
    try:
        for at in range(0, len(pixels), BATCH):
            model(to_unit(pixels[at : at + BATCH], device))
    finally:
        hook.remove()
    found = torch.cat(taken)
    return found.flatten(2).mean(dim=2) if found.ndim > 2 else found  # noqa: PLR2004 - (n, features)


LOOKS: dict[Sight, Callable[[nn.Module, npt.NDArray[np.uint8]], Tensor]] = {
    Sight.PIXELS: _pixels,
    Sight.FEATURES: _features,
}


def _scored(
    look: Callable[[npt.NDArray[np.uint8]], Tensor], mean: Tensor, spread: Tensor, sphere: Sphere, pixels: npt.NDArray[np.uint8]
) -> Floats:
    return sphere.score((look(pixels) - mean) / spread)

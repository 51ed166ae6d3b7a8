"""What was tried for residuals: images changed so that they grow."""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from ownmark.claims.claim import Claim, Test
from ownmark.data.images import Images, to_pixels, to_unit
from ownmark.keys import Pixels
from ownmark.perturb.pgd import Descent
from ownmark.protocols import Owner, silent
from ownmark.schemes._common.model_answers import ModelAnswers
from ownmark.schemes.residual import Residual
from ownmark.scoring.readings import Reading

CHANGE = Descent(0.02, steps=15, step=0.2)
LITTLE = 1e-8  # below which a probability has no slope under the root


def optimised(model: nn.Module, owner: Owner, samples: int) -> Claim:
    """The claim of `Residual` on images that were changed so that the least residual of the model and its copies grows.

    Each image is changed by the references that weigh it, not by the one that chose it; the weights are those on changed images.
    """
    claim = Residual(samples).protect(model, owner, torch.Generator().manual_seed(11)).claim
    every = (model, *owner.references, *owner.surrogates)
    for one in every:
        one.requires_grad_(False)
    sizes = [len(range(place, samples, len(owner.references))) for place in range(len(owner.references))]
    parts = np.split(np.arange(samples), np.cumsum(sizes)[:-1])
    changed = np.concatenate([_changed(claim.images[rows, 0], every, place, len(sizes)) for place, rows in enumerate(parts)])
    data = Images(changed, np.zeros(samples, dtype=np.int64), owner.images.names)
    told = ModelAnswers.by(every, len(sizes), data, silent)
    tests = tuple(_test(told, reading, sizes) for reading in told.readings)
    return replace(claim, images=changed[:, None], tests=tests)


def _test(told: ModelAnswers, reading: Reading, sizes: list[int]) -> Test:
    found = told.test(reading, sizes, 0.0)
    if found is None:
        raise SystemExit("the changed images tell nothing of the model")
    return found


def _changed(pixels: Pixels, models: tuple[nn.Module, ...], chooser: int, count: int) -> Pixels:
    first, second = (models[1 + place] for place in range(count) if place != chooser)
    copies = (models[0], *models[1 + count :])

    def least(images: Tensor, _: int) -> tuple[Tensor, Tensor]:
        own, one, other = (_roots(model, images) for model in (models[0], first, second))
        seen = (_roots(copy, images) for copy in copies)
        found = [((own - one) * (copy - other) + (own - other) * (copy - one)).sum(1) for copy in seen]
        return -torch.stack(found).min(0).values, torch.ones(len(images), dtype=torch.bool)

    return to_pixels(CHANGE.run(to_unit(pixels, torch.device("cpu")), least, torch.Generator().manual_seed(1)))


def _roots(model: nn.Module, images: Tensor) -> Tensor:
    found: Tensor = (model(images).softmax(1) + LITTLE).sqrt()
    return found

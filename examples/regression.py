"""Protects an age estimator: trains one on a folder of images with ages, and judges a copy and an independent model.

    python examples/regression.py FOLDER [size]

FOLDER holds images and `metadata.csv` with the columns file_name and age (or value), and optionally person, which keeps each
person out of either training or testing. The script trains twenty-three models, each in about a minute on one core for a
thousand images of 64x64 pixels; most of the time goes into INNOCENTS.
"""

import sys

import torch
from torch import nn

from ownmark import (
    VGG11,
    Descent,
    Drop,
    Images,
    Local,
    Owner,
    Prune,
    Regression,
    Retrain,
    Saliency,
    Training,
    calibrate,
    load,
    train,
    verify,
)
from ownmark.data.images import shares
from ownmark.training import predict

INNOCENTS = 19  # the smallest number with which p can reach 0.05, where the way of asking is named (`access`)
TRAINING = Training(epochs=40, batch=32, rate=0.05, shift=2)
SCHEME = Saliency(samples=20, descent=Descent(bound=0.1), masked=Drop(0.05))  # 0.05 of the task's unit: 1 year


def main(
    folder: str, size: int = 64, training: Training = TRAINING, scheme: Saliency = SCHEME, innocents: int = INNOCENTS
) -> None:
    """Trains, protects, calibrates and judges."""
    torch.set_num_threads(1)
    task = Regression(unit=20.0)  # 20 years are a large difference
    images = load(folder, size=size, task=task)
    held_out, mine = shares(images, (0.2, 0.8), torch.Generator().manual_seed(0))

    def trained(seed: int, width: int = 8) -> nn.Module:
        torch.manual_seed(seed)
        model = VGG11(width=width, middle=float(mine.labels.mean()), spread=float(mine.labels.std()) or 1.0)
        return train(model, mine, training, torch.Generator().manual_seed(seed))

    model = trained(0)
    print(f"mean absolute error {error(model, held_out):.1f}; of the constant median {task.trivial(held_out.labels)['mae']:.1f}")
    rng = torch.Generator().manual_seed(1)
    owner = Owner(mine, surrogates=(Retrain(epochs=2).apply(model, mine, rng),), references=(trained(1),))
    claim = scheme.protect(model, owner, rng).claim
    claim = calibrate(claim, [Local(trained(100 + number)) for number in range(innocents)])
    claim.save("age.claim")
    for name, suspect in {"a pruned copy": Prune(0.3).apply(model, mine, rng), "an independent model": trained(500)}.items():
        print(f"{name}: {verify(claim, Local(suspect), access='weights').outcome}")


def error(model: nn.Module, images: Images) -> float:
    """Mean absolute error of the model."""
    return images.task.quality(predict(model, images).numpy(), images.labels)["mae"]


if __name__ == "__main__":
    place, pixels = (*sys.argv[1:], "64")[:2]
    main(place, int(pixels))

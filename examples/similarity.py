"""Protects a face matcher: trains one on a folder of people, and judges a copy behind an API that compares two faces.

    python examples/similarity.py FOLDER [size]

FOLDER holds one folder per person with at least two images. The script trains twenty-two models, each in about a minute on one
core for 150 people with twenty images each; most of the time goes into INNOCENTS.
"""

import sys
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from ownmark import (
    Client,
    Descent,
    Drop,
    Finetune,
    Local,
    MobileFaceNet,
    Owner,
    Retrain,
    Saliency,
    Similarity,
    Training,
    calibrate,
    load,
    train,
    verify,
)
from ownmark.data.images import shares, to_unit
from ownmark.scoring.readings import Reading
from ownmark.training import predict

INNOCENTS = 19  # the smallest number with which p can reach 0.05, where the way of asking is named (`access`)
TRAINING = Training(epochs=12, batch=64, rate=0.1, shift=2)
SCHEME = Saliency(samples=20, descent=Descent(bound=0.1), masked=Drop(0.05))  # 0.05 of the cosine
Pixels = npt.NDArray[np.uint8]


def main(
    folder: str, size: int = 64, training: Training = TRAINING, scheme: Saliency = SCHEME, innocents: int = INNOCENTS
) -> None:
    """Trains, protects, calibrates and judges."""
    torch.set_num_threads(1)
    task = Similarity(margin=0.3, scale=32.0)  # of ArcFace
    images = load(folder, size=size, task=task)
    held_out, mine = shares(images, (0.2, 0.8), torch.Generator().manual_seed(0))  # disjoint people, not only disjoint images

    def trained(seed: int) -> nn.Module:
        torch.manual_seed(seed)
        return train(MobileFaceNet(width=16, size=size), mine, training, torch.Generator().manual_seed(seed))

    model = trained(0)
    quality = task.quality(predict(model, held_out).numpy(), held_out.labels)
    print(f"accepts {quality['tar']:.0%} of genuine pairs at a false accept rate of 1 in 1,000")
    rng = torch.Generator().manual_seed(1)
    owner = Owner(mine, surrogates=(Retrain(epochs=2).apply(model, mine, rng),), references=(trained(1),))
    claim = scheme.protect(model, owner, rng).claim
    claim = calibrate(claim, [Local(trained(100 + number)) for number in range(innocents)])
    claim.save("face.claim")
    stolen = Finetune(epochs=1).apply(model, mine, rng)
    for name, suspect in {"a fine-tuned copy": stolen, "an independent model": trained(500)}.items():
        print(f"{name}, inside: {verify(claim, Local(suspect), access='weights').outcome}")
        print(f"{name}, behind an API: {verify(claim, face_api(suspect, task), access='answers').outcome}")


def face_api(model: nn.Module, task: Similarity) -> Client:
    """A face API that exposes only the similarity of two images. A real one would send them to a server."""

    def compare(first: Pixels, second: Pixels) -> npt.NDArray[Any]:
        with torch.no_grad():
            one, other = (model(to_unit(images, torch.device("cpu"))).numpy() for images in (first, second))
        return np.asarray(task.score(one, other))

    return Client("the API", Reading.SIMILARITY, compare)


if __name__ == "__main__":
    place, pixels = (*sys.argv[1:], "64")[:2]
    main(place, int(pixels))

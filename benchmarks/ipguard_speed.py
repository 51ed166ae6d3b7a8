"""Cost of 100 IPGuard steps per image, batched against one at a time, in one run; writes `ipguard-speed.json`.

No image stops early, so both variants do the same work; times are CPU seconds of one core.
"""

from time import process_time

import numpy as np
import torch
from torch import nn

from ownmark.data.images import digits
from ownmark.models.resnet import ResNet18
from ownmark.perturb.adam import Search
from ownmark.schemes._common.sampling import Pixels, frozen
from ownmark.schemes.ipguard import IPGuard
from ownmark.training import seeded
from record import record

TOGETHER, EVERY = 64, 16  # batch size, and the stride of images that are also made one at a time
SIZE, WIDTH = 32, 16
SCHEME = IPGuard(margin=1e6, search=Search(steps=100))  # a margin that no image reaches


def main() -> None:
    """Makes the same fingerprints both ways and records the ratio."""
    torch.set_num_threads(1)
    with seeded(torch.Generator().manual_seed(0)):
        model = frozen(ResNet18(10, width=WIDTH, channels=1, stem="cifar"))
    pixels = digits(size=SIZE).pixels[:TOGETHER]
    made(IPGuard(margin=1e6, search=Search(steps=5)), model, pixels[:2])
    many, seconds = made(SCHEME, model, pixels)
    alone = [made(SCHEME, model, pixels[row : row + 1]) for row in range(0, TOGETHER, EVERY)]
    each = float(np.mean([one for _, one in alone]))
    apart = np.abs(np.concatenate([images for images, _ in alone]).astype(int) - many[::EVERY])
    figures = {
        "seconds_batched": seconds / TOGETHER,
        "seconds_alone": each,
        "alone_over_batched": each * TOGETHER / seconds,
        "share_of_pixels_alike": float((apart <= 1).mean()),
    }
    setting = (
        f"digits at {SIZE}x{SIZE}, ResNet-18 of width {WIDTH}, {SCHEME}; {TOGETHER} at once, every {EVERY}th alone; one thread"
    )
    record("ipguard-speed", figures, seeds={"network": 0}, setting=setting)


def made(scheme: IPGuard, model: nn.Module, pixels: Pixels) -> tuple[Pixels, float]:
    """The fingerprints of some images and their total CPU seconds."""
    started = process_time()
    images = scheme.make(model, pixels, torch.Generator().manual_seed(0)).images
    return images, process_time() - started


if __name__ == "__main__":
    main()

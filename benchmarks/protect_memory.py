"""Peak memory of the search of `protect` on ResNet-50 at 224x224 compared with an earlier commit, each in a process of its own.

Writes `protect-memory.json`. `python benchmarks/protect_memory.py FOLDER` compares with the code in FOLDER/src instead.
"""

import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch
from torch import nn

from helped import helped

HERE = Path(__file__).resolve()
CANDIDATES, SIZE, CLASSES = 12, 224, 7


def main() -> None:
    """Asks both builds and records the ratio."""
    from builds import BEFORE, builds, child
    from record import record

    with builds(Path(sys.argv[1]).resolve() if sys.argv[1:] else None) as both:
        mib = {name: float(child(code, [str(HERE), "--peak"])) for name, code in both.items()}
    figures = {"memory_over_before": mib["now"] / mib["before"], "mib": mib["now"], "mib.before": mib["before"]}
    setting = (
        f"ResNet-50 at {SIZE}x{SIZE}, one surrogate, two references, one step of at most {CANDIDATES} images of noise, "
        f"the whole process at its largest; one thread; before: {BEFORE[:7]}"
    )
    record("protect-memory", figures, seeds={"models": [0, 1, 2, 3]}, setting=setting)


def peak() -> float:
    """MiB of this process at its largest, after one step of the search."""
    import resource

    from ownmark.data.images import Images
    from ownmark.errors import ProtectError
    from ownmark.perturb.pgd import Descent
    from ownmark.protocols import Owner
    from ownmark.schemes.saliency.scheme import Saliency
    from ownmark.training import predict

    torch.set_num_threads(1)
    model, surrogate, *references = (network(seed) for seed in range(4))
    pixels = np.random.default_rng(0).integers(0, 256, (CANDIDATES, SIZE, SIZE, 3), dtype=np.uint8)
    names = tuple("abcdefg")
    labels = predict(model, Images(pixels, np.arange(CANDIDATES) % CLASSES, names), batch=4).argmax(dim=1).numpy()
    labels[0] = (labels[0] + 1) % CLASSES  # a second class, which the scheme asks for
    owner = Owner(Images(pixels, labels, names), (surrogate,), tuple(references))
    scheme = Saliency(samples=CANDIDATES - 2, descent=Descent(0.06, steps=1), cells=((0, 0), (0, 1)))
    with suppress(ProtectError):  # noise holds nothing; its search is what is measured
        scheme.protect(model, owner, torch.Generator().manual_seed(0))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10


def network(seed: int) -> nn.Module:
    from torchvision.models import resnet50

    from ownmark.training import seeded

    with seeded(torch.Generator().manual_seed(seed)):
        model: nn.Module = resnet50(num_classes=CLASSES)
    return model.eval()


if __name__ == "__main__":
    helped(__doc__, "FOLDER to compare with; --peak: this process alone")
    if sys.argv[1:] == ["--peak"]:
        print(peak())
    else:
        main()

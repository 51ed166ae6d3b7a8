"""What `protect` costs on networks of full size, over the plain passes that nobody can spare: processor time and peak memory.

Writes `network-speed.json`. ResNet-50 and ViT-S/16 at 224x224 with random weights, 8 samples in one batch, one model; more models
cost the same again in time and nothing in memory, since one at a time is in memory. A step's time is that between the ends of two
steps, ours and the plain one in turns: the median over the rounds, and of what they are apart in a round. Each peak of memory is
that of a process of its own, counted from where its model and images are loaded.
"""

import json
import resource
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from statistics import median
from time import process_time

import numpy as np
import torch
from torch import Tensor, nn
from torchvision.models import VisionTransformer, resnet50

from ownmark.data.images import Images, to_unit
from ownmark.models.memory import bytes_per_image
from ownmark.perturb.pgd import Descent
from ownmark.protocols import Progress, silent
from ownmark.schemes.saliency.objectives import Contrast
from ownmark.schemes.saliency.pattern import Fill, Pattern
from ownmark.schemes.saliency.scheme import batch_size
from ownmark.schemes.saliency.workbench import Workbench, frozen_cam
from ownmark.training import seeded
from record import record

SIZE, CLASSES, SAMPLES = 224, 10, 8
STEPS, ROUNDS = 4, 5  # the first step is not timed, the others are
WAYS = ("ours", "plain")
Work = Callable[[int, Progress], None]  # so many steps, which it tells


def vit_small() -> nn.Module:
    """ViT-S/16, whose last layer torchvision would leave at zero."""
    model: nn.Module = VisionTransformer(SIZE, 16, 12, 6, 384, 1536, num_classes=CLASSES)
    nn.init.normal_(model.get_parameter("heads.head.weight"), std=0.02)
    return model


NETWORKS: dict[str, Callable[[], nn.Module]] = {"resnet50": lambda: resnet50(num_classes=CLASSES), "vit_s_16": vit_small}


def main() -> None:
    """Every network in both ways, each in a process of its own."""
    figures: dict[str, float] = {}
    for name in NETWORKS:
        for way in (*WAYS, "time"):
            ran = subprocess.run([sys.executable, __file__, name, way], capture_output=True, text=True, check=True)  # noqa: S603
            found = json.loads(ran.stdout.splitlines()[-1])
            print(name, way, found, flush=True)
            figures |= {f"{name}.{key}": value for key, value in found.items()}
        figures[f"{name}.peak_mib_over_plain"] = figures[f"{name}.ours.peak_mib"] / figures[f"{name}.plain.peak_mib"]
    setting = f"{SIZE}x{SIZE}, {SAMPLES} samples in two views, one model, one thread; seconds of the processor"
    record("network-speed", figures, seeds={"weights": 0}, setting=setting)


def measure(name: str, way: str) -> None:
    """One way on one network, as a line of JSON."""
    torch.set_num_threads(1)
    with seeded(torch.Generator().manual_seed(0)):
        model = NETWORKS[name]().eval()
    draw = np.random.default_rng(0)
    pixels = draw.integers(0, 256, (SAMPLES, SIZE, SIZE, 3), dtype=np.uint8)
    images = Images(pixels, draw.integers(0, CLASSES, SAMPLES), tuple("abcdefghij"))
    example = to_unit(pixels[:1], torch.device("cpu"))
    cam = frozen_cam(model, example, "")
    grid = cam(example, torch.tensor([0]))[1].shape[1:]
    pattern = Pattern(((0, 0),), (grid[0], grid[1]))
    views = to_unit(pixels, torch.device("cpu")).repeat(2, 1, 1, 1).contiguous(memory_format=torch.channels_last)

    def ours(steps: int, progress: Progress) -> None:
        bench = Workbench(cam, (), (), pattern, Descent(bound=0.06, steps=steps), Contrast(), Fill.CLEAN)
        bench.make(images, images.pixels, torch.Generator().manual_seed(0), progress)

    def plain(steps: int, progress: Progress) -> None:
        plain_steps(cam.model, views, steps, progress)

    work: dict[str, Work] = {"ours": ours, "plain": plain}
    found: dict[str, float] = {"batch": batch_size(images, model)}
    if way == "time":
        rounds = [{one: timed(work[one]) for one in sorted(WAYS, reverse=bool(turn % 2))} for turn in range(ROUNDS)]
        found |= {f"{one}.seconds_per_step": median(each[one] for each in rounds) for one in WAYS}
        found["seconds_per_step_over_plain"] = median(each["ours"] / each["plain"] for each in rounds)
    else:
        before = now()
        work[way](1, silent)
        found[f"{way}.peak_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - before
        found["estimated_mib"] = SAMPLES * bytes_per_image(cam.model, example) / 2**20
    sys.stdout.write(json.dumps(found) + "\n")


def timed(work: Work) -> float:
    """CPU seconds of one step."""
    ends: list[float] = []
    work(STEPS, lambda *_: ends.append(process_time()))
    return median(after - before for before, after in pairwise(ends))


def now() -> float:
    """MiB of memory in use."""
    line = next(line for line in Path("/proc/self/status").read_text("ascii").splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def plain_steps(model: nn.Module, views: Tensor, steps: int, progress: Progress) -> None:
    """Per step only one forward pass and one backward pass to the images, of both views in one batch."""
    for step in range(steps):
        inputs = views.detach().requires_grad_()
        torch.autograd.grad(model(inputs).sum(), inputs)
        progress(step + 1, steps)


if __name__ == "__main__":
    if sys.argv[1:]:
        measure(*sys.argv[1:])
    else:
        main()

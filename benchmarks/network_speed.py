"""What `protect` costs on networks of full size, over the plain passes that nobody can spare: processor time and peak memory.

Writes `network-speed.json`. ResNet-50 and ViT-S/16 at 224x224 with random weights, 8 samples in one batch, one model; more models
cost the same again in time and nothing in memory, since one at a time is in memory. A step's time is the difference between runs
of four steps and of one, ours and the plain one in turn, and the least over the rounds. Each peak of memory is that of a process
of its own, counted from where its model and images are loaded.
"""

import json
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import process_time

import numpy as np
import torch
from torch import Tensor, nn
from torchvision.models import VisionTransformer, resnet50

from helped import helped
from ownmark.data.images import Images, to_unit
from ownmark.models.memory import bytes_per_image
from ownmark.perturb.pgd import Descent
from ownmark.protocols import silent
from ownmark.schemes.saliency.objectives import Contrast
from ownmark.schemes.saliency.pattern import Fill, Pattern
from ownmark.schemes.saliency.scheme import batch_size
from ownmark.schemes.saliency.workbench import Workbench, frozen_cam
from ownmark.training import seeded
from record import record

SIZE, CLASSES, SAMPLES = 224, 10, 8
FEW, MORE, ROUNDS = 1, 4, 3  # steps, and how often they are timed
WAYS = ("ours", "plain")


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
        for key in ("seconds_per_step", "peak_mib"):
            figures[f"{name}.{key}_over_plain"] = figures[f"{name}.ours.{key}"] / figures[f"{name}.plain.{key}"]
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

    def ours(steps: int) -> None:
        bench = Workbench(cam, (), (), pattern, Descent(bound=0.06, steps=steps), Contrast(), Fill.CLEAN)
        bench.make(images, images.pixels, torch.Generator().manual_seed(0), silent)

    def plain(steps: int) -> None:
        plain_steps(cam.model, views, steps)

    work = {"ours": ours, "plain": plain}
    found: dict[str, float] = {"batch": batch_size(images, model)}
    if way == "time":
        rounds = [{one: timed(work[one], MORE) - timed(work[one], FEW) for one in WAYS} for _ in range(ROUNDS)]
        found |= {f"{one}.seconds_per_step": min(each[one] for each in rounds) / (MORE - FEW) for one in WAYS}
    else:
        before = now()
        work[way](FEW)
        found[f"{way}.peak_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - before
        found["estimated_mib"] = SAMPLES * bytes_per_image(cam.model, example) / 2**20
    sys.stdout.write(json.dumps(found) + "\n")


def timed(work: Callable[[int], None], steps: int) -> float:
    started = process_time()
    work(steps)
    return process_time() - started


def now() -> float:
    """MiB of memory in use."""
    line = next(line for line in Path("/proc/self/status").read_text("ascii").splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def plain_steps(model: nn.Module, views: Tensor, steps: int) -> None:
    """Per step only one forward pass and one backward pass to the images, of both views in one batch."""
    for _ in range(steps):
        inputs = views.detach().requires_grad_()
        torch.autograd.grad(model(inputs).sum(), inputs)


if __name__ == "__main__":
    helped(__doc__, "what a process of its own measures")
    if sys.argv[1:]:
        measure(*sys.argv[1:])
    else:
        main()

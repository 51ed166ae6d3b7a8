"""Cost of `protect` and `verify` relative to the unavoidable passes and to an earlier commit, measured in turns.

Writes `protect-speed.json`. CPU seconds of one thread, and of each the least of several, so that other work on the machine counts
little. A step is what the search takes more for more steps; what it takes beside them, once per sample, is a figure of its own.
"""

import json
import sys
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from builds import BEFORE, compared
from helped import helped
from ownmark.claims.claim import Claim
from ownmark.data.images import Images, to_unit
from ownmark.models.resnet import ResNet18
from ownmark.protocols import silent
from ownmark.schemes.saliency.pattern import Pattern
from ownmark.schemes.saliency.scheme import Saliency, batch_size
from ownmark.schemes.saliency.workbench import Workbench, frozen_cam
from ownmark.suspects.local import Local
from ownmark.training import seeded
from ownmark.verdicts.verify import verify
from record import record
from timing import seconds

SIZE, CLASSES, ROUNDS, TURNS, NAIVE = 112, 7, 2, 9, 4
FEW, MORE = 3, 9  # steps of the search
PAIRS = 3  # of processes, one with either build


def main() -> None:
    """Measures with both builds and records the ratios."""
    figures = compared(__file__, PAIRS, ("step", "sample", "verify"))
    setting = (
        f"ResNet-18 of width 16 at {SIZE}x{SIZE}, target, surrogate and reference, two views, one thread; before: {BEFORE[:7]}, "
        f"{PAIRS} turns"
    )
    record("protect-speed", figures, seeds={"models": [0, 1, 2]}, setting=setting)


def measured() -> dict[str, float]:
    """Times all four with the build that is there."""
    torch.set_num_threads(1)
    models = [network(seed) for seed in range(3)]
    images = noise(200)
    scheme = Saliency()
    batch = min(batch_size(images, models[0]), len(images))
    chosen = images.take(np.arange(batch))
    example = to_unit(chosen.pixels[:1], torch.device("cpu"))
    cams = [frozen_cam(model, example, "") for model in models]
    pattern, rest = Pattern(scheme.cells, (7, 7)), (scheme.objective, scheme.fill)

    def ours(steps: int) -> float:
        descent = type(scheme.descent)(bound=0.06, steps=steps)
        workbench = Workbench(cams[0], (cams[1],), (cams[2],), pattern, descent, *rest)
        return seconds(lambda: workbench.make(chosen, chosen.pixels, torch.Generator().manual_seed(0), silent)) / batch

    views = to_unit(chosen.pixels, torch.device("cpu")).repeat(2, 1, 1, 1).contiguous(memory_format=torch.channels_last)
    frozen = [cam.model for cam in cams]
    first, second = claim_of(images), Local(models[0])
    inputs = to_unit(first.images.reshape(-1, SIZE, SIZE, 3), torch.device("cpu")).contiguous(memory_format=torch.channels_last)
    few, more = least(lambda: ours(FEW), ROUNDS), least(lambda: ours(MORE), ROUNDS)
    step = (more - few) / (MORE - FEW)
    plain = least(lambda: seconds(lambda: plain_step(frozen, views)) / batch, ROUNDS + 1)
    naive = least(lambda: seconds(lambda: naive_steps(models, chosen)) / NAIVE, ROUNDS)
    suspect = least(lambda: seconds(lambda: verify(first, second)), TURNS)
    return {
        "step_over_plain": step / plain,
        "naive_over_ours": naive / step,
        "verify_over_forward": suspect / least(lambda: seconds(lambda: forwards(models[0], inputs)), TURNS),
        "step": 1e3 * step,
        "sample": 1e3 * (few + step * (scheme.descent.steps - FEW)),
        "verify": 1e3 * suspect,
    }


def least(timed: Callable[[], float], turns: int) -> float:
    return min(timed() for _ in range(turns))


def network(seed: int) -> nn.Module:
    with seeded(torch.Generator().manual_seed(seed)):
        return ResNet18(CLASSES, width=16, last_stride=1).eval().to(memory_format=torch.channels_last)


def noise(count: int) -> Images:
    draw = np.random.default_rng(0)
    pixels = draw.integers(0, 256, (count, SIZE, SIZE, 3), dtype=np.uint8)
    return Images(pixels, draw.integers(0, CLASSES, count), tuple("abcdefg"))


def plain_step(models: list[nn.Module], views: Tensor) -> None:
    """Per model only one forward pass and one backward pass to the input."""
    for model in models:
        inputs = views.detach().requires_grad_()
        torch.autograd.grad(model(inputs).sum(), inputs)


def naive_steps(models: list[nn.Module], images: Images) -> None:
    """One step of the first few images on every model, one image at a time."""
    for model in models:
        for row in range(NAIVE):
            naive_step(model, images, row)


def naive_step(model: nn.Module, images: Images, row: int) -> None:
    """One step of one image, implemented naively: hooks, both views, double backward through the whole network."""
    seen: list[Tensor] = []
    handle = model.get_submodule("stages").register_forward_hook(lambda _, __, output: seen.append(output))
    change = torch.zeros(1, 3, SIZE, SIZE, requires_grad=True)
    loss = torch.zeros(())
    for _ in range(2):
        image = to_unit(images.pixels[row : row + 1], torch.device("cpu")) + change
        logits = model(image)
        seen[-1].retain_grad()
        logits[0, int(images.labels[row])].backward(create_graph=True, retain_graph=True)
        slope = seen[-1].grad
        if slope is None:
            raise SystemExit("the hook saw no gradient")
        maps = functional.relu((slope.mean(dim=(2, 3), keepdim=True) * seen[-1]).sum(dim=1))
        loss = loss + (maps / maps.norm().clamp_min(1e-12))[0, 0, 0] + logits.softmax(1)[0, 0]
    loss.backward()  # type: ignore[no-untyped-call]
    handle.remove()
    model.zero_grad(set_to_none=True)


def claim_of(images: Images) -> Claim:
    """A claim on the first 100 images with the scheme's tests."""
    from ownmark.claims.claim import Test
    from ownmark.scoring.matches import Drop, OnPattern
    from ownmark.scoring.readings import Reading

    views = np.stack([images.pixels[:100], images.pixels[100:200]], axis=1)
    white = Test(Reading.SALIENCY, OnPattern(0.25, ((0, 0),), (7, 7)), images.labels[:100], 1.0, "stages")
    black = Test(Reading.PROBABILITY, Drop(0.1), images.labels[:100], 1.0)
    return Claim(views, (white, black), images.names, "none", "0" * 64)


@torch.no_grad()
def forwards(model: nn.Module, inputs: Tensor) -> None:
    for batch in inputs.split(64):  # type: ignore[no-untyped-call]
        model(batch)


if __name__ == "__main__":
    helped(__doc__, "--measure: this process alone")
    if sys.argv[1:] == ["--measure"]:
        print(json.dumps(measured()))
    else:
        main()

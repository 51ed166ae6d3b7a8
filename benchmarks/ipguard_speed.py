"""Seconds per query of IPGuard's samples, in batches against one image at a time, as the public QuRD makes them.

Writes `ipguard-speed.json`. QuRD's loop is written down again from its description: Adam at a rate of 0.01 on one image, until
the model answers its target. Both make samples of the same images for the same targets by that rule, and both are asked
of the same copies and independent models. Times are CPU seconds of one core.
"""

import math
from statistics import mean
from time import process_time

import numpy as np
import torch
from torch import Tensor, nn

import student_zoo as zoo
from helped import helped
from ownmark.data.images import to_unit
from ownmark.models.prepared import frozen
from ownmark.perturb.adam import Search
from ownmark.protocols import Owner
from ownmark.schemes._common.sampling import Samples
from ownmark.schemes.ipguard import SLOW, IPGuard, boundary_loss
from record import record
from zoo import ZOO

QUERIES, CANDIDATES, ALONE, MARGIN = 100, 120, 8, 10.0
SEARCH = Search(steps=1000, rate=0.01)
SCHEME = IPGuard(samples=QUERIES, search=Search(steps=300, rate=0.003))


def main() -> None:
    """Makes the same queries both ways, then the scheme's own, and records the ratios and what each tells apart."""
    torch.set_num_threads(1)
    model, owned = ZOO.model(zoo.TARGET).eval().requires_grad_(False), zoo.images(training=True)
    pixels = owned.take(np.random.default_rng(0).permutation(len(owned))[:CANDIDATES]).pixels
    images = to_unit(pixels, torch.device("cpu"))
    with torch.no_grad():
        own = model(images).argmax(dim=1)
    drawn = torch.randint(1, zoo.CLASSES, (CANDIDATES,), generator=torch.Generator().manual_seed(0))
    aim = (own + drawn) % zoo.CLASSES
    one_by_one(model, images[:2], own, aim)
    started = process_time()
    theirs = one_by_one(model, images[:QUERIES], own, aim)
    alone = (process_time() - started) / QUERIES
    started = process_time()
    ours = together(frozen(model), images, own, aim)
    batched = (process_time() - started) / QUERIES
    started = process_time()
    claim = SCHEME.protect(model, Owner(owned), torch.Generator().manual_seed(0)).claim
    scheme = (process_time() - started) / QUERIES
    started = process_time()
    for row in range(ALONE):
        SCHEME.make(frozen(model), pixels[row : row + 1], torch.Generator().manual_seed(row))
    figures = {
        "ipguard_over_qurd": alone / batched,
        "seconds.qurd": alone,
        "seconds.ours": batched,
        "seconds.scheme": scheme,
        "scheme.alone_over_batched": (process_time() - started) / ALONE / scheme,
    }
    expected = torch.from_numpy(claim.tests[0].expected)
    for name, found, wanted in (("qurd", theirs, aim), ("ours", ours, aim), ("scheme", unit(claim.images[:, 0]), expected)):
        figures |= {f"{name}.{figure}": value for figure, value in told_apart(model, found, wanted).items()}
    setting = (
        f"HAM10000 at {zoo.SIZE}x{zoo.SIZE}, ResNet-18 of width 16, {QUERIES} queries, {SEARCH}; ours from {CANDIDATES} "
        f"candidates of which the slowest are given up; scheme: {SCHEME}; one thread"
    )
    record("ipguard-speed", figures, seeds={"images": 0, "targets": 0}, setting=setting)


def one_by_one(model: nn.Module, images: Tensor, own: Tensor, aim: Tensor) -> Tensor:
    """QuRD's loop."""
    made = []
    for row, image in enumerate(images):
        changed = image.clone().requires_grad_()
        optimiser = torch.optim.Adam([changed], lr=SEARCH.rate)
        for _ in range(SEARCH.steps):
            logits = model(changed.unsqueeze(0))
            boundary_loss(logits, own[row : row + 1], aim[row : row + 1], MARGIN).sum().backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            optimiser.zero_grad()
            if logits.argmax() == aim[row]:
                break
        made.append(changed.detach())
    return torch.stack(made)


def together(model: nn.Module, images: Tensor, own: Tensor, aim: Tensor) -> Tensor:
    """The same rule on all candidates, of which the slowest are given up."""

    def objective(changed: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        logits = model(changed)
        return boundary_loss(logits, own[rows], aim[rows], MARGIN), logits.argmax(dim=1) == aim[rows]

    return SEARCH.run(images, objective, enough=math.ceil((1 - SLOW) * len(images)))


def unit(pixels: np.ndarray) -> Tensor:
    return to_unit(np.ascontiguousarray(pixels), torch.device("cpu"))


def told_apart(model: nn.Module, found: Tensor, wanted: Tensor) -> dict[str, float]:
    """The shares of those queries that hold on the model which copies and independent models answer as it does, and their gap."""
    made = Samples.checked(model, found, wanted[: len(found)])
    kept = np.flatnonzero(made.holds)[:QUERIES]
    images, labels = unit(made.images[kept]), torch.from_numpy(made.expected[kept])

    def score(suspect: nn.Module) -> float:
        with torch.no_grad():
            return float((suspect(images).argmax(dim=1) == labels).float().mean())

    copies = [score(zoo.copy(name)) for name in zoo.COPIES]
    innocent = [score(zoo.fresh(*one)) for one in (("innocent", 0), ("innocent", 1), ("reference", 0), ("reference", 1))]
    return {
        "queries": len(kept),
        "most_innocent": max(innocent),
        "mean_gap": mean(copies) - mean(innocent),
        "least_copy_minus_most_innocent": min(copies) - max(innocent),
    }


if __name__ == "__main__":
    helped(__doc__)
    main()

"""Cheaper references for `Saliency()`: what training them takes, and how far apart the claims keep copies and independent models.

Writes `reference-trials.json`. Each trial trains references of the students' target in its own way; claims of the same seeds
are made with them and put to the same copies and independent models as in `speed.py`. CPU seconds of one thread. Every trial is
kept in the bench's store.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from statistics import mean
from time import process_time

import torch
from torch import nn
from torch.nn import functional

import student_zoo as zoo
from helped import helped
from ownmark.claims.claim import Claim
from ownmark.models.network import build
from ownmark.protocols import Owner
from ownmark.schemes.saliency import scheme
from ownmark.schemes.saliency.scheme import Saliency
from ownmark.suspects.local import Local
from ownmark.training import Training, seeded, steps_of, train
from ownmark.verdicts.verify import verify
from ownmark.workflows.measuring import correct, few
from record import record
from speed import SAMPLES, TESTS, gaps
from zoo import ZOO, kept, measured

SEEDS, GROWING = (3, 4, 5), (1, 2, 4)  # of claims and of references; 3 is an independent model's


@dataclass(frozen=True)
class Trial:
    """How references are trained and samples chosen.

    `count` references, each of `epochs`, the first `small` of these on images of half the side, in batches of `batch`; the first
    `front` blocks of the target are kept as they are. `searched`: so many samples at least are made, the best are kept.
    """

    count: int = 2
    epochs: int = 5
    small: int = 3
    batch: int = 64
    rate: float = 0.05
    front: int = 0
    searched: int = 160


TRIALS = {
    "growing": Trial(),
    "growing_108": Trial(searched=108),
    "longer": Trial(epochs=6),
    "longer_108": Trial(epochs=6, searched=108),
    "three_108": Trial(count=3, searched=108),
    "short_128": Trial(count=3, epochs=3, small=2, batch=128, rate=0.07),
    "front_3": Trial(count=3, epochs=3, small=0, batch=128, rate=0.07, front=3),
}


def main() -> None:
    """Runs all trials, or those that are named, and records them."""
    torch.set_num_threads(1)
    chosen = {name: TRIALS[name] for name in sys.argv[1:] or TRIALS}
    known = few(zoo.images(training=True))
    figures = {
        "target.right": correct(ZOO.model(zoo.TARGET), known),
        "constant.right": known.task.trivial(known.labels)["accuracy"],
    }
    for name, trial in chosen.items():
        how = f"references by {trial}, of all that hold, model and copies in turn"
        found = measured(f"{how}, for {Saliency(samples=SAMPLES)}, seeds {SEEDS}", partial(tried, trial))
        one = measured(f"training of {of(trial, GROWING[0])}", partial(training, trial))
        found |= {"seconds.training": trial.count * one["seconds"], "references.right": one["right"]}
        sys.stderr.write(f"{name}: {found}\n")
        figures |= {f"{name}.{figure}": value for figure, value in found.items()}
    if not sys.argv[1:]:
        setting = f"HAM10000 at 40x40, ResNet-18 of width 16, {SAMPLES} samples, {len(SEEDS)} claims, one thread; {TRIALS}"
        record("reference-trials", figures, seeds={"claims": list(SEEDS), "references": list(GROWING)}, setting=setting)


def tried(trial: Trial) -> dict[str, float]:
    """What one trial gives."""
    seeds = GROWING[: trial.count]
    references = tuple(reference(trial, seed) for seed in seeds)
    owner = Owner(zoo.images(training=True), tuple(map(zoo.surrogate, range(3))), references)
    suspects = {name: partial(zoo.copy, name) for name in zoo.COPIES}
    suspects |= {f"innocent_{number}": partial(zoo.fresh, "innocent", number) for number in (0, 1)}
    suspects |= {"innocent_2": partial(zoo.fresh, "reference", 2), "innocent_elsewhere": partial(zoo.fresh, "elsewhere", 0)}
    scores: dict[str, dict[str, list[float]]] = {test: {name: [] for name in suspects} for test in TESTS}
    search = 0.0
    for seed in SEEDS:
        started = process_time()
        claim = made(trial, owner, seed)
        search += process_time() - started
        for name, model in suspects.items():
            asked(claim, name, model, scores)
    figures = {"seconds.search": search / len(SEEDS)}
    for test in TESTS:
        means = {name: mean(one) for name, one in scores[test].items()}
        figures |= {f"{test}.{name}": value for name, value in (gaps(means) | means).items()}
    return figures


def asked(claim: Claim, name: str, model: Callable[[], nn.Module], scores: dict[str, dict[str, list[float]]]) -> None:
    """Adds the score of one suspect in both tests."""
    verdict = verify(claim, Local(model(), name=name))
    for test, finding in zip(TESTS, (verdict.deciding, *verdict.others), strict=True):
        scores[test][name].append(finding.score)


def of(trial: Trial, seed: int) -> str:
    """The references of a trial, as the store knows them."""
    return f"reference {seed} by {replace(trial, count=1, searched=SAMPLES)}"


def training(trial: Trial) -> dict[str, float]:
    """CPU seconds that training one takes, and its share of right answers to images that `protect` measures it on."""
    started = process_time()
    model = trained(trial, torch.Generator().manual_seed(GROWING[0]))
    return {"seconds": process_time() - started, "right": correct(model, few(zoo.images(training=True)))}


def reference(trial: Trial, seed: int) -> nn.Module:
    """One reference."""
    if replace(trial, count=2, searched=160) == TRIALS["growing"]:
        return zoo.growing(seed)
    return kept(of(trial, seed), partial(build, zoo.NETWORK, zoo.CLASSES), partial(trained, trial), seed)


def trained(trial: Trial, rng: torch.Generator) -> nn.Module:
    """One reference, trained."""
    images = zoo.images(training=True)
    with seeded(rng):
        model = build(zoo.NETWORK, zoo.CLASSES)
    target = ZOO.model(zoo.TARGET)
    parts = ("stem", *(f"stages.{number}" for number in range(4)))[: trial.front]
    for part in parts:
        model.get_submodule(part).load_state_dict(target.get_submodule(part).state_dict())
        model.get_submodule(part).requires_grad_(False)
    training = Training(epochs=trial.epochs, batch=trial.batch, rate=trial.rate)
    left = iter(range(steps_of(training, len(images)) * trial.small // trial.epochs))
    smaller = lambda batch, _: batch if next(left, None) is None else functional.avg_pool2d(batch, 2)  # noqa: E731
    return train(model, images, training, rng, shown=smaller)


def made(trial: Trial, owner: Owner, seed: int) -> Claim:
    """The claim, of the best of so many samples."""
    before, scheme.SPARE = scheme.SPARE, trial.searched / SAMPLES - 1
    try:
        return Saliency(samples=SAMPLES).protect(ZOO.model(zoo.TARGET), owner, torch.Generator().manual_seed(seed)).claim
    finally:
        scheme.SPARE = before


if __name__ == "__main__":
    helped(__doc__, "only these trials, which writes nothing")
    main()

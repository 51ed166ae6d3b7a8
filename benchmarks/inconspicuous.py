"""What it costs to ask about images whose answers do not move when they are squeezed, and what a steeper map of residuals gains.

Writes `inconspicuous.json`, on the models of `student_zoo.py`. `any.`, `fewer.` and `chosen.`: a claim on residuals whose images
were chosen among all that were looked at, among as many at random as are left, or as `Residual` does it. `.rings.DETECTOR`: the
share of its images for which a thief's detector rings, at 5 % false alarms, with half its 95 % interval (`_reach`);
`ordinary.rings.DETECTOR`: of all images looked at. `.TEST.auc`, and `.auc_as_good` over the copies alone that are less accurate
than the model by at most `LESS`, are against all independent models; `.aruc_mapped` is that of scores, `.aruc_mapped_before` that
by the map of 5 widths, 3 standard deviations and a quarter.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

import student_zoo as zoo
from helped import helped
from ownmark.data.images import Images
from ownmark.metrics import accuracy, aruc, auc, best_robust_and_unique
from ownmark.protocols import silent
from ownmark.schemes._common.inconspicuous import inconspicuous
from ownmark.schemes._common.model_answers import ModelAnswers
from ownmark.scoring.matches import CrossedResidual
from ownmark.scoring.readings import Floats, Reading, shown_as
from ownmark.tasks import Classification
from ownmark.training import predict
from record import record
from students import DETECTORS, INDEPENDENT, LESS, LOOKED_AT, NORMAL, ROTATIONS, SEED, TESTS, prefixed, seeded, summed, trio

SAMPLES = 300
STEEP, SPREADS, SHARE = 5.0, 3.0, 0.25  # of the map before
Rows = npt.NDArray[np.int64]
Answers = Mapping[str, Floats]


def main() -> None:
    """Asks all models about all images once; the claims and their scores follow from that."""
    torch.set_num_threads(1)
    models = {name: make() for name, make in zoo.zoo().items() if not name.startswith("half_epochs")}
    images, held_out = looked_at(), zoo.images(training=False)
    answers = {name: predict(one, images).double().softmax(dim=1).numpy() for name, one in models.items()}
    good = {name: accuracy(predict(one, held_out).argmax(1).numpy(), held_out.labels) for name, one in models.items()}
    as_good = {name for name, value in good.items() if value >= good["target"] - LESS}
    rung = rings(models["target"], images)
    figures = {f"ordinary.rings.{name}": float(one.mean()) for name, one in rung.items()} | prefixed("accuracy", good)
    chosen = inconspicuous(models["target"], images, SAMPLES)
    fewer = np.sort(np.random.default_rng(SEED).choice(len(images), len(chosen), replace=False))
    for called, rows in {"any": np.arange(len(images)), "fewer": fewer, "chosen": chosen}.items():
        measure = partial(measured, answers, rung, as_good, rows)
        found = summed(called, [measure(trio(start)) for start in ROTATIONS])
        asked = len(ROTATIONS) * SAMPLES
        shares = {name: found[f"{called}.rings.{name}"] for name in rung}
        figures |= found | {f"{called}.rings.{name}_reach": reach(share, asked) for name, share in shares.items()}
    setting = (
        f"HAM10000 at {zoo.SIZE}x{zoo.SIZE}, {zoo.NETWORK}, {zoo.TRAINING}; {LOOKED_AT} of the owner's images to choose "
        f"{SAMPLES} from, {len(ROTATIONS)} repeats with other references; detectors learnt {NORMAL} held-out images; "
        f"{len(as_good)} models are as good as the target"
    )
    record("inconspicuous", figures, seeds={role: list(numbers) for role, numbers in zoo.SEEDS.items()}, setting=setting)


def looked_at() -> Images:
    mine = zoo.images(training=True)
    return mine.take(np.linspace(0, len(mine) - 1, LOOKED_AT).astype(int))


def rings(model: nn.Module, images: Images) -> dict[str, npt.NDArray[np.bool_]]:
    """Per detector (n,): whether it rings for an image."""
    thief = zoo.images(training=False)
    normal = thief.take(np.linspace(0, len(thief) - 1, NORMAL).astype(int))
    alarms = {name: DETECTORS[name].fit(model, normal, seeded(), silent) for name in ("feature_squeezing", "deep_svdd")}
    return {name: alarm.score(images.pixels) > alarm.threshold() for name, alarm in alarms.items()}


def reach(share: float, count: int) -> float:
    """Half the 95 % interval of a share."""
    return 1.96 * float(np.sqrt(share * (1 - share) / count))


def measured(
    answers: Answers, rung: Mapping[str, npt.NDArray[np.bool_]], as_good: set[str], rows: Rows, references: Sequence[str]
) -> dict[str, float]:
    """What a claim with these references, chosen from these rows, finds in every model that has no part in it."""
    parts = ["target", *references, *(name for name in answers if name.startswith("surrogate"))]
    told = ModelAnswers(np.stack([answers[name][rows] for name in parts]), len(references), Classification())
    chosen = told.chosen(SAMPLES)
    asked, sizes, all_rows = told.at(np.concatenate(chosen)), [len(part) for part in chosen], rows[np.concatenate(chosen)]
    found = {f"rings.{name}": float(one[all_rows].mean()) for name, one in rung.items()}
    suspects = {name: one[all_rows] for name, one in answers.items() if name not in parts}
    for reading, way in TESTS.items():
        test = asked.test(reading, sizes, 0.0)
        if test is None or not isinstance(test.match, CrossedResidual):
            continue
        values = {name: test.match.values(shown_as(reading, one)[:, None], test.expected) for name, one in suspects.items()}
        residuals = {name: float(one.mean()) for name, one in values.items()}
        found |= prefixed(way, areas(residuals, test.match.mapped, as_good))
        before = before_of(asked, reading, sizes, test.match)
        found[f"{way}.aruc_mapped_before"] = areas(residuals, before.mapped, as_good)["aruc_mapped"]
    return found


def before_of(asked: ModelAnswers, reading: Reading, sizes: Sequence[int], match: CrossedResidual) -> CrossedResidual:
    """The map that the same claim had before."""
    expected, plain = asked.weights(reading, sizes), asked.features(reading)
    if expected is None:
        raise SystemExit("the images tell nothing of the model")
    own = ((plain * expected[None, :, :-1]).sum(axis=2) - expected[:, -1])[[0, *range(1 + asked.count, len(plain))]].mean(axis=1)
    middle = max(SPREADS * asked.spread(plain[1 : 1 + asked.count], expected), SHARE * float(own.min()))
    return replace(match, middle=middle, width=middle / STEEP)


def areas(residuals: Mapping[str, float], mapped: Callable[[float], float], as_good: set[str]) -> dict[str, float]:
    scores = {name: mapped(value) for name, value in residuals.items()}
    negatives = np.array([score for name, score in scores.items() if name.startswith(INDEPENDENT)])
    copies = {name: score for name, score in scores.items() if not name.startswith(INDEPENDENT)}
    every, good = np.array(list(copies.values())), np.array([score for name, score in copies.items() if name in as_good])
    found = {f"residual.{name}": value for name, value in residuals.items()}
    found |= {f"auc.{name}": auc(np.array([score]), negatives) for name, score in copies.items()}
    return found | {
        "auc": auc(every, negatives),
        "auc_as_good": auc(good, negatives),
        "best_r_and_u": best_robust_and_unique(every, negatives),
        "best_r_and_u_as_good": best_robust_and_unique(good, negatives),
        "aruc_mapped": aruc(every, negatives),
        "aruc_mapped_as_good": aruc(good, negatives),
    }


if __name__ == "__main__":
    helped(__doc__)
    main()

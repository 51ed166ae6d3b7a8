"""Which students of a model `Residual` finds: by their share of the owner's images and by the queries spent.

Writes `students.json`. `auc` is over the students and copies named, against all independent models: of the same images, of other
images. Trains missing models (`student_zoo.py`, a quarter of an hour on one core); interrupted runs resume. `references_KIND`:
with cheaper references, of half the epochs.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import nn

import student_zoo as zoo
from ownmark.claims.claim import Claim
from ownmark.metrics import accuracy, aruc, auc, best_robust_and_unique, true_accepts
from ownmark.protocols import Owner
from ownmark.schemes.residual import Residual
from ownmark.scoring.readings import Reading
from ownmark.suspects.local import Local
from ownmark.training import predict
from ownmark.verdicts.verify import verify
from record import record

QUERIES = {"mine": (50, 150, 600), "held_out": (150,)}  # by the images asked about: of the model's training, or not
LOOKED_AT = 2000  # of the owner's images, from which a claim chooses
TESTS = {Reading.PROBABILITY: "black_box", Reading.LABEL: "label"}
SAME = ("reference_0", "reference_1", "reference_2", "innocent_0", "innocent_1")  # independent models of the same images
ROTATIONS = (0, 2, 4)  # which three of them in turn are the references; the other two are innocents
INDEPENDENT = ("innocent", "elsewhere", "reference")
SEED = 11

Models = Mapping[str, nn.Module]


def main() -> None:
    """Makes the claims, asks every model, records the figures."""
    torch.set_num_threads(1)
    models = {name: make() for name, make in zoo.zoo().items()}
    test = zoo.images(training=False)
    figures = {f"accuracy.{name}": accuracy(predict(one, test).argmax(1).numpy(), test.labels) for name, one in models.items()}
    for side, counts in QUERIES.items():
        for samples in counts:
            repeats = [asked(models, trio(start), samples, training=side == "mine") for start in ROTATIONS]
            figures |= summed(f"{side}.{samples}", repeats)
    halves = tuple(name for name in models if name.startswith("half_epochs"))
    figures |= summed("references_half_epochs", [asked(models, halves, 150, training=True)])
    setting = (
        f"HAM10000 at {zoo.SIZE}x{zoo.SIZE}, {zoo.NETWORK}, {zoo.TRAINING}: far smaller than the recipe skin; one target, "
        f"three surrogates, {LOOKED_AT} of the owner's images to choose from, {len(ROTATIONS)} repeats with other references; "
        "student_N learnt the answers to N % of the owner's images, student_0 to held-out ones, hard_100 to all, labels only"
    )
    seeds = {role: list(numbers) for role, numbers in zoo.SEEDS.items()}
    record("students", figures, seeds={"zoo": seeds, "claim": SEED}, setting=setting)


def trio(start: int) -> tuple[str, ...]:
    """Three of the independent models."""
    return tuple(SAME[(start + step) % len(SAME)] for step in range(3))


def asked(models: Models, references: tuple[str, ...], samples: int, *, training: bool) -> dict[str, float]:
    """What a claim with these references finds in every model that has no part in it."""
    copies = tuple(name for name in models if name.startswith("surrogate"))
    images = zoo.images(training=training)
    images = images.take(np.linspace(0, len(images) - 1, LOOKED_AT).astype(int))
    owner = Owner(images, tuple(models[name] for name in copies), tuple(models[name] for name in references))
    claim = Residual(samples).protect(models["target"], owner, torch.Generator().manual_seed(SEED)).claim
    out = {"target", *copies, *references}
    return told(claim, {name: Local(one, name=name) for name, one in models.items() if name not in out and "half" not in name})


def summed(start: str, repeats: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Means and spreads over the repeats that have the figure."""
    names = dict.fromkeys(name for one in repeats for name in one)
    values = {name: [one[name] for one in repeats if name in one] for name in names}
    means = {f"{start}.{name}": float(np.mean(found)) for name, found in values.items()}
    return means | {f"{start}.{name}_std": float(np.std(found)) for name, found in values.items()}


def told(claim: Claim, suspects: Mapping[str, Local]) -> dict[str, float]:
    """Per test: every suspect's residual and score, and the areas."""
    found: dict[str, float] = {}
    scores: dict[str, dict[str, float]] = {}
    for name, suspect in suspects.items():
        verdict = verify(claim, suspect)
        for finding in (verdict.deciding, *verdict.others):
            test, match = TESTS[finding.test.reading], finding.test.match
            residual = float(np.mean(match.values(finding.observed, finding.test.expected)))
            scores.setdefault(test, {})[name] = finding.score
            found |= {f"{test}.residual.{name}": residual, f"{test}.score.{name}": finding.score}
    for test, each in scores.items():
        found |= {f"{test}.{name}": value for name, value in areas(each).items()}
    return found


def areas(scores: Mapping[str, float]) -> dict[str, float]:
    """Over all copies, and for each, against all independent models."""
    negatives = np.array([score for name, score in scores.items() if name.startswith(INDEPENDENT)])
    positives = {name: score for name, score in scores.items() if not name.startswith(INDEPENDENT)}
    every = np.array(list(positives.values()))
    found = {f"auc.{name}": auc(np.array([score]), negatives) for name, score in positives.items()}
    return found | {
        "auc": auc(every, negatives),
        "aruc_mapped": aruc(every, negatives),
        "best_r_and_u": best_robust_and_unique(every, negatives),
        "tpr_at_5": true_accepts(every, negatives, 0.05),
        "highest_negative": float(negatives.max()),
        "lowest_positive": float(every.min()),
    }


if __name__ == "__main__":
    main()

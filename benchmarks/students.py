"""Which students of a model `Residual` finds: by their share of the owner's images, their architecture and the queries spent.

Writes `students.json`. `auc` is over the students and copies named, against all independent models: of the same images, of other
images, and the cheaper references, of half the epochs and half the width. Trains missing models (`student_zoo.py`, a quarter of
an hour on one core); interrupted runs resume.
"""

from collections.abc import Mapping

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
TESTS = {Reading.PROBABILITY: "black_box", Reading.LABEL: "label"}
INDEPENDENT = ("innocent", "elsewhere", "half_both", "half_epochs")
OWNERS = ("target", "reference", "surrogate")
SEED = 11


def main() -> None:
    """Makes the claims, asks every model, records the figures."""
    torch.set_num_threads(1)
    models = {name: made() for name, made in zoo.zoo().items()}
    test = zoo.images(training=False)
    figures = {f"accuracy.{name}": accuracy(predict(one, test).argmax(1).numpy(), test.labels) for name, one in models.items()}
    suspects = {name: Local(one, name=name) for name, one in models.items() if not name.startswith(OWNERS)}
    for side, counts in QUERIES.items():
        for samples in counts:
            claim = made(models, "reference", samples, training=side == "mine")
            figures |= named(f"{side}.{samples}", told(claim, suspects))
    for kind in zoo.FEWER:
        claim = made(models, kind, 150, training=True)
        others = {name: one for name, one in suspects.items() if not name.startswith(kind)}
        figures |= named(f"references_{kind}", told(claim, others))
    setting = (
        f"HAM10000 at {zoo.SIZE}x{zoo.SIZE}, {zoo.NETWORK}, {zoo.TRAINING}: far smaller than the recipe skin; one target, three "
        "references, three surrogates; student_N learnt the answers to N % of the owner's images, student_0 to held-out ones, "
        f"knockoff to {zoo.FOREIGN} photographs of Tiny-ImageNet"
    )
    record(
        "students",
        figures,
        seeds={"zoo": {role: list(seeds) for role, seeds in zoo.SEEDS.items()}, "claim": SEED},
        setting=setting,
    )


def made(models: Mapping[str, nn.Module], references: str, samples: int, *, training: bool) -> Claim:
    """A claim on the target."""
    kept = {role: tuple(one for name, one in models.items() if name.startswith(role)) for role in (references, "surrogate")}
    owner = Owner(zoo.images(training=training), kept["surrogate"], kept[references])
    return Residual(samples).protect(models["target"], owner, torch.Generator().manual_seed(SEED)).claim


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
        found |= named(test, areas(each))
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


def named(start: str, figures: Mapping[str, float]) -> dict[str, float]:
    return {f"{start}.{name}": value for name, value in figures.items()}


if __name__ == "__main__":
    main()

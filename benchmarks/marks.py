"""Watermarks against thieves who train on answers, and against those who train on the weights; MNIST, in small.

The owner has 6,000 images, a thief who asks the model for answers 6,000 others, a thief who has the weights 1,500 of these.
`score` is the share of triggers that match, `log10_p` the chance of that before the allowance for tried keys (0 for schemes whose
labels are not keyed), `match` whether p is at most 1e-6 with the allowance of 2^16 that a committed key earns.
Writes `marks.json`; every row is measured once and stored, so that an interrupted run goes on.
"""

import hashlib
import os
from dataclasses import replace
from functools import cache, partial

import numpy as np
import torch
from scipy.stats import binom
from torch import nn

from ownmark import keys
from ownmark.attacks import WRK, Distill, Extract, Finetune, PruneFilters, Retrain
from ownmark.claims.claim import Claim
from ownmark.data.images import Images, load
from ownmark.metrics import accuracy
from ownmark.models.network import build
from ownmark.protocols import Attack, Owner, Scheme, silent
from ownmark.schemes._common.sampling import survival
from ownmark.schemes._common.triggers import Triggers
from ownmark.schemes.partitioned import Partitioned
from ownmark.schemes.undertone import Undertone
from ownmark.scoring.matches import RunnerUp
from ownmark.scoring.null_models import KeyedLabels
from ownmark.training import Training, predict, train
from record import record
from zoo import kept, measured

NETWORK = "ownmark:ResNet18(width=8, channels=1, stem='cifar')"
OWN = Training(epochs=5, batch=64, flips=False, shift=2)
COUNT, FEW = 6000, 1500
SEEDS = range(int(os.environ.get("OWNMARK_SEEDS", "3")))
LEVEL, PLEDGED = 1e-6, 16  # the rate of false accusations, and the bits of the allowance for a committed key
KEEPS = 0.03  # of accuracy that an attack may lose
KEYS = 2000

SCHEMES: dict[str, Scheme] = {
    "undertone": Undertone(training=replace(Undertone().training, flips=False, shift=2)),
    "partitioned": Partitioned(view=Training(flips=False, shift=2), least=0.0),  # the table tells how many hold
}
STUDENT = {"epochs": 5, "rate": 0.1, "flips": False}
STUDENTS: dict[str, tuple[Attack, str]] = {
    "distill": (Distill(**STUDENT), "others"),  # type: ignore[arg-type]
    "extract": (Extract(**STUDENT), "others"),  # type: ignore[arg-type]
}
THEFTS: dict[str, tuple[Attack, str]] = STUDENTS | {
    "finetune_0.02": (Finetune(rate=0.02, flips=False), "few"),
    "retrain_all": (Retrain(flips=False), "few"),
    "prune_filters_4": (PruneFilters(0.25, epochs=1, flips=False), "few"),
    "wrk": (WRK(flips=False), "few"),
}


@cache
def images(which: str) -> Images:
    """`owner`, `others`, `few` or `test`, of MNIST."""
    whole = load("torchvision:MNIST", channels=1, train=which != "test")
    order = np.random.default_rng(0).permutation(len(whole))
    parts = {"owner": order[:COUNT], "others": order[COUNT : 2 * COUNT], "few": order[COUNT : COUNT + FEW], "test": order}
    return whole.take(parts[which])


def blank() -> nn.Module:
    """The network, not yet trained."""
    return build(NETWORK, 10)


@cache
def target(seed: int) -> nn.Module:
    """The owner's model, not marked."""
    torch.manual_seed(seed)
    return kept(f"marks owner {COUNT} {NETWORK} {OWN}", blank, lambda rng: train(blank(), images("owner"), OWN, rng), seed)


def marked(called: str, seed: int) -> tuple[nn.Module, Claim]:
    """The target of that seed with the mark, and the claim."""
    key = hashlib.sha256(f"marks {called} {seed}".encode()).digest()
    scheme, rng = SCHEMES[called], torch.Generator().manual_seed(seed)
    found = scheme.protect(target(seed), Owner(images("owner"), key=key), rng, silent)
    return found.model, found.claim


def told(model: nn.Module, claim: Claim) -> dict[str, float]:
    """Accuracy on the test images, and what the claim finds."""
    right = accuracy(predict(model, images("test")).argmax(1).numpy(), images("test").labels)
    test = claim.tests[0]
    score, null = survival(model, Triggers(claim.images[:, 0], test.expected), test.match), test.null
    found = {"accuracy": right, "score": score, "log10_p": 0.0, "match": 0.0}
    if isinstance(null, KeyedLabels):
        paid = replace(null, grinding=PLEDGED)
        found |= {"log10_p": null.log10_p(score), "match": float(paid.p_value(score) <= LEVEL)}
    return found


def rows(called: str, seed: int) -> dict[str, dict[str, float]]:
    """Every theft of one marked model."""
    made = cache(partial(marked, called, seed))
    named = f"marks 1 {COUNT} {FEW} {NETWORK} {OWN} {SCHEMES[called]} {seed}"

    def stolen(attack: Attack, which: str) -> dict[str, float]:
        model, claim = made()
        return told(attack.apply(model, images(which), torch.Generator().manual_seed(3), silent), claim)

    def before() -> dict[str, float]:
        return told(target(seed), made()[1])

    found = {"unmarked": measured(f"{named} unmarked", before), "marked": measured(f"{named} marked", lambda: told(*made()))}
    for name, (attack, which) in THEFTS.items():
        found[name] = measured(f"{named} {attack} {which}", partial(stolen, attack, which))
        print(called, seed, name, found[name], flush=True)
    return found


def false_positives() -> dict[str, float]:
    """2,000 keys of the undertone on the unmarked target: the share of p at or below 0.05, what is stated, and its band."""

    def measure() -> dict[str, float]:
        pool = images("owner").pixels
        place = keys.by_digest(pool)
        answers = predict(target(0), images("owner")).softmax(1).numpy()[place]
        scheme, found = Undertone(), []
        for number in range(KEYS):
            null = KeyedLabels(hashlib.sha256(f"other {number}".encode()).hexdigest(), scheme.triggers, 10, scheme.sets)
            chosen = np.concatenate([keys.chosen(key, scheme.triggers, len(pool)) for key in null.set_keys])
            found.append(10 ** null.log10_p(float(np.mean(RunnerUp()(answers[chosen][:, None], null.labels())))))
        count = null.count
        tails = [10 ** null.log10_p(hits / count) for hits in range(count + 1)]  # p takes these values only
        reachable = max(tail for tail in tails if tail <= 0.05)
        low, high = binom.interval(0.99, KEYS, reachable)
        share = float(np.mean(np.array(found) <= 0.05))
        band = {"band_low": low / KEYS, "band_high": high / KEYS}
        return {"share_at_0.05": share, "stated_at_0.05": reachable, "least_p": min(found)} | band

    return measured(f"marks reachable keys {KEYS} {COUNT} {NETWORK} {OWN} {Undertone()}", measure)


def main() -> None:
    """Every scheme and theft; means over the seeds, and the share of the thefts that keep accuracy which are a match."""
    torch.set_num_threads(1)
    figures = {f"innocent.{name}": value for name, value in false_positives().items()}
    for called in SCHEMES:
        every = [rows(called, seed) for seed in SEEDS]
        for row, name in ((row, name) for row, cells in every[0].items() for name in cells):
            figures[f"{called}.{row}.{name}"] = float(np.mean([one[row][name] for one in every]))
        near = [one[theft] for one in every for theft in THEFTS if one[theft]["accuracy"] >= one["marked"]["accuracy"] - KEEPS]
        figures[f"{called}.kept_accuracy"] = float(len(near))
        figures[f"{called}.matched_of_these"] = float(sum(cells["match"] for cells in near))
    setting = (
        f"MNIST in small: {NETWORK}, {OWN}, {COUNT} images of the owner's, {COUNT} others for students, {FEW} of these for "
        f"thieves with the weights; mean over {len(SEEDS)} of the owner's models"
    )
    record("marks", figures, seeds={"targets": list(SEEDS), "thief": 3}, setting=setting)


if __name__ == "__main__":
    main()

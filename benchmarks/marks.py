"""Watermarks against thieves who train on answers, and against those who train on the weights; MNIST, in small.

The owner has 6,000 images, a thief who asks the model for answers 6,000 others, a thief who has the weights 1,500 of these.
`score` is the share of triggers that match, `log10_p` the chance of that before the allowance for tried keys (0 for schemes whose
labels are not keyed), `match` whether p is at most 1e-6 with the allowance of 2^16 that a committed key earns, `match_64` the
same with the allowance of 2^64, `needed` how many triggers would give that match in half of all cases at the same score (0: more
than 10,000), `models` how many of the owner's models were asked.
Writes `marks.json`; every row is measured once and stored, so that an interrupted run goes on. `--minutes` ends the work early:
what is measured by then is recorded.
"""

import argparse
import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache, partial
from time import monotonic

import numpy as np
import torch
from torch import nn

from mark_keys import LEVEL, PLEDGED, UNPLEDGED, false_positives, needed
from ownmark.attacks import (
    NAD,
    WRK,
    AdversarialTrain,
    Average,
    Distill,
    Extract,
    Finetune,
    Knockoff,
    Overwrite,
    PruneFilters,
    Retrain,
    Unlearn,
)
from ownmark.attacks._common.foreign import Foreign
from ownmark.attacks._common.independent import Independent
from ownmark.attacks.knockoff import Reply
from ownmark.bench.artifacts import weights_of
from ownmark.bench.store import Made
from ownmark.claims.claim import Claim
from ownmark.data.images import Images, load
from ownmark.metrics import accuracy
from ownmark.models.network import build
from ownmark.models.weights import load_weights
from ownmark.protocols import Attack, Owner, Scheme, silent
from ownmark.schemes._common.sampling import survival
from ownmark.schemes._common.triggers import Triggers
from ownmark.schemes.entangled import Entangled
from ownmark.schemes.partitioned import Partitioned
from ownmark.schemes.undertone import Undertone
from ownmark.schemes.zhang import Zhang
from ownmark.scoring.matches import RelativeRunnerUp
from ownmark.scoring.null_models import KeyedLabels
from ownmark.training import Training, predict, train
from record import record
from zoo import ZOO, kept, known, measured

NETWORK = "ownmark:ResNet18(width=8, channels=1, stem='cifar')"
OWN = Training(epochs=5, batch=64, flips=False, shift=2)
COUNT, FEW = 6000, 1500
KEEPS = 0.03  # of accuracy that an attack may lose

SCHEMES: dict[str, Scheme] = {
    "undertone": Undertone(training=replace(Undertone().training, flips=False, shift=2)),
    "partitioned": Partitioned(view=Training(flips=False, shift=2), least=0.0),  # the table tells how many hold
    "entangled": Entangled(training=replace(Entangled().training, flips=False, shift=2), least=0.0),
    "zhang": Zhang(training=replace(Zhang().training, flips=False, shift=2)),
}
SEEDS = range(int(os.environ.get("OWNMARK_SEEDS", "3")))  # of the owner's models
STUDENT = {"epochs": 5, "rate": 0.1, "flips": False}
FOREIGN = {"foreign": Foreign("digits"), "epochs": 16, "flips": False}
OTHER = Independent(epochs=4, rate=0.1, flips=False)
THEFTS: dict[str, tuple[Attack, str]] = {
    "distill": (Distill(**STUDENT), "others"),  # type: ignore[arg-type]
    "wrk": (WRK(flips=False), "few"),
    "prune_filters_4": (PruneFilters(0.25, epochs=1, flips=False), "few"),
    "retrain_all": (Retrain(flips=False), "few"),
    "finetune_0.005": (Finetune(rate=0.005, flips=False), "few"),
    "finetune_0.01": (Finetune(rate=0.01, flips=False), "few"),
    "finetune_0.02": (Finetune(rate=0.02, flips=False), "few"),
    "nad": (NAD(flips=False), "few"),
    "average": (Average(OTHER, flips=False), "few"),
    "extract": (Extract(**STUDENT), "others"),  # type: ignore[arg-type]
    "knockoff_soft": (Knockoff(**FOREIGN), "few"),  # type: ignore[arg-type]
    "knockoff_hard": (Knockoff(reply=Reply.HARD, **FOREIGN), "few"),  # type: ignore[arg-type]
    "unlearn": (Unlearn(flips=False), "few"),
    "overwrite": (Overwrite(Partitioned(view=Training(flips=False, shift=2), steps=110, least=0.0)), "few"),
    "adversarial_train": (AdversarialTrain(steps=3, epochs=3, rate=0.005, flips=False), "few"),
}
LAST = ("extract", "knockoff_soft", "knockoff_hard", "unlearn", "overwrite", "adversarial_train")  # which cost most
Cells = Mapping[str, float]


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


@dataclass(frozen=True)
class Marked:
    """One of the owner's models with a mark."""

    called: str
    seed: int

    @property
    def place(self) -> str:
        """What its rows are stored under."""
        rule = f" {RelativeRunnerUp()}" if isinstance(SCHEMES[self.called], Undertone) else ""
        return f"marks 1 {COUNT} {FEW} {NETWORK} {OWN} {SCHEMES[self.called]} {self.seed}{rule}"

    @cache  # noqa: B019 - a handful of them
    def made(self) -> tuple[nn.Module, Claim]:
        """The marked model, and the claim."""
        key = hashlib.sha256(f"marks {self.called} {self.seed}".encode()).digest()

        def make() -> Made:
            rng = torch.Generator().manual_seed(self.seed)
            found = SCHEMES[self.called].protect(target(self.seed), Owner(images("owner"), key=key), rng, silent)
            weights = weights_of(found.model)
            return Made(weights.facts, {**weights.files, "claim": found.claim.to_bytes()})

        asked = {"kind": "experiment", "recipe": f"{self.place} made", "seed": self.seed, "torch": str(torch.__version__)}
        entry = ZOO.store.kept(asked, make)
        model = load_weights(blank(), entry.file("safetensors")).to(memory_format=torch.channels_last)
        return model.eval(), Claim.load(entry.file("claim"))

    def stored(self, row: str) -> str:
        """What a row is stored under."""
        return f"{self.place} {row}" if row not in THEFTS else f"{self.place} {THEFTS[row][0]} {THEFTS[row][1]}"

    def measure(self, row: str) -> dict[str, float]:
        """The accuracy of the model before, with the mark, or of what a thief made of it, and what the claim finds."""
        model, claim = self.made()
        if row == "unmarked":
            return told(target(self.seed), claim)
        if row == "marked":
            return told(model, claim)
        attack, which = THEFTS[row]
        return told(attack.apply(model, images(which), torch.Generator().manual_seed(3), silent), claim)


def told(model: nn.Module, claim: Claim) -> dict[str, float]:
    """Accuracy on the test images, and what the claim finds."""
    right = accuracy(predict(model, images("test")).argmax(1).numpy(), images("test").labels)
    test = claim.tests[0]
    score, null = survival(model, Triggers(claim.images[:, 0], test.expected), test.match), test.null
    found = {"accuracy": right, "score": score, "log10_p": 0.0, "match": 0.0}
    if isinstance(null, KeyedLabels):
        found |= {"log10_p": null.log10_p(score), "match": float(replace(null, grinding=PLEDGED).p_value(score) <= LEVEL)}
    return found


def asked() -> list[tuple[Marked, str]]:
    """Every row of every scheme, those first that tell most."""
    every = [(Marked(called, seed), row) for seed in SEEDS for called in SCHEMES for row in ("unmarked", "marked", *THEFTS)]
    return sorted(every, key=_turn)


def _turn(one: tuple[Marked, str]) -> tuple[bool, bool, int]:
    """Before thieves of one model come those of all; the undertone, which is new, comes before its peers, and is made thrice."""
    mark, row = one
    peer = mark.called != "undertone"
    return (peer and mark.seed > 0, row in LAST, 2 * mark.seed if not peer else 1)


def rows(until: float) -> dict[tuple[Marked, str], Cells]:
    """What was measured before, and what can be until that time."""
    found: dict[tuple[Marked, str], Cells] = {}
    for one, row in asked():
        cells = known(one.stored(row))
        if cells is None and monotonic() < until:
            cells = measured(one.stored(row), partial(one.measure, row))
            print(one, row, cells, flush=True)
        if cells is not None:
            found[one, row] = cells
    return found


def figures(found: Mapping[tuple[Marked, str], Cells]) -> dict[str, float]:
    """Means over the models of each scheme, and the share of the thefts that keep accuracy which are a match."""
    made: dict[str, float] = {}
    for called, row in dict.fromkeys((one.called, row) for one, row in found):
        cells = [values for (one, other), values in found.items() if (one.called, other) == (called, row)]
        start = f"{called}.{row}"
        made |= {f"{start}.{name}": float(np.mean([values[name] for values in cells])) for name in cells[0]}
        made[f"{start}.models"] = float(len(cells))
        if any(values["log10_p"] for values in cells):
            unpledged = [values["log10_p"] + UNPLEDGED * np.log10(2) <= np.log10(LEVEL) for values in cells]
            made |= {f"{start}.match_64": float(np.mean(unpledged)), f"{start}.needed": needed(made[f"{start}.score"])}
    for called in dict.fromkeys(one.called for one, _ in found):
        kept_rows = [
            values
            for (one, row), values in found.items()
            if one.called == called
            and row in THEFTS
            and values["accuracy"] >= found.get((one, "marked"), {"accuracy": 1.0})["accuracy"] - KEEPS
        ]
        made[f"{called}.kept_accuracy"] = float(len(kept_rows))
        made[f"{called}.matched_of_these"] = float(sum(values["match"] for values in kept_rows))
    return made


def of_other_keys(until: float) -> dict[str, float]:
    """What 2,000 keys of others find in an innocent model, in its student, and in a model that bears one owner's mark."""
    suspects: dict[str, Callable[[], nn.Module]] = {
        "innocent": partial(target, 0),
        "other_owner": lambda: Marked("undertone", 0).made()[0],
        "student": lambda: THEFTS["distill"][0].apply(target(0), images("others"), torch.Generator().manual_seed(3), silent),
    }
    made: dict[str, float] = {}
    for name, suspect in suspects.items():
        recipe = f"marks keys 2 {COUNT} {NETWORK} {OWN} {SCHEMES['undertone']} {name}"
        measure = partial(false_positives, suspect, images("owner"), SCHEMES["undertone"])
        cells = known(recipe) if monotonic() >= until else measured(recipe, measure)
        made |= {f"{name}.{figure}": value for figure, value in (cells or {}).items()}
    return made


def main() -> None:
    """The keys of others, and every scheme and theft."""
    torch.set_num_threads(1)
    options = argparse.ArgumentParser()
    options.add_argument("--minutes", type=float, default=float("inf"))
    until = monotonic() + 60 * options.parse_args().minutes
    made = of_other_keys(until) | figures(rows(until))
    setting = (
        f"MNIST in small: {NETWORK}, {OWN}, {COUNT} images of the owner's, {COUNT} others for students, {FEW} of these for "
        "thieves with the weights; scikit-learn's digits for knock-offs; mean over as many of the owner's models as `models` says"
    )
    record("marks", made, seeds={"targets": list(SEEDS), "thief": 3}, setting=setting)


if __name__ == "__main__":
    main()

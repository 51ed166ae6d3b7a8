"""Ablation of the default fingerprint: one change at a time, scored on models that are used nowhere else.

The copies differ from those of `skin_first.py` (another seed per attack) and the independent models are the `tuning` models, so
the defaults were not chosen on the figures of `skin-first`. Writes `saliency-variants.json`; interrupted runs resume.
"""

from dataclasses import replace

import torch

import skin_zoo as zoo
from helped import helped
from ownmark.errors import ProtectError
from ownmark.perturb.pgd import Descent
from ownmark.protocols import Owner
from ownmark.schemes.saliency.pattern import Fill
from ownmark.schemes.saliency.scheme import Saliency
from ownmark.scoring.matches import Change
from record import record
from skin_first import asked, stealth

SAMPLES, SEED, COPY_SEED, SURROGATE_SEED = 24, 21, 2, 5
COPIES = ("finetune_all", "finetune_last", "prune_0.3", "prune_0.5", "retrain_all", "retrain_last")
DEFAULT = Saliency(samples=SAMPLES, descent=Descent(0.06))
VARIANTS = {
    "default": DEFAULT,
    "no_references": DEFAULT,
    "no_surrogates": DEFAULT,
    "model_alone": DEFAULT,
    "black_fill": replace(DEFAULT, fill=Fill.BLACK),
    "either_way": replace(DEFAULT, masked=Change(0.1)),
    "bound_0.03": replace(DEFAULT, descent=Descent(0.03)),
    "bound_0.1": replace(DEFAULT, descent=Descent(0.1)),
    "as_published": Saliency.as_published(SAMPLES),
}
WITHOUT = {"no_references": {"references"}, "no_surrogates": {"surrogates"}, "model_alone": {"references", "surrogates"}}


def main() -> None:
    """Makes a claim per variant, queries copies and tuning models, records the figures."""
    torch.set_num_threads(1)
    innocents = {f"tuning {number}": zoo.model("tuning", number) for number in range(len(zoo.SEEDS["tuning"]))}
    copies = {name: zoo.copy(name, seed=COPY_SEED) for name in COPIES}
    figures: dict[str, float] = {}
    for name, scheme in VARIANTS.items():
        try:
            claim = scheme.protect(zoo.model("target"), owner(name), torch.Generator().manual_seed(SEED)).claim
        except ProtectError:
            figures[f"{name}.holds"] = 0.0
            continue
        figures |= {f"{name}.holds": 1.0} | {f"{name}.{key}": value for key, value in stealth(claim).items()}
        for test, each in asked(claim, copies | innocents).items():
            kept = [each[copy] for copy in COPIES if not copy.startswith("retrain")]
            figures[f"{name}.{test}.min_copy"] = min(kept)
            figures[f"{name}.{test}.retrained"] = min(each["retrain_all"], each["retrain_last"])
            figures[f"{name}.{test}.max_innocent"] = max(each[innocent] for innocent in innocents)
    seeds = {"zoo": {role: list(numbers) for role, numbers in zoo.SEEDS.items()}, "protect": SEED, "copies": COPY_SEED}
    record(
        "saliency-variants", figures, seeds=seeds, setting=f"as skin-first, but {SAMPLES} samples, other copies, tuning models"
    )


def owner(variant: str) -> Owner:
    """The owner of the skin task, without the parts that the variant omits."""
    without = WITHOUT.get(variant, set())
    surrogates = tuple(zoo.copy(name, zoo.SURROGATES, seed=SURROGATE_SEED) for name in zoo.SURROGATES)
    references = tuple(zoo.model("reference", number) for number in range(len(zoo.SEEDS["reference"])))
    return Owner(
        zoo.images(training=True),
        surrogates=() if "surrogates" in without else surrogates,
        references=() if "references" in without else references,
        workspace=zoo.WORK,
    )


if __name__ == "__main__":
    helped(__doc__)
    main()

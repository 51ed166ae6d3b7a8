"""Separation of copies and independent models of one HAM10000 target by each scheme, white-box and black-box.

Writes `skin-first.json` and `docs/figures/skin-first.svg`. The models come from `skin_zoo.py` and are trained if missing (two
hours on one core); interrupted runs resume.
"""

import os

import numpy as np
import torch
from torch import nn

import skin_zoo as zoo
from figures import strips
from helped import helped
from ownmark.claims.claim import Claim
from ownmark.metrics import accuracy, balanced_accuracy, majority_accuracy, psnr
from ownmark.perturb.pgd import Descent
from ownmark.protocols import Owner
from ownmark.schemes.saliency.scheme import Saliency
from ownmark.scoring.readings import Reading
from ownmark.suspects.local import Local
from ownmark.training import predict
from ownmark.verdicts.verify import verify
from record import ROOT, record

HARD = ("retrain_all", "retrain_last", "distill")  # reported separately
TESTS = {Reading.SALIENCY: "white_box", Reading.PROBABILITY: "black_box"}
SEED = 11
SCHEMES = {"": Saliency(descent=Descent(bound=0.06)), "as_published.": Saliency.as_published()}


def main() -> None:
    """Trains missing models, makes both claims, queries every suspect, records the figures."""
    torch.set_num_threads(1)
    target = zoo.model("target")
    copies = {name: zoo.copy(name) for name in zoo.ATTACKS}
    innocents = {f"innocent {number}": zoo.model("trial", number) for number in range(len(zoo.SEEDS["trial"]))}
    figures = accuracies({"target": target} | copies | innocents)
    scores = {}
    for prefix, scheme in SCHEMES.items():
        claim = made(scheme, target)
        figures |= {f"{prefix}{name}": value for name, value in stealth(claim).items()}
        figures |= {f"{prefix}{name}": figures[name] for name in ("target_accuracy", "majority_accuracy")}
        scores[prefix] = asked(claim, {"target": target} | copies | innocents)
        figures |= {f"{prefix}{name}": value for name, value in summary(scores[prefix], list(innocents)).items()}
    strips(scores[""], list(innocents), ROOT / "docs" / "figures" / "skin-first.svg")
    setting = (
        "HAM10000 (7,005 training images of 112x112), ResNet-18 of width 16 with last stride 1 (7x7 map), 20 epochs; "
        "100 samples, two references, three surrogates; independent models are trained on the same images as the target"
    )
    record(
        "skin-first",
        figures,
        seeds={"zoo": {role: list(seeds) for role, seeds in zoo.SEEDS.items()}, "protect": SEED},
        setting=setting,
    )


def made(scheme: Saliency, target: nn.Module) -> Claim:
    """The scheme's claim on the target; finished batches are stored beside the zoo."""
    owner = Owner(
        zoo.images(training=True),
        surrogates=tuple(zoo.copy(name, zoo.SURROGATES, seed=5) for name in zoo.SURROGATES),
        references=tuple(zoo.model("reference", number) for number in range(len(zoo.SEEDS["reference"]))),
        workspace=zoo.WORK,
    )
    return scheme.protect(target, owner, torch.Generator().manual_seed(SEED)).claim


def asked(claim: Claim, suspects: dict[str, nn.Module]) -> dict[str, dict[str, float]]:
    """Test -> suspect -> score."""
    scores: dict[str, dict[str, float]] = {name: {} for name in TESTS.values()}
    for name, model in suspects.items():
        verdict = verify(claim, Local(model, name=name))
        for finding in (verdict.deciding, *verdict.others):
            scores[TESTS[finding.test.reading]][name] = finding.score
    return scores


def summary(scores: dict[str, dict[str, float]], innocents: list[str]) -> dict[str, float]:
    """The figures of one scheme, every suspect's score by name included."""
    found: dict[str, float] = {}
    for test, each in scores.items():
        easy = [score for name, score in each.items() if name not in (*innocents, *HARD, "target")]
        found[f"{test}.min_copy"] = min(easy)
        found[f"{test}.max_innocent"] = max(each[name] for name in innocents)
        found[f"{test}.retrained"] = min(each["retrain_all"], each["retrain_last"])
        found[f"{test}.distilled"] = each["distill"]
        found |= {f"{test}.score.{name.replace(' ', '_')}": score for name, score in each.items()}
    return found


def stealth(claim: Claim) -> dict[str, float]:
    """Visibility of the fingerprints, and the share whose label the target keeps."""
    if claim.originals is None:
        raise SystemExit("the claim holds no originals to compare with")
    target = zoo.model("target")
    before, after = (predict(target, zoo.as_images(pixels)).argmax(1) for pixels in (claim.originals, claim.images[:, 0]))
    return {"label_kept": float((before == after).float().mean()), "psnr_db": psnr(claim.originals, claim.images[:, 0])}


def accuracies(models: dict[str, nn.Module]) -> dict[str, float]:
    """Test accuracy of every model, and of always predicting the most common class."""
    test, training = zoo.images(training=False), zoo.images(training=True)
    found = {"majority_accuracy": majority_accuracy(test.labels)}
    for name, model in models.items():
        answers = predict(model, test).argmax(1).numpy()
        key = "target" if name == "target" else f"suspect.{name.replace(' ', '_')}"
        found[f"{key}_accuracy"] = accuracy(answers, test.labels)
        found[f"{key}_balanced_accuracy"] = balanced_accuracy(answers, test.labels)
    own = predict(models["target"], training).argmax(1).numpy()
    innocent = [found[f"suspect.{name.replace(' ', '_')}_accuracy"] for name in models if name.startswith("innocent")]
    return found | {
        "target_training_accuracy": accuracy(own, training.labels),
        "innocent_accuracy_least": float(np.min(innocent)),
    }


if __name__ == "__main__":
    helped(__doc__)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()

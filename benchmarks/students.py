"""Which students and copies of a model `Residual` and `Traces` find, by how they were made and by the queries spent.

Writes `students.json`. `auc` is over the students and copies named, against all independent models: of the same images, of other
images, of other architectures. Trains missing models (`student_zoo.py`, three quarters of an hour on one core); interrupted runs
resume. `references_half_epochs`: with cheaper references; `judge`: on images that the claimant did not choose, among a judge's
references; `traces`: saliency maps, masked pairs and residuals, alone and as one claim; `detect`: the share of a claim's images
for which a thief's detectors ring, of ordinary images beside them, and half the 95 % interval of the former (`_reach`).
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from hashlib import sha256

import numpy as np
import torch
from torch import nn

import student_zoo as zoo
from helped import helped
from ownmark.bench.trial import test_name
from ownmark.claims.claim import Claim
from ownmark.detectors import DeepSVDD, FeatureSqueezing, Neighbours
from ownmark.metrics import accuracy, aruc, auc, best_robust_and_unique, true_accepts
from ownmark.models.weights import weights_digest
from ownmark.protocols import Detector, Owner, Suspect, silent
from ownmark.querying.transcript import FOR_RESIDUALS
from ownmark.schemes import residual, traces
from ownmark.schemes._common import inconspicuous, model_answers
from ownmark.schemes.residual import Residual
from ownmark.schemes.saliency import scheme, workbench
from ownmark.schemes.traces import Traces
from ownmark.scoring.matches import best_mapped, crossed_residual
from ownmark.scoring.matches.crossed_residual import crossed, features
from ownmark.scoring.readings import Floats, Reading, shown_as
from ownmark.suspects.local import Local
from ownmark.training import predict
from ownmark.verdicts.verify import answered, verify
from record import record
from student_trials import optimised
from zoo import ZOO, code, measured

QUERIES = {"mine": (50, 150, 300, 600), "held_out": (150,)}  # by the images asked about: of the model's training, or not
LOOKED_AT = 2000  # of the owner's images, from which a claim chooses
TESTS = {Reading.PROBABILITY: "black_box", Reading.BEST: "best", Reading.LABEL: "label"}
SAME = ("reference_0", "reference_1", "reference_2", "innocent_0", "innocent_1")  # independent models of the same images
ROTATIONS = (0, 2, 4)  # which three of them in turn are the references; the other two are innocents
INDEPENDENT = ("innocent", "elsewhere", "reference")
DRAWS = 20  # of a judge's images
LESS = 0.03  # accuracy that a copy may lose and still be as good as the model
ORDINARY, FEWEST = 500, 300  # images shown to detectors: ordinary ones, and those of a claim on residuals
NORMAL = 500  # of a thief's images, for detectors
DETECTORS: Mapping[str, Detector] = {
    "feature_squeezing": FeatureSqueezing(),
    "deep_svdd": DeepSVDD(),
    "neighbours": Neighbours(1),
}
SEED = 11

MAKERS = (residual, model_answers, traces, inconspicuous, crossed_residual, best_mapped, scheme, workbench)  # of claims
Models = Mapping[str, nn.Module]


def main() -> None:
    """Makes the claims, asks every model, records the figures."""
    torch.set_num_threads(1)
    models = {name: make() for name, make in zoo.zoo().items()}
    right = measured_on(models, "accuracy", partial(accuracies, models))
    figures = prefixed("accuracy", right)
    good = {name for name, value in right.items() if value >= right["target"] - LESS}

    def once(what: str, measure: Callable[[], Mapping[str, float]]) -> dict[str, float]:
        found = measured_on(models, what, measure)
        return found | of_the_good(found, good)

    for side, counts in QUERIES.items():
        for samples in counts:
            ask = partial(asked, models, samples=samples, training=side == "mine")
            figures |= summed(
                f"{side}.{samples}", [once(f"{side} {samples} {start}", partial(ask, trio(start))) for start in ROTATIONS]
            )
    halves = tuple(name for name in models if name.startswith("half_epochs"))
    figures |= summed("references_half_epochs", [once("half epochs", partial(asked, models, halves, 150, training=True))])
    figures |= prefixed("optimised", once("optimised", partial(tried, models, trio(0))))
    figures |= prefixed("judge", once("judge", partial(judged, models)))
    figures |= summed("traces", [once(f"traces {start}", partial(traced, models, trio(start))) for start in ROTATIONS])
    figures |= prefixed("detect", once("detect", partial(noticed, models)))
    figures |= as_good(figures)
    setting = (
        f"HAM10000 at {zoo.SIZE}x{zoo.SIZE}, {zoo.NETWORK}, {zoo.TRAINING}: far smaller than the recipe skin; one target, "
        f"three surrogates, {LOOKED_AT} of the owner's images to choose from, {len(ROTATIONS)} repeats with other references; "
        "student_N learnt the answers to N % of the owner's images, student_0 to held-out ones, hard_100 to all, labels only, "
        f"student_KIND to all with another network; knock-offs to {zoo.FOREIGN.most} images of CIFAR-10; "
        f"judge: {DRAWS} draws of {FOR_RESIDUALS} held-out images; detectors learnt {NORMAL} held-out images"
    )
    seeds = {role: list(numbers) for role, numbers in zoo.SEEDS.items()}
    record("students", figures, seeds={"zoo": seeds, "claim": SEED}, setting=setting)


def measured_on(models: Models, what: str, measure: Callable[[], Mapping[str, float]]) -> dict[str, float]:
    """A measurement of these models, from the store if it was made before by the same code."""
    every = " ".join(f"{name} {weights_digest(one)}" for name, one in models.items()) + code(*MAKERS)
    return measured(f"students, {what}, of {sha256(every.encode()).hexdigest()}", measure)


def of_the_good(figures: Mapping[str, float], good: Collection[str]) -> dict[str, float]:
    """`aruc_mapped_as_good` and `best_r_and_u_as_good`: per test, over the copies that are `good`."""
    scores: dict[str, dict[str, float]] = {}
    for figure, value in figures.items():
        test, found, name = figure.partition(".score.")
        if found and (name in good or name.startswith(INDEPENDENT)):
            scores.setdefault(test, {})[name] = value
    areas_of = {test: areas(each) for test, each in scores.items()}
    kept = ("aruc_mapped", "best_r_and_u")
    return {f"{test}.{figure}_as_good": each[figure] for test, each in areas_of.items() for figure in kept}


def as_good(figures: Mapping[str, float]) -> dict[str, float]:
    """`auc_as_good`: over the copies that are less accurate than the model by at most `LESS`, the mean of their own areas."""
    least = figures["accuracy.target"] - LESS
    areas: dict[str, list[float]] = {}
    for name, value in figures.items():
        test, found, copy = name.partition(".auc.")
        if found and figures.get(f"accuracy.{copy}", 0.0) >= least:
            areas.setdefault(f"{test}.auc_as_good", []).append(value)
    return {name: float(np.mean(values)) for name, values in areas.items()}


def prefixed(start: str, figures: Mapping[str, float]) -> dict[str, float]:
    return {f"{start}.{name}": value for name, value in figures.items()}


def accuracies(models: Models) -> dict[str, float]:
    """On held-out images."""
    test = zoo.images(training=False)
    return {name: accuracy(predict(one, test).argmax(1).numpy(), test.labels) for name, one in models.items()}


def trio(start: int) -> tuple[str, ...]:
    """Three of the independent models."""
    return tuple(SAME[(start + step) % len(SAME)] for step in range(3))


def asked(models: Models, references: tuple[str, ...], samples: int, *, training: bool) -> dict[str, float]:
    """What a claim with these references finds in every model that has no part in it; and what is doubted."""
    made = Residual(samples).protect(models["target"], owner_of(models, references, training=training), seeded())
    doubts = {f"doubted.{doubt.kind}": doubt.figure for doubt in made.doubts}
    return doubts | told(made.claim, suspects(models, references))


def tried(models: Models, references: tuple[str, ...]) -> dict[str, float]:
    """The same on images that were changed so that residuals grow."""
    claim = optimised(models["target"], owner_of(models, references, training=True), 150)
    return told(claim, suspects(models, references))


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(SEED)


def owner_of(models: Models, references: tuple[str, ...], *, training: bool) -> Owner:
    images = zoo.images(training=training)
    images = images.take(np.linspace(0, len(images) - 1, LOOKED_AT).astype(int))
    copies = tuple(one for name, one in models.items() if name.startswith("surrogate"))
    return Owner(images, copies, tuple(models[name] for name in references), ZOO.store.workspace)


def suspects(models: Models, references: tuple[str, ...]) -> dict[str, Local]:
    """Every model that has no part in a claim with these references."""
    parts = ("target", "surrogate", "half_epochs", *references)
    return {name: Local(one, name=name) for name, one in models.items() if not name.startswith(parts)}


def traced(models: Models, references: tuple[str, ...]) -> dict[str, float]:
    """What a claim with both traces finds in every model that has no part in it."""
    return scores_of(both(models, references), suspects(models, references))


def both(models: Models, references: tuple[str, ...]) -> Claim:
    """A claim with both traces; the finished batches of an interrupted search are kept."""
    return Traces().protect(models["target"], owner_of(models, references, training=True), seeded()).claim


def scores_of(claim: Claim, asked: Mapping[str, Local]) -> dict[str, float]:
    """Per test of a claim: every suspect's score, and the areas."""
    scores: dict[str, dict[str, float]] = {}
    for name, suspect in asked.items():
        for finding in answered(claim, suspect).values():
            scores.setdefault(test_name(claim, finding.test), {})[name] = finding.score
    found = {f"{test}.score.{name}": score for test, each in scores.items() for name, score in each.items()}
    return found | {f"{test}.{name}": value for test, each in scores.items() for name, value in areas(each).items()}


def judged(models: Models) -> dict[str, float]:
    """The residual of each suspect on images of a judge's, among all independent models, and how often it exceeds all theirs."""
    test, rng = zoo.images(training=False), np.random.default_rng(SEED)
    every = {name: predict(one, test).softmax(dim=1).double().numpy() for name, one in models.items()}
    known = [name for name in every if name.startswith(INDEPENDENT)]
    copies = [name for name in every if not name.startswith((*INDEPENDENT, "target", "half_epochs"))]
    found: dict[str, list[float]] = {}
    for _ in range(DRAWS):
        rows = rng.choice(len(test), FOR_RESIDUALS, replace=False)
        for reading, way in TESTS.items():
            seen = {name: _features(answers[rows], reading) for name, answers in every.items()}
            for name in copies:
                residual, others = _among(seen["target"], seen[name], np.stack([seen[one] for one in known]))
                found.setdefault(f"{way}.residual.{name}", []).append(residual)
                found.setdefault(f"{way}.above_all.{name}", []).append(float(residual > max(others)))
                found.setdefault(f"{way}.highest_independent", []).append(max(others))
    return {name: float(np.mean(values)) for name, values in found.items()} | {"independent": len(known)}


def _features(answers: Floats, reading: Reading) -> Floats:
    return features(reading, shown_as(reading, answers), answers.shape[1])


def _among(target: Floats, suspect: Floats, others: Floats) -> tuple[float, list[float]]:
    """A suspect's residual among independent models, and each of theirs among the suspect and the other ones."""
    rest = (np.concatenate([suspect[None], np.delete(others, place, axis=0)]) for place in range(len(others)))
    theirs = [crossed(target, one, some) or 0.0 for one, some in zip(others, rest, strict=True)]
    return crossed(target, suspect, others) or 0.0, theirs


def noticed(models: Models) -> dict[str, float]:
    """How often a thief's detectors ring for the images of claims, and for as many ordinary images of the owner's."""
    thief, mine = zoo.images(training=False), zoo.images(training=True)
    normal = thief.take(np.linspace(0, len(thief) - 1, NORMAL).astype(int))
    alarms = {name: one.fit(models["target"], normal, seeded(), silent) for name, one in DETECTORS.items()}
    rings: dict[str, list[float]] = {}
    for start in ROTATIONS:
        traces, rng = both(models, trio(start)), np.random.default_rng(SEED + start)
        pairs = next(test.samples for test in traces.tests if test.reading is Reading.SALIENCY)
        streams = {
            "saliency": traces.images[pairs].reshape(-1, *traces.images.shape[2:]),
            "residual": traces.images[pairs.stop :].reshape(-1, *traces.images.shape[2:]),
            "traces": traces.images.reshape(-1, *traces.images.shape[2:]),
            "ordinary": mine.pixels[rng.choice(len(mine), ORDINARY, replace=False)],
        }
        for name, alarm in alarms.items():
            for stream, images in streams.items():
                rung = float((alarm.score(images) > alarm.threshold()).mean())
                rings.setdefault(f"{name}.{stream}", []).append(rung)
    asked = len(ROTATIONS) * FEWEST
    means = {name: float(np.mean(found)) for name, found in rings.items()}
    reach = {f"{name}_reach": 1.96 * float(np.sqrt(value * (1 - value) / asked)) for name, value in means.items()}
    return means | {name: value for name, value in reach.items() if ".residual" in name}


def summed(start: str, repeats: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Means and spreads over the repeats that have the figure."""
    names = dict.fromkeys(name for one in repeats for name in one)
    values = {name: [one[name] for one in repeats if name in one] for name in names}
    means = {f"{start}.{name}": float(np.mean(found)) for name, found in values.items()}
    return means | {f"{start}.{name}_std": float(np.std(found)) for name, found in values.items()}


def told(claim: Claim, suspects: Mapping[str, Suspect]) -> dict[str, float]:
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
    helped(__doc__)
    main()

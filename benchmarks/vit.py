"""Whether the default fingerprint separates copies from independent models where the networks are transformers or newer CNNs.

Writes `vit.json`: per kind of network and test the share of samples that match on every suspect, the lowest copy, the highest
independent model, and whether they are apart. Trains missing models (`vit_zoo.py`); interrupted runs resume.
"""

import sys
from collections.abc import Iterator, Mapping
from functools import partial
from time import process_time

import torch

import vit_zoo as zoo
from helped import helped
from ownmark.bench.store import Entry, Made
from ownmark.bench.trial import test_name
from ownmark.claims.claim import Claim
from ownmark.metrics import accuracy, psnr
from ownmark.models.weights import weights_digest
from ownmark.protocols import Owner, silent
from ownmark.schemes.traces import Traces
from ownmark.suspects.local import Local
from ownmark.training import predict
from ownmark.verdicts.verify import verify
from record import record
from zoo import ZOO, measured

SCHEME = Traces()  # what `protect` makes unless a scheme is named
SEED = 11
Figures = dict[str, float]


def main() -> None:
    """One kind of network after the other; what is known is recorded after every suspect."""
    torch.set_num_threads(1)
    setting = (
        f"CIFAR-10 at {zoo.SIZE}x{zoo.SIZE}, {zoo.TRAINED_ON} images, networks of benchmarks/vit_zoo.py with a map of 7x7, "
        f"{SCHEME!r}, three surrogates, three references; independent models learnt from the same images"
    )
    seeds = {"target": zoo.TARGET, "references": list(zoo.REFERENCES), "claim": SEED}
    finished: Figures = {}
    for name in sys.argv[1:] or zoo.KINDS:
        figures: Figures = {}
        for found in of_kind(name):
            figures = {f"{name}.{key}": value for key, value in found.items()}
            record("vit", finished | figures, seeds=seeds, setting=setting)
        finished |= figures


def of_kind(name: str) -> Iterator[Figures]:
    """The claim on one target, and what the suspects of its kind score, after each of them from the first independent one on."""
    made = claimed(name)
    claim = Claim.load(made.file("claim"))
    figures: Figures = {"protect_seconds": float(made.facts["seconds"])}
    if claim.originals is not None:
        figures["psnr"] = psnr(claim.originals, claim.images[:, 0])
    figures["accuracy.target"] = right(zoo.fresh(name, zoo.TARGET))
    scores: dict[str, Figures] = {}
    for called, make in zoo.suspects(name).items():
        model = make()
        found = measured(f"{claim.digest} asks {weights_digest(model)}", partial(scored, claim, model))
        figures[f"accuracy.{called}"] = right(model)
        for test, score in found.items():
            scores.setdefault(test, {})[called] = figures[f"{test}.{called}"] = score
        sys.stderr.write(f"{name} {called} {found}\n")
        if any(key.startswith("independent") for key in scores["white_box"]):
            yield figures | {f"{test}.{key}": value for test, each in scores.items() for key, value in summed(each).items()}


def claimed(name: str) -> Entry:
    """The claim on the target of that kind, from the store if it was made before."""
    target = zoo.fresh(name, zoo.TARGET)
    surrogates = tuple(zoo.copy(name, attack, seed=5) for attack in zoo.SURROGATES)
    references = tuple(zoo.fresh(name, seed) for seed in zoo.REFERENCES)
    owner = Owner(zoo.images(training=True), surrogates, references, ZOO.store.workspace)

    def make() -> Made:
        started = process_time()
        claim = SCHEME.protect(target, owner, torch.Generator().manual_seed(SEED), silent).claim
        return Made({"seconds": process_time() - started}, {"claim": claim.to_bytes()})

    models = [weights_digest(one) for one in (target, *surrogates, *references)]
    recipe = {"recipe": f"{SCHEME!r} of {name}", "models": models, "torch": str(torch.__version__)}
    return ZOO.store.kept({"kind": "experiment", "seed": SEED, **recipe}, make)


def scored(claim: Claim, model: torch.nn.Module) -> Figures:
    """The score in each test but that of labels."""
    verdict = verify(claim, Local(model))
    found = {test_name(claim, one.test): one.score for one in (verdict.deciding, *verdict.others)}
    return {test: score for test, score in found.items() if test != "label"}


def right(model: torch.nn.Module) -> float:
    """The share of held-out images that a model gets right."""

    def measure() -> Figures:
        test = zoo.images(training=False)
        return {"accuracy": accuracy(predict(model, test).argmax(1).numpy(), test.labels)}

    return measured(f"vit bench: accuracy of {weights_digest(model)}", measure)["accuracy"]


def summed(scores: Mapping[str, float]) -> Figures:
    """The copies, the students and the independent models of one test; `separated`: every copy and student is above them."""
    groups = {
        word: [value for key, value in scores.items() if key.startswith(word)] for word in ("copy", "student", "independent")
    }
    most = max(groups["independent"])
    apart = float(min(groups["copy"] + groups["student"]) > most)
    found = {"lowest_copy": min(groups["copy"]), "highest_independent": most, "separated": apart}
    found |= {"copies": float(len(groups["copy"])), "independents": float(len(groups["independent"]))}
    return found | ({"lowest_student": min(groups["student"])} if groups["student"] else {})


if __name__ == "__main__":
    helped(__doc__, "only these kinds of network")
    main()

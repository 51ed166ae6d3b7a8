"""Forged claims, on images that all models misclassify alike and in four other ways, and genuine claims before the same judge.

Five forgers, each with one model and ten references, forge twenty claims each: ten free claims, for which the forger chooses the
calibration models, and ten on the labels of a key. Suspects and the judge's references are models that no forger has access to.
Writes `forger.json`.
"""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from functools import cache, partial

import numpy as np
import torch
from torch import nn

from court import OWNER, TRAINING, Court, Stated, half, images, model, network, opened, suspects
from forgeries import REFUSED, Attempt, Planted, arranged, behind, faced, ordered, two_faced
from helped import helped
from ownmark import keys
from ownmark.bench.forger import Forger
from ownmark.claims.claim import Claim
from ownmark.data.images import Images
from ownmark.errors import ClaimError
from ownmark.evidence.ruling import Outcome, Stratum
from ownmark.protocols import Owner
from ownmark.schemes._common.marks import marked
from ownmark.schemes._common.triggers import Triggers, keyed
from ownmark.scoring.null_models import KeyedLabels, Uncalibrated
from ownmark.suspects.local import Local
from ownmark.training import seeded, train
from ownmark.verdicts.calibrate import calibrate
from ownmark.verdicts.verdict import Outcome as Plain
from ownmark.verdicts.verify import verify
from ownmark.workflows.judge import FRONTS
from record import record
from zoo import kept

ALPHA, TRIGGERS, MARKS = 0.05, 100, 200
FORGERS, EACH, MODELS = 5, 10, 11
FORGERS_OWN, JUDGES, SUSPECTS = range(1000, 1000 + FORGERS * MODELS), range(2000, 2060), range(3000, 3010)
MATCHES = {Outcome.STRONG, Outcome.SUPPORTING}
SILENT = 19  # calibration models that a forger chooses: untrained networks match nothing


def main() -> None:
    """All forged claims, then the genuine ones."""
    torch.set_num_threads(1)
    strata = ((Stratum.SAME_DATA, suspects(JUDGES)), (Stratum.SAME_TASK, suspects(range(2100, 2160), 1)))
    court = Court(tuple((stratum, one) for stratum, group in strata for one in group), FRONTS)
    accused = (*suspects(SUSPECTS), *suspects(range(3100, 3110), 1))
    forged = [tried(court, claim, own, accused[number % len(accused)]) for number, (claim, own) in enumerate(forgeries())]
    cases = list(genuine_ones())
    genuine = [court.ruling(opened(claim, ALPHA), own, copy) for claim, own, copy in cases]
    figures = {name: float(np.sum([one[name] for one in forged])) for name in forged[0] if name != "score"}
    figures |= {
        "forged_tried": len(forged),
        "forged_score": float(np.mean([one["score"] for one in forged])),
        "genuine_tried": len(genuine),
        "genuine_upheld": sum(one.outcome in MATCHES for one in genuine),
        "genuine_strong": sum(one.outcome is Outcome.STRONG for one in genuine),
        "judges_references": len(court.references),
    }
    figures |= {
        key: value for name, found in others(court, accused, cases[0]).items() for key, value in told(name, found).items()
    }
    setting = (
        f"8x8 digits, networks of two convolutions; {FORGERS} forgers of {MODELS} models, {Forger(samples=TRIGGERS)}; "
        f"alpha {ALPHA}; 20 independent suspects; "
        f"genuine: 5 keyed marks and 5 trigger sets of {MARKS}, each against a copy and a fine-tuned copy"
    )
    seeds = {"forgers": FORGERS_OWN.start, "judge": JUDGES.start, "suspects": SUSPECTS.start}
    record("forger", figures, seeds=seeds, setting=setting)


def others(court: Court, accused: tuple[Local, ...], genuine: tuple[Claim, Local, Local]) -> dict[str, list[Attempt]]:
    """Every attempt of the other four forgeries, by name; those with two faces also before a judge who tries no fronts."""
    marked_claim, owners, _ = genuine
    made: dict[str, list[Attempt]] = {name: [] for name in ("arranged", "ordered", "planted", "faced", "faced_without_fronts")}
    for forger in range(FORGERS):
        own, *references = (model(FORGERS_OWN.start + forger * MODELS + number, 0) for number in range(MODELS // 2))
        claim = two_faced(forger, own, tuple(references))
        for number, suspect in enumerate(accused[forger::FORGERS]):
            place = FORGERS * number + forger
            made["arranged"] += arranged(court, suspect, Local(own), place)
            made["ordered"] += ordered(court, suspect, Local(own), place)
            made["faced"].append(faced(court, claim, behind(suspect), Local(own)))
            made["faced_without_fronts"].append(faced(replace(court, fronts={}), claim, behind(suspect), Local(own)))
        made["planted"] += Planted(marked_claim, owners, accused[forger]).attempts()
    return made


def told(name: str, found: list[Attempt]) -> dict[str, float]:
    """How many attempts were upheld and refused, and how the best of them does on honest models before any step."""
    return {
        f"{name}_tried": len(found),
        f"{name}_upheld": sum(one.outcome.startswith("MATCH") for one in found),
        f"{name}_refused": sum(one.outcome == REFUSED for one in found),
        f"{name}_score": max(one.matched for one in found),
    }


def tried(court: Court, claim: Claim, own: nn.Module, suspect: Local) -> dict[str, float]:
    """The result of one forged claim against an independent suspect."""
    ruling = court.ruling(opened(claim, ALPHA), Local(own), suspect)
    return {
        "forged_upheld": ruling.outcome in MATCHES,
        "forged_upheld_without_a_judge": verify(claim, suspect, alpha=ALPHA).outcome is Plain.MATCH,
        "forged_stated_as_keyed": stated(claim),
        "score": ruling.finding.score,
    }


def stated(claim: Claim) -> bool:
    """Whether forged labels (by the claim) and images (by the seal) pass as a key's."""
    null = claim.tests[0].null
    if not isinstance(null, KeyedLabels):
        null = KeyedLabels(bytes(32).hex(), len(claim.images), len(claim.classes), 1)
    try:
        bundle = opened(replace(claim, tests=(replace(claim.tests[0], null=null),)), ALPHA)
    except ClaimError:
        return False
    return bundle.commitment.cells > 0


def forgeries() -> Iterator[tuple[Claim, nn.Module]]:
    """Each forged claim with the forger's model, alternating between free claims and claims on a key's labels."""
    data = half(0)
    for forger in range(FORGERS):
        own, *references = (model(FORGERS_OWN.start + forger * MODELS + number, 0) for number in range(MODELS))
        for number in range(EACH):
            rng = torch.Generator().manual_seed(1000 * forger + number)
            key = number.to_bytes(16, "big") + forger.to_bytes(16, "big")
            owner, how = Owner(data, references=tuple(references), key=key), Forger(samples=TRIGGERS)
            yield calibrate(how.protect(own, owner, rng).claim, untrained()), own
            wanted = keyed(Stated(TRIGGERS), owner, own)
            yield how.towards(wanted, own, owner, rng).claim, own


@cache
def untrained() -> tuple[Local, ...]:
    """Calibration models that match nothing."""
    made = []
    for seed in range(SILENT):
        with seeded(torch.Generator().manual_seed(seed)):
            made.append(Local(network(), name=f"untrained {seed}"))
    return tuple(made)


def genuine_ones() -> Iterator[tuple[Claim, Local, Local]]:
    """Genuine claims, keyed and unkeyed, with the owner's model, a copy and a fine-tuned copy."""
    data = images(training=True)
    for seed in range(10):
        mark = Owner(data, key=keys.derived(OWNER.secret, "mark", seed), public=OWNER.public, alpha=ALPHA)
        with seeded(torch.Generator().manual_seed(seed)):
            blank = network()
        triggers = keyed(Stated(MARKS), mark, blank)
        if seed % 2:  # without a key: judged by rank
            triggers = replace(triggers, null=Uncalibrated(), choices=None)
        own = kept(f"court marked, bound {network()} {TRAINING} {MARKS} {seed}", network, partial(trained_with, triggers), seed)
        claim = marked(Stated(MARKS), own, triggers, mark, least=0.5).claim
        claim = claim if isinstance(triggers.null, KeyedLabels) else calibrate(claim, suspects(range(4000, 4000 + SILENT)))
        yield claim, Local(own), Local(own, name="copy")
        thief = train(deepcopy(own), half(1), replace(TRAINING, epochs=5, rate=0.005), torch.Generator().manual_seed(seed))
        yield claim, Local(own), Local(thief, name="fine-tuned")


def trained_with(triggers: Triggers, rng: torch.Generator) -> nn.Module:
    """A network trained on triggers and digits from scratch."""
    data = images(training=True)
    pixels = np.concatenate([data.pixels, *[triggers.images] * 5])
    labels = np.concatenate([data.labels, *[triggers.labels] * 5])
    with seeded(rng):
        blank = network()
    return train(blank, Images(pixels, labels, data.names), replace(TRAINING, epochs=20, shift=0), rng)


if __name__ == "__main__":
    helped(__doc__)
    main()

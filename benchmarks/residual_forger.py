"""Claims on residuals before a judge: genuine ones against copies and students, and ones forged for a model that is known.

Forgers know the accused, an independent model, and choose by it: weights that spell out its answers, or the images of a large
pool on which it happens to deviate as their own model does; others invent their references. All invent their innocents. Counts
are by the rank under the claim alone, and by the judge who takes the residual anew. Writes `residual-forger.json`.
"""

from collections.abc import Callable, Mapping
from functools import cache, partial

import numpy as np
import torch
from torch import nn

from court import OWNER, TRAINING, Court, half, images, model, network, suspects
from helped import helped
from ownmark import training
from ownmark.attacks.distill import Distill
from ownmark.attacks.finetune import Finetune
from ownmark.claims.claim import Claim, Test
from ownmark.data.images import Images
from ownmark.evidence import seal, unchosen
from ownmark.evidence.bundle import Bundle
from ownmark.evidence.commitment import Policy
from ownmark.evidence.ruling import Outcome, Ruling, Stratum
from ownmark.keys import Pixels
from ownmark.models.weights import weights_digest
from ownmark.protocols import Attack, Owner, silent
from ownmark.schemes import residual
from ownmark.schemes._common import inconspicuous, model_answers
from ownmark.schemes.residual import Residual
from ownmark.scoring.matches import CrossedResidual
from ownmark.scoring.null_models import Innocents
from ownmark.scoring.readings import Floats, Reading
from ownmark.suspects.local import Local
from ownmark.training import predict
from ownmark.verdicts.calibrate import calibrate
from ownmark.workflows.judge import FRONTS
from record import record
from zoo import code, kept, measured

ALPHA, SAMPLES, MIDDLE = 0.05, 150, 0.3
OWNERS, ACCUSED, JUDGES, FORGERS = range(5000, 5004), range(3000, 3004), range(2000, 2040), range(1000, 1002)
CALIBRATING = range(4000, 4019)
POOL = 20_000  # images that a forger looks at
REFERENCES = 8  # of an owner: three tell too little of such small models
MATCHES = {Outcome.STRONG, Outcome.SUPPORTING}
THEFTS: Mapping[str, Attack] = {
    "finetuned": Finetune(epochs=5, rate=0.005, flips=False),
    "student": Distill(epochs=20, rate=0.1, batch=32, flips=False),
}
Hearing = tuple[str, Callable[[], Ruling]]
Forge = Callable[[nn.Module, nn.Module, tuple[nn.Module, ...]], Claim]


def main() -> None:
    """All genuine claims, then all forged ones."""
    torch.set_num_threads(1)
    court = Court(tuple((Stratum.SAME_DATA, one) for one in suspects(JUDGES, 0)), FRONTS)
    figures = {"judges_references": float(len(court.references))}
    attempts = {f"genuine.{name}": rulings for name, rulings in genuine(court).items()}
    attempts |= {name: forged(court, name) for name in FORGERIES}
    made = code(residual, model_answers, inconspicuous, unchosen, training)
    for name, rulings in attempts.items():
        found = [
            measured(f"residual forger: {name} {what} {JUDGES} {REFERENCES} {TRAINING} {made}", partial(told, ruling))
            for what, ruling in rulings
        ]
        figures |= {f"{name}.{key}": float(np.sum([one[key] for one in found])) for key in found[0]}
    setting = (
        f"8x8 digits, networks of two convolutions; {len(OWNERS)} owners, {len(FORGERS)} forgers against {len(ACCUSED)} "
        f"independent models each; alpha {ALPHA}; {SAMPLES} samples; a pool of {POOL} mixed digits"
    )
    seeds = {"owners": OWNERS.start, "forgers": FORGERS.start, "accused": ACCUSED.start, "judge": JUDGES.start}
    record("residual-forger", figures, seeds=seeds, setting=setting)


def told(ruling: Callable[[], Ruling]) -> dict[str, float]:
    """Whether a claim was upheld by the judge, and whether it would be by its own images and weights alone."""
    one = ruling()
    alone = next(step.passed for step in one.steps if step.name == "J7 main test")
    return {"tried": 1, "upheld": one.outcome in MATCHES, "upheld_by_its_own_images": bool(alone)}


def genuine(court: Court) -> dict[str, list[Hearing]]:
    """Each owner's claim against copies, students of either half of the images, and an independent model."""
    found: dict[str, list[Hearing]] = {}
    copies = {"finetuned": ("finetuned", 1), "student": ("student", 0), "student_of_other_images": ("student", 1)}
    for seed in OWNERS:
        own, bundle = model(seed, 0), cache(partial(_genuine, seed))
        for name, (theft, part) in copies.items():
            thief = partial(_stolen, own, theft, part, seed + 1)
            found.setdefault(name, []).append((f"{seed}", partial(_heard, court, bundle, own, thief)))
        innocent = partial(model, ACCUSED[seed - OWNERS.start], 0)
        found.setdefault("innocent", []).append((f"{seed}", partial(_heard, court, bundle, own, innocent)))
    return found


def _genuine(seed: int) -> Bundle:
    own, references = model(seed, 0), tuple(model(6000 + REFERENCES * seed + place, 0) for place in range(REFERENCES))
    owner = Owner(half(0), (_stolen(own, "finetuned", 0, seed),), references)
    claim = Residual(SAMPLES).protect(own, owner, torch.Generator().manual_seed(seed)).claim
    return _opened(calibrate(claim, suspects(CALIBRATING, 0)))


def _heard(court: Court, bundle: Callable[[], Bundle], own: nn.Module, suspect: Callable[[], nn.Module]) -> Ruling:
    return court.ruling(bundle(), Local(own), Local(suspect(), name="suspect"))


def _stolen(own: nn.Module, theft: str, part: int, seed: int) -> nn.Module:
    attack = THEFTS[theft]
    name = f"court {attack} of {weights_digest(own)} with half {part} {TRAINING} {code(training)}"
    return kept(name, network, lambda rng: attack.apply(own, half(part), rng, silent), seed)


def forged(court: Court, name: str) -> list[Hearing]:
    """Every forger's claims against every accused."""
    found: list[Hearing] = []
    for seed in FORGERS:
        own, references = model(seed, 0), tuple(model(7000 + 3 * seed + place, 0) for place in range(3))
        for accused in ACCUSED:
            known = partial(model, accused, 0)
            bundle = partial(_forged, name, own, known, references)
            found.append((f"{seed} {accused}", partial(_heard, court, bundle, own, known)))
    return found


def _forged(name: str, own: nn.Module, known: Callable[[], nn.Module], references: tuple[nn.Module, ...]) -> Bundle:
    return _opened(FORGERIES[name](own, known(), references))


def _opened(claim: Claim) -> Bundle:
    sealed = seal.seal(claim, OWNER, Policy(ALPHA, access="probabilities"))
    return seal.opened(sealed, claim, OWNER, None)


def weights(own: nn.Module, known: nn.Module, references: tuple[nn.Module, ...]) -> Claim:
    """What the accused answers less what others do, and the same of the forger's model, which must bear its claim out."""
    shown = half(0).pixels[:SAMPLES]
    others = np.mean([_roots(one, shown) for one in references], axis=0)
    theirs, mine = (_scaled(_roots(one, shown) - others) for one in (known, own))
    return _claim(own, shown, theirs + mine, others)


def grinding(own: nn.Module, known: nn.Module, references: tuple[nn.Module, ...]) -> Claim:
    """Honest weights on the images of a pool where the accused is most like the forger's model."""
    data, rng = images(training=True).pixels, np.random.default_rng(0)
    first, second = (data[rng.integers(0, len(data), POOL)] for _ in range(2))
    share = rng.uniform(0, 0.5, (POOL, 1, 1, 1))
    pool = np.rint((1 - share) * first + share * second).astype(np.uint8)
    others = np.mean([_roots(one, pool) for one in references], axis=0)
    mine, theirs = (_roots(one, pool) - others for one in (own, known))
    rows = np.argsort(-(mine * theirs).sum(axis=1))[:SAMPLES]
    return _claim(own, pool[rows], _scaled(mine[rows]), others[rows])


def references(own: nn.Module, known: nn.Module, references: tuple[nn.Module, ...]) -> Claim:  # noqa: ARG001 - a forger's words
    """Against a reference that knows nothing: whoever reads digits deviates from it as the forger's model does."""
    shown = half(0).pixels[:SAMPLES]
    blank = np.full((SAMPLES, 10), np.sqrt(0.1))
    return _claim(own, shown, _scaled(_roots(own, shown) - blank), blank)


FORGERIES: dict[str, Forge] = {"weights": weights, "grinding": grinding, "references": references}


def _claim(own: nn.Module, pixels: Pixels, expected: Floats, others: Floats) -> Claim:
    whole = np.concatenate([expected, (expected * others).sum(axis=1, keepdims=True)], axis=1).astype(np.float64)
    match = CrossedResidual(MIDDLE, MIDDLE / 5)
    invented = Innocents((0.0,) * 19, tuple(f"{number:064}" for number in range(19)))
    test = Test(Reading.PROBABILITY, match, np.ascontiguousarray(whole), match.mapped(1.0), null=invented)
    names = tuple(str(number) for number in range(10))
    return Claim(pixels[:, None], (test,), names, "Residual()", weights_digest(own), originals=pixels)


def _scaled(deviation: Floats) -> Floats:
    return np.asarray(deviation / (deviation**2).sum(axis=1).mean())


def _roots(one: nn.Module, pixels: Pixels) -> Floats:
    data = Images(pixels, np.zeros(len(pixels), dtype=np.int64), tuple(str(number) for number in range(10)))
    return np.asarray(predict(one, data).double().softmax(dim=1).sqrt().numpy())


if __name__ == "__main__":
    helped(__doc__)
    main()

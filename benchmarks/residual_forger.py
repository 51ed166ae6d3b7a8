"""Claims on residuals before a judge: genuine ones against copies and students, and ones forged for a model that is known.

Forgers know the accused, an independent model, and choose by it: weights that spell out its answers, or the images of a large
pool on which it happens to deviate as their own model does; others invent their references. All invent their innocents. Counts
are by the rank under the claim alone, and by the judge who takes the residual anew. Writes `residual-forger.json`.
"""

from collections.abc import Callable, Iterator, Mapping

import numpy as np
import torch
from torch import nn

from court import TRAINING, Court, half, images, model, network, opened, suspects
from ownmark.attacks.distill import Distill
from ownmark.attacks.finetune import Finetune
from ownmark.claims.claim import Claim, Test
from ownmark.data.images import Images
from ownmark.evidence.ruling import Outcome, Ruling, Stratum
from ownmark.keys import Pixels
from ownmark.models.weights import weights_digest
from ownmark.protocols import Attack, Owner, silent
from ownmark.schemes.residual import Residual
from ownmark.scoring.matches import CrossedResidual
from ownmark.scoring.null_models import Innocents
from ownmark.scoring.readings import Floats, Reading
from ownmark.suspects.local import Local
from ownmark.training import predict
from ownmark.verdicts.calibrate import calibrate
from ownmark.workflows.judge import FRONTS
from record import record
from zoo import kept

ALPHA, SAMPLES, MIDDLE = 0.05, 150, 0.3
OWNERS, ACCUSED, JUDGES, FORGERS = range(5000, 5005), range(3000, 3010), range(2000, 2025), range(1000, 1003)
CALIBRATING = range(4000, 4019)
POOL = 20_000  # images that a forger looks at
MATCHES = {Outcome.STRONG, Outcome.SUPPORTING}
THEFTS: Mapping[str, Attack] = {
    "finetuned": Finetune(epochs=5, rate=0.005, flips=False),
    "student": Distill(epochs=20, rate=0.1, batch=32, flips=False),
}
Forge = Callable[[nn.Module, nn.Module, tuple[nn.Module, ...]], Claim]


def main() -> None:
    """All genuine claims, then all forged ones."""
    torch.set_num_threads(1)
    court = Court(tuple((Stratum.SAME_DATA, one) for one in suspects(JUDGES, 0)), FRONTS)
    figures: dict[str, float] = {"judges_references": len(court.references)}
    for name, ruling in genuine(court):
        figures[f"genuine.{name}_tried"] = figures.get(f"genuine.{name}_tried", 0) + 1
        figures[f"genuine.{name}_upheld"] = figures.get(f"genuine.{name}_upheld", 0) + (ruling.outcome in MATCHES)
    for name, forge in FORGERIES.items():
        rulings = list(forged(court, forge))
        figures |= {
            f"{name}.tried": len(rulings),
            f"{name}.upheld": sum(one.outcome in MATCHES for one in rulings),
            f"{name}.upheld_by_the_claims_rank": sum(" 0.0384615 among 25 " in _step(one, "J7 main test") for one in rulings),
            f"{name}.score": float(np.mean([one.finding.score for one in rulings])),
        }
    setting = (
        f"8x8 digits, networks of two convolutions; {len(OWNERS)} owners, {len(FORGERS)} forgers against {len(ACCUSED)} "
        f"independent models each; alpha {ALPHA}; {SAMPLES} samples; a pool of {POOL} mixed digits"
    )
    seeds = {"owners": OWNERS.start, "forgers": FORGERS.start, "accused": ACCUSED.start, "judge": JUDGES.start}
    record("residual-forger", figures, seeds=seeds, setting=setting)


def genuine(court: Court) -> Iterator[tuple[str, Ruling]]:
    """Each owner's claim against copies, students of either half of the images, and independent models."""
    for seed in OWNERS:
        own, references = model(seed, 0), tuple(model(6000 + 3 * seed + place, 0) for place in range(3))
        surrogate = _stolen(own, "finetuned", 0, seed)
        owner = Owner(half(0), (surrogate,), references)
        claim = Residual(SAMPLES).protect(own, owner, torch.Generator().manual_seed(seed)).claim
        bundle = opened(calibrate(claim, suspects(CALIBRATING, 0)), ALPHA)
        copies = {"finetuned": ("finetuned", 1), "student": ("student", 0), "student_of_other_images": ("student", 1)}
        for name, (theft, part) in copies.items():
            yield name, court.ruling(bundle, Local(own), Local(_stolen(own, theft, part, seed + 1), name=name))
        yield "innocent", court.ruling(bundle, Local(own), suspects(ACCUSED, 0)[seed - OWNERS.start])


def _stolen(own: nn.Module, theft: str, part: int, seed: int) -> nn.Module:
    attack = THEFTS[theft]
    name = f"court {attack} of {weights_digest(own)} with half {part} {TRAINING}"
    return kept(name, network, lambda rng: attack.apply(own, half(part), rng, silent), seed)


def forged(court: Court, forge: Forge) -> Iterator[Ruling]:
    for seed in FORGERS:
        own, references = model(seed, 0), tuple(model(7000 + 3 * seed + place, 0) for place in range(3))
        for accused in ACCUSED:
            known = model(accused, 0)
            yield court.ruling(opened(forge(own, known, references), ALPHA), Local(own), Local(known, name=f"{accused}"))


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


def _step(ruling: Ruling, name: str) -> str:
    return next(step.told for step in ruling.steps if step.name == name)


if __name__ == "__main__":
    main()

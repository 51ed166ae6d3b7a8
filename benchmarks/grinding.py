"""Key grinding: ten thousand keys against two hundred independent models, through all of a judge's steps, and without grinding.

The forger knows every model's answers to a public pool, tries all keys on it, and seals the best-fitting key for each model.
Writes `grinding.json`.
"""

from functools import cache

import numpy as np
import torch
from scipy.stats import binom

from court import OWNER, SIZE, Court, images, model, opened, suspects
from helped import helped
from ownmark import keys
from ownmark.claims.claim import Claim, Preprocess, Test
from ownmark.data.images import Images
from ownmark.evidence.choices import Choices
from ownmark.evidence.ruling import Outcome, Ruling, Stratum
from ownmark.keys import Pixels
from ownmark.models.weights import weights_digest
from ownmark.scoring.matches import Agreement
from ownmark.scoring.null_models import Innocents, KeyedLabels, Null
from ownmark.scoring.readings import Labels, Reading
from ownmark.suspects.local import Local
from ownmark.training import predict
from record import record

ALPHA, TRIGGERS, POOL = 0.05, 60, 2000
KEYS, MODELS, OWNERS, BROUGHT = 10_000, 200, 20, 19
INDEPENDENT, OWN, REFERENCES = range(5000, 5000 + MODELS), range(6000, 6000 + OWNERS), range(7000, 7099)
MATCHES = {Outcome.STRONG, Outcome.SUPPORTING}


def main() -> None:
    """Accuses each model three times: with the luckiest key, with one key, and with a fingerprint judged by rank."""
    torch.set_num_threads(1)
    rows, labels = tried()
    answers = np.stack([answered(seed) for seed in INDEPENDENT])
    luckiest = np.array([(one[rows] == labels).sum(axis=1).argmax() for one in answers])
    rulings = {
        "luckiest": [by_key(int(key), number) for number, key in enumerate(luckiest)],
        "one_key": [by_key(number, number) for number in range(MODELS)],
        "ranked": [by_rank(number) for number in range(MODELS)],
    }
    figures: dict[str, float] = {
        f"{name}.false_match": sum(one.outcome in MATCHES for one in found) for name, found in rulings.items()
    }
    figures |= {f"{name}.without_factor": sum(plain(one) <= ALPHA for one in rulings[name]) for name in ("luckiest", "one_key")}
    figures |= {"bound": float(binom.ppf(0.99, MODELS, ALPHA)), "keys": KEYS, "models": MODELS}
    setting = (
        f"8x8 digits, networks of two convolutions; {TRIGGERS} triggers that a key chooses from {POOL} public images; "
        f"alpha {ALPHA}; bound: the 99 % quantile of the binomial; by rank: {BROUGHT} references of each judge"
    )
    seeds = {"models": INDEPENDENT.start, "owners": OWN.start, "references": REFERENCES.start, "keys": 0}
    record("grinding", figures, seeds=seeds, setting=setting)


@cache
def pool() -> Pixels:
    """Public images outside all training sets, on which models differ."""
    return keys.patterns(bytes(32), POOL, (SIZE, SIZE, 1), 4)


def answered(seed: int) -> Labels:
    """A model's labels for the whole pool."""
    unknown = Images(pool(), np.zeros(POOL, dtype=np.int64), images(training=True).names)
    return predict(model(seed), unknown).argmax(dim=1).numpy()


def master(number: int) -> bytes:
    """Key number `number` of the forger."""
    return number.to_bytes(keys.KEY_BYTES, "big")


def tried() -> tuple[Labels, Labels]:
    """Rows of the pool and labels (keys, triggers) for each key."""
    opened_keys = [null_of(number).set_keys[0] for number in range(KEYS)]
    rows = keys.by_digest(pool())[np.stack([keys.chosen(key, TRIGGERS, POOL) for key in opened_keys])]
    return rows, np.stack([keys.labels(key, TRIGGERS, len(images(training=True).names)) for key in opened_keys])


@cache
def choices() -> Choices:
    """The forger's commitment, without scrypt, which a judge of one disclosed set cannot check."""
    names, size = images(training=True).names, images(training=True).size
    return Choices(OWNER.public, "Stated()", names, 0, keys.pool_digest(pool()), 1, TRIGGERS, size, "0" * 64, Preprocess(), ALPHA)


def null_of(number: int) -> KeyedLabels:
    """The labels of key number `number`, bound to the commitment."""
    chosen = choices()
    return KeyedLabels(master(number).hex(), TRIGGERS, len(chosen.classes), 1, context=chosen.digest)


def by_key(key: int, number: int) -> Ruling:
    """Judges model `number` by a key's marks. The forger claims nothing about their own model, to pass step J4."""
    null = null_of(key)
    chosen = keys.picked(null.set_keys[0], TRIGGERS, pool())
    bundle = opened(stated(chosen, null.labels(), 0.0, null), ALPHA, pool())
    return Court(()).ruling(bundle, own(0), accused(number), pool())


def by_rank(number: int) -> Ruling:
    """Judges the same model by another model's answers, by rank among newly drawn references."""
    rng = np.random.default_rng(number)
    asked, owner = rng.choice(POOL, TRIGGERS, replace=False), number % OWNERS
    silent = Innocents((0.0,) * BROUGHT, tuple(f"{place:064}" for place in range(BROUGHT)))  # the claimant's own choice
    bundle = opened(stated(pool()[asked], answered(OWN[owner])[asked], 1.0, silent, owner), ALPHA)
    brought = rng.choice(len(REFERENCES), BROUGHT, replace=False)
    court = Court(tuple((Stratum.SAME_DATA, references()[place]) for place in brought))
    return court.ruling(bundle, own(owner), accused(number))


def stated(pixels: Pixels, expected: Labels, score: float, null: Null, owner: int = 0) -> Claim:
    """A label claim on an owner's model."""
    test = Test(Reading.LABEL, Agreement(), expected, score, null=null)
    names, digest = images(training=True).names, weights_digest(model(OWN[owner]))
    chosen = choices().record if isinstance(null, KeyedLabels) else None
    return Claim(pixels[:, None], (test,), names, "Stated()", digest, choices=chosen)


def plain(ruling: Ruling) -> float:
    """p before the allowance for tried keys."""
    null = ruling.finding.test.null
    return 10 ** null.log10_p(ruling.finding.score) if isinstance(null, KeyedLabels) else 1.0


def own(owner: int) -> Local:
    """The claimant's own model."""
    return Local(model(OWN[owner]))


def accused(number: int) -> Local:
    """An independent model."""
    return Local(model(INDEPENDENT[number]), name=f"independent {number}")


@cache
def references() -> tuple[Local, ...]:
    """Candidate references of a judge."""
    return suspects(REFERENCES)


if __name__ == "__main__":
    helped(__doc__)
    main()

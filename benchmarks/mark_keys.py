"""What keys of others find in a model, and how many triggers a match needs at a given survival."""

import hashlib
from collections.abc import Callable

import numpy as np
from scipy.stats import binom
from torch import nn

from ownmark import keys
from ownmark.data.images import Images
from ownmark.protocols import Scheme
from ownmark.schemes.undertone import Undertone
from ownmark.scoring.matches import RaisedOther
from ownmark.scoring.null_models import KeyedLabels, drawn_from
from ownmark.training import predict

LEVEL, PLEDGED, UNPLEDGED = 1e-6, 16, 64  # the rate of false accusations, and the bits of the allowance with and without a pledge
KEYS, CLASSES, MOST = 2000, 10, 10_000
BAR = 0.05


def needed(score: float, chance: float, bits: int = PLEDGED) -> float:
    """The fewest triggers, in steps of 10, with which this share is a match, at a `chance` of each; 0: more than `MOST`."""
    for count in range(10, MOST + 1, 10):
        if binom.sf(np.floor(score * count) - 1, count, chance) * 2.0**bits <= LEVEL:
            return float(count)
    return 0.0


def false_positives(suspect: Callable[[], nn.Module], images: Images, scheme: Scheme) -> dict[str, float]:
    """2,000 keys of the undertone on a suspect: the share of p at or below 0.05, what is stated, and its 99 % band."""
    if not isinstance(scheme, Undertone):
        raise SystemExit("only an undertone has keys here")
    pool = scheme.source.draw(bytes(keys.KEY_BYTES), scheme.triggers, images)  # all that a key has to pick from
    shown, match, found = Images(pool, np.zeros(len(pool), dtype=np.int64), images.names), RaisedOther(), []
    answers, labels = predict(suspect(), shown).softmax(1).numpy(), drawn_from(match, CLASSES)
    for number in range(KEYS):
        null = KeyedLabels(hashlib.sha256(f"other {number}".encode()).hexdigest(), scheme.triggers, labels, scheme.sets)
        chosen = np.concatenate([keys.chosen(key, scheme.triggers, len(pool)) for key in null.set_keys])
        found.append(10 ** null.log10_p(float(np.mean(match(answers[chosen][:, None], null.labels())))))
    tails = [10 ** null.log10_p(hits / null.count) for hits in range(null.count + 1)]  # p takes these values only
    reachable = max(tail for tail in tails if tail <= BAR)
    low, high = binom.interval(0.99, KEYS, reachable)
    share = float(np.mean(np.array(found) <= BAR))
    return {
        "share_at_0.05": share,
        "stated_at_0.05": reachable,
        "least_p": min(found),
        "band_low": low / KEYS,
        "band_high": high / KEYS,
    }

"""What keys of others find in a model, and how many triggers a match needs at a given survival."""

import hashlib
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from scipy.stats import binom
from torch import nn

from ownmark import keys
from ownmark.data.images import Images
from ownmark.evidence.choices import RULES
from ownmark.protocols import Scheme
from ownmark.schemes.undertone import Undertone
from ownmark.scoring.matches import scored
from ownmark.scoring.null_models import KeyedLabels
from ownmark.training import predict

LEVEL, PLEDGED, UNPLEDGED = 1e-6, 16, 64  # the rate of false accusations, and the bits of the allowance with and without a pledge
KEYS, MOST = 2000, 10_000
BAR = 0.05


def needed(score: float, null: KeyedLabels) -> float:
    """The fewest triggers, in steps of 10, with which this score is a match by such labels; 0: more than `MOST`."""
    for count in range(10, MOST + 1, 10):
        more = replace(null, triggers=count)
        if more.p_value(np.floor(score * more.most) / more.most) <= LEVEL:
            return float(count)
    return 0.0


def false_positives(suspect: Callable[[], nn.Module], images: Images, scheme: Scheme) -> dict[str, float]:
    """2,000 keys of the undertone on a suspect: the share of p at or below 0.05, what is stated, and its 99 % band."""
    if not isinstance(scheme, Undertone):
        raise SystemExit("only an undertone has keys here")
    pool = scheme.source.draw(bytes(keys.KEY_BYTES), scheme.triggers, images)  # all that a key has to pick from
    pixels = pool.reshape(-1, *images.size)
    shown, match, found = Images(pixels, np.zeros(len(pixels), dtype=np.int64), images.names), RULES[scheme.access], []
    answers = predict(suspect(), shown).softmax(1).numpy().reshape(len(pool), -1, len(images.names))
    for number in range(KEYS):
        key = hashlib.sha256(f"other {number}".encode()).hexdigest()
        null = KeyedLabels.read_by(match, len(images.names), key, scheme.triggers, scheme.sets)
        chosen = np.concatenate([keys.chosen(key, scheme.triggers, len(pool)) for key in null.set_keys])
        found.append(10 ** null.log10_p(scored(match, answers[chosen], null.labels(), 0.95)[1].value))
    tails = [10 ** null.log10_p(points / null.most) for points in range(null.most + 1)]  # p takes these values only
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

"""Claims made from the same seeds stay the same: their digests are those of before the modules moved into rooms.

The three are made of whole numbers, or of answers with margins that no processor bridges: every machine comes to the same bytes.
Who changes one on purpose writes why beside it, and into `docs/decisions/`, with a way for old claims.
"""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from conftest import pictures, seed, small_claim
from learnt import LESSONS, learnt
from torch import nn

from ownmark.claims.claim import Claim
from ownmark.protocols import Owner
from ownmark.schemes._common.marks import marked
from ownmark.schemes._common.triggers import Patterns, keyed
from ownmark.schemes.negatives import Negatives
from ownmark.schemes.trigger_set import TriggerSet

KEY = bytes(range(32))
CONVOLUTION = 4  # dimensions of its weights


def of_numbers() -> Claim:
    """Every field filled: a map, a drop of probability, a label."""
    return small_claim(4, 3)


def network(lesson: str) -> nn.Module:
    """The norms and the head of a network that learnt, with convolutions of whole numbers: torch's differ between processors."""
    model, rng = learnt(lesson), np.random.default_rng(0)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim == CONVOLUTION:
                weight.copy_(torch.from_numpy(rng.integers(-128, 128, tuple(weight.shape)) / 512))
    return model


def of_mistakes() -> Claim:
    """A fingerprint: what a network that was taught labels drawn by lot gets wrong."""
    owner = Owner(LESSONS["chance"].images)
    return Negatives(samples=8, lead=0.1).protect(network("chance"), owner, seed(5)).claim


def of_a_key() -> Claim:
    """A watermark that nobody trained in: its images, labels and null derive from the owner's key and choices."""
    scheme = TriggerSet(Patterns(), triggers=12, sets=2, least=0.0)
    owner = Owner(pictures(6), key=KEY)
    return marked(scheme, network("bright"), keyed(scheme, owner, network("bright")), owner, 0.0).claim


@pytest.mark.parametrize(
    ("make", "digest"),
    [
        (of_numbers, "44af634c7d2523981c3d2bbb0664b71cd50210b7086ed4a3c9b553f7c0079841"),
        (of_mistakes, "738f2a2b74f91fd3a37654d6bfd065b250cf8bfe6f986a176571e8467f19c12a"),
        (of_a_key, "cf764cf5417f5ccba27a164a43dc509e436ff9b08287ee01f9350c3e78434f3b"),
    ],
)
def test_a_claim_from_the_same_seeds_has_the_digest_that_it_always_had(make: Callable[[], Claim], digest: str) -> None:
    assert make().digest == digest

"""ConferAE: the paper's loss to the letter, and images that pass on to the copies and to nobody else."""

import math
from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import pictures, same_weights, seed
from learnt import Cast, cast_of
from torch import Tensor, nn

from ownmark.errors import ProtectError, UsageError
from ownmark.method_strings import read
from ownmark.models.weights import weights_digest
from ownmark.perturb.adam import Search
from ownmark.protocols import Owner
from ownmark.schemes import SCHEMES
from ownmark.schemes.confer_ae import ConferAE, Court
from ownmark.suspects.local import Local
from ownmark.training import predict
from ownmark.verdicts.verify import verify

IMAGES = pictures(60)
SCHEME = ConferAE(samples=3, search=Search(steps=15, rate=0.02, bound=0.2))


@pytest.fixture(scope="module")
def cast() -> Cast:
    return cast_of("chance", IMAGES, others="bright")


class Always(nn.Module):
    """A model that answers every image alike."""

    def __init__(self, *logits: float) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.tensor(logits), requires_grad=False)

    def forward(self, images: Tensor) -> Tensor:
        return self.logits.expand(len(images), -1)


def court(cast: Cast, scheme: ConferAE = SCHEME) -> Court:
    return Court(scheme, cast.model, cast.copies, cast.others)


def literal(first: list[float], changed: list[float], copies: list[float], others: list[float]) -> float:
    """alpha H(1, max_t E_t) - beta H(M(x), M(x')) + gamma H(M(x'), S) with weights 2, 3 and 5, number by number."""
    product = [copy * (1 - other) for copy, other in zip(copies, others, strict=True)]
    ensemble = [math.exp(one) / sum(math.exp(each) for each in product) for one in product]
    confer = -math.log(max(ensemble))
    leave = -sum(one * math.log(other) for one, other in zip(first, changed, strict=True))
    agree = -sum(one * math.log(other) for one, other in zip(changed, copies, strict=True))
    return 2 * confer - 3 * leave + 5 * agree


def test_the_loss_is_that_of_the_paper(cast: Cast) -> None:
    logits, *chances = torch.randn(4, 6, 5, generator=seed(0), dtype=torch.float64)
    first, copies, others = (one.softmax(dim=1) for one in chances)
    loss = court(cast, ConferAE(confer=2, leave=3, agree=5)).loss(logits, first, copies, others)
    wanted = [literal(*(one[row].tolist() for one in (first, logits.softmax(dim=1), copies, others))) for row in range(6)]
    assert loss.tolist() == pytest.approx(wanted)


def test_conferrability_is_the_share_of_copies_that_follow_times_the_share_of_others_that_do_not() -> None:
    follows, strays = Always(0.0, 1.0), Always(1.0, 0.0)
    judges = Court(SCHEME, follows, (follows, follows, strays, follows), (strays, follows))
    found = judges.conferrability(torch.zeros(3, 1, 2, 2), torch.tensor([1, 1, 0]))
    assert found.tolist() == pytest.approx([0.75 * 0.5, 0.75 * 0.5, 0.25 * 0.5])


def test_every_sample_fools_the_model_and_its_copies_and_no_reference_and_the_claim_names_them_all(cast: Cast) -> None:
    before = deepcopy(cast.model)
    made = SCHEME.protect(cast.model, cast.owner, seed(1))
    assert made.model is cast.model
    assert same_weights(cast.model, before)
    claim = made.claim
    assert [verify(claim, Local(model)).deciding.score for model in (cast.model, *cast.copies)] == [1, 1, 1]
    assert [verify(claim, Local(model)).deciding.score for model in cast.others] == [0, 0]
    assert claim.originals is not None
    clean = predict(cast.model, replace(IMAGES, pixels=claim.originals, labels=claim.tests[0].expected)).argmax(1).numpy()
    assert not np.any(clean == claim.tests[0].expected)
    assert 0.1 < np.abs(claim.images[:, 0].astype(int) - claim.originals).max() / 255 <= 0.2 + 0.5 / 255
    assert claim.built_with == tuple(map(weights_digest, (*cast.copies, *cast.others)))


def test_a_step_leaves_models_out_but_never_all(cast: Cast) -> None:
    models = tuple(Always(float(number)) for number in range(4))
    rng, scheme = seed(0), court(cast, ConferAE(dropout=0.3))
    kept = [scheme._left(models, rng) for _ in range(500)]
    assert min(map(len, kept)) >= 1
    assert 0.65 < np.mean([len(one) for one in kept]) / 4 < 0.75
    assert all(len(court(cast, ConferAE(dropout=0.999))._left(models, rng)) == 1 for _ in range(20))
    assert court(cast, ConferAE(dropout=0.0))._left(models, rng) == models


def test_the_same_generator_gives_the_same_images_and_another_others(cast: Cast) -> None:
    scheme = replace(SCHEME, search=Search(steps=2, rate=0.02))
    first, second, other = (court(cast, scheme).make(IMAGES.pixels[:4], seed(number)).images for number in (1, 1, 2))
    assert np.array_equal(first, second)
    assert not np.array_equal(first, other)


def test_without_copies_or_other_models_there_is_nothing_to_tell_apart(cast: Cast) -> None:
    for owner in (replace(cast.owner, surrogates=()), replace(cast.owner, references=())):
        with pytest.raises(UsageError, match="at least one surrogate and one reference"):
            SCHEME.protect(cast.model, owner, seed(1))


def test_images_that_are_not_conferrable_are_no_samples(cast: Cast) -> None:
    owner = Owner(IMAGES, cast.copies, (deepcopy(cast.model),))
    with pytest.raises(ProtectError, match="only 0 of 36 candidates hold"):
        replace(SCHEME, search=Search(steps=2)).protect(cast.model, owner, seed(1))


@pytest.mark.parametrize("wrong", [{"samples": 0}, {"dropout": 1.0}, {"least": 1.5}])
def test_settings_without_meaning_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError, match=r"at least one sample|expected dropout in"):
        ConferAE(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("scheme", [SCHEME, ConferAE(), ConferAE.as_published(7)], ids=repr)
def test_what_the_repr_says_is_read_back(scheme: ConferAE) -> None:
    assert read(repr(scheme), SCHEMES) == scheme

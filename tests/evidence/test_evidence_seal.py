"""What could not be judged is not sealed, what was not sealed is not opened, and a set's images come from its own key."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import small_claim
from safetensors.numpy import save_file
from sealing import MASTER, OWNER, POLICY, SEEN, SETS, SIZE, THIEF, choices, fingerprint, keyed_claim, opened, sealed

from ownmark import keys
from ownmark.claims.claim import Test
from ownmark.errors import EvidenceError, UsageError
from ownmark.evidence import inputs, seal
from ownmark.evidence.admissibility import Trust, checked
from ownmark.evidence.choices import GROUPS, RELATIVE
from ownmark.evidence.commitment import Policy
from ownmark.evidence.seal import Beside
from ownmark.scoring.matches import RankedGroup, RelativeRunnerUp, RunnerUp
from ownmark.scoring.null_models import KeyedLabels
from ownmark.scoring.readings import Reading

POOL = np.random.default_rng(0).integers(0, 256, (30, 3, 3, 1), dtype=np.uint8)
FROM_POOL = choices(cells=0, pool=keys.pool_digest(POOL))


def drawn(number: int, count: int = SIZE, pool: keys.Pixels = POOL) -> keys.Pixels:
    """What the key of that set picks."""
    return keys.picked(keys.bound(keys.set_key(MASTER, number), FROM_POOL.digest), count, pool)


CHOSEN = keyed_claim(chosen=FROM_POOL, images=np.concatenate([drawn(number) for number in range(SETS)])[:, None])


# images that a key chose from a pool


def test_images_that_the_key_chose_from_a_sealed_pool_are_made_anew_from_it() -> None:
    one = seal.seal(CHOSEN, OWNER, POLICY, Beside(pool=POOL))
    assert (one.commitment.cells, one.commitment.pool) == (0, keys.pool_digest(POOL))
    handed = seal.opened(one, CHOSEN, OWNER, 2)
    assert checked(handed, Trust(pool=POOL), SEEN).remade
    assert not checked(handed, Trust(), SEEN).remade, "who lacks the pool cannot see it"
    assert checked(handed, Trust(pool=POOL[::-1]), SEEN).remade, "the order of the images plays no part"
    with pytest.raises(EvidenceError, match="the pool is not the one"):
        checked(handed, Trust(pool=POOL[1:]), SEEN)
    assert seal.seal(CHOSEN, OWNER, POLICY).commitment.pool == keys.pool_digest(POOL), "also where the pool is not at hand"


def test_a_pool_of_which_the_key_picked_every_image_need_not_be_brought() -> None:
    small = POOL[:SIZE]
    chosen = choices(1, cells=0, pool=keys.pool_digest(small))
    plain = keyed_claim(1, chosen)
    key = keys.bound(keys.set_key(MASTER, 0), chosen.digest)
    whole = replace(plain, images=keys.picked(key, SIZE, small)[:, None])
    assert checked(seal.opened(sealed(whole), whole, OWNER, 0), Trust(), SEEN).remade
    turned = replace(plain, images=whole.images[::-1])
    with pytest.raises(EvidenceError, match="image of trigger 0 does not come from the key"):
        checked(seal.opened(sealed(turned), turned, OWNER, 0), Trust(), SEEN)


def test_a_mark_in_the_second_answer_is_bound_to_that_rule_and_remade_like_any_other() -> None:
    chosen, policy = replace(FROM_POOL, access=RELATIVE), replace(POLICY, access="probabilities")
    plain = keyed_claim(chosen=chosen)
    (test,) = plain.tests
    assert isinstance(test.null, KeyedLabels)
    images = np.concatenate([keys.picked(key, SIZE, POOL) for key in test.null.set_keys])[:, None]
    second, first = (
        replace(plain, images=images, tests=(replace(test, reading=one.reading, match=one),))
        for one in (RelativeRunnerUp(), RunnerUp())
    )
    handed = seal.opened(seal.seal(second, OWNER, policy), second, OWNER, 1)
    assert checked(handed, Trust(pool=POOL), SEEN).exact
    with pytest.raises(UsageError, match="mismatch in test"):
        seal.seal(first, OWNER, policy)


def test_groups_of_images_come_from_the_key_whole_with_every_image_beside_a_trigger() -> None:
    groups = POOL.reshape(10, 3, *POOL.shape[1:])
    chosen, policy = choices(cells=0, pool=keys.pool_digest(groups), access=GROUPS), replace(POLICY, access="probabilities")
    null = KeyedLabels.read_by(RankedGroup(), 10, MASTER.hex(), SIZE, SETS, context=chosen.context())
    images = np.concatenate([keys.picked(key, SIZE, groups) for key in null.set_keys])
    test = Test(Reading.PROBABILITY, RankedGroup(), null.labels(), 0.9, null=null)
    claim = replace(keyed_claim(chosen=chosen), images=images, tests=(test,))
    whole = seal.seal(claim, OWNER, policy, Beside(pool=groups))
    assert checked(seal.opened(whole, claim, OWNER, 1), Trust(pool=groups), SEEN).exact
    with pytest.raises(EvidenceError, match="the pool is not the one"):
        checked(seal.opened(whole, claim, OWNER, 1), Trust(pool=POOL), SEEN)
    turned = images.copy()
    turned[2, 1:] = turned[2, :0:-1]  # another order of the images beside a trigger: each group is one choice
    bent = replace(claim, images=turned)
    with pytest.raises(UsageError, match="image 2 of set 0 is not the one"):
        seal.seal(bent, OWNER, policy, Beside(pool=groups))
    with pytest.raises(EvidenceError, match="image of trigger 2 does not come from the key"):
        checked(seal.opened(seal.seal(bent, OWNER, policy), bent, OWNER, 0), Trust(pool=groups), SEEN)


def test_an_image_that_the_key_did_not_choose_is_named() -> None:
    images = CHOSEN.images.copy()
    images[SIZE + 1] = drawn(1, 30)[-1]
    other = replace(CHOSEN, images=images)
    with pytest.raises(UsageError, match="image 1 of set 1 is not the one"):
        seal.seal(other, OWNER, POLICY, Beside(pool=POOL))
    bent = sealed(other)
    with pytest.raises(EvidenceError, match="image of trigger 1 does not come from the key"):
        checked(seal.opened(bent, other, OWNER, 1), Trust(pool=POOL), SEEN)


@pytest.mark.parametrize("pool", [POOL[: SIZE - 1], np.zeros((30, 2, 2, 1), np.uint8)])
def test_a_pool_that_cannot_be_it_is_refused(pool: keys.Pixels) -> None:
    with pytest.raises(UsageError, match="image 0 of set 0"):
        seal.seal(CHOSEN, OWNER, POLICY, Beside(pool=pool))
    with pytest.raises(UsageError, match="image 0 of set 0"):
        seal.seal(fingerprint(), OWNER, POLICY, Beside(pool=pool))


def test_a_pool_is_read_from_safetensors_and_nothing_else(tmp_path: Path) -> None:
    save_file({"images": POOL}, tmp_path / "pool")
    assert np.array_equal(inputs.read_pool(tmp_path / "pool"), POOL)
    save_file({"images": POOL.reshape(10, 3, *POOL.shape[1:])}, tmp_path / "groups")
    assert inputs.read_pool(tmp_path / "groups").shape == (10, 3, 3, 3, 1)
    save_file({"pictures": POOL}, tmp_path / "named")
    save_file({"images": POOL.astype(np.float32)}, tmp_path / "float")
    save_file({"images": POOL[0]}, tmp_path / "flat")
    (tmp_path / "text").write_text("no pool")
    for name in ("named", "float", "flat", "text", "missing"):
        with pytest.raises(UsageError, match=name):
            inputs.read_pool(tmp_path / name)


# what cannot be sealed or opened


@pytest.mark.parametrize("alpha", [0.0, 1.0, -0.1, float("nan"), float("inf"), 1, "0.05", None])
def test_no_policy_without_a_rate_of_false_accusations(alpha: float) -> None:
    with pytest.raises(UsageError, match="alpha"):
        Policy(alpha)


@pytest.mark.parametrize(
    "changes",
    [
        {"survival": 0.0},
        {"survival": 1},
        {"most_queries": 0},
        {"most_queries": True},
        {"most_queries": 1.5},
        {"strata": "the best"},
    ],
)
def test_no_policy_that_nobody_could_follow(changes: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        Policy(0.05, **changes)  # type: ignore[arg-type]


def test_a_claim_that_proves_nothing_is_not_sealed() -> None:
    with pytest.raises(UsageError, match="not calibrated"):
        sealed(small_claim())
    one = fingerprint()
    tests = tuple(replace(test, expected=test.expected * 0) for test in one.tests)
    with pytest.raises(UsageError, match="one class"):
        sealed(replace(one, tests=tests, classes=("only",)))
    with pytest.raises(UsageError, match="does not name its model"):
        sealed(replace(one, model="my model"))


def test_only_the_sealed_claim_opens_with_the_owners_key_only() -> None:
    one, claim = sealed(), keyed_claim()
    for other, who in ((keyed_claim(scheme="Other()"), OWNER), (claim, THIEF)):
        with pytest.raises(UsageError, match="not the sealed ones"):
            seal.opened(one, other, who, 0)
    for number in (None, -1, SETS):
        with pytest.raises(UsageError, match="from 0 to 2"):
            seal.opened(one, claim, OWNER, number)
    with pytest.raises(UsageError, match="opened as a whole: leave --part out"):
        seal.opened(sealed(fingerprint()), fingerprint(), OWNER, 0)
    with pytest.raises(UsageError, match="opened as a whole without --whole"):
        seal.opened_whole(sealed(fingerprint()), fingerprint(), OWNER)
    with pytest.raises(UsageError, match="made for a judge"):
        seal.opened(opened(), claim, OWNER, 0)

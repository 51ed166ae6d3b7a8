"""A key that is derived last: what a forger arranges after it, he arranged for another key."""

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from judging import BEFORE, CLASSES, SHAPE, TRIGGERS, genuine, is_ordinary, marked, ordinary, reference, session
from sealing import MASTER, OWNER, POLICY, SEEN, choices, keyed_claim, opened, resealed

from ownmark import keys
from ownmark.claims.claim import Claim, Test
from ownmark.errors import ClaimError, EvidenceError, UsageError
from ownmark.evidence import claim_record, merkle, seal
from ownmark.evidence.admissibility import Standing, Trust, checked
from ownmark.evidence.bundle import Bundle
from ownmark.evidence.choices import Choices
from ownmark.evidence.ruling import Outcome, Ruling, ruled
from ownmark.evidence.seal import Beside
from ownmark.keys import Pixels
from ownmark.scoring.matches import Agreement
from ownmark.scoring.null_models import KeyedLabels
from ownmark.scoring.readings import Labels, Reading

BRIGHT = np.random.default_rng(4).integers(0, 256, (600, *SHAPE), dtype=np.uint8)


def honest(images: Pixels) -> Labels:
    """What every model of the task answers, innocent or not: something that the pixels tell, and no mark."""
    flat = images.reshape(len(images), -1).astype(np.int64)
    found = (flat * np.arange(1, flat.shape[1] + 1)).sum(axis=1) % CLASSES
    return np.where([is_ordinary(image) for image in images], ordinary(images), found)


def stated(images: Pixels, null: KeyedLabels, chosen: Choices | None, names: tuple[str, ...] = tuple("abcdefghij")) -> Claim:
    test = Test(Reading.LABEL, Agreement(), null.labels(), 1.0, null=null)
    record = None if chosen is None else chosen.record
    return Claim(images[:, None], (test,), names, "Keyed()", "ab" * 32, choices=record)


def on(bundle: Bundle, pool: Pixels | None = None, references: int = 19) -> Ruling:
    """A judge on an honest model, with innocent references; the forger's own model answers like them."""
    found = replace(checked(bundle, Trust(pool=pool), SEEN), standing=Standing.IN_TIME, time=BEFORE)
    assert found.part is not None
    brought = tuple(reference(found.part, number, honest) for number in range(1, references + 1))
    return ruled(found, session(found.part, honest, own=honest, references=brought))


@cache
def arranged(chosen: Choices) -> tuple[Claim, Pixels]:
    """The forgery: draw one key, then put at the rows that it chooses images that honest models answer with its labels."""
    null = KeyedLabels(MASTER.hex(), TRIGGERS, CLASSES, 1, context=chosen.digest)
    (key,), answers = null.set_keys, honest(BRIGHT)
    rows, wanted = keys.chosen(key, TRIGGERS, len(BRIGHT)), null.labels()
    pool, left = BRIGHT.copy(), set(range(len(BRIGHT)))
    picked = []
    for label in wanted:
        one = next(row for row in sorted(left) if answers[row] == label)
        left.discard(one)
        picked.append(one)
    pool[rows] = BRIGHT[picked]
    rest = [row for row in range(len(BRIGHT)) if row not in set(rows)]
    pool[rest] = BRIGHT[sorted(left)][: len(rest)]
    return stated(pool[rows], null, chosen), pool


def test_a_pool_arranged_after_the_key_would_show_the_keys_labels_on_any_honest_model() -> None:
    """The forgery works, as far as it goes: 60 of 60 on a model that nobody marked."""
    claim, pool = arranged(choices(1, triggers=TRIGGERS, size=SHAPE, cells=0, pool="ab" * 32))
    assert np.array_equal(honest(claim.images[:, 0]), claim.tests[0].expected)
    assert keys.pool_digest(pool) == keys.pool_digest(BRIGHT)


def test_a_pool_arranged_after_the_key_is_rejected_whatever_the_seal_says_of_it() -> None:
    before = choices(1, triggers=TRIGGERS, size=SHAPE, cells=0, pool=keys.pool_digest(BRIGHT))
    claim, pool = arranged(before)
    with pytest.raises(UsageError, match="image 0 of set 0 is not the one that the key chooses"):
        seal.seal(claim, OWNER, POLICY, Beside(pool=pool))
    bent = seal.opened(seal.seal(claim, OWNER, POLICY), claim, OWNER, 0)
    with pytest.raises(EvidenceError, match="image of trigger 0 does not come from the key"):
        on(bent, pool)
    other = pool[:TRIGGERS]
    with pytest.raises(EvidenceError, match="mismatch in pool"):
        on(resealed(bent, pool=keys.pool_digest(other)), other)
    told = replace(before, pool=keys.pool_digest(other)).record
    with pytest.raises(EvidenceError, match="not derived from what the seal commits to"):
        on(resealed(bent, pool=keys.pool_digest(other), choices=told), other)


def test_a_pool_arranged_after_a_key_that_is_bound_to_nothing_gets_no_further_than_any_honest_model() -> None:
    claim, pool = arranged(choices(1, triggers=TRIGGERS, size=SHAPE, cells=0, pool=keys.pool_digest(BRIGHT)))
    bound = claim.tests[0].null
    assert isinstance(bound, KeyedLabels)
    null = replace(bound, key=bound.set_keys[0].hex(), sets=0, context="")
    free = stated(claim.images[:, 0], null, None)
    ruling = on(seal.opened(seal.seal(free, OWNER, POLICY), free, OWNER, None), pool)
    assert (ruling.outcome, ruling.finding.score) == (Outcome.INCONCLUSIVE, 1.0)
    assert ruling.log10_p == 0, "every honest model does as well"


def test_one_pool_picks_otherwise_for_every_pool_that_it_could_be() -> None:
    """He who binds the arranged pool draws another key, for which it is not arranged: no more matches than chance gives."""
    pool = arranged(choices(1, triggers=TRIGGERS, size=SHAPE, cells=0, pool="ab" * 32))[1][:200]
    chosen = choices(1, triggers=TRIGGERS, size=SHAPE, cells=0, pool=keys.pool_digest(pool))
    null = KeyedLabels(MASTER.hex(), TRIGGERS, CLASSES, 1, context=chosen.digest)
    claim = stated(keys.picked(null.set_keys[0], TRIGGERS, pool), null, chosen)
    bundle = seal.opened(seal.seal(claim, OWNER, POLICY, Beside(pool=pool)), claim, OWNER, 0)
    ruling = on(bundle, pool)
    assert ruling.outcome is Outcome.REJECTED, "and his own model does not bear it out"
    assert ruling.finding.score < 0.3


def test_names_of_classes_put_in_order_after_asking_the_api_are_rejected() -> None:
    """The numbers of an API's answers mean what the order of the names says: he orders them so that they fit the key."""
    chosen = choices(1, triggers=TRIGGERS, size=SHAPE)
    null = KeyedLabels(MASTER.hex(), TRIGGERS, CLASSES, 1, context=chosen.digest)
    images = keys.patterns(null.set_keys[0], TRIGGERS, SHAPE, 4)
    answers, wanted = honest(images), null.labels()
    counts = np.zeros((CLASSES, CLASSES), dtype=int)
    np.add.at(counts, (answers, wanted), 1)
    order = [0] * CLASSES
    for _ in range(CLASSES):
        answer, label = np.unravel_index(counts.argmax(), counts.shape)
        order[int(label)] = int(answer)
        counts[answer, :] = counts[:, label] = -1
    names = tuple("abcdefghij"[place] for place in order)
    assert names != tuple("abcdefghij")
    claim = stated(images, null, chosen, names)
    with pytest.raises(UsageError, match="mismatch in classes"):
        seal.seal(claim, OWNER, POLICY)
    plain = stated(images, null, chosen)
    bent = resealed(seal.seal(plain, OWNER, POLICY), terms=claim_record.terms(claim), claim=claim.digest)
    with pytest.raises(EvidenceError, match="mismatch in classes"):
        on(seal.opened(bent, claim, OWNER, 0))
    told = replace(chosen, classes=names)
    bent = resealed(bent, choices=told.record)
    with pytest.raises(EvidenceError, match="not derived from what the seal commits to"):
        on(seal.opened(bent, claim, OWNER, 0))
    with pytest.raises(ClaimError, match="does not come from the key"):
        replace(claim, tests=(replace(claim.tests[0], null=replace(null, context=told.digest)),))


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"scheme": "Other()"}, "scheme"),
        ({"classes": tuple("jihgfedcba")}, "classes"),
        ({"cells": 5}, "cells"),
        ({"sets": 2}, "sets"),
        ({"triggers": 5}, "triggers"),
        ({"size": (3, 1, 3)}, "size"),
        ({"alpha": 0.01}, "alpha"),
        ({"access": "weights"}, "access"),
    ],
)
def test_a_seal_that_says_otherwise_than_its_key_is_rejected_and_the_difference_named(
    changes: dict[str, Any], field: str
) -> None:
    other = choices(**changes)
    claim = keyed_claim(chosen=other)
    with pytest.raises(UsageError, match=f"mismatch in {field}"):
        seal.seal(claim, OWNER, POLICY)
    bent = resealed(opened(), choices=other.record, claim=claim.digest, root=_root(claim), terms=claim_record.terms(claim))
    with pytest.raises(EvidenceError, match=f"mismatch in {field}"):
        checked(seal.opened(replace(bent, opening=None), claim, OWNER, 1), Trust(), SEEN)


def test_a_key_for_another_owner_or_for_other_choices_is_rejected() -> None:
    claim = keyed_claim(chosen=choices(owner="cd" * 32))
    with pytest.raises(UsageError, match="for a different owner"):
        seal.seal(claim, OWNER, POLICY)
    bent = resealed(opened(), choices=choices(model="ef" * 32).record)
    with pytest.raises(EvidenceError, match="not derived from what the seal commits to"):
        checked(bent, Trust(), SEEN)
    with pytest.raises(EvidenceError, match="must be a JSON object with exactly the keys"):
        checked(resealed(opened(), choices={"a": 1}), Trust(), SEEN)
    nobody = keyed_claim(chosen=choices(owner=""))
    assert checked(seal.opened(seal.seal(nobody, OWNER, POLICY), nobody, OWNER, 0), Trust(), SEEN).exact


def test_a_keyed_claim_whose_key_is_bound_to_nothing_is_judged_by_innocent_models_and_never_strong() -> None:
    null = KeyedLabels(MASTER.hex(), TRIGGERS, CLASSES, 1)
    claim = stated(keys.patterns(null.set_keys[0], TRIGGERS, SHAPE, 4), null, None)
    found = genuine(seal.opened(seal.seal(claim, OWNER, POLICY), claim, OWNER, 0))
    assert (found.remade, found.exact) == (True, False)
    assert found.part is not None
    copy = marked(found.part)
    alone = ruled(found, session(found.part, copy, own=copy))
    assert (alone.outcome, "references of each stratum" in alone.reason) == (Outcome.INCONCLUSIVE, True), alone.reason
    brought = tuple(reference(found.part, number) for number in range(1, 20))
    ruling = ruled(found, session(found.part, copy, own=copy, references=brought))
    assert (ruling.outcome, "was not derived from what the seal commits to" in ruling.reason) == (Outcome.SUPPORTING, True)


def _root(claim: Claim) -> str:
    return merkle.root(claim_record.leaves(claim, claim_record.blinds(claim, OWNER))).hex()

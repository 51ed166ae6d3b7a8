"""Whether a watermark's key was derived last, from every choice that a seal commits to. No torch.

The key depends on three things that a forger would arrange after the key: the pool that it picks from, the order of the classes,
and the settings. Changing one of them changes the labels to ones that the model does not know. A key that depends on none of them
is no evidence by itself.
"""

from dataclasses import dataclass
from typing import Any

from ownmark.claims.claim import Claim
from ownmark.errors import EvidenceError
from ownmark.evidence import choices, claim_record, pledge
from ownmark.evidence.choices import Choices
from ownmark.evidence.commitment import Commitment
from ownmark.verdicts.ways import WAYS

OLD = "sealed by version 1, whose key depends on neither the pool nor the order of the classes: both can be arranged after it"
FREE = "the key was not derived from what the seal commits to, which can be arranged after it"
NO_KEY = "its labels do not come from a key"


@dataclass(frozen=True)
class Bound:
    """`choices`: what the key was derived from, None: nothing that could be checked, and `why`."""

    choices: Choices | None
    why: str


def bound(claim: Claim, committed: Commitment) -> Bound:
    """For a claim, or one set of it. Raises EvidenceError if what the key was derived from contradicts the seal."""
    labels = claim_record.keyed(claim)
    if labels is None:
        return Bound(None, NO_KEY)
    if committed.version == 1:
        return Bound(None, OLD)
    if committed.choices is None or not labels.context:
        return Bound(None, FREE)
    found = choices.from_record(committed.choices)
    other = choices.unlike(found, _sealed(committed, found))
    if other is not None:
        raise EvidenceError(f"mismatch in {other}: the key was derived from another value than the seal commits to")
    pulse = b"" if committed.beacon is None else _pulse(committed)
    if labels.context != found.context(pulse):
        raise EvidenceError("the key was not derived from what the seal commits to")
    if found.owner not in {"", committed.owner}:
        raise EvidenceError("the key was derived for a different owner than the one who sealed it")
    return Bound(found, "the key derives from all that was committed to")


def _pulse(committed: Commitment) -> bytes:
    """The output of the pulse that enters the key. Raises EvidenceError if the pledge does not match the seal."""
    found = pledge.from_record(committed.beacon)
    told = found.told
    if (told["choices"], told["owner"]) != (committed.choices, committed.owner):
        raise EvidenceError("the pledge before the pulse differs from what the seal commits to")
    if found.pulse is None:
        raise EvidenceError("the pledge has no pulse")
    return found.pulse.output


def _sealed(committed: Commitment, found: Choices) -> dict[str, Any]:
    """The seal's value of each choice that can be checked without the marked model.

    A seal names only the way of asking, which several rules share; which of them counts, `test` tells.
    """
    told, access = committed.terms, committed.policy.access
    return {
        "scheme": told.get("scheme"),
        "classes": told.get("classes"),
        "cells": committed.cells,
        "pool": committed.pool,
        "sets": committed.sets,
        "triggers": committed.size,
        "size": told.get("shape", [])[1:],
        "preprocess": told.get("preprocess"),
        "alpha": committed.policy.alpha,
        "access": found.access if found.access in choices.RULES and access == WAYS[found.rule.reading] else access,
        "test": _test(told),
    }


def _test(told: dict[str, Any]) -> Any:  # noqa: ANN401 - JSON data of a signed file
    """The reading and the rule of the only test; None if there are several."""
    tests = told.get("tests", [])
    return {name: tests[0].get(name) for name in ("reading", "match")} if len(tests) == 1 else None

"""Whether a watermark's key was derived last, from every choice that a seal commits to. No torch.

Three things that a forger would arrange after the key, and that the key depends on here: the pool that it picks from, the
order of the classes, and the settings. Whoever changes one of them draws other labels, which the model does not know. A key that
depends on none of it proves nothing by itself.
"""

from dataclasses import dataclass
from typing import Any

from ownmark.claims.claim import Claim
from ownmark.errors import EvidenceError
from ownmark.evidence import choices, claim_record, pledge
from ownmark.evidence.choices import Choices
from ownmark.evidence.commitment import Commitment

OLD = "sealed by version 1, whose key depends on neither the pool nor the order of the classes: both can be arranged after it"
FREE = "the key was not derived from what the seal commits to, which can be arranged after it"
NO_KEY = "its labels do not come from a key"


@dataclass(frozen=True)
class Bound:
    """`choices`: what the key was derived from, None: from nothing that could be checked, and `why`."""

    choices: Choices | None
    why: str


def bound(claim: Claim, committed: Commitment) -> Bound:
    """Of a claim, or of one set of it. Raises EvidenceError where what the key was derived from contradicts the seal."""
    labels = claim_record.keyed(claim)
    if labels is None:
        return Bound(None, NO_KEY)
    if committed.version == 1:
        return Bound(None, OLD)
    if committed.choices is None or not labels.context:
        return Bound(None, FREE)
    found = choices.from_record(committed.choices)
    other = choices.unlike(found, _sealed(committed))
    if other is not None:
        raise EvidenceError(f"the key was derived from another {other} than the seal commits to")
    pulse = b"" if committed.beacon is None else _pulse(committed)
    if labels.context != found.context(pulse):
        raise EvidenceError("the key was not derived from what the seal commits to")
    if found.owner not in {"", committed.owner}:
        raise EvidenceError("the key was derived for another owner than the one who sealed it")
    return Bound(found, "the key derives from all that was committed to")


def _pulse(committed: Commitment) -> bytes:
    """The output of the pulse that the key takes, too. Raises EvidenceError where another thing was pledged than is sealed."""
    found = pledge.from_record(committed.beacon)
    told = found.told
    if (told["choices"], told["owner"]) != (committed.choices, committed.owner):
        raise EvidenceError("another thing was pledged before the pulse than the seal commits to")
    if found.pulse is None:
        raise EvidenceError("the pledge has no pulse")
    return found.pulse.output


def _sealed(committed: Commitment) -> dict[str, Any]:
    """What a seal says about each of the choices, and the marked model does not."""
    told = committed.terms
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
        "access": committed.policy.access,
        "test": _test(told),
    }


def _test(told: dict[str, Any]) -> Any:  # noqa: ANN401 - JSON data of a signed file
    """The reading and the rule of the one test; None for several."""
    tests = told.get("tests", [])
    return {name: tests[0].get(name) for name in ("reading", "match")} if len(tests) == 1 else None

"""Whoever takes something out of a verdict or a seal, and signs the rest as its maker would, gets a refusal that says why."""

import json
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from judging import handed
from residual_court import COPY, JUDGES, honest, told_by
from sealing import OWNER, SEEN, THIEF

from ownmark import canonical
from ownmark.errors import OwnmarkError
from ownmark.evidence.admissibility import Trust, checked
from ownmark.evidence.bundle import Bundle
from ownmark.evidence.envelope import signed
from ownmark.evidence.verdict_file import Judged, recomputed
from ownmark.querying.transcript import ARRAY_KEYS

GOLDEN = Path(__file__).parents[1] / "claims" / "v2"
Place = tuple[str | int, ...]


def places(value: Any, above: Place = ()) -> Iterator[Place]:
    """Of everything that stands under a name."""
    named = isinstance(value, dict)
    for key, inner in value.items() if named else enumerate(value) if isinstance(value, list) else ():
        if named:
            yield (*above, key)
        yield from places(inner, (*above, key))


def without(value: Any, place: Place) -> Any:
    """A copy that lacks what stands there."""
    whole = deepcopy(value)
    holder = whole
    for key in place[:-1]:
        holder = holder[key]
    del holder[place[-1]]
    return whole


ASKED = 3  # of the recorded models: the suspect, the claimant's, and a reference


def needed(place: Place) -> bool:
    """Whether the ruling on residuals cannot do without what stands there; labels and what is seen through a front are spare."""
    if place[2:3] != ("heard",):
        return place[1:2] != ("environment",) or len(place) == len(("predicate", "environment"))
    spare = place[6:7] == ("label",) or place[5:6] in {("5 bits",), ("decoys, 5 bits",)}
    spare |= place[-1] in ARRAY_KEYS and "repeats" not in place  # arrays are all read alike
    return not spare and int((*place, 0)[3]) < ASKED


def test_a_verdict_without_any_one_of_its_fields_is_refused_and_the_refusal_says_what_is_missing() -> None:
    claim = honest()
    bundle = handed(claim, None, "probabilities")
    assert bundle.opening is not None
    session = told_by(bundle.opening.claim, COPY, JUDGES[:3])
    judged = Judged(bundle, Trust(), SEEN, session, {"ownmark": "0"}, canonical.sha256(b"decoys"))
    written = json.loads(judged.to_bytes(THIEF.public))
    refused = {}
    for place in places(written):
        if needed(place):
            with pytest.raises(OwnmarkError) as refusal:
                recomputed(signed(canonical.dumps(without(written, place)), THIEF).data, bundle)
            refused[place[3:]] = str(refusal.value)
    assert len(refused) > 50
    assert "classifier 1 answered to the images 'as sealed'" in refused[1, "given", "as sealed"]
    assert "classifier 100 answered lacks the probability" in refused[2, "given", "decoys", "probability"]


@pytest.mark.parametrize("name", ["keyed.sealed", "single.opened"])
def test_a_seal_without_any_one_of_its_fields_is_refused(name: str) -> None:
    line, end, rest = (GOLDEN / name).read_bytes().partition(b"\n")
    whole = json.loads(line)
    for place in places(whole):
        left = without(whole, place)
        if left.pop("digest", ""):
            left["digest"] = canonical.sha256(canonical.dumps(left))
        with pytest.raises(OwnmarkError):
            Bundle.from_bytes(canonical.dumps(left) + end + rest)


def test_what_an_owner_signed_lacks_nothing_once_it_is_opened() -> None:
    """Signed anew by the owner, who forges his own seal."""
    bundle = handed()
    payload = json.loads(bundle.envelope.payload)
    for place in places(payload):
        forged = replace(bundle, envelope=signed(canonical.dumps(without(payload, place)), OWNER))
        with pytest.raises(OwnmarkError):
            checked(Bundle.from_bytes(forged.to_bytes()), Trust(), SEEN)

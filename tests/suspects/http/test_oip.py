"""The Open Inference Protocol: a model behind a server gives the verdict that it gives at hand, or an error that says why not."""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from typing import Any

import numpy as np
import pytest
from asking import COUNT, NAMES, asked, pixels
from conftest import tiny
from loopback import HASTY, Asked, Said, said, serving, transport
from torch import nn
from v2_server import HEADER, V2, oip, softmaxed

from ownmark.claims.claim import Claim, Preprocess
from ownmark.errors import AnswerError, SuspectError, UsageError
from ownmark.models.prepared import prepared
from ownmark.protocols import Suspect
from ownmark.scoring.readings import Reading
from ownmark.suspects.answers import Outputs
from ownmark.suspects.http.oip import Dialect, Layout, Oip
from ownmark.suspects.local import Local
from ownmark.verdicts.verdict import Outcome
from ownmark.verdicts.verify import verify

NUMBER = len(NAMES)
QUERIES = 2 * COUNT + 3  # three are asked twice
JSON_ONLY: dict[str, Any] = {"extensions": ()}
SERVERS: dict[str, dict[str, Any]] = {
    "binary": {},
    "json": JSON_ONLY,
    "channels last": {"shape": (-1, 16, 16, 3)},
    "channels last in json": {"shape": (-1, 16, 16, 3), **JSON_ONLY},
    "any size": {"shape": (-1, 3, -1, -1)},
    "one image without a batch": {"shape": (3, 16, 16)},
    "batch fixed at 4": {"shape": (4, 3, 16, 16)},
    "pixels": {"datatype": "UINT8"},
    "pixels in json": {"datatype": "UINT8", **JSON_ONLY},
    "double": {"datatype": "FP64"},
    "label listed before the scores": {"outputs": ("label", "scores")},
}


@pytest.mark.parametrize("kind", SERVERS)
def test_a_model_behind_a_server_gives_its_own_verdict(kind: str, model: nn.Module, claim: Claim) -> None:
    wanted = verify(claim, Local(model))
    with serving(V2(model, **SERVERS[kind])) as server, transport() as carrier:
        found = verify(claim, oip(server.url, carrier))
        assert len(server.queries()) == QUERIES == found.queries + 3
        assert all((HEADER.lower() in one.headers) == ("json" not in kind) for one in server.queries())
    assert found.outcome is wanted.outcome is Outcome.MATCH
    assert found.suspect_digest == ""
    for one, other in zip((found.deciding, *found.others), (wanted.deciding, *wanted.others), strict=True):
        assert (one.score, one.p, one.interval) == (other.score, other.p, other.interval)
        assert np.allclose(one.observed, other.observed, atol=1e-5)


def test_an_innocent_model_behind_a_server_does_not_match(claim: Claim) -> None:
    innocent = tiny(40, classes=NUMBER)
    with serving(V2(innocent)) as server, transport() as carrier:
        found = verify(claim, oip(server.url, carrier))
    assert found.deciding.score == verify(claim, Local(innocent)).deciding.score
    assert found.outcome is not Outcome.MATCH


def test_what_the_server_does_not_normalise_is_normalised_for_it(model: nn.Module) -> None:
    preprocess = Preprocess((0.5, 0.4, 0.3), (0.25, 0.2, 0.3))
    wanted = Local(prepared(model, preprocess)).read(pixels()[:, 0], asked())
    with serving(V2(model)) as server, transport() as carrier:
        found = oip(server.url, carrier, preprocess=preprocess).read(pixels()[:, 0], asked())
    assert np.allclose(found[Reading.PROBABILITY], wanted[Reading.PROBABILITY], atol=1e-6)


def test_a_verdict_notes_that_a_server_got_other_numbers_than_the_protected_model(model: nn.Module, claim: Claim) -> None:
    other = replace(claim, preprocess=Preprocess((0.5,), (0.25,)))
    for datatype, preprocess, noted in (("FP32", Preprocess(), 1), ("FP32", other.preprocess, 0), ("UINT8", Preprocess(), 0)):
        with serving(V2(model, datatype=datatype)) as server, transport() as carrier:
            notes = verify(other, oip(server.url, carrier, preprocess=preprocess)).notes
        assert sum("asked with mean 0 and std 1, where the claim has mean 0.5 and std 0.25" in one for one in notes) == noted


def test_a_server_that_lists_no_tensors_is_asked_as_it_is_told_to(model: nn.Module, claim: Claim) -> None:
    told = Dialect(input="image", datatype="FP32", layout=Layout.NCHW)
    for extensions in ((), ("binary_tensor_data",)):
        silent = V2(model, shape=(-1, 3, 16, 16), listed=False, extensions=extensions)
        with serving(silent) as server, transport() as carrier:
            assert verify(claim, oip(server.url, carrier, told)).outcome is Outcome.MATCH
    with serving(V2(model, listed=False)) as server, transport() as carrier, pytest.raises(UsageError, match="name the input"):
        verify(claim, oip(server.url, carrier))


def test_a_server_whose_front_page_is_closed_is_asked_in_json(model: nn.Module, claim: Claim) -> None:
    def script(asked: Asked) -> Said:
        return said({"error": "no"}, 404) if asked.path == "/v2" else V2(model, **JSON_ONLY)(asked)

    with serving(script) as server, transport() as carrier:
        assert verify(claim, oip(server.url, carrier)).outcome is Outcome.MATCH


LABELS: dict[str, tuple[V2, Dialect]] = {
    "a label for output": (V2(nn.Identity(), outputs=("label",)), Dialect()),
    "the best class": (V2(nn.Identity()), Dialect(best=1)),
    "the three best classes": (V2(nn.Identity()), Dialect(best=3)),
    "the best class in json": (V2(nn.Identity(), **JSON_ONLY), Dialect(best=1)),
    "an output that is named": (V2(nn.Identity(), outputs=("scores", "label")), Dialect(output="label")),
}


@pytest.mark.parametrize("kind", LABELS)
def test_a_server_that_tells_labels_only_is_judged_by_labels_only(kind: str, model: nn.Module, claim: Claim) -> None:
    server_kind, dialect = LABELS[kind]
    with serving(replace(server_kind, model=model)) as server, transport() as carrier:
        suspect: Suspect = oip(server.url, carrier, dialect)
        assert suspect.reveals == {Reading.LABEL}
        verdict = verify(claim, suspect)
    assert verdict.deciding.score == 1
    assert verdict.others == ()


def test_a_claim_that_needs_probabilities_is_refused_before_a_label_is_paid_for(model: nn.Module, claim: Claim) -> None:
    drops = replace(claim, tests=tuple(test for test in claim.tests if test.reading is Reading.PROBABILITY))
    with serving(V2(model, outputs=("label",))) as server, transport() as carrier:
        with pytest.raises(UsageError, match=r"needs one of: probability; .* pass --tensor :::NAME"):
            verify(drops, oip(server.url, carrier))
        assert server.queries() == []


def test_rounded_probabilities_are_probabilities(model: nn.Module, claim: Claim) -> None:
    wanted = Local(model).read(pixels()[:, 0], asked())[Reading.PROBABILITY]
    with serving(V2(model, edit=lambda scores: softmaxed(scores).round(2))) as server, transport() as carrier:
        found = oip(server.url, carrier, Dialect(outputs=Outputs.PROBABILITIES)).read(pixels()[:, 0], asked())
        assert np.abs(found[Reading.PROBABILITY] - wanted).max() < 0.03
        assert np.allclose(found[Reading.PROBABILITY].sum(axis=1), 1)
    with serving(V2(model, edit=lambda scores: softmaxed(scores).round(2))) as server, transport() as carrier:
        with pytest.raises(AnswerError, match="outputs="):
            verify(claim, oip(server.url, carrier, Dialect(outputs=Outputs.LOGITS)))
        assert len(server.queries()) == 1, "found out by the first answer, before the others are paid for"


def test_whether_scores_are_probabilities_is_found_out_by_the_answers(model: nn.Module, claim: Claim) -> None:
    wanted = verify(claim, Local(model)).deciding.score
    for edit in (softmaxed, lambda scores: softmaxed(scores).round(3), lambda scores: scores * 1.0):
        with serving(V2(model, edit=edit)) as server, transport() as carrier:
            assert verify(claim, oip(server.url, carrier)).deciding.score == wanted


def test_scores_that_may_be_either_are_inconclusive(model: nn.Module, claim: Claim) -> None:
    edits: tuple[Callable[[Any], Any], ...] = (
        lambda scores: 1 / (1 + np.exp(-scores)),
        lambda scores: softmaxed(scores) if next(turn) % 2 else scores,
    )
    drops = replace(claim, tests=tuple(test for test in claim.tests if test.reading is Reading.PROBABILITY))
    for edit in edits:
        turn = count()
        with serving(V2(model, edit=edit)) as server, transport(replace(HASTY, at_once=1)) as carrier:
            verdict = verify(drops, oip(server.url, carrier))
        assert verdict.outcome is Outcome.INCONCLUSIVE
        assert re.search(r"between 0 and 1.*--outputs|does not always return probabilities", verdict.reason)


def test_scores_that_may_be_either_are_enough_where_labels_decide(model: nn.Module, claim: Claim) -> None:
    with serving(V2(model, edit=lambda scores: 1 / (1 + np.exp(-scores)))) as server, transport() as carrier:
        verdict = verify(claim, oip(server.url, carrier))
    assert verdict.outcome is Outcome.MATCH
    assert verdict.others == ()
    assert "black-box test, which would not have decided, was left out" in verdict.notes[0]


def test_a_tie_never_counts_as_a_match(model: nn.Module, claim: Claim) -> None:
    labels_only = replace(claim, tests=tuple(test for test in claim.tests if test.reading is Reading.LABEL))
    with serving(V2(model, edit=np.zeros_like)) as server, transport() as carrier:
        assert verify(labels_only, oip(server.url, carrier, Dialect(outputs=Outputs.LOGITS))).deciding.score == 0


def test_a_suspect_that_is_replaced_midway_is_inconclusive(model: nn.Module, claim: Claim) -> None:
    servers = V2(model), V2(tiny(40, classes=NUMBER))
    for dialect in (Dialect(), Dialect(output="scores", repeats=1)):

        def swapped(asked: Asked) -> Said:
            return servers[asked.place > QUERIES // 2](asked)

        with serving(swapped) as server, transport(replace(HASTY, at_once=1)) as carrier:
            verdict = verify(claim, oip(server.url, carrier, dialect))
        assert verdict.outcome is Outcome.INCONCLUSIVE
        assert "replaced meanwhile" in verdict.reason


def test_two_models_that_take_turns_behind_one_address_are_inconclusive(model: nn.Module, claim: Claim) -> None:
    """Whichever answers an image first, the other one answers it the next time, however slow the machine is."""
    servers, before = (V2(model), V2(tiny(40, classes=NUMBER))), Counter[bytes]()

    def turned(asked: Asked) -> Said:
        before[asked.body] += 1
        return servers[before[asked.body] % 2](asked)

    with serving(turned) as server, transport(replace(HASTY, at_once=1)) as carrier:
        verdict = verify(claim, oip(server.url, carrier))
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "replaced meanwhile" in verdict.reason


def test_repeats_can_be_left_out(model: nn.Module, claim: Claim) -> None:
    with serving(V2(model)) as server, transport() as carrier:
        assert verify(claim, oip(server.url, carrier, Dialect(repeats=0))).outcome is Outcome.MATCH
        assert len(server.queries()) == 2 * COUNT


METADATA: dict[str, tuple[Said, type[SuspectError] | type[UsageError]]] = {
    "no such model": (said({"error": "unknown"}, 404), SuspectError),
    "a list": (said([1]), AnswerError),
    "a page": (Said(b"<html>"), AnswerError),
    "two inputs": (said({"inputs": [{"name": "a"}, {"name": "b"}]}), UsageError),
    "text for input": (said({"inputs": [{"name": "a", "datatype": "BYTES", "shape": [-1]}]}), SuspectError),
    "a flat input": (said({"inputs": [{"name": "a", "datatype": "FP32", "shape": [-1, 768]}]}), SuspectError),
    "a shape of words": (said({"inputs": [{"name": "a", "datatype": "FP32", "shape": ["n", 3]}]}), AnswerError),
    "no layout": (said({"inputs": [{"name": "a", "datatype": "FP32", "shape": [-1, -1, -1, -1]}]}), UsageError),
    "another size": (said({"inputs": [{"name": "a", "datatype": "FP32", "shape": [-1, 3, 24, 24]}]}), SuspectError),
}


@pytest.mark.parametrize("kind", METADATA)
def test_a_server_that_cannot_take_the_images_is_an_error_before_the_first_query(kind: str, claim: Claim) -> None:
    answer, error = METADATA[kind]

    def script(asked: Asked) -> Said:
        return answer if asked.path == "/v2/models/suspect" else said({"extensions": []})

    with serving(script) as server, transport() as carrier:
        with pytest.raises(error):
            verify(claim, oip(server.url, carrier))
        assert server.queries() == []
        assert carrier.ledger.spent == 0


def test_an_address_or_dialect_that_cannot_be_meant_is_refused() -> None:
    for url in ("http://host/models/x", "host/v2/models/x", "http://host/v2/models/x?key=1", "http://me:pw@host/v2/models/x"):
        with pytest.raises(UsageError):
            Oip(url, 3)
    for wrong in ({"datatype": "BYTES"}, {"best": -1}, {"headers": (("authorization", "Bearer abc"),)}):
        with pytest.raises(UsageError):
            Dialect(**wrong)
    assert Oip("http://host/v2/models/x/infer", 3).name == "http://host/v2/models/x"

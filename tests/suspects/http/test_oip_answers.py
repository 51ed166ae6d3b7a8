"""Answers of the Open Inference Protocol that cannot be used are errors: never a verdict, and never a silent non-match."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from asking import COUNT, NAMES
from loopback import HASTY, Asked, Said, said, serving, transport
from torch import nn
from v2_server import HEADER, V2, bytes_tensor, oip, output, softmaxed

from ownmark.claims.claim import Claim
from ownmark.errors import AnswerError
from ownmark.suspects.answers import Outputs
from ownmark.suspects.http.oip import Dialect
from ownmark.verdicts.verdict import Outcome
from ownmark.verdicts.verify import verify

NUMBER = len(NAMES)
QUERIES = 2 * COUNT + 3  # three are asked twice


def damaged(place: tuple[int, int], value: float) -> Callable[[Any], Any]:
    def edit(scores: Any) -> Any:
        scores = scores.copy()
        scores[place] = value
        return scores

    return edit


UNREADABLE: dict[str, Callable[[Any], Any]] = {
    "NaN": damaged((0, 0), float("nan")),
    "infinity": damaged((0, 1), float("inf")),
    "negative probabilities": lambda scores: softmaxed(scores) - 0.3,
    "probabilities above one": lambda scores: softmaxed(scores) * 4,
    "logits": lambda scores: scores * 9,
}


@pytest.mark.parametrize("extensions", [(), ("binary_tensor_data",)])
@pytest.mark.parametrize("kind", UNREADABLE)
def test_scores_that_mean_nothing_are_an_error_and_never_a_non_match(
    kind: str, extensions: tuple[str, ...], model: nn.Module, claim: Claim
) -> None:
    broken = V2(model, edit=UNREADABLE[kind], extensions=extensions)
    with serving(broken) as server, transport() as carrier:
        with pytest.raises(AnswerError):
            verify(claim, oip(server.url, carrier, Dialect(outputs=Outputs.PROBABILITIES)))
        assert len(server.queries()) == 1


@pytest.mark.parametrize("edit", [lambda scores: np.concatenate([scores, scores[:, :1]], axis=1), lambda scores: scores[:, :-1]])
def test_more_or_fewer_classes_than_the_claim_has_are_inconclusive(
    edit: Callable[[Any], Any], model: nn.Module, claim: Claim
) -> None:
    with serving(V2(model, edit=edit)) as server, transport() as carrier:
        verdict = verify(claim, oip(server.url, carrier))
        assert len(server.queries()) == 1
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "a different task" in verdict.reason


BABBLE: dict[str, Said] = {
    "an error": said({"error": "the queue is full"}),
    "a login page": Said(b"<html><body>Please log in</body></html>", headers={"content-type": "text/html"}),
    "nothing": Said(b""),
    "half an answer": Said(b'{"outputs": [{"name": "sco'),
    "a number": said(7),
    "null": said(None),
    "no outputs": said({"model_name": "suspect"}),
    "another output": said(output(name="other")),
    "another shape": said(output(shape=[1, 8])),
    "a shape of words": said(output(shape=["one"])),
    "words": said(output(data=["cat"] * 7)),
    "an unknown type": said(output(datatype="BF17")),
    "null for data": said(output(data=None)),
    "no data": said(output(data=[], shape=[0, 7])),
    "classes, unasked": said(output(datatype="BYTES", shape=[1, 1], data=["0.9:1"])),
    "a header longer than all": Said(b"{}", headers={HEADER: "99"}),
    "a header of no length": Said(b"{}", headers={HEADER: "x"}),
    "fewer bytes than told": Said(
        body := b'{"outputs":[{"name":"scores","datatype":"FP32","shape":[1,7],"parameters":{"binary_data_size":28}}]}',
        headers={HEADER: str(len(body))},
    ),
    "text as bytes": Said(
        (body := b'{"outputs":[{"name":"scores","datatype":"BYTES","shape":[1],"parameters":{"binary_data_size":9}}]}')
        + bytes_tensor([b"0.9:1"]),
        headers={HEADER: str(len(body))},
    ),
    "a deep well": Said(b"[" * 100_000),
}


@pytest.mark.parametrize("kind", BABBLE)
def test_an_answer_that_cannot_be_parsed_is_an_error_and_never_a_non_match(kind: str, model: nn.Module, claim: Claim) -> None:
    def script(asked: Asked) -> Said:
        return BABBLE[kind] if asked.path.endswith("/infer") else V2(model)(asked)

    with serving(script) as server, transport() as carrier:
        with pytest.raises(AnswerError) as caught:
            verify(claim, oip(server.url, carrier))
        assert caught.value.exit_code == 5
        assert len(server.queries()) == 1


def test_an_answer_that_breaks_midway_is_an_error_that_keeps_what_was_paid_for(model: nn.Module, claim: Claim) -> None:
    def script(asked: Asked) -> Said:
        return Said(b"<html>") if asked.place == 12 else V2(model)(asked)

    with serving(script) as server, transport(replace(HASTY, at_once=1)) as carrier:
        suspect = oip(server.url, carrier)
        with pytest.raises(AnswerError, match="not JSON"):
            verify(claim, suspect)
        assert verify(claim, suspect).outcome is Outcome.MATCH
        assert len(server.queries()) == QUERIES + 1


def test_best_classes_that_cannot_be_read_are_an_error(model: nn.Module, claim: Claim) -> None:
    for entry in ("tabby", "0.9:tabby", "0.9:-1"):

        def script(asked: Asked, entry: str = entry) -> Said:
            best = said(output(datatype="BYTES", shape=[1, 1], data=[entry]))
            return best if asked.path.endswith("/infer") else V2(model)(asked)

        with serving(script) as server, transport() as carrier, pytest.raises(AnswerError, match="score:index"):
            verify(claim, oip(server.url, carrier, Dialect(best=1)))

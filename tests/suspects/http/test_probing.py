"""Ordinary images find out what an address reveals before the claim is asked about; what cannot be settled is inconclusive."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from typing import Any

import numpy as np
import pytest
import torch
from asking import NAMES
from branded import COUNT, SIDE, TRIGGERS, Branded, branded_claim, ordinary
from loopback import HASTY, Asked, Said, said, serving, transport
from torch import nn
from v2_server import V2, oip, softmaxed

from ownmark.claims.claim import Claim, Preprocess
from ownmark.errors import DataError, SuspectError
from ownmark.querying.transcript import Decoys
from ownmark.suspects.http.http_json import HttpJson
from ownmark.suspects.http.mapping import Mapping
from ownmark.suspects.http.oip import Dialect
from ownmark.suspects.http.probing import RemoteVerdict, verify_remote
from ownmark.verdicts.verdict import Outcome

ALPHA = 1e-3
ORDERED = replace(HASTY, at_once=1)
PROBED = 10 * 4 + 3  # ten images three times before and once after, and three triggers a second time
Edit = Callable[[Any], Any]


@pytest.fixture(scope="module")
def claim() -> Claim:
    return branded_claim()


@pytest.fixture(scope="module")
def model(claim: Claim) -> nn.Module:
    return Branded(claim)


def through(
    script: Callable[[Asked], Said], claim: Claim, dialect: Dialect = Dialect(), preprocess: Preprocess = Preprocess()
) -> tuple[RemoteVerdict, int]:
    """The hearing of a server of the Open Inference Protocol, and how many queries it took."""
    with serving(script) as server, transport(ORDERED) as carrier:
        hearing = verify_remote(claim, oip(server.url, carrier, dialect, preprocess), ordinary(), alpha=ALPHA)
        return hearing, len(server.queries())


def inconclusive(script: Callable[[Asked], Said], claim: Claim, *words: str, **given: Any) -> int:
    """Whether the hearing ends so, with these words in its reason; how many queries it took."""
    hearing, queries = through(script, claim, **given)
    assert hearing.verdict.outcome is Outcome.INCONCLUSIVE
    for word in words:
        assert word in hearing.verdict.reason
    return queries


def is_trigger(claim: Claim, asked: Asked) -> bool:
    """Whether a request is a binary query about a trigger of the claim."""
    if asked.method == "GET":
        return False
    sent = np.frombuffer(asked.body[-3 * 16 * 16 * 4 :], np.float32).reshape(3, 16, 16).transpose(1, 2, 0)
    pixels = (sent * 255).round().astype(np.uint8).tobytes()
    return any(pixels == image.tobytes() for image in claim.images[:, 0])


def test_a_plain_server_passes_and_pays_for_its_probes(claim: Claim, model: nn.Module) -> None:
    hearing, queries = through(V2(model), claim)
    assert (hearing.verdict.outcome, hearing.verdict.deciding.score) == (Outcome.MATCH, 1)
    assert queries == TRIGGERS + PROBED
    assert "0 of 10 ordinary images got a different answer" in hearing.notes[0]
    assert "10 of 10 ordinary images correct" in hearing.notes[1]


CLASSES: dict[str, Edit] = {
    "another order": lambda scores: scores[:, [3, 0, 6, 1, 5, 2, 4]],
    "two classes exchanged": lambda scores: scores[:, [1, 0, 2, 3, 4, 5, 6]],
    "a class in front": lambda scores: np.pad(scores, ((0, 0), (1, 0)), constant_values=-3.0),
    "a class behind": lambda scores: np.pad(scores, ((0, 0), (0, 1)), constant_values=-3.0),
    "a class between, and another order": lambda scores: np.pad(scores, ((0, 0), (1, 0)))[:, [4, 1, 0, 2, 7, 6, 3, 5]],
}


@pytest.mark.parametrize("probabilities", [False, True])
@pytest.mark.parametrize("kind", CLASSES)
def test_reordered_and_extra_classes_are_mapped_by_decoys_and_give_the_same_score(
    kind: str, claim: Claim, model: nn.Module, *, probabilities: bool
) -> None:
    def edit(scores: Any) -> Any:
        return softmaxed(CLASSES[kind](scores)) if probabilities else CLASSES[kind](scores)

    hearing, _ = through(V2(model, edit=edit), claim)
    assert (hearing.verdict.outcome, hearing.verdict.deciding.score) == (Outcome.MATCH, 1)
    assert "as declared" not in hearing.notes[1] or kind == "a class behind"


def test_a_class_that_the_claim_does_not_have_is_never_a_match(claim: Claim, model: nn.Module) -> None:
    def edit(scores: Any) -> Any:
        other = np.where(next(turn) < 30 + 10, -3.0, 9.0)  # after the probes it always says the class behind
        return np.concatenate([scores, np.full((1, 1), other, np.float32)], axis=1)

    turn = count()
    assert inconclusive(V2(model, edit=edit), claim, "after the triggers than before") > TRIGGERS


def test_fewer_classes_than_the_claim_has_are_inconclusive_before_the_claim_is_asked_about(
    claim: Claim, model: nn.Module
) -> None:
    assert inconclusive(V2(model, edit=lambda scores: scores[:, :-1]), claim, "no class for 1 of the claim's 7") == 30


JSON = 'body: {x: "{{tensor}}"}\n'
SPOKEN: dict[str, tuple[str, Callable[[list[float]], Any]]] = {
    "counted from one": ("label: c", lambda scores: {"c": 1 + int(np.argmax(scores))}),
    "counted from one, as text": ("label: c", lambda scores: {"c": str(1 + int(np.argmax(scores)))}),
    "other letters": ("label: c", lambda scores: {"c": f" {NAMES[int(np.argmax(scores))].upper()}. "}),
    "other names": ("label: c", lambda scores: {"c": f"cat {int(np.argmax(scores)) * 5 % 7}"}),
    "other names with scores": ('scores: ""', lambda scores: {f"cat {place}": score for place, score in enumerate(scores)}),
    "the best one by another name": ('top: ""', lambda scores: {f"cat {int(np.argmax(scores))}": 0.8}),
    "an extra class by name": ('scores: ""', lambda scores: dict(zip((*NAMES, "nothing"), (*scores, -3.0), strict=True))),
}


@pytest.mark.parametrize("kind", SPOKEN)
def test_renamed_classes_are_mapped_by_decoys_and_give_the_same_score(kind: str, claim: Claim, model: nn.Module) -> None:
    text, speak = SPOKEN[kind]

    def script(asked: Asked) -> Said:
        shape = {"name": "image", "datatype": "FP32", "shape": [1, 3, 16, 16], "data": asked.json["x"]}
        answer = V2(model, extensions=())(Asked("POST", "/v2/models/suspect/infer", {}, said({"inputs": [shape]}).body, 0))
        return said(speak(Asked("", "", {}, answer.body, 0).json["outputs"][0]["data"]))

    with serving(script) as server, transport() as carrier:
        suspect = HttpJson(Mapping.read(JSON + text, server.url), NAMES, carrier)
        hearing = verify_remote(claim, suspect, ordinary(), alpha=ALPHA)
    assert (hearing.verdict.outcome, hearing.verdict.deciding.score) == (Outcome.MATCH, 1)


def test_names_that_nothing_settles_are_inconclusive_and_not_an_error(claim: Claim) -> None:
    with serving(lambda _: said({"c": "a cat"})) as server, transport() as carrier:
        suspect = HttpJson(Mapping.read(JSON + "label: c", server.url), NAMES, carrier)
        hearing = verify_remote(claim, suspect, ordinary(), alpha=ALPHA)
        assert len(server.queries()) == 10
        bare = verify_remote(claim, suspect, alpha=ALPHA).verdict
    assert hearing.verdict.outcome is bare.outcome is Outcome.INCONCLUSIVE
    assert "It answers a cat where the claim has a, b" in hearing.verdict.reason
    assert "unknown to the claim" in bare.reason


def noisy(spread: float) -> Edit:
    rng = np.random.default_rng(0)
    return lambda scores: softmaxed(scores) + rng.uniform(-spread, spread, scores.shape) * [[1, -1, 0, 0, 0, 0, 0]]


def test_answers_with_noise_are_inconclusive_and_their_rate_is_told(claim: Claim, model: nn.Module) -> None:
    def edit(scores: Any) -> Any:
        shares = np.abs(noise(scores))
        return shares / shares.sum(axis=1, keepdims=True)

    noise = noisy(0.2)
    assert inconclusive(V2(model, edit=edit), claim, "10 ordinary images got a different answer", "nothing can be judged") == 30


def test_two_models_behind_one_address_are_inconclusive(claim: Claim, model: nn.Module) -> None:
    other = Branded(channel=1)
    assert inconclusive(lambda asked: V2((model, other)[asked.place % 2])(asked), claim, "two models behind one address") == 30


def test_two_models_that_differ_on_triggers_only_are_inconclusive(claim: Claim, model: nn.Module) -> None:
    models, before = (V2(model), V2(Branded())), Counter[bytes]()

    def script(asked: Asked) -> Said:
        before[asked.body] += 1
        return models[before[asked.body] % 2](asked)

    inconclusive(script, claim, "evasion suspected", "triggers got a different answer")


def test_a_suspect_that_answers_at_random_is_inconclusive(claim: Claim, model: nn.Module) -> None:
    rng = np.random.default_rng(0)
    assert inconclusive(V2(model, edit=lambda scores: rng.permuted(scores, axis=1)), claim, "answers at random") == 30


def test_a_suspect_that_says_one_class_always_is_inconclusive_or_by_its_label_alone_no_match(claim: Claim) -> None:
    stuck = V2(Branded(), edit=lambda scores: np.tile(4.0 * np.eye(COUNT, dtype=np.float32)[2], (len(scores), 1)))
    inconclusive(stuck, claim, "2 of 10 ordinary images were classified correctly")
    with serving(stuck) as server, transport() as carrier:
        verdict = verify_remote(claim, oip(server.url, carrier), alpha=ALPHA).verdict
        assert (verdict.outcome, "nearly the same answer" in verdict.reason) == (Outcome.INCONCLUSIVE, True)
        assert verify_remote(claim, oip(server.url, carrier, Dialect(best=1)), alpha=ALPHA).verdict.outcome is Outcome.NO_MATCH


def test_a_suspect_that_answers_triggers_at_random_is_suspected_of_evasion(claim: Claim, model: nn.Module) -> None:
    rng = np.random.default_rng(0)
    shaken = V2(model, edit=lambda scores: rng.permuted(scores, axis=1))
    inconclusive(lambda asked: (shaken if is_trigger(claim, asked) else V2(model))(asked), claim, "evasion suspected")


@pytest.mark.parametrize("refusal", [said({"error": "no"}, 403), said({"error": "no"}), Said(b"")])
def test_a_suspect_that_refuses_triggers_only_is_suspected_of_evasion(refusal: Said, claim: Claim, model: nn.Module) -> None:
    def script(asked: Asked) -> Said:
        return refusal if is_trigger(claim, asked) else V2(model)(asked)

    inconclusive(script, claim, "evasion suspected", "5 of 5 triggers and 0 of 10 ordinary images got no answer")


def test_a_suspect_that_breaks_down_is_an_error_and_no_evasion(claim: Claim, model: nn.Module) -> None:
    def script(asked: Asked) -> Said:
        return said({"error": "no"}, 403) if asked.place > 50 else V2(model)(asked)

    with pytest.raises(SuspectError, match="status 403"):
        through(script, claim)


def test_a_suspect_that_is_replaced_while_it_is_asked_is_inconclusive(claim: Claim, model: nn.Module) -> None:
    other = V2(Branded(channel=1))
    inconclusive(lambda asked: (other if asked.place > 60 else V2(model))(asked), claim, "replaced meanwhile")


def test_swapped_colours_are_found_out_and_can_be_said(claim: Claim) -> None:
    blue = V2(Branded(replace(claim, images=claim.images[..., ::-1]), channel=2))
    inconclusive(blue, claim, "Likely cause", "--blue-first")
    with serving(blue) as server, transport() as carrier:
        suspect = oip(server.url, carrier)
        hearing = verify_remote(claim, suspect.asked(replace(suspect.manner, blue_first=True)), ordinary(), alpha=ALPHA)
    assert (hearing.verdict.outcome, hearing.verdict.deciding.score) == (Outcome.MATCH, 1)


def test_another_range_of_values_is_found_out_and_can_be_said(claim: Claim) -> None:
    wide = V2(Branded(claim, full=255.0))
    inconclusive(wide, claim, "Likely cause", "[0, 255]", "--mean 0 --std 0.00392157")
    hearing, _ = through(wide, claim, preprocess=Preprocess((0.0,), (0.00392157,)))
    assert (hearing.verdict.outcome, hearing.verdict.deciding.score) == (Outcome.MATCH, 1)
    inconclusive(V2(Branded(claim)), claim, "Likely cause", "[0, 1]", preprocess=Preprocess((0.0,), (1 / 255,)))


@pytest.mark.parametrize(("side", "word"), [(32, "twice the size"), (8, "half the size")])
def test_another_size_is_found_out(side: int, word: str, claim: Claim) -> None:
    inconclusive(V2(Branded(side=side), shape=(-1, 3, -1, -1)), claim, "Likely cause", word)


def test_a_suspect_that_is_often_wrong_is_told_so_and_no_cause_that_explains_nothing(claim: Claim) -> None:
    class Weak(Branded):
        """Right about every second image, and at twice the size about one more of the first ten."""

        def _class(self, image: Any) -> int:
            number = int(image[0, 0, 2])
            right = number % 2 or (number == 0 and len(image) == 2 * SIDE)
            return Branded._class(self, image) + (0 if right else 3)

        def forward(self, images: Any) -> Any:
            pixels = (images * 255).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy()
            return 4.0 * torch.eye(COUNT)[[self._class(image) % COUNT for image in pixels]]

    weak = V2(Weak(claim), shape=(-1, 3, -1, -1))
    inconclusive(weak, claim, "would be enough, halfway from chance to all", "ask without --decoys")


def test_decoys_of_unknown_class_settle_nothing(claim: Claim, model: nn.Module) -> None:
    unknown = Decoys(ordinary().images, np.full(35, -1, dtype=np.int64))
    with serving(V2(model)) as server, transport() as carrier, pytest.raises(DataError, match="name their folders"):
        verify_remote(claim, oip(server.url, carrier), unknown, alpha=ALPHA)

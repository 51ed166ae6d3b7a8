"""What answers mean: one rule tells logits, probabilities and what may be either, in files, modules and behind addresses."""

import json
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from asking import BOTH, asked, pixels
from conftest import tiny
from endings import NUMBER, Ended, drops_on, labels_of
from scipy.special import expit, softmax
from torch import Tensor, nn

from ownmark.claims.claim import Claim, Preprocess
from ownmark.errors import AnswerError, KindError, RandomError, UnsettledError
from ownmark.models.prepared import prepared
from ownmark.protocols import Question
from ownmark.querying.transcript import Plan, heard
from ownmark.scoring.matches import Turn
from ownmark.scoring.readings import Answers, Reading
from ownmark.suspects.answers import Outputs, labels, probabilities, readings, surely
from ownmark.suspects.http.ledger import Reply
from ownmark.suspects.http.v2 import HEADER, tensor
from ownmark.suspects.local import Local
from ownmark.tasks import Regression
from ownmark.verdicts.calibrate import calibrate
from ownmark.verdicts.verdict import Outcome
from ownmark.verdicts.verify import verify

LOGITS = np.random.default_rng(0).normal(0, 3, (200, NUMBER))
SHARES = softmax(LOGITS, axis=1)


@pytest.fixture(scope="module")
def drops(model: nn.Module) -> Claim:
    return drops_on(model)


@pytest.fixture(scope="module")
def labels_only(claim: Claim) -> Claim:
    return labels_of(claim)


def bfloat16(values: Any) -> Any:
    return torch.from_numpy(values).bfloat16().double().numpy()


def eight_bits(values: Any, scale: float) -> Any:
    return (values / scale).round().clip(0, 255).astype(np.float32) * np.float32(scale)


PROBABLE: dict[str, Callable[[Any], Any]] = {
    "exact": lambda shares: shares,
    "float16": lambda shares: shares.astype(np.float16),
    "bfloat16": bfloat16,
    "two decimals": lambda shares: shares.round(2),
    "eight bits, steps of 1/256": lambda shares: eight_bits(shares, 1 / 256),
    "eight bits, steps of 1/255": lambda shares: eight_bits(shares, 1 / 255),
    "eight bits, the quantiser's own scale": lambda shares: eight_bits(shares, shares.max() / 255),
}


@pytest.mark.parametrize("kind", PROBABLE)
def test_probabilities_are_known_however_they_were_rounded_and_are_scaled_to_sum_to_one(kind: str) -> None:
    raw = PROBABLE[kind](SHARES)
    assert surely(raw.astype(np.float64)) is Outputs.PROBABILITIES
    found = probabilities(raw)
    assert np.allclose(found.sum(axis=1), 1)
    assert np.abs(found - SHARES).max() < 0.02
    with pytest.raises(AnswerError, match="--outputs"):
        probabilities(raw, Outputs.LOGITS)


def test_eight_bits_miss_one_by_more_than_floats_do() -> None:
    sums = eight_bits(SHARES, 1 / 256).sum(axis=1)
    assert np.abs(sums - 1).max() > 1 / 256, "or the rule for eight bits is not seen here"
    assert surely(np.array([[0.5, 0.51, 0, 0, 0, 0, 0.0003]])) is None, "a miss of a hundredth without a step is no rounding"


def test_logits_are_known_even_if_a_row_happens_to_sum_to_one() -> None:
    raw = LOGITS.copy()
    raw[:3] = SHARES[:3]
    assert surely(raw) is Outputs.LOGITS
    assert np.allclose(probabilities(raw), softmax(raw, axis=1))
    assert np.allclose(probabilities(raw), probabilities(raw, Outputs.LOGITS))


def test_what_may_be_either_is_not_guessed() -> None:
    half = np.concatenate([SHARES[:100], LOGITS[:100]])
    for raw, error in ((expit(LOGITS), KindError), (eight_bits(expit(LOGITS), 1 / 256), KindError), (half, UnsettledError)):
        assert surely(np.asarray(raw, dtype=np.float64)) is None
        with pytest.raises(error):
            probabilities(raw)
    with pytest.raises(KindError, match="8-bit integers"):
        probabilities(np.array([[3, -100, 20], [5, 6, 7]], dtype=np.int8))


def test_many_classes_that_rounding_took_too_much_of_are_not_taken_for_probabilities() -> None:
    flat = softmax(np.random.default_rng(1).normal(0, 1, (20, 1000)), axis=1)
    assert surely(flat) is Outputs.PROBABILITIES
    assert surely(eight_bits(flat, 1 / 256).astype(np.float64)) is None


@pytest.mark.parametrize("kind", PROBABLE)
def test_per_cent_are_the_shares_that_they_are_and_never_logits(kind: str) -> None:
    raw = PROBABLE[kind](SHARES) * 100
    assert surely(raw.astype(np.float64)) is Outputs.PROBABILITIES
    assert np.abs(probabilities(raw) - SHARES).max() < 0.02
    with pytest.raises(AnswerError, match="already probabilities"):
        probabilities(raw, Outputs.LOGITS)
    assert surely(np.array([[60.0, 45.0], [50.0, 50.0]])) is Outputs.LOGITS, "60 + 45 is not rounding"


def test_fewer_scores_than_the_claim_has_classes_are_no_answer_even_by_labels() -> None:
    """An output of the best few scores, in their order, would say the first class of every image."""
    question = replace(asked(frozenset({Reading.LABEL}), 3), classes=NUMBER)
    best = -np.sort(-LOGITS[:3])[:, :2]
    with pytest.raises(AnswerError, match=f"{NUMBER} classes, but the suspect returns 2 scores"):
        readings(best, None, question)
    assert len(readings(np.pad(LOGITS[:3], ((0, 0), (0, 1))), None, question)[Reading.LABEL]) == 3, "more are no harm"


def test_sigmoids_that_are_called_so_give_back_what_they_were_made_of() -> None:
    assert np.allclose(probabilities(expit(LOGITS), Outputs.SIGMOIDS), SHARES, atol=1e-6)
    for wrong in (LOGITS, SHARES):
        with pytest.raises(AnswerError, match="not per-class sigmoids"):
            probabilities(wrong, Outputs.SIGMOIDS)


def test_a_tie_is_never_the_expected_label() -> None:
    scores = np.array([[0.4, 0.4, 0.2], [0.4, 0.4, 0.2], [0.2, 0.7, 0.1], [0.5, 0.5, 0.0]])
    assert labels(scores, np.array([0, 1, 1, 2])).tolist() == [1, 0, 1, 0]
    assert labels(scores, np.array([[0, 1], [1, 0], [1, 0], [2, 0]])).tolist() == [2, 2, 1, 1]
    both = np.array([[[0.9, 0.1, 0.0], [0.3, 0.3, 0.1]], [[0.9, 0.1, 0.0], [0.3, 0.4, 0.1]]])
    assert Turn(0.1)(both, np.array([[0, 1], [0, 1]])).tolist() == [False, True]


ENDINGS: dict[str, Callable[[Tensor], Any]] = {
    "a softmax module": nn.Softmax(1),
    "a softmax": lambda scores: scores.softmax(1),
    "a softmax that rounds": lambda scores: (scores.softmax(1) * 256).round().clamp(max=255) / 256,
    "bfloat16": lambda scores: scores.bfloat16(),
    "a softmax in bfloat16": lambda scores: scores.softmax(1).bfloat16(),
    "float16": lambda scores: scores.half(),
}


@pytest.mark.parametrize("kind", ENDINGS)
def test_a_copy_scores_the_same_with_another_ending(kind: str, claim: Claim, drops: Claim, model: nn.Module) -> None:
    for one in (claim, drops):
        found, wanted = (verify(one, Local(each)) for each in (Ended(model, ENDINGS[kind]), model))
        assert found.outcome is wanted.outcome is Outcome.MATCH
        assert found.deciding.score == wanted.deciding.score


@pytest.mark.parametrize("end", [nn.Softmax(1), torch.sigmoid, lambda scores: scores.softmax(1)])
def test_a_map_explains_the_logit_behind_a_softmax_or_a_sigmoid(end: Callable[[Tensor], Tensor], model: nn.Module) -> None:
    maps = frozenset({Reading.SALIENCY})
    wanted = Local(model, layer="stages").read(pixels()[:, 0], asked(maps))[Reading.SALIENCY]
    found = Local(Ended(model, end), layer="body.stages", outputs=None).read(pixels()[:, 0], asked(maps | {Reading.LABEL}))[
        Reading.SALIENCY
    ]
    assert np.allclose(found, wanted, atol=1e-6)


def test_a_softmax_that_cannot_be_taken_off_is_told(model: nn.Module) -> None:
    hidden = Local(Ended(model, lambda scores: scores.softmax(1) * 1.0), layer="body.stages")
    hidden.read(pixels()[:, 0], asked(BOTH | {Reading.SALIENCY}))
    assert "maps explain probabilities" in hidden.notes[0]


def test_sigmoids_are_inconclusive_until_they_are_called_so(
    claim: Claim, drops: Claim, labels_only: Claim, model: nn.Module
) -> None:
    copy = Ended(model, torch.sigmoid)
    undecided = verify(drops, Local(copy))
    assert undecided.outcome is Outcome.INCONCLUSIVE
    assert "--outputs" in undecided.reason
    wanted = verify(drops, Local(model)).deciding.score
    assert verify(drops, Local(copy, outputs=Outputs.SIGMOIDS)).deciding.score == wanted
    assert verify(labels_only, Local(copy)).outcome is Outcome.MATCH, "labels need no decision"
    by_labels = verify(claim, Local(copy))
    assert by_labels.outcome is Outcome.MATCH
    assert "was left out" in by_labels.notes[0]


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16, torch.float64])
def test_a_module_of_another_precision_is_asked_as_precisely(kind: torch.dtype, model: nn.Module) -> None:
    wanted = Local(model).read(pixels()[:, 0], asked(BOTH | {Reading.SALIENCY}))
    for one in (deepcopy(model).to(kind), prepared(model, Preprocess()).to(kind)):
        found = Local(one).read(pixels()[:, 0], asked(BOTH | {Reading.SALIENCY}))
        assert np.abs(found[Reading.PROBABILITY] - wanted[Reading.PROBABILITY]).max() < 0.02
        assert found[Reading.SALIENCY].dtype == np.float32


def test_what_a_linear_layer_puts_out_are_logits_even_between_0_and_1() -> None:
    small = tiny(0, classes=NUMBER)
    with torch.no_grad():
        small.head.weight.mul_(1e-3)
        small.head.bias.copy_(torch.linspace(0.3, 0.7, NUMBER))
    found = Local(small).read(pixels()[:, 0], asked())[Reading.PROBABILITY]
    assert np.abs(found - 1 / NUMBER).max() < 0.1
    with pytest.raises(KindError):
        Local(Ended(small, lambda scores: scores * 1.0)).read(pixels()[:, 0], asked())


def test_innocents_of_which_nothing_is_sure_calibrate_nothing(drops: Claim) -> None:
    with pytest.raises(KindError, match="--outputs"):
        calibrate(drops, [Local(Ended(tiny(3, classes=NUMBER), torch.sigmoid))])


def test_a_server_that_answers_in_bfloat16_is_read_in_binary_and_in_json() -> None:
    rows = torch.from_numpy(LOGITS[:1]).bfloat16()
    about = {"name": "scores", "datatype": "BF16", "shape": [1, NUMBER]}
    held = rows.view(torch.uint8).numpy().tobytes()
    head = json.dumps({"outputs": [about | {"parameters": {"binary_data_size": len(held)}}]}).encode()
    plain = json.dumps({"outputs": [about | {"data": rows[0].tolist()}]}).encode()
    for reply in (Reply(200, {HEADER: str(len(head))}, head + held), Reply(200, {}, plain)):
        assert np.array_equal(tensor(reply, "scores"), rows.float().numpy())


class Noisy(nn.Module):
    """Answers with noise, or in the reverse order of a batch."""

    def __init__(self, model: nn.Module, noise: float) -> None:
        super().__init__()
        self.model, self.noise = model, noise

    def forward(self, images: Tensor) -> Tensor:
        scores: Tensor = self.model(images)
        return scores + self.noise * torch.randn_like(scores) if self.noise else scores.flip(0)


def test_a_module_at_hand_that_answers_at_random_is_inconclusive_and_never_innocent(model: nn.Module, labels_only: Claim) -> None:
    suspect = Local(Noisy(model, 10.0))
    for time in ("first", "second"):
        verdict = verify(labels_only, suspect)
        assert (verdict.outcome, "answers at random" in verdict.reason) == (Outcome.INCONCLUSIVE, True), f"the {time} time"
    numbers = replace(asked(frozenset({Reading.VALUE})), task=Regression())
    with pytest.raises(RandomError):
        Local(Noisy(tiny(0, classes=1), 10.0)).read(pixels()[:, 0], numbers)
    with pytest.raises(RandomError):
        heard(Local(Noisy(model, 10.0)), labels_only, Plan(bytes(32)))


class Counted:
    """Notes how many classes it must know, and answers nothing."""

    name, digest, reveals = "counted", "", frozenset({Reading.LABEL})

    def __init__(self) -> None:
        self.classes = set[int]()

    def read(self, images: Any, question: Question) -> Answers:  # noqa: ARG002 - it looks at no image
        self.classes.add(question.classes)
        raise AnswerError("nothing")


def test_a_judge_says_how_many_classes_a_suspect_must_know_as_verify_does(labels_only: Claim) -> None:
    for ask in (verify, partial(heard, plan=Plan(bytes(32)))):
        suspect = Counted()
        with pytest.raises(AnswerError):
            ask(*((labels_only, suspect) if ask is verify else (suspect, labels_only)))
        assert suspect.classes == {len(labels_only.classes)}


def test_a_module_whose_answers_depend_on_the_batch_is_asked_one_image_at_a_time() -> None:
    images, question = pixels()[:, 0], asked()
    wrapped, plain = Local(Noisy(tiny(), 0.0)), Local(tiny())
    assert np.allclose(wrapped.read(images, question)[Reading.PROBABILITY], plain.read(images, question)[Reading.PROBABILITY])
    assert any("one image at a time" in note for note in wrapped.notes)
    assert not plain.notes


def test_a_module_quantised_by_torch_itself_has_a_digest_and_answers() -> None:
    """Its packed weights are no tensors of its state dict."""
    packed = nn.Sequential(tiny(), nn.Identity())
    packed.register_module("packs", Typed())
    first = Local(packed).digest
    packed.get_submodule("packs").packed = (torch.ones(2),)  # type: ignore[assignment]
    assert Local(packed).digest != first


class Typed(nn.Module):
    """Keeps a tuple and a type in its state dict, as a quantised layer of torch does."""

    packed: tuple[Tensor, ...] = (torch.zeros(2),)

    def forward(self, scores: Tensor) -> Tensor:
        return scores

    def _save_to_state_dict(self, destination: dict[str, Any], prefix: str, keep_vars: bool) -> None:  # noqa: FBT001 - torch's
        super()._save_to_state_dict(destination, prefix, keep_vars)
        destination |= {f"{prefix}packed": self.packed, f"{prefix}kind": torch.qint8}

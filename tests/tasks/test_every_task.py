"""Every scheme, every task, every attack on tiny models: what is served goes through, and what is not says so before any work."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from conftest import pictures, seed, tiny
from little import little
from spotter import KNOW_NO_BOXES, Spotter, spotter, squares
from thieves import EXAMPLES
from torch import nn

from ownmark.data.images import Images
from ownmark.errors import AnswerError, SuspectError, UsageError
from ownmark.models.mobilefacenet import MobileFaceNet
from ownmark.models.weights import weights_digest
from ownmark.protocols import Owner, Protected, Question, Scheme, silent
from ownmark.schemes import SCHEMES
from ownmark.schemes.residual import Residual
from ownmark.scoring.readings import Reading
from ownmark.suspects.client import Client
from ownmark.suspects.local import Local
from ownmark.tasks import TASKS, Task
from ownmark.training import Training, train
from ownmark.verdicts.verify import verify

SIZE = 32
REFERENCES = 2  # the first number of a reference; the model is 0, its surrogate 1
Pixels = npt.NDArray[np.uint8]
EVERY: dict[str, Task] = {kind.name: kind() for kind in TASKS}
NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "classification": tiny,
    "regression": lambda: tiny(classes=1),
    "similarity": lambda: MobileFaceNet(width=4, embedding=8, size=SIZE),
    "detection": Spotter,
}
PAIRS = [pytest.param(kind, task, id=f"{kind.__name__} {task}") for kind in SCHEMES for task in EVERY]


@cache
def images(task: str) -> Images:
    """Brightness tells the class, the number and the person; every tenth class is wrong, for schemes that live on mistakes."""
    if task == "detection":
        return squares(30)
    plain = pictures(30, size=SIZE)
    if task == "regression":
        return Images(plain.pixels, plain.labels * 20.0 + 10, ("age",), EVERY[task])
    labels = np.where(np.arange(30) % 10 == 9, (plain.labels + 1) % 3, plain.labels)
    return Images(plain.pixels, labels, plain.names, EVERY[task])


@cache
def model(task: str, number: int = 0) -> nn.Module:
    if task == "detection":
        return spotter(number % 2)
    torch.manual_seed(number)
    if task == "similarity":  # training so short makes all embeddings alike, so that no model has anything of its own
        return NETWORKS[task]().eval()
    training = Training(epochs=3, batch=10, rate=0.02, flips=False, shift=0)
    return train(NETWORKS[task](), images(task), training, seed(number))


@cache
def copied(attack: int, task: str) -> Local:
    """What the attack of that number in `EXAMPLES` makes of the task's model, whoever asks: a mark changes its weights alone."""
    return Local(EXAMPLES[attack].apply(model(task), images(task), seed(1), silent))


def protected(scheme: Scheme, task: str) -> Protected:
    references = tuple(model(task, REFERENCES + number) for number in range(max(scheme.needs.references, 1)))
    owner = Owner(images(task), (model(task, 1),), references, key=bytes(32))
    return scheme.protect(model(task), owner, seed(0), silent)


def serving(task: str) -> Scheme:
    """The first scheme with maps that makes claims for this task."""
    schemes: list[Scheme] = [little(kind()) for kind in SCHEMES if kind is not Residual]
    return next(scheme for scheme in schemes if isinstance(EVERY[task], scheme.serves))


@pytest.mark.parametrize(("kind", "task"), PAIRS)
def test_every_scheme_serves_its_tasks_against_every_attack_and_refuses_the_others(kind: type[Scheme], task: str) -> None:
    scheme: Scheme = little(kind())
    done: list[tuple[int, int]] = []
    if not isinstance(EVERY[task], scheme.serves):
        rng = seed(0)
        before = rng.get_state()
        with pytest.raises(UsageError, match=f"but these images are for {task}"):
            scheme.protect(model(task), Owner(images(task)), rng, lambda *step: done.append(step))
        assert torch.equal(rng.get_state(), before)
        assert done == []
        return
    made = protected(scheme, task)
    digest = weights_digest(made.model)
    assert (made.model is not model(task)) == scheme.marks
    assert made.claim.task == EVERY[task]
    refusing = KNOW_NO_BOXES if EVERY[task].located else set()
    for attack in (number for number, one in enumerate(EXAMPLES) if type(one).__name__ not in refusing):
        verdict = verify(made.claim, copied(attack, task))
        assert {finding.test.reading for finding in (verdict.deciding, *verdict.others)} == set(made.claim.readings)
    assert weights_digest(made.model) == digest


def api(local: Local, reading: Reading, task: str) -> Client:
    """A suspect that reveals one reading of a model at hand."""

    def told(images: Pixels, pairs: npt.NDArray[np.int64] | None = None) -> npt.NDArray[Any]:
        return local.read(images, Question(frozenset({reading}), np.zeros(len(images)), "", EVERY[task], pairs))[reading]

    def compared(first: Pixels, second: Pixels) -> npt.NDArray[Any]:
        count = len(first)
        return told(np.concatenate([first, second]), np.roll(np.arange(2 * count), count))[:count]

    return Client("an API", reading, compared if reading is Reading.SIMILARITY else told)


@pytest.mark.parametrize(
    ("task", "reading"),
    [("regression", Reading.VALUE), ("similarity", Reading.EMBEDDING), ("similarity", Reading.SIMILARITY)],
)
def test_a_suspect_that_reveals_one_reading_is_judged_as_the_model_itself_in_the_black_box(task: str, reading: Reading) -> None:
    claim = protected(serving(task), task).claim
    whole = verify(claim, Local(model(task)))
    (black,) = whole.others
    alone = verify(claim, api(Local(model(task)), reading, task)).deciding
    assert alone.test.reading is black.test.reading
    assert np.allclose(alone.observed[:, :2], black.observed[:, :2], atol=1e-5)
    assert alone.score == black.score == alone.test.target_score


@pytest.mark.parametrize("other", ["regression", "similarity", "detection"])
def test_a_suspect_that_does_another_task_is_an_error_and_no_innocent(other: str) -> None:
    claim = protected(serving(other), other).claim
    wrong = tiny() if other == "regression" else NETWORKS["regression"]()
    with pytest.raises(AnswerError, match="a different task"):
        verify(claim, Local(wrong))


def test_a_client_that_fails_answers_in_part_or_shows_maps_is_an_error() -> None:
    shown, question = images("similarity").pixels[:4], Question(frozenset({Reading.VALUE}), np.zeros(4))
    with pytest.raises(AnswerError, match="expected 4 answers from an API"):
        Client("an API", Reading.VALUE, lambda _: [1.0]).read(shown, question)
    with pytest.raises(SuspectError, match="ZeroDivisionError"):
        Client("an API", Reading.VALUE, lambda _: 1 / 0).read(shown, question)
    with pytest.raises(UsageError, match="no pairs"):
        Client("an API", Reading.SIMILARITY, lambda first, _: first).read(shown, question)
    with pytest.raises(UsageError, match="reveals no saliency maps"):
        Client("an API", Reading.SALIENCY, lambda _: [1.0])

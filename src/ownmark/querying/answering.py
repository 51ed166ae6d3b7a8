"""What a suspect answers, and what each reading promises: a violation is an error and never counts. No torch."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ownmark.errors import AnswerError, SuspectError, blamed
from ownmark.protocols import Question, Suspect
from ownmark.scoring.readings import NUMBERS, Answers, Floats, Reading

TOLERANCE = 1e-2  # the sum of two probabilities may be off by this much after rounding to two decimals


class NotedAnswers(dict[Reading, npt.NDArray[Any]]):
    """Answers with a `note` for the verdict on how their maps were computed: "" if as the claim says."""

    def __init__(self, answers: Answers, note: str) -> None:
        self.update(answers)
        self.note = note


def asking(name: str) -> AbstractContextManager[None]:
    """Whatever the suspect called `name` raises inside the block that is none of ours becomes a SuspectError that names it."""
    return blamed(SuspectError, f"{name} cannot be asked")


def answers_of(suspect: Suspect, images: npt.NDArray[Any], question: Question) -> Answers:
    """What `suspect` answers about `images`. Whatever it raises that is none of ours is a SuspectError that names it."""
    with asking(suspect.name):
        return suspect.read(images, question)


def inner(suspect: Suspect) -> Suspect:
    """The suspect within all that wraps it: a transform, a defence, a resizing."""
    held: Suspect | None = getattr(suspect, "suspect", None)
    return suspect if held is None else inner(held)


def more_of(suspect: Suspect) -> str:
    """How to get more out of a suspect that shows too little, as a clause. A suspect of one's own needs no `more`."""
    more: str = getattr(inner(suspect), "more", "")
    return f"; {more}" if more else ""


@dataclass(frozen=True)
class Hiding:
    """A suspect that is not asked for one reading: maps that it cannot show, or probabilities that mean nothing certain."""

    suspect: Suspect
    hidden: Reading

    @property
    def name(self) -> str:
        return self.suspect.name

    @property
    def digest(self) -> str:
        return self.suspect.digest

    @property
    def reveals(self) -> frozenset[Reading]:
        return self.suspect.reveals - {self.hidden}

    def read(self, images: npt.NDArray[Any], question: Question) -> Answers:
        """As the suspect answers."""
        return self.suspect.read(images, question)


def checked(reading: Reading, answers: Answers, size: tuple[int, int]) -> Floats:
    """The answers, if they are what the reading promises; `size`: images and classes. Raises AnswerError."""
    if reading not in answers:
        raise AnswerError(f"the suspect claims to reveal the reading {reading} but did not return it")
    given, (rows, classes) = np.asarray(answers[reading]), size
    if given.shape[:1] != (rows,):
        raise AnswerError(f"expected {rows} answers, one per image, got {len(given) if given.ndim else 'none'}")
    if given.dtype.kind not in "iuf" or given.ndim != DIMENSIONS[reading] or not given.size:
        raise AnswerError(f"expected {reading} as an array of {DIMENSIONS[reading]} dimensions, got {given.dtype} {given.shape}")
    if not np.all(np.isfinite(given)):
        bad = int(np.sum(~np.isfinite(given.reshape(rows, -1)).all(axis=1)))
        raise AnswerError(f"{bad} of {rows} answers contain NaN or infinity: the suspect is broken, so nothing can be judged")
    CHECKS[reading](given, classes)
    return given


def _check_labels(labels: Floats, classes: int) -> None:
    wrong = labels[(labels < 0) | (labels >= classes) | (labels % 1 != 0)]
    if len(wrong):
        raise AnswerError(f"expected labels in [0, {classes}), got {wrong[0]}: the suspect performs a different task")


def _check_probabilities(rows: Floats, classes: int) -> None:
    if rows.shape[1] != classes:
        raise AnswerError(
            f"the claim has {classes} classes, but the suspect returns {rows.shape[1]}: it performs a different task"
        )
    away = np.abs(rows.sum(axis=1) - 1).max()
    if rows.min() < -TOLERANCE or rows.max() > 1 + TOLERANCE or away > TOLERANCE * np.clip(classes / 2, 1, 20):
        raise AnswerError("the answers are not probabilities (each row must sum to 1): declare them as logits")


def _check_maps(maps: Floats, _: int) -> None:
    if maps.min() < 0 or maps.max() > 1 + TOLERANCE:
        raise AnswerError(f"expected saliency maps in [0, 1], got {maps.min():.3g} to {maps.max():.3g}")


def _check_embeddings(rows: Floats, _: int) -> None:
    if not np.all(np.any(rows != 0, axis=1)):
        raise AnswerError("expected non-zero embeddings, got only zeros for some images")


def _check_scores(scores: Floats, _: int) -> None:
    if scores.min() < 0 or scores.max() > 1 + TOLERANCE:
        raise AnswerError(f"expected scores of detections in [0, 1], got {scores.min():.3g} to {scores.max():.3g}")


def _any_number(_: Floats, __: int) -> None:
    """Any finite number is valid."""


ROWS = (Reading.PROBABILITY, Reading.BEST, Reading.EMBEDDING)
DIMENSIONS = dict.fromkeys((*NUMBERS, Reading.LABEL), 1) | dict.fromkeys(ROWS, 2) | {Reading.SALIENCY: 3}
CHECKS = dict.fromkeys(NUMBERS, _any_number) | {
    Reading.LABEL: _check_labels,
    Reading.PROBABILITY: _check_probabilities,
    Reading.BEST: _check_probabilities,
    Reading.EMBEDDING: _check_embeddings,
    Reading.SCORE: _check_scores,
    Reading.SALIENCY: _check_maps,
}

"""What each reading promises: an answer that breaks it is an error, and never counts. No torch."""

import numpy as np

from ownmark.errors import AnswerError
from ownmark.scoring.readings import NUMBERS, Answers, Floats, Reading

TOLERANCE = 1e-2  # how far two probabilities together may be off after a server has rounded them to two decimals


def checked(reading: Reading, answers: Answers, size: tuple[int, int]) -> Floats:
    """The answers, if they are what the reading promises; `size`: images and classes. Raises AnswerError."""
    if reading not in answers:
        raise AnswerError(f"the suspect says that it reveals the reading {reading}, but it did not answer it")
    given, (rows, classes) = np.asarray(answers[reading]), size
    if given.shape[:1] != (rows,):
        raise AnswerError(f"{rows} images were sent, but {len(given) if given.ndim else 'no'} answers came back")
    if given.dtype.kind not in "iuf" or given.ndim != DIMENSIONS[reading] or not given.size:
        raise AnswerError(f"a {reading} is an array of {DIMENSIONS[reading]} dimensions, got {given.dtype} {given.shape}")
    if not np.all(np.isfinite(given)):
        bad = int(np.sum(~np.isfinite(given.reshape(rows, -1)).all(axis=1)))
        raise AnswerError(f"{bad} of {rows} answers hold NaN or infinity: the suspect is broken, so nothing can be judged")
    CHECKS[reading](given, classes)
    return given


def _check_labels(labels: Floats, classes: int) -> None:
    wrong = labels[(labels < 0) | (labels >= classes) | (labels % 1 != 0)]
    if len(wrong):
        raise AnswerError(f"labels are whole numbers in [0, {classes}), but the suspect answers {wrong[0]}: it does another task")


def _check_probabilities(rows: Floats, classes: int) -> None:
    if rows.shape[1] != classes:
        raise AnswerError(f"the claim is about {classes} classes, but the suspect answers {rows.shape[1]}: it does another task")
    away = np.abs(rows.sum(axis=1) - 1).max()
    if rows.min() < -TOLERANCE or rows.max() > 1 + TOLERANCE or away > TOLERANCE * np.clip(classes / 2, 1, 20):
        raise AnswerError("the answers are no probabilities (each row must sum to 1): say that they are logits")


def _check_maps(maps: Floats, _: int) -> None:
    if maps.min() < 0 or maps.max() > 1 + TOLERANCE:
        raise AnswerError(f"a saliency map lies in [0, 1], but the suspect answers {maps.min():.3g} to {maps.max():.3g}")


def _check_embeddings(rows: Floats, _: int) -> None:
    if not np.all(np.any(rows != 0, axis=1)):
        raise AnswerError("an embedding has a direction, but the suspect answers nothing but zeros to some images")


def _any_number(_: Floats, __: int) -> None:
    """Every finite number may be an answer."""


DIMENSIONS = dict.fromkeys((*NUMBERS, Reading.LABEL), 1) | {Reading.PROBABILITY: 2, Reading.EMBEDDING: 2, Reading.SALIENCY: 3}
CHECKS = dict.fromkeys(NUMBERS, _any_number) | {
    Reading.LABEL: _check_labels,
    Reading.PROBABILITY: _check_probabilities,
    Reading.EMBEDDING: _check_embeddings,
    Reading.SALIENCY: _check_maps,
}

"""Raw model outputs to probabilities and labels: one rule for files, modules and addresses. No torch."""

import math
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import logit, softmax

from ownmark.errors import AnswerError, KindError, RandomError, UnsettledError
from ownmark.protocols import Question
from ownmark.querying.outputs import unfit
from ownmark.scoring.readings import Answers, Labels, Reading

HUNDRED = 100  # what scores in per cent sum to
TOLERANCE = 1e-3  # how far outside [0, 1] a probability may lie
MISS = 1 / 256  # by which the sum of a row may always miss 1: bfloat16 has eight significant bits
MOST_MISS = 0.25  # beyond which rounding has removed too much for the row to be probabilities
STRAY = 0.05  # share of rows of logits that may sum to 1 by chance
DECIMALS = (1, 2, 3, 4)  # to which servers round
EIGHT_BITS = (255, 512)  # quantisation steps per 1, from the coarsest to the finest
LEVELS = 257  # the 8-bit levels, and 1
EXACT = 0.02  # share of a step by which floating-point error may move a number
ROUNDED = 1e-6  # rows whose sum misses 1 by more are rescaled: float32 error alone is smaller
LEAST = 2.0**-24  # no sigmoid output is smaller than float32 resolution next to 1
SOME = 4  # images asked alone to find out whether a batch changes answers
FAR = 0.05  # of the largest score: more than any arithmetic changes between two passes
AT_RANDOM = "the same images get other answers when they are asked again: it answers at random, so that nothing can be judged"
BATCH_COUNTS = (
    "its answers depend on the other images of a batch, as those of a dynamically quantised file do: "
    "it was asked one image at a time"
)
TELL = "(--outputs on the command line)"
Floats = npt.NDArray[Any]


class Outputs(StrEnum):
    """The output of the model's last layer: LOGITS, the PROBABILITIES of a softmax, or SIGMOIDS, a probability per class."""

    LOGITS = "logits"
    PROBABILITIES = "probabilities"
    SIGMOIDS = "sigmoids"


def readings(raw: Floats, outputs: Outputs | None, question: Question) -> Answers:
    """All readings in a model's raw answers for its assumed task, except maps. Raises AnswerError."""
    if question.task.discrete:
        _check_classes(raw, question.classes)
        shares = scored(raw, outputs, question)
        return {Reading.PROBABILITY: shares, Reading.LABEL: labels(shares, question.target)}
    if raw.dtype.kind not in "iuf" or not np.all(np.isfinite(raw)):
        raise AnswerError("the model returns NaN, infinity or non-numbers: its weights or its preprocessing are broken")
    return question.task.decoded(raw, question.pairs, question.target)


def scored(raw: Floats, outputs: Outputs | None, question: Question) -> Floats:
    """`probabilities`; if only labels are asked for, scores of any kind suffice, since all kinds have the same maximum."""
    try:
        return probabilities(raw, outputs)
    except UnsettledError:
        if Reading.PROBABILITY in question.readings:
            raise
        return np.asarray(softmax(_checked(raw), axis=1))


def probabilities(raw: Floats, outputs: Outputs | None = None) -> Floats:
    """`raw` (n, classes) as probabilities (n, classes), float64, whose rows sum to 1.

    `outputs` is trusted unless the answers contradict it; None infers it with `surely`. Per cent count as the shares that they
    are, which a softmax over them would make another model's. Raises AnswerError for NaN, a wrong
    shape, or answers that contradict `outputs`, UnsettledError if the kind of the answers is ambiguous: a doubled or missing
    softmax would silently bias every verdict.
    """
    rows = _of_one(_checked(raw))
    sure = surely(rows)
    if outputs is None:
        if sure is None or (sure is Outputs.LOGITS and raw.dtype.kind in "iu" and raw.dtype.itemsize == 1):
            raise _doubt(rows)
        outputs = sure
    if outputs is Outputs.LOGITS and sure is Outputs.PROBABILITIES:
        raise AnswerError(f"the answers are already probabilities: omit outputs, or pass outputs=probabilities {TELL}")
    if outputs is Outputs.LOGITS:
        return np.asarray(softmax(rows, axis=1))
    if outputs is Outputs.PROBABILITIES and sure is Outputs.PROBABILITIES:
        sums = rows.sum(axis=1, keepdims=True)
        return np.where(np.abs(sums - 1) > ROUNDED, rows / sums, rows)
    if outputs is Outputs.PROBABILITIES:
        told = "the answers are not probabilities (rows must sum to 1)"
        raise AnswerError(f"{told}: declare them, outputs=logits or outputs=sigmoids {TELL}")
    if sure is not None or not _in_unit(rows).all():
        told = "the answers are not per-class sigmoids, which lie in [0, 1] and do not sum to 1"
        raise AnswerError(f"{told}: omit outputs, or pass outputs={sure or Outputs.LOGITS} {TELL}")
    return np.asarray(softmax(logit(rows.clip(LEAST, 1 - LEAST)), axis=1))


def surely(rows: Floats) -> Outputs | None:
    """The kind of the scores (n, classes), None if it is ambiguous: this is the only rule.

    PROBABILITIES lie in [0, 1] and every row sums to 1 up to rounding: by 1/256, the resolution of bfloat16; and if all numbers
    are multiples of one step, decimal or 8-bit, by half a step per class, and half a step more for the 255/256 that represents 1
    in eight bits, up to a quarter in total; or they are per cent, of which the same holds after division by 100. LOGITS leave
    [0, 1] somewhere, and at most one row in twenty looks like probabilities, as happens by chance. Anything else could be
    sigmoids, logits that happen to be small, or a mixture.
    """
    rows = _of_one(rows)
    normal = _normal(rows)
    if normal.all():
        return Outputs.PROBABILITIES
    return None if _in_unit(rows).all() or normal.mean() > STRAY else Outputs.LOGITS


def compared(raw: Floats, question: Question) -> Floats:
    """What must stay the same when images are asked again: the answers, or, of detections, whose number and order may differ,
    the score of what fits the box in question."""
    return question.task.decoded(raw, None, question.target)[Reading.SCORE] if question.task.located else raw


def check_repeated(again: Floats, before: Floats) -> None:
    """Raises RandomError for a suspect that answers the same images otherwise than before."""
    if far_apart(again, before):
        raise RandomError(AT_RANDOM)


def far_apart(again: Floats, before: Floats) -> bool:
    """Whether a suspect answers the same images otherwise than before, by more than another order of sums explains."""
    return not np.allclose(again, before, rtol=0, atol=FAR * max(float(np.abs(before, dtype=np.float64).max(initial=0)), 1e-6))


def labels(scores: Floats, target: Labels) -> Labels:
    """(n,) the class of the highest score; on a tie, a class other than `target`, so that a tie never matches.

    `target` (n,) or (n, k): one or more classes with which an answer may be compared.
    """
    found = np.asarray(scores.argmax(axis=1), dtype=np.int64)
    for row in np.flatnonzero((scores == scores.max(axis=1, keepdims=True)).sum(axis=1) > 1):
        meant = set(np.atleast_1d(target[row]).tolist())
        tied = np.flatnonzero(scores[row] == scores[row].max()).tolist()
        others = [place for place in (*tied, *range(scores.shape[1])) if place not in meant]
        found[row] = others[0] if others else tied[0]
    return found


def _checked(raw: Floats) -> Floats:
    """Scores (n, classes) as float64. Raises AnswerError for anything a classifier cannot return."""
    if raw.ndim != 2 or raw.shape[1] < 2:  # noqa: PLR2004 - (n, classes), two or more
        why = unfit(raw.shape)
        told = f"expected a classifier's answers (n, classes) with at least two classes, got {raw.shape}"
        raise AnswerError(f"{told}; {why}" if why else told)
    if raw.dtype.kind not in "iuf":
        raise AnswerError(f"expected numbers from a classifier, got {raw.dtype}")
    if not np.all(np.isfinite(raw)):
        raise AnswerError("the model returns NaN or infinity: its weights or its preprocessing are broken")
    return raw.astype(np.float64)


def _check_classes(raw: Floats, classes: int) -> None:
    """Raises AnswerError for fewer scores than the claim has classes: another task, or another output than theirs."""
    if raw.ndim == 2 and 2 <= raw.shape[1] < classes:  # noqa: PLR2004 - other shapes have a message of their own
        raise AnswerError(
            f"the claim has {classes} classes, but the suspect returns {raw.shape[1]} scores: it performs a different task, or "
            "another of its outputs holds the scores of all classes (--output on the command line)"
        )


def _of_one(rows: Floats) -> Floats:
    """Scores in per cent as shares of 1, others as they are: nothing but per cent sums to 100 in every row."""
    return rows / HUNDRED if rows.max() > 1 + TOLERANCE and _normal(rows / HUNDRED).all() else rows


def _doubt(rows: Floats) -> UnsettledError:
    """Why `surely` returns None, and what to do."""
    if _in_unit(rows).all():
        told = "the scores lie between 0 and 1 but do not sum to 1: if each class has its own sigmoid, pass outputs=sigmoids"
        return KindError(f"{told}; if they are logits, pass outputs=logits {TELL}")
    if _normal(rows).any():
        return UnsettledError("some rows sum to 1 and some do not: the suspect does not always return probabilities")
    told = "the scores are 8-bit integers of unknown scale"
    return KindError(f"{told}; if they are logits, pass outputs=logits {TELL}")


def _in_unit(rows: Floats) -> npt.NDArray[np.bool_]:
    return np.asarray((rows.min(axis=1) >= -TOLERANCE) & (rows.max(axis=1) <= 1 + TOLERANCE))


def _normal(rows: Floats) -> npt.NDArray[np.bool_]:
    """(n,): which rows are probabilities up to rounding."""
    unit = _in_unit(rows)
    most = max(MISS, min(_rounding(rows), MOST_MISS)) if unit.all() else MISS
    return np.asarray(unit & (np.abs(rows.sum(axis=1) - 1) <= most + 1e-9))


def _rounding(rows: Floats) -> float:
    """How far rounding to the common step of these numbers may move the sum of a row from 1; 0 if there is no such step."""
    found = np.unique(rows)
    for digits in DECIMALS:
        if np.allclose(found, found.round(digits), rtol=0, atol=1e-6):
            return float(rows.shape[1] * 0.5 * 10.0**-digits)
    return float((rows.shape[1] + 1) / 2 * _eight_bits(found))


def _eight_bits(found: Floats) -> float:
    """The quantisation step of which all sorted numbers are multiples; 0 if there is none.

    The scale is the quantiser's choice: 1/256, 1/255, or the largest calibration answer over 255.
    """
    gaps = np.diff(np.union1d(found, 0.0))
    gaps = gaps[gaps > 1e-6]  # noqa: PLR2004 - smaller gaps are floating-point error
    if not len(gaps) or len(found) > LEVELS:
        return 0.0
    coarsest, finest = (gaps.min() * steps for steps in EIGHT_BITS)
    for parts in range(max(1, math.ceil(coarsest - EXACT)), math.floor(finest) + 1):
        step = float(found[-1] / round(found[-1] * parts / gaps.min()))
        if np.all(np.abs(found / step - (found / step).round()) <= EXACT):
            return step
    return 0.0

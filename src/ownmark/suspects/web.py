"""What suspects behind an address share: pixels as they are sent, and answers as they are read. No torch."""

import io
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from ownmark.claim import Preprocess
from ownmark.errors import AnswerError, UsageError
from ownmark.match import Labels, Reading
from ownmark.protocols import Answers, Question
from ownmark.suspects.answers import TOLERANCE, Floats, Outputs, probabilities
from ownmark.suspects.ledger import Reply
from ownmark.suspects.request import Request
from ownmark.suspects.transport import Transport

SCORES = frozenset({Reading.LABEL, Reading.PROBABILITY})
LABELS = frozenset({Reading.LABEL})
UNDECIDED = -1  # stands for the label where the highest score belongs to several classes
DECIMALS = (1, 2, 3, 4)  # to which servers round
Pixels = npt.NDArray[np.uint8]


def png(image: Pixels) -> bytes:
    """An image (height, width, channels) as a PNG, which brings every pixel unchanged to the other side."""
    stream = io.BytesIO()
    Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).save(stream, "png", compress_level=1)
    return stream.getvalue()


def normalised(images: Pixels, preprocess: Preprocess) -> npt.NDArray[np.float32]:
    """Images (n, height, width, channels) as a network takes them: pixel / 255, then (value - mean) / std per channel."""
    if len(preprocess.mean) not in {1, images.shape[-1]}:
        raise UsageError(f"images of {images.shape[-1]} channels, but {len(preprocess.mean)} means to subtract")
    mean, std = (np.asarray(values, dtype=np.float32) for values in (preprocess.mean, preprocess.std))
    return np.asarray((images.astype(np.float32) / 255 - mean) / std)


def parsed(text: bytes) -> Any:  # noqa: ANN401 - any JSON value
    """The JSON in an answer's bytes. Raises AnswerError for whatever else a server sends with status 200."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        shown = "".join(sign if sign.isprintable() else "?" for sign in text[:60].decode("utf-8", "replace"))
        raise AnswerError(f"the answer is no JSON: {shown!r}" if text else "the answer is empty") from error


def told_error(answer: Any) -> None:  # noqa: ANN401 - any JSON value
    """Raises AnswerError for an error that comes with status 200."""
    if isinstance(answer, dict) and answer.get("error") and not isinstance(answer["error"], int | float):
        raise AnswerError(f"the answer tells of an error: {str(answer['error'])[:200]}")


def asked(
    transport: Transport,
    count: int,
    request: Callable[[int], Request],
    parse: Callable[[Reply], Floats],
    check: Callable[[Floats], None],
) -> Floats:
    """Rows of answers to `count` requests. The first is judged by `check` before the others are paid for."""
    check(np.concatenate(transport.ask(1, request, parse)))
    rows = np.concatenate(transport.ask(count, request, parse))
    check(rows)
    return rows


def answers(rows: Floats, question: Question, outputs: Outputs) -> Answers:
    """The readings asked for, of `rows`: labels (n,) or scores (n, classes)."""
    found: dict[Reading, Floats] = {}
    if rows.ndim == 1:
        other = (question.target == 0).astype(np.int64)  # a class that is not the target
        found = {Reading.LABEL: np.where(rows == UNDECIDED, other, rows)}
    else:
        shares = rounded_probabilities(rows, outputs)
        found = {Reading.PROBABILITY: shares, Reading.LABEL: labels(shares, question.target)}
    missing = question.readings - found.keys()
    if missing:
        raise AnswerError(f"asked for {', '.join(sorted(missing))}, but the answers hold {', '.join(found)} only")
    return {reading: found[reading] for reading in question.readings}


def labels(scores: Floats, target: Labels) -> Labels:
    """(n,) the class of the highest score; where several share it, another one than `target`, so that a tie never matches."""
    highest = scores == scores.max(axis=1, keepdims=True)
    tied = highest.sum(axis=1) > 1
    known = tied & (target < scores.shape[1])
    highest[known, target[known]] = False
    return np.asarray(highest.argmax(axis=1), dtype=np.int64)


def outputs_of(rows: Floats) -> Outputs:
    """What rows of scores (n, classes) plainly are. Raises AnswerError where that cannot be told: a guess bends the verdict."""
    if rows.ndim != 2 or rows.dtype.kind not in "iuf" or not np.all(np.isfinite(rows)):  # noqa: PLR2004 - (n, classes)
        return Outputs.LOGITS  # which is refused for what it is
    sums = np.abs(rows.sum(axis=1) - 1) <= TOLERANCE
    if _rounded(rows) or (bool(sums.all()) and rows.min() >= -TOLERANCE):
        return Outputs.PROBABILITIES
    if rows.min() >= 0 and rows.max() <= 1:
        raise AnswerError("the scores lie between 0 and 1 but do not sum to 1: if they are logits, say outputs=logits")
    if sums.any():
        raise AnswerError("some rows sum to 1 and some do not: the suspect answers now probabilities and now something else")
    return Outputs.LOGITS


def rounded_probabilities(raw: Floats, outputs: Outputs) -> Floats:
    """As `probabilities`, but rows that a server has rounded, so that they miss 1 by what rounding explains, are scaled to 1."""
    if not _rounded(raw):
        return probabilities(raw, outputs)
    exact = raw.astype(np.float64)
    return probabilities(exact / exact.sum(axis=1, keepdims=True), outputs)


def _rounded(raw: Floats) -> bool:
    """Whether the rows are probabilities cut to a few decimals."""
    if raw.ndim != 2 or raw.dtype.kind != "f" or not np.all(np.isfinite(raw)) or raw.min() < 0 or raw.max() > 1:  # noqa: PLR2004
        return False
    error = np.abs(raw.sum(axis=1) - 1).max()
    digits = next((digits for digits in DECIMALS if np.allclose(raw, raw.round(digits), rtol=0, atol=1e-6)), None)
    return digits is not None and TOLERANCE < error <= raw.shape[1] * 0.5 * 10.0**-digits and bool(raw.any(axis=1).all())

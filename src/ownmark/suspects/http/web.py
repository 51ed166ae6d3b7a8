"""What suspects behind an address share: pixels to send, and answers to read. No torch."""

import io
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from ownmark.claims.claim import Preprocess
from ownmark.errors import AnswerError, UnsettledError, UsageError, escaped
from ownmark.protocols import Question
from ownmark.scoring.readings import Answers, Reading
from ownmark.suspects.answers import Floats, labels
from ownmark.suspects.http.ledger import Reply
from ownmark.suspects.http.request import Request
from ownmark.suspects.http.transport import Transport

SCORES = frozenset({Reading.LABEL, Reading.PROBABILITY})
LABELS = frozenset({Reading.LABEL})
BEST = frozenset({Reading.LABEL, Reading.BEST})
UNDECIDED = -1  # the label if several classes share the highest score
REPEATS = 3  # images asked about twice
DETECTIONS = 3  # dimensions of answers that are detections
STEADY = 0.02  # how far a probability may move between repetitions
MANY, NEARLY = 10, 0.01  # so many different images whose probabilities move by less look like one image to the suspect
MOST_TURNS = 2**16  # repetitions of one question within one reading
Pixels = npt.NDArray[np.uint8]
Told = Mapping[str, float]  # scores by the API's own names of the classes; a label alone has the score 1


@dataclass(frozen=True)
class Manner:
    """What decoys may reveal about a suspect behind an address; see `probing`.

    `classes`: its names of the claim's classes, in the claim's order, () for those of its dialect or mapping; any other name is
    not a class of the claim. `blue_first`: the channels are sent in the order blue, green, red. `turn`: the repetition of the
    same questions, from 0: each has its own answers. `repeats`: images asked about twice. `values`: as in `Mapping`, "" for its
    own.
    """

    preprocess: Preprocess = Preprocess()
    classes: tuple[str, ...] = ()
    blue_first: bool = False
    turn: int = 0
    repeats: int = REPEATS
    values: str = ""

    def shown(self, image: Pixels) -> Pixels:
        """The pixels as they are sent."""
        return image[..., ::-1] if self.blue_first else image


def png(image: Pixels) -> bytes:
    """An image (height, width, channels) as a lossless PNG."""
    stream = io.BytesIO()
    Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).save(stream, "png", compress_level=1)
    return stream.getvalue()


def normalised(images: Pixels, preprocess: Preprocess) -> npt.NDArray[np.float32]:
    """Images (n, height, width, channels) as network input: pixel / 255, then (value - mean) / std per channel."""
    if len(preprocess.mean) not in {1, images.shape[-1]}:
        raise UsageError(f"expected {len(preprocess.mean)} channels, one per mean of the preprocessing, got {images.shape[-1]}")
    mean, std = (np.asarray(values, dtype=np.float32) for values in (preprocess.mean, preprocess.std))
    return np.asarray((images.astype(np.float32) / 255 - mean) / std)


def parsed(text: bytes) -> Any:  # noqa: ANN401 - any JSON value
    """The JSON in an answer's bytes, UTF-8. Raises AnswerError for anything else that a server sends with status 200."""
    try:
        return json.loads(text.decode("utf-8"), object_pairs_hook=_named_once, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        shown = escaped(text[:60].decode("utf-8", "replace"))
        raise AnswerError(f"the answer is not JSON: {shown!r}" if text else "the answer is empty") from error


def _no_number(name: str) -> float:
    """NaN and infinity, which servers write although JSON has neither. Raises AnswerError."""
    raise AnswerError(f"the answer contains {name}: the model's weights or its preprocessing are broken")


def _named_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of an answer. Raises AnswerError for duplicate keys, of which different readers could take different values."""
    found = dict(pairs)
    if len(found) != len(pairs):
        twice = next(name for name, _ in pairs if sum(name == other for other, _ in pairs) > 1)
        raise AnswerError(f"the answer has the duplicate key {escaped(twice[:60])!r} in one object")
    return found


def told_error(answer: Any) -> None:  # noqa: ANN401 - any JSON value
    """Raises AnswerError for an error that comes with status 200."""
    if isinstance(answer, dict) and answer.get("error") and not isinstance(answer["error"], int | float):
        raise AnswerError(f"the answer reports an error: {escaped(str(answer['error'])[:200])}")


@dataclass(frozen=True)
class Exchange:
    """How to query one suspect: `transport` carries the questions and parses the answers.

    `judge` returns rows of labels (n,) or probabilities (n, classes), and raises AnswerError for answers that cannot be judged.
    """

    transport: Transport
    request: Callable[[Pixels], Request]
    parse: Callable[[Reply], Floats]
    judge: Callable[[Floats], Floats]

    def rows(self, images: Pixels, repeats: int) -> Floats:
        """Judged rows about the images. The first answer is judged before the others are paid for.

        An image that occurs several times is asked about as often. At the end `repeats` of the images are asked about once more:
        raises UnsettledError if the suspect's answers have changed.
        """
        count = len(images)
        places = sorted({round(place) for place in np.linspace(0, count - 1, min(repeats, count))})
        asked = [*range(count), *places]
        turns = _turns(images[place] for place in asked)

        def request(at: int) -> Request:
            one = self.request(images[asked[at]])
            return replace(one, repeat=MOST_TURNS * one.repeat + turns[at])

        def again(at: int) -> Request:
            return request(count + at)

        self.transport.check_budget(len(asked), request)
        self.judge(np.concatenate(self.transport.gather(1, request, self.parse)))
        found = self.judge(np.concatenate(self.transport.gather(count, request, self.parse)))
        _check_varied(images, found)
        if places:
            second = self.transport.gather(len(places), again, self.parse)
            _check_steady(found[places], self.judge(np.concatenate(second)))
        return found


def _turns(images: Iterable[Pixels]) -> list[int]:
    """How often each image occurred before."""
    seen: Counter[bytes] = Counter()
    turns = []
    for image in images:
        digest = sha256(image.tobytes()).digest()
        turns.append(seen[digest])
        seen[digest] += 1
    return turns


def _check_steady(first: Floats, second: Floats) -> None:
    """Raises UnsettledError unless the same questions got the same answers, up to floating-point noise."""
    if first.shape != second.shape:
        raise UnsettledError(f"the suspect returned {first.shape} at first and {second.shape} later: it was replaced")
    apart = _apart(first, second)
    if apart.max() > STEADY:
        raise UnsettledError(
            f"{int(np.sum(apart > STEADY))} of {len(apart)} repeated questions got a different answer (by "
            f"{apart.max():.2g}): the suspect was replaced meanwhile or answers at random, so nothing can be judged"
        )


def _apart(first: Floats, second: Floats) -> Floats:
    """(n,): how far two answers (n, ...) to the same questions are apart.

    Each detection (n, m, 6) counts with the nearest one of the other answer: rounding decides the order of nearly equal scores.
    """
    if first.ndim < DETECTIONS:
        return np.asarray(np.abs(first - second).reshape(len(first), -1).max(axis=1))
    pairs = np.abs(first[:, :, None] - second[:, None]).max(axis=-1)
    return np.asarray(np.maximum(pairs.min(axis=2).max(axis=1), pairs.min(axis=1).max(axis=1)))


def _check_varied(images: Pixels, found: Floats) -> None:
    """Raises UnsettledError where many different images got nearly the same probabilities, as if they never arrived."""
    count = len({image.tobytes() for image in images})
    if found.ndim == 1 or count < MANY:
        return
    moved = float(np.ptp(found, axis=0).max())
    if moved < NEARLY:
        raise UnsettledError(
            f"{count} different images got nearly the same answer (no probability moves by more than {moved:.2g}), so nothing "
            "can be judged: perhaps the server rounds values in [0, 1] to whole numbers and sees black images. Send whole "
            "pixels: write values: pixels in the mapping, or pass --tensor :UINT8"
        )


def answers(rows: Floats, question: Question, kind: Reading = Reading.PROBABILITY) -> Answers:
    """The requested readings, from judged rows; `kind`: what rows of one number per class are."""
    found: dict[Reading, Floats] = {}
    if rows.ndim == 1:
        other = (question.target == 0).astype(np.int64)  # a class other than the target
        found = {Reading.LABEL: np.where(rows == UNDECIDED, other, rows)}
    else:
        found = {kind: rows, Reading.LABEL: labels(rows, question.target)}
    missing = question.readings - found.keys()
    if missing:
        raise AnswerError(f"expected {', '.join(sorted(missing))}, but the answers contain only {', '.join(found)}")
    return {reading: found[reading] for reading in question.readings}


def best(told: Told) -> str | None:
    """The class of the highest score, None on a tie."""
    highest = max(told.values())
    found = [name for name, score in told.items() if score == highest]
    return found[0] if len(found) == 1 else None


def of_best(place: int, score: float, classes: int) -> Floats:
    """(1, classes): the probability of the best class, the rest shared evenly; even where the claim does not know that class.

    Raises AnswerError for a number that is no probability, or none of the best class.
    """
    if not 1 / classes - STEADY <= score <= 1 + STEADY and place != UNDECIDED:
        raise AnswerError(f"expected the best of {classes} classes with a probability of 1/{classes} to 1, got {score:.6g}")
    row = np.full((1, classes), 1 / classes)
    if place != UNDECIDED:
        row[0, place] = np.clip(score, 1 / classes, 1)
        row[0, np.arange(classes) != place] = (1 - row[0, place]) / (classes - 1)
    return row


def known_part(shares: Floats, classes: int) -> Floats:
    """Probabilities (n, classes) of the claim's classes, which come first; uniform where another class wins."""
    if shares.shape[1] == classes:
        return shares
    known = shares[:, :classes]
    other = known.max(axis=1, keepdims=True) <= shares[:, classes:].max(axis=1, keepdims=True)
    return np.where(other, 1 / classes, known / np.where(other, 1, known.sum(axis=1, keepdims=True)))

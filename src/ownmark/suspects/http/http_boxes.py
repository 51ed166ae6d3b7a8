"""A detector behind any API that speaks JSON: Roboflow, Azure, Hugging Face, TorchServe... No torch.

A `Mapping` declares where the boxes, scores and names are. Names such as `xmin` or `width` tell what a number means; what they
do not tell must be declared: nothing is guessed.
"""

from collections.abc import Iterator, Sequence
from copy import copy
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from ownmark.claims.claim import Preprocess
from ownmark.errors import AnswerError, UnsettledError, UsageError
from ownmark.protocols import Question
from ownmark.scoring.readings import Answers, Reading, is_number
from ownmark.suspects.answers import Floats
from ownmark.suspects.box_files import MOST, SHARES
from ownmark.suspects.http import sending, web
from ownmark.suspects.http.ledger import Reply
from ownmark.suspects.http.mapping import Mapping, find
from ownmark.suspects.http.naming import NUMBERED
from ownmark.suspects.http.request import Request
from ownmark.suspects.http.transport import Transport
from ownmark.tasks import Task, boxes

EDGES = 4
WHOLE = 1.05  # shares of an image end at 1, perhaps a little beyond
NAMED = {  # what the names of four numbers tell, in lower case and without _; "" for what they do not tell
    ("xmin", "ymin", "xmax", "ymax"): "corners",
    ("x1", "y1", "x2", "y2"): "corners",
    ("left", "top", "right", "bottom"): "corners",
    ("left", "top", "width", "height"): "sides",
    ("cx", "cy", "w", "h"): "centre",
    ("xcenter", "ycenter", "width", "height"): "centre",
    ("x", "y", "width", "height"): "",
    ("x", "y", "w", "h"): "",
}


class HttpBoxes:
    """The detector behind the API that `mapping` describes, queried one image at a time; `classes` are the claim's.

    `preprocess` and `repeats` as in `HttpJson`.
    """

    digest = ""  # the model behind an address is unknown
    reveals = frozenset({Reading.SCORE})
    namings: tuple[tuple[str, ...], ...] = ()

    def __init__(
        self,
        mapping: Mapping,
        classes: Sequence[str],
        transport: Transport | None = None,
        *,
        preprocess: Preprocess = Preprocess(),
        repeats: int = web.REPEATS,
    ) -> None:
        names = mapping.classes or tuple(classes)
        if len(names) != len(classes):
            raise UsageError(f"the claim has {len(classes)} classes ({', '.join(classes)}); the mapping's must name as many")
        self.name = mapping.url
        self._mapping, self._transport, self._names = mapping, transport or Transport(), names
        self.manner = web.Manner(preprocess, repeats=repeats)

    @property
    def preprocess(self) -> Preprocess | None:
        """How images are normalised before they are sent, if they are."""
        return sending.given(self._mapping, self.manner)

    def otherwise(self) -> Iterator[tuple[str, web.Manner]]:
        """Nothing is found out by other ways of sending."""
        return iter(())

    def asked(self, manner: web.Manner) -> "HttpBoxes":
        """The same suspect, queried in that manner."""
        other = copy(self)
        other.manner = manner
        return other

    def told(self, images: npt.NDArray[Any]) -> list[web.Told]:  # noqa: ARG002 - the verb's signature
        """Raises UsageError: decoys are about classes."""
        raise UsageError(f"{self.name} answers boxes, but decoys are images of one class each: leave --decoys out")

    def read(self, images: npt.NDArray[Any], question: Question) -> Answers:
        """SCORE (n,): of what fits the box in question. Raises AnswerError, UnsettledError for what cannot be told apart."""
        task, size = question.task, (images.shape[1], images.shape[2])
        if not task.located:
            raise AnswerError(f"{self.name} answers boxes, but the claim is about {task.name}: the suspect does another task")
        judged = partial(self._judged, task, size)
        exchange = web.Exchange(self._transport, self._request, self._rows, judged)
        rows = exchange.rows(images, self.manner.repeats)
        return {Reading.SCORE: task.decoded(rows, None, question.target)[Reading.SCORE]}

    def _request(self, image: npt.NDArray[Any]) -> Request:
        return sending.request(self._mapping, self.manner, image)

    def _rows(self, reply: Reply) -> Floats:
        """(1, MOST, 6): the detections of one image whose classes the claim knows, best first; edges in the API's own unit."""
        answer, mapping = web.parsed(reply.body), self._mapping
        web.told_error(answer)
        held, sure = _list(answer, mapping.boxes or "", "boxes"), _list(answer, mapping.scores or "", "scores")
        names = [_key(one) for one in held] if mapping.names is None else _list(answer, mapping.names, "names")
        if not len(held) == len(sure) == len(names):
            raise AnswerError(f"expected as many boxes as scores and names, got {len(held)}, {len(sure)}, {len(names)}")
        if not all(is_number(one) and 0 <= one <= 1 for one in sure):
            worst = next(one for one in sure if not (is_number(one) and 0 <= one <= 1))
            raise AnswerError(f"expected scores of detections in [0, 1], got {str(worst)[:60]}")
        kinds = self._classes(names)
        found = [[kind, *self._edges(box), score] for kind, box, score in zip(kinds, held, sure, strict=True) if kind is not None]
        rows = np.array(sorted(found, key=lambda row: -row[-1])[:MOST], dtype=np.float64).reshape(-1, boxes.COLUMNS)
        return np.concatenate([rows, np.zeros((MOST - len(rows), boxes.COLUMNS))])[None]

    def _classes(self, names: Sequence[object]) -> list[int | None]:
        """The claim's class of each detection; None for one that it lacks, where the mapping declares the API's names."""
        places = {name: place for place, name in enumerate(self._names)}
        if self._mapping.classes:
            return [places.get(_text(name)) for name in names]
        numbers = [NUMBERED.fullmatch(_text(name)) for name in names if _text(name) not in places]
        places |= {one[0]: int(one[1]) - self._first(one[0]) for one in numbers if one is not None}
        return [self._place(places.get(_text(name)), name) for name in names]

    def _place(self, place: int | None, name: object) -> int:
        if place is None or not 0 <= place < len(self._names):
            raise UnsettledError(
                f"{self.name} answers {_text(name)[:60]!r}, a class unknown to the claim: declare in the mapping's classes what "
                f"the API calls {', '.join(self._names)}; all others then count as none of them"
            )
        return place

    def _first(self, number: str) -> int:
        """The number of the first class. Raises UnsettledError unless it is declared."""
        if self._mapping.first is None:
            raise UnsettledError(
                f"{self.name} tells classes by number, such as {number[:60]}, and whether it counts from 0 or from 1 cannot be "
                "told: declare the number of its first class in the mapping, first: 0 or first: 1"
            )
        return self._mapping.first

    def _edges(self, held: object) -> tuple[float, float, float, float]:
        """Left, upper, right and lower edge."""
        numbers, meaning = _numbers(held)
        if meaning and self._mapping.box not in {"", meaning}:
            raise AnswerError(f"the mapping says box: {self._mapping.box}, but {self.name} names its numbers as {meaning}")
        meaning = meaning or self._mapping.box
        if not meaning:
            raise UnsettledError(
                f"{self.name} gives boxes as {str(held)[:60]}, which does not tell what the numbers are: write into the mapping "
                "box: corners (left, upper, right, lower), box: sides (left, upper, width, height) or box: centre (its centre, "
                "width, height)"
            )
        across, down, third, fourth = numbers
        if meaning == "corners":
            edges = (across, down, third, fourth)
        elif meaning == "sides":
            edges = (across, down, across + third, down + fourth)
        else:
            edges = (across - third / 2, down - fourth / 2, across + third / 2, down + fourth / 2)
        if edges[0] > edges[2] or edges[1] > edges[3]:
            raise AnswerError(f"{str(held)[:60]} is no box of {meaning}: its right or lower edge comes before the other one")
        return edges

    def _judged(self, task: Task, size: tuple[int, int], rows: Floats) -> Floats:
        """(n, MOST, 6): `tasks.boxes`, as the task counts classes."""
        there = rows[..., boxes.SCORE] > 0
        unit = self._mapping.unit or _unit_of(
            self.name, [one[known][:, boxes.BOX] for one, known in zip(rows, there, strict=True)]
        )
        high = rows[..., boxes.BOX].max(initial=0)
        if (unit == "shares" and high > SHARES) or (unit == "pixels" and 0 < high < SHARES):
            raise AnswerError(f"the mapping says unit: {unit}, but {self.name} answers edges up to {high:.3g}")
        height, width = size
        scaled = rows / [1, width, height, width, height, 1] if unit == "pixels" else rows.copy()
        first = (task.width(self._names) or 0) - len(self._names)  # 1 where the background counts
        scaled[..., boxes.LABEL] += first * there
        return scaled


def _list(answer: Any, path: str, what: str) -> list[Any]:  # noqa: ANN401 - any JSON value
    found = find(answer, path)
    if not isinstance(found, list):
        raise AnswerError(f"expected a list of {what} at {path!r}, got {str(found)[:60]}")
    return found


def _text(name: object) -> str:
    """A class by its name or number, as text."""
    return str(int(name)) if isinstance(name, float) and name.is_integer() else str(name)


def _key(held: object) -> str:
    """The name under which an object holds its box, as TorchServe's answers do: the class."""
    found = [name for name, value in held.items() if _is_four(value)] if isinstance(held, dict) else []
    if len(found) != 1:
        raise AnswerError(f"expected a box under the name of its class, got {str(held)[:60]}: write names into the mapping")
    return str(found[0])


def _numbers(held: object) -> tuple[list[float], str]:
    """The four numbers of a box, and what their names tell about them."""
    if _is_four(held):
        return list(map(float, held)), ""  # type: ignore[call-overload]
    if isinstance(held, dict):
        plain = {str(name).lower().replace("_", ""): value for name, value in held.items()}
        for names, meaning in NAMED.items():
            if plain.keys() >= set(names) and _is_four([plain[name] for name in names]):
                return [float(plain[name]) for name in names], meaning
        within = [value for value in held.values() if _is_four(value)]
        if len(within) == 1:
            return list(map(float, within[0])), ""
    raise AnswerError(f"expected a box of four numbers, got {str(held)[:60]}")


def _is_four(value: object) -> bool:
    return isinstance(value, list) and len(value) == EDGES and all(map(is_number, value))


def _unit_of(name: str, edges: Sequence[Floats]) -> str:
    """Whether boxes (m, 4) per image are told in pixels or as shares. Raises UnsettledError where they could be either."""
    highest = [float(one.max()) for one in edges if len(one)]
    if all(high > SHARES for high in highest):
        return "pixels"
    if all(high <= WHOLE for high in highest):
        return "shares"
    raise UnsettledError(
        f"{name} answers boxes whose edges end between {min(highest):.3g} and {max(highest):.3g}, which could be pixels or "
        "shares of the image: write unit: pixels or unit: shares into the mapping"
    )

"""A suspect behind any API that speaks JSON: TorchServe, Hugging Face, MLflow, BentoML, Vertex, SageMaker... No torch.

A `Mapping` declares how to query it and where its answers are; nothing is guessed.
"""

import json
from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from ownmark.claims.claim import Preprocess
from ownmark.errors import AnswerError, UnsettledError, UsageError
from ownmark.protocols import Question
from ownmark.scoring.readings import Answers, Reading, is_number
from ownmark.suspects.answers import Floats, Outputs, scored
from ownmark.suspects.http import sending, web
from ownmark.suspects.http.ledger import Reply
from ownmark.suspects.http.mapping import TENSOR, Mapping, find
from ownmark.suspects.http.naming import NUMBERED
from ownmark.suspects.http.request import Request
from ownmark.suspects.http.transport import Transport


class HttpJson:
    """The API that `mapping` describes, queried one image at a time. `classes`: the names of the claim's classes in its order.

    `preprocess` applies only to nested lists of normalised values; a PNG is sent as it is. `repeats`: images asked about twice,
    to check that the suspect stays the same.
    """

    digest = ""  # the model behind an address is unknown

    def __init__(
        self,
        mapping: Mapping,
        classes: Sequence[str],
        transport: Transport | None = None,
        *,
        preprocess: Preprocess = Preprocess(),
        repeats: int = web.REPEATS,
    ) -> None:
        self.name = mapping.url
        names = mapping.classes or tuple(classes)
        order = mapping.order or names
        if len(names) != len(classes) or sorted(order) != sorted(names):
            raise UsageError(
                f"the claim has {len(classes)} classes ({', '.join(classes)}); the mapping's classes and order must name as many"
            )
        self._sure = mapping.top is not None and mapping.outputs is Outputs.PROBABILITIES
        self.reveals = web.BEST if self._sure else web.LABELS if mapping.scores is None else web.SCORES
        self._mapping, self._transport, self._first = mapping, transport or Transport(), mapping.first or 0
        self._place = {name: place for place, name in enumerate(names)}
        self._order = [self._place[name] for name in order]
        self.manner = web.Manner(preprocess, repeats=repeats)

    @property
    def namings(self) -> tuple[tuple[str, ...], ...]:
        """What it may call the claim's classes: their names or their numbers."""
        numbers = {place: str(number) for number, place in enumerate(self._order, start=self._first)}
        return tuple(self._place), tuple(numbers[place] for place in range(len(numbers)))

    @property
    def preprocess(self) -> Preprocess | None:
        """How images are normalised before they are sent, if they are."""
        return sending.given(self._mapping, self.manner)

    @property
    def more(self) -> str:
        """What to declare if its answers hold more than is read, or ""."""
        mapping = self._mapping
        if mapping.top is None or self._sure:
            return ""
        names = "" if mapping.names is None else f" and names: {json.dumps(mapping.names)}"
        return (
            "if its answers hold the score of every class, declare so in a mapping (--api FILE): "
            f"scores: {json.dumps(mapping.top)}{names} in place of top, beside its preset if it has one"
        )

    def otherwise(self) -> Iterator[tuple[str, web.Manner]]:
        """Other ranges of values that it may expect, each with what to write."""
        if TENSOR not in json.dumps(self._mapping.body):
            return
        ranges = {
            "pixels": "whole pixels in [0, 255]",
            "unit": "values in [0, 1]",
            "normalised": "values normalised as the claim says",
        }
        for values, what in ranges.items():
            if values != (self.manner.values or self._mapping.values):
                yield f"{what}: write values: {values} in the mapping", replace(self.manner, values=values)

    def asked(self, manner: web.Manner) -> "HttpJson":
        """The same suspect, queried in that manner."""
        other = copy(self)
        other.manner = manner
        return other

    def told(self, images: npt.NDArray[Any]) -> list[web.Told]:
        """Scores by the API's own names or numbers of the classes."""
        return self._transport.ask(len(images), lambda place: self._request(images[place]), self._told)

    def read(self, images: npt.NDArray[Any], question: Question) -> Answers:
        """LABEL (n,) and, if the API returns the score of every class, PROBABILITY (n, classes), or BEST (n, classes)."""
        exchange = web.Exchange(self._transport, self._request, self._row, partial(self._judged, question))
        kind = Reading.BEST if self._sure else Reading.PROBABILITY
        return web.answers(exchange.rows(images, self.manner.repeats), question, kind)

    def _request(self, image: npt.NDArray[Any]) -> Request:
        return sending.request(self._mapping, self.manner, image)

    def _row(self, reply: Reply) -> Floats:
        """One row: a label (1,) or scores (1, classes), with classes unknown to the claim behind the others."""
        told = self._told(reply)
        if self._mapping.scores is None:
            best = web.best(told)
            if self._sure:
                place = web.UNDECIDED if best is None else self._class(best)
                return web.of_best(place, max(told.values()), len(self._place))
            return np.array([web.UNDECIDED if best is None else self._class(best)])
        places = {name: self._class(name) for name in told}
        known = {place: told[name] for name, place in places.items() if place != web.UNDECIDED}
        if len(known) < sum(place != web.UNDECIDED for place in places.values()):
            raise AnswerError(f"{self.name} names a class of the claim twice, by name and by number: {str(list(told))[:60]}")
        if len(known) != len(self._place):
            raise UnsettledError(
                f"{self.name} returns {len(told)} scores for {len(self._place)} classes: a different task, or only the best: "
                "in that case use top instead of scores"
            )
        others = [told[name] for name in sorted(told) if places[name] == web.UNDECIDED]
        return np.array([[known[place] for place in range(len(known))] + others], dtype=np.float64)

    def _told(self, reply: Reply) -> web.Told:
        """Scores by the API's names for the classes."""
        answer, mapping = web.parsed(reply.body), self._mapping
        web.told_error(answer)
        if mapping.label is not None:
            return {self._name(find(answer, mapping.label)): 1.0}
        names: Any = None
        told = find(answer, mapping.scores if mapping.scores is not None else str(mapping.top))
        if isinstance(told, dict) and mapping.names is None:
            told, names = list(told.values()), list(told)
        elif mapping.names is not None:
            names = find(answer, mapping.names)
        if not isinstance(told, list) or not told or not all(map(is_number, told)):
            raise AnswerError(f"expected finite scores, one per class, got {str(told)[:60]}")
        if names is None:
            if mapping.top is not None:
                raise AnswerError(f"{self.name} returns {len(told)} scores without names for {len(self._order)} classes")
            names = range(self._first, self._first + len(told))
        elif not isinstance(names, list) or len(names) != len(told):
            raise AnswerError(f"expected a name for each of the {len(told)} scores, got {str(names)[:60]}")
        found = {self._name(name): value for name, value in zip(names, told, strict=True)}
        if len(found) != len(told):
            raise AnswerError(f"{self.name} names a class twice: {str(names)[:60]}")
        return found

    def _name(self, told: object) -> str:
        """The API's name of a class, as text."""
        if isinstance(told, str):
            return told
        if is_number(told) and isinstance(told, int | float) and int(told) == told:
            return str(int(told))
        raise AnswerError(f"expected the name or number of a class from {self.name}, got {str(told)[:60]!r}")

    def _class(self, name: str) -> int:
        """The claim's class that the API calls so, by name or by number."""
        if self.manner.classes:
            return self.manner.classes.index(name) if name in self.manner.classes else web.UNDECIDED
        if name in self._place:
            return self._place[name]
        numbered = NUMBERED.fullmatch(name)
        number = int(numbered[1]) - self._first if numbered else web.UNDECIDED
        if number in range(len(self._order)):
            return self._order[number]
        raise UnsettledError(
            f"{self.name} answers {name[:60]!r}, a class unknown to the claim: declare in the mapping's classes what the "
            f"API calls {', '.join(self._place)}, or in first the number of its first class; or use decoys of known class"
        )

    def _judged(self, question: Question, rows: Floats) -> Floats:
        """Labels or probabilities."""
        if rows.ndim == 1 or self._sure:
            return rows
        shares = scored(rows, self._mapping.outputs, question)
        return web.known_part(shares, len(self._place))

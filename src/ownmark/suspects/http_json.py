"""A suspect behind any API that speaks JSON: TorchServe, Hugging Face, MLflow, BentoML, Vertex, SageMaker... No torch.

How it is asked and where its answers lie is declared in a `Mapping`; nothing is guessed.
"""

import base64
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ownmark.claim import Preprocess
from ownmark.errors import AnswerError, UsageError
from ownmark.match import is_number
from ownmark.protocols import Answers, Question
from ownmark.suspects import web
from ownmark.suspects.answers import Floats
from ownmark.suspects.ledger import Reply
from ownmark.suspects.mapping import BASE64, PNG, TENSOR, Mapping, find
from ownmark.suspects.request import Request
from ownmark.suspects.transport import Transport


class HttpJson:
    """The API that `mapping` describes, asked one image at a time. `classes`: the names of the claim's classes in its order.

    `preprocess` is applied to nested lists of normalised values only; a PNG goes as it is. `repeats`: images asked about
    twice, to see that the suspect stays the same.
    """

    digest = ""  # what stands behind an address cannot be known

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
        self.reveals = web.LABELS if mapping.scores is None else web.SCORES
        self._mapping, self._preprocess = mapping, preprocess
        self._place = {name: place for place, name in enumerate(names)}
        self._order = [self._place[name] for name in order]
        self._transport, self._repeats = transport or Transport(), repeats

    def read(self, images: npt.NDArray[Any], question: Question) -> Answers:
        """LABEL (n,) and, if the API tells the score of every class, PROBABILITY (n, classes)."""
        exchange = web.Exchange(self._transport, lambda place: self._request(images[place]), self._row, self._judged)
        return web.answers(exchange.rows(len(images), self._repeats), question)

    def _request(self, image: npt.NDArray[Any]) -> Request:
        mapping = self._mapping
        body = web.png(image) if mapping.body == PNG else json.dumps(self._filled(mapping.body, image)).encode()
        named = {name.lower() for name, _ in mapping.headers}
        kind = "image/png" if mapping.body == PNG else "application/json"
        headers = mapping.headers if "content-type" in named else (*mapping.headers, ("content-type", kind))
        return Request(mapping.method, mapping.url, body, headers, queries=1)

    def _filled(self, body: Any, image: npt.NDArray[Any]) -> Any:  # noqa: ANN401 - any JSON value
        """The body with the image in its place."""
        if isinstance(body, dict):
            return {key: self._filled(value, image) for key, value in body.items()}
        if isinstance(body, list):
            return [self._filled(value, image) for value in body]
        if body == BASE64:
            return base64.b64encode(web.png(image)).decode()
        return self._nested(image) if body == TENSOR else body

    def _nested(self, image: npt.NDArray[Any]) -> list[Any]:
        preprocess = self._preprocess if self._mapping.values == "normalised" else Preprocess()
        values = image if self._mapping.values == "pixels" else web.normalised(image[None], preprocess)[0]
        nested: list[Any] = (values.transpose(2, 0, 1) if self._mapping.layout == "nchw" else values).tolist()
        return nested

    def _row(self, reply: Reply) -> Floats:
        """One row: a label (1,) or scores (1, classes)."""
        answer, mapping = web.parsed(reply.body), self._mapping
        web.told_error(answer)
        if mapping.label is not None:
            return np.array([self._class(find(answer, mapping.label))])
        scores = self._scores(answer)
        if mapping.top is not None:
            return np.array([_best(scores)])
        if len(scores) != len(self._place):
            raise AnswerError(
                f"{self.name} tells {len(scores)} scores for {len(self._place)} classes: it does another task, or it tells the "
                "best ones only; then say top instead of scores"
            )
        return np.array([[scores[place] for place in range(len(scores))]], dtype=np.float64)

    def _scores(self, answer: Any) -> dict[int, float]:  # noqa: ANN401 - any JSON value
        """Scores by the claim's class."""
        mapping = self._mapping
        names: Any = None
        told = find(answer, mapping.scores if mapping.scores is not None else str(mapping.top))
        if isinstance(told, dict) and mapping.names is None:
            told, names = list(told.values()), list(told)
        elif mapping.names is not None:
            names = find(answer, mapping.names)
        if not isinstance(told, list) or not told or not all(map(is_number, told)):
            raise AnswerError(f"scores are finite numbers, one a class, got {str(told)[:60]}")
        if names is None:
            if mapping.top is not None or len(told) != len(self._order):
                raise AnswerError(f"{self.name} tells {len(told)} scores without names for {len(self._order)} classes")
            return dict(zip(self._order, told, strict=True))
        if not isinstance(names, list) or len(names) != len(told):
            raise AnswerError(f"{len(told)} scores, but their names are {str(names)[:60]}")
        found = {self._class(name): value for name, value in zip(names, told, strict=True)}
        if len(found) != len(told):
            raise AnswerError(f"{self.name} names a class twice: {str(names)[:60]}")
        return found

    def _class(self, told: object) -> int:
        """The claim's class that the API calls so, by name or by number."""
        if isinstance(told, str) and told in self._place:
            return self._place[told]
        number = int(told) if isinstance(told, str) and told.isdecimal() else told
        place = number - self._mapping.first if isinstance(number, int | float) and is_number(number) else -1
        if place in range(len(self._order)):
            return self._order[int(place)]
        raise AnswerError(
            f"{self.name} answers the class {str(told)[:60]!r}, which the claim does not know: say in the mapping's classes what "
            f"the API calls {', '.join(self._place)}, or in first which number its first class has"
        )

    def _judged(self, rows: Floats) -> Floats:
        """Labels or probabilities."""
        return web.rounded_probabilities(rows, self._mapping.outputs) if rows.ndim > 1 else rows


def _best(scores: dict[int, float]) -> int:
    """The class of the highest score, UNDECIDED where several share it."""
    highest = max(scores.values())
    found = [place for place, score in scores.items() if score == highest]
    return found[0] if len(found) == 1 else web.UNDECIDED

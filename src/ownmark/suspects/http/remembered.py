"""A suspect whose answers are kept in a ledger, so that nothing is asked twice. No torch."""

import hashlib
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ownmark import canonical
from ownmark.errors import OwnmarkError, SuspectError
from ownmark.protocols import Question, Suspect
from ownmark.querying import transcript
from ownmark.scoring.readings import Answers, Reading
from ownmark.suspects.http.ledger import Reply

WEIGHTS_BESIDE = {".xml", ".param"}  # OpenVINO and ncnn keep a model's weights in a .bin of the same name
SERVED = 200  # the status of answers by your own model


class Keeping(Protocol):
    """Keeps what was asked and answered, as a `Ledger` does."""

    def answer(self, request: str) -> Reply | None: ...

    def send(self, request: str, queries: int) -> int: ...

    def complete(self, number: int, reply: Reply, queries: int) -> None: ...

    def fail(self, number: int, why: str, *, queries: int) -> None: ...


class Remembered:
    """The suspect identified by `key`. `open_` opens it when the ledger lacks an answer; None: it must not be queried.

    Raises SuspectError if an answer is missing and the suspect must not be queried, and whatever the suspect raises.
    """

    def __init__(self, key: str, ledger: Keeping, open_: Callable[[], Suspect] | None) -> None:
        self._key, self._ledger, self._open = key, ledger, open_

    @property
    def name(self) -> str:
        return str(self._who["name"])

    @property
    def digest(self) -> str:
        return str(self._who["digest"])

    @property
    def reveals(self) -> frozenset[Reading]:
        return frozenset(map(Reading, self._who["reveals"]))

    def read(self, images: npt.NDArray[Any], question: Question) -> Answers:
        """Its answers, new or stored."""

        def ask() -> bytes:
            answers = self._suspect.read(images, question)
            return canonical.dumps({one.value: transcript.array_record(found) for one, found in answers.items()})

        told = canonical.loads(self._known(_digest(self._key, images, question), len(images), ask))
        return {Reading(one): transcript.array_of(found) for one, found in told.items()}

    @cached_property
    def _suspect(self) -> Suspect:
        if self._open is None:
            raise SuspectError(f"the ledger lacks answers of {self._key}")
        return self._open()

    @cached_property
    def _who(self) -> dict[str, Any]:
        """Name, digest and readings; once stored, they are returned without opening the suspect."""

        def ask() -> bytes:
            one = self._suspect
            return canonical.dumps({"name": one.name, "digest": one.digest, "reveals": sorted(one.reveals)})

        told: dict[str, Any] = canonical.loads(self._known(_who(self._key), 0, ask))
        return told

    def _known(self, request: str, queries: int, ask: Callable[[], bytes]) -> bytes:
        known = self._ledger.answer(request)
        if known is not None:
            return known.body
        suspect = self._suspect  # opened before anything is entered
        number = self._ledger.send(request, queries)
        try:
            body = ask()
        except OwnmarkError as error:
            self._ledger.fail(number, f"{type(error).__name__} of {type(suspect).__name__}", queries=queries)
            raise
        self._ledger.complete(number, Reply(SERVED, {}, body), queries)
        return body


def asked_before(key: str, ledger: Keeping) -> bool:
    """Whether the ledger knows the suspect of that key."""
    return ledger.answer(_who(key)) is not None


def _who(key: str) -> str:
    """The request for a suspect's name, digest and readings."""
    return _hashed(b"who", key.encode())


def key_of(name: str, *how: object, shown: str = "") -> str:
    """What tells a suspect from others: its name, or what is `shown` for it, how it is asked and, of a file, the content."""
    path = Path(name)
    files = [path, path.with_suffix(".bin")] if path.suffix in WEIGHTS_BESIDE else [path]
    content = "".join(hashlib.sha256(one.read_bytes()).hexdigest() for one in files if one.is_file())
    return f"{shown or name} {hashlib.sha256(repr(how).encode()).hexdigest()[:16]} {content}"


def _digest(key: str, images: npt.NDArray[Any], question: Question) -> str:
    """A digest of the suspect and the whole question."""
    words = [key, *sorted(question.readings), question.layer, repr(question.task)]
    arrays = [images, question.target, question.pairs, question.covered]
    return _hashed(*(word.encode() for word in words), *(b"none" if one is None else _bytes(one) for one in arrays))


def _bytes(array: npt.NDArray[Any]) -> bytes:
    return f"{array.dtype.str} {array.shape} ".encode() + np.ascontiguousarray(array).tobytes()


def _hashed(*parts: bytes) -> str:
    total = hashlib.sha256()
    for part in parts:
        total.update(f"{len(part)} ".encode() + part)
    return total.hexdigest()

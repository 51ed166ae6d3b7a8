"""A suspect that speaks the Open Inference Protocol, version 2, over HTTP: Triton, KServe, MLServer, OpenVINO. No torch.

https://github.com/kserve/open-inference-protocol, with two extensions of Triton's: binary tensors, used where the server lists
`binary_tensor_data`, and `classification`, which answers the best classes only. gRPC is not spoken.
"""

import json
from copy import copy
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property, partial
from typing import Any

import numpy as np
import numpy.typing as npt

from ownmark.claims.claim import Preprocess
from ownmark.errors import AnswerError, SuspectError, UnsettledError, UsageError
from ownmark.protocols import Question
from ownmark.scoring.readings import Answers, Reading
from ownmark.suspects.answers import Floats, Outputs, scored
from ownmark.suspects.http import web
from ownmark.suspects.http.ledger import Reply
from ownmark.suspects.http.request import Request, check_address, check_headers
from ownmark.suspects.http.transport import Transport
from ownmark.suspects.http.v2 import HEADER, TEXT, TYPES, class_of, tensor

PIXELS = {"UINT8", "UINT16", "UINT32", "UINT64", "INT16", "INT32", "INT64"}  # can hold 0 ... 255
FLOATS = {"FP16", "FP32", "FP64"}
BATCHED = 4  # dimensions of an input that takes several images


class Layout(StrEnum):
    """Where the channels of an input stand."""

    NCHW = "nchw"
    NHWC = "nhwc"


@dataclass(frozen=True)
class Dialect:
    """How a server is spoken to; names, types and shapes that are left empty are learnt from its metadata.

    `headers` may hold ${NAME} for a variable of the environment; `outputs`: whether the scores are logits, None to find it out by
    the answers. Whole numbers are sent as pixels in [0, 255], floating-point ones normalised. `best`: ask for that many best
    classes instead of all scores. `labels`: the output holds labels (n,) rather than scores (n, classes). `repeats`: images asked
    about twice, to see that the suspect stays the same.
    """

    headers: tuple[tuple[str, str], ...] = ()
    outputs: Outputs | None = None
    input: str = ""
    datatype: str = ""
    layout: Layout | None = None
    output: str = ""
    labels: bool | None = None
    best: int = 0
    repeats: int = web.REPEATS

    def __post_init__(self) -> None:
        check_headers(self.headers)
        if min(self.best, self.repeats) < 0 or (self.datatype and self.datatype not in FLOATS | PIXELS):
            known = ", ".join(sorted(FLOATS | PIXELS))
            raise UsageError(f"best and repeats are 0 or more and a data type is one of {known}; got {self}")


@dataclass(frozen=True)
class _Wire:
    """A `Dialect` with nothing left open. `batch`: images that each request must hold, 0 for no batch dimension at all."""

    input: str
    datatype: str
    layout: Layout
    shape: tuple[int, ...]
    batch: int
    output: str
    labels: bool
    best: int
    binary: bool


class Oip:
    """The model at `url`, e.g. http://127.0.0.1:8000/v2/models/NAME, which is asked one image at a time.

    `classes`: how many the claim knows; `preprocess`: what the server does not do itself. The metadata is asked for when it is
    first needed.
    """

    digest = ""  # what stands behind an address cannot be known

    def __init__(
        self,
        url: str,
        classes: int,
        transport: Transport | None = None,
        *,
        preprocess: Preprocess = Preprocess(),
        dialect: Dialect = Dialect(),
    ) -> None:
        self.name = url.rstrip("/").removesuffix("/infer")
        check_address(self.name)
        if "/v2/models/" not in self.name or "?" in self.name:
            raise UsageError(f"{url} is no model of the Open Inference Protocol; its address ends in /v2/models/NAME")
        self._classes, self._dialect = classes, dialect
        self._transport = transport or Transport()
        self.manner = web.Manner(preprocess, repeats=dialect.repeats)

    @property
    def namings(self) -> tuple[tuple[str, ...], ...]:
        """What it may be meant to call the claim's classes: it counts them from 0."""
        return (tuple(map(str, range(self._classes))),)

    def asked(self, manner: web.Manner) -> "Oip":
        """The same suspect, asked in that manner."""
        other = copy(self)
        other.manner = manner
        return other

    def told(self, images: npt.NDArray[Any]) -> list[web.Told]:
        """Scores by the server's own numbers of the classes."""
        self._check_size(images)
        return self._transport.ask(len(images), lambda place: self._request(images[place]), self._told)

    @property
    def reveals(self) -> frozenset[Reading]:
        return web.LABELS if self._wire.labels or self._wire.best else web.SCORES

    def read(self, images: npt.NDArray[Any], question: Question) -> Answers:
        """LABEL (n,) and, unless the server tells labels only, PROBABILITY (n, classes)."""
        self._check_size(images)
        exchange = web.Exchange(self._transport, self._request, self._rows, partial(self._judged, question))
        return web.answers(exchange.rows(images, self.manner.repeats), question)

    @cached_property
    def _wire(self) -> _Wire:
        """What the server says about itself, unless we were told otherwise."""
        told, given = self._asked(self.name), self._dialect
        source = _chosen(told.get("inputs"), given.input, "input", self.name)
        target = _chosen(_scores_first(told.get("outputs")), given.output, "output", self.name, needed=False)
        datatype, shape = given.datatype or str(source.get("datatype", "")), _shape(source)
        if datatype not in FLOATS | PIXELS:
            raise SuspectError(f"{self.name} takes {datatype or 'an unknown data type'}; needed is one of {', '.join(TYPES)}")
        if shape and len(shape) not in {BATCHED - 1, BATCHED}:
            raise SuspectError(f"{self.name} takes a tensor {list(shape)}; needed is (n, channels, height, width) or alike")
        layout = given.layout or _layout(shape)
        if layout is None:
            raise UsageError(f"{self.name} does not tell where the channels stand: say layout nchw or nhwc")
        batch = 0 if len(shape) == BATCHED - 1 else max(shape[0], 1) if shape else 1
        labels = _labels_only(target) if given.labels is None else given.labels
        name, output = str(source["name"]), str(target.get("name", ""))
        return _Wire(name, datatype, layout, shape[-3:], batch, output, labels, given.best, self._binary)

    @property
    def _binary(self) -> bool:
        """Whether the server lists the extension; one that tells nothing about itself is asked in JSON, which all speak."""
        try:
            extensions = self._asked(self.name.split("/models/")[0]).get("extensions")
        except SuspectError:
            return False
        return isinstance(extensions, list) and "binary_tensor_data" in extensions

    def _asked(self, url: str) -> dict[str, Any]:
        """Metadata, which costs no query."""
        told = web.parsed(self._transport.send(Request("GET", url, headers=self._dialect.headers)).body)
        if not isinstance(told, dict):
            raise AnswerError(f"{url} should describe itself by a JSON object, but tells {str(told)[:60]!r}")
        return told

    def _check_size(self, images: npt.NDArray[Any]) -> None:
        height, width, channels = images.shape[1:]
        wanted = (channels, height, width) if self._wire.layout is Layout.NCHW else (height, width, channels)
        if any(want not in {-1, got} for want, got in zip(self._wire.shape, wanted, strict=False)):
            raise SuspectError(f"{self.name} takes images {self._wire.shape} ({self._wire.layout}), the claim has {wanted}")

    def _request(self, image: npt.NDArray[Any]) -> Request:
        """The request about one image, which is repeated where the server insists on a larger batch."""
        wire = self._wire
        images = np.repeat(self.manner.shown(image)[None], max(wire.batch, 1), axis=0)
        values = images if wire.datatype in PIXELS else web.normalised(images, self.manner.preprocess)
        ordered = values.transpose(0, 3, 1, 2) if wire.layout is Layout.NCHW else values
        sent = np.ascontiguousarray(ordered if wire.batch else ordered[0], dtype=TYPES[wire.datatype])
        source: dict[str, Any] = {"name": wire.input, "shape": list(sent.shape), "datatype": wire.datatype}
        body = {"inputs": [source], **self._wanted()}
        address, counted = f"{self.name}/infer", (1, self.manner.turn)
        if not wire.binary:
            source["data"] = sent.ravel().tolist()
            kind = ("content-type", "application/json")
            return Request("POST", address, json.dumps(body).encode(), (*self._dialect.headers, kind), *counted)
        source["parameters"] = {"binary_data_size": sent.nbytes}
        head = json.dumps(body).encode()
        kinds = (("content-type", "application/octet-stream"), (HEADER, str(len(head))))
        return Request("POST", address, head + sent.tobytes(), (*self._dialect.headers, *kinds), *counted)

    def _wanted(self) -> dict[str, Any]:
        """The part of a request that names the output."""
        wire = self._wire
        if not wire.output:
            return {"parameters": {"binary_data_output": True}} if wire.binary else {}
        output: dict[str, Any] = {"name": wire.output}
        if wire.best:
            output["parameters"] = {"classification": wire.best}
        elif wire.binary:
            output["parameters"] = {"binary_data": True}
        return {"outputs": [output]}

    def _rows(self, reply: Reply) -> Floats:
        """One row: a label (1,) or scores (1, classes)."""
        values, batch = tensor(reply, self._wire.output), max(self._wire.batch, 1)
        if not values.size or values.size % batch:
            raise AnswerError(f"{self.name} was sent {batch} images, but answers {values.shape}")
        rows = values.reshape(batch, -1)
        if self._wire.best or values.dtype.kind == "U":
            rows = np.array([[class_of(entry) for entry in row[:1]] for row in rows])
        labels = self._wire.labels or self._wire.best > 0
        if labels != (rows.shape[1:] == (1,)):
            expected = "one label an image was" if labels else "the scores of all classes were"
            raise AnswerError(f"{self.name} answers {values.shape} where {expected} expected")
        return rows[:1, 0] if labels else rows[:1]

    def _told(self, reply: Reply) -> web.Told:
        rows = self._rows(reply)
        if rows.ndim == 1:
            return {str(rows[0]): 1.0}
        return {str(place): float(score) for place, score in enumerate(rows[0])}

    def _judged(self, question: Question, rows: Floats) -> Floats:
        """Labels or probabilities. Raises UnsettledError for rows that no claim of that many classes can be judged by."""
        names = [int(name) for name in self.manner.classes]
        if rows.ndim == 1:
            places = {name: place for place, name in enumerate(names)}
            return np.array([places.get(int(label), web.UNDECIDED) for label in rows]) if names else rows
        if rows.shape[1] < self._classes or (rows.shape[1] > self._classes and not names):
            raise UnsettledError(
                f"the claim is about {self._classes} classes, but {self.name} answers {rows.shape[1:]}: it does another task, or "
                "has a class more, which decoys of known class would show"
            )
        shares = scored(rows, self._dialect.outputs, question)
        others = [column for column in range(rows.shape[1]) if column not in names]
        return web.known_part(shares[:, names + others], self._classes) if names else shares


def _chosen(told: object, name: str, what: str, where: str, *, needed: bool = True) -> dict[str, Any]:
    """The tensor of that name, or the only one."""
    known = [one for one in told if isinstance(one, dict) and one.get("name")] if isinstance(told, list) else []
    found = [one for one in known if one["name"] == name] if name else known
    if len({str(one["name"]) for one in known}) != len(known):
        raise AnswerError(f"{where} lists an {what} twice: {', '.join(str(one['name']) for one in known)[:120]}")
    if name and not known:
        return {"name": name}  # the server lists none, as KServe does
    if not found and not needed and not name:
        return {}
    if not found or (needed and len(found) > 1):
        names = ", ".join(str(one["name"]) for one in known) or "none"
        raise UsageError(f"name the {what} of {where}; it lists: {names}")
    return found[0]


def _scores_first(outputs: object) -> object:
    """Outputs with those that hold scores first: some servers list the label before them."""
    if not isinstance(outputs, list) or not all(isinstance(one, dict) for one in outputs):
        return outputs
    return sorted(outputs, key=_labels_only)


def _labels_only(output: dict[str, Any]) -> bool:
    """Whether an output is told to hold a class an image: whole numbers or text, one each."""
    datatype, shape = str(output.get("datatype", "")), _shape(output)
    return datatype == TEXT or (datatype.startswith(("INT", "UINT")) and (len(shape) < 2 or shape[-1] == 1))  # noqa: PLR2004


def _shape(tensor: dict[str, Any]) -> tuple[int, ...]:
    try:
        return tuple(int(size) for size in tensor.get("shape") or ())
    except (TypeError, ValueError, OverflowError) as error:
        raise AnswerError(f"a tensor's shape is a list of whole numbers, got {str(tensor.get('shape'))[:60]}") from error


def _layout(shape: tuple[int, ...]) -> Layout | None:
    """Where the channels stand, if the shape tells."""
    first, last = (shape[-3], shape[-1]) if shape else (0, 0)
    if first in {1, 3}:
        return Layout.NCHW
    return Layout.NHWC if last in {1, 3} else None

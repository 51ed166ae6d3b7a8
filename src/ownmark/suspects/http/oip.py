"""A suspect that speaks the Open Inference Protocol, version 2, over HTTP: Triton, KServe, MLServer, OpenVINO. No torch.

https://github.com/kserve/open-inference-protocol, with two extensions of Triton's: binary tensors, used if the server lists
`binary_tensor_data`, and `classification`, which returns the best classes only. gRPC says the same in other bytes (`grpc_calls`).
A server whose outputs are named boxes, labels and scores is a detector; it answers as an exported file does (`box_files`).
"""

import json
from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass, replace
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
from ownmark.suspects.box_files import rows_of
from ownmark.suspects.http import web
from ownmark.suspects.http.ledger import Reply
from ownmark.suspects.http.request import Request, check_address, check_headers
from ownmark.suspects.http.transport import Transport
from ownmark.suspects.http.v2 import HEADER, TEXT, TYPES, class_of, tensor
from ownmark.suspects.ports import BoxPorts, Port

PIXELS = {"UINT8", "UINT16", "UINT32", "UINT64", "INT16", "INT32", "INT64"}  # can hold 0 ... 255
FLOATS = {"FP16", "FP32", "FP64"}
READ = ", ".join(sorted(FLOATS | PIXELS))  # types that can hold an image
SCALES = {
    "values in [0, 255]: pass --mean 0 --std 0.00392157": Preprocess((0.0,), (1 / 255,)),
    "values in [0, 1]: pass --mean 0 --std 1": Preprocess(),
    "values in [-1, 1]: pass --mean 0.5 --std 0.5": Preprocess((0.5,), (0.5,)),
}
BOXES = frozenset({Reading.SCORE})  # what a detector reveals
EDGES = 4
BATCHED = 4  # dimensions of an input that takes batches


class Layout(StrEnum):
    """Where the channels of an input are."""

    NCHW = "nchw"
    NHWC = "nhwc"


@dataclass(frozen=True)
class Dialect:
    """How to talk to a server; empty names, types and shapes are filled in from its metadata.

    `headers` may contain ${NAME} for an environment variable; `outputs`: whether the scores are logits, None infers it from the
    answers. Integer inputs get pixels in [0, 255], floating-point ones normalised values. `best`: ask for that many best classes
    instead of all scores. `labels`: the output holds labels (n,) rather than scores (n, classes). `repeats`: images asked about
    twice, to check that the suspect stays the same. `binary`: whether tensors are sent as bytes, None: if the server lists that.
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
    binary: bool | None = None

    def __post_init__(self) -> None:
        check_headers(self.headers)
        if min(self.best, self.repeats) < 0 or (self.datatype and self.datatype not in FLOATS | PIXELS):
            raise UsageError(f"expected best and repeats of at least 0 and a data type from {READ}, got {self}")


@dataclass(frozen=True)
class _Wire:
    """A `Dialect` with everything filled in. `batch`: images that each request must hold, 0 for no batch dimension at all.

    `boxes`: the outputs of a detector, None for a classifier, whose only `output` is read, "" if the server names none.
    """

    input: str
    datatype: str
    layout: Layout
    shape: tuple[int, ...]
    batch: int
    output: str
    labels: bool
    best: int
    binary: bool
    boxes: BoxPorts | None = None

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names of all outputs that are read."""
        if self.boxes is not None:
            return self.boxes.boxes, self.boxes.labels, self.boxes.scores
        return (self.output,) if self.output else ()


class Oip:
    """The model at `url`, e.g. http://127.0.0.1:8000/v2/models/NAME, queried one image at a time.

    `classes`: the claim's number of classes; `preprocess`: what the server does not do itself. The metadata is fetched on
    first use.
    """

    digest = ""  # the model behind an address is unknown

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
        check_address(self.name, "grpc", "grpcs")
        if "/v2/models/" not in self.name or "?" in self.name:
            raise UsageError(f"expected an address that ends in /v2/models/NAME, as in the Open Inference Protocol, got {url}")
        self._classes, self._dialect = classes, dialect
        self._transport = transport or Transport()
        self.manner = web.Manner(preprocess, repeats=dialect.repeats)

    @property
    def namings(self) -> tuple[tuple[str, ...], ...]:
        """What it may call the claim's classes: their numbers from 0."""
        return (tuple(map(str, range(self._classes))),)

    @property
    def preprocess(self) -> Preprocess | None:
        """How images are normalised before they are sent; None if the server gets pixels."""
        return None if self._wire.datatype in PIXELS else self.manner.preprocess

    @property
    def more(self) -> str:
        """What to pass if its answers hold more than is read, or ""."""
        if self._wire.boxes is not None or self._dialect.best or not self._wire.labels:
            return ""
        return f"the output {self._wire.output!r} holds labels: if another one holds scores, pass --tensor :::NAME"

    def otherwise(self) -> Iterator[tuple[str, web.Manner]]:
        """Other ranges of values that it may expect, each with what to pass; whole numbers are always pixels."""
        if self._wire.datatype in FLOATS:
            for what, preprocess in SCALES.items():
                if preprocess != self.manner.preprocess:
                    yield what, replace(self.manner, preprocess=preprocess)

    def asked(self, manner: web.Manner) -> "Oip":
        """The same suspect, queried in that manner."""
        other = copy(self)
        other.manner = manner
        return other

    def told(self, images: npt.NDArray[Any]) -> list[web.Told]:
        """Scores by the server's own numbers of the classes. Raises UsageError for a detector: decoys are about classes."""
        if self._wire.boxes is not None:
            raise UsageError(f"{self.name} answers boxes, but decoys are images of one class each: leave --decoys out")
        self._check_size(images)
        return self._transport.ask(len(images), lambda place: self._request(images[place]), self._told)

    @property
    def reveals(self) -> frozenset[Reading]:
        if self._wire.boxes is not None:
            return BOXES
        return web.LABELS if self._wire.labels or self._wire.best else web.SCORES

    def read(self, images: npt.NDArray[Any], question: Question) -> Answers:
        """LABEL (n,) and, unless the server returns labels only, PROBABILITY (n, classes); of a detector SCORE (n,)."""
        self._check_size(images)
        if self._wire.boxes is not None:
            return self._of_boxes(images, question)
        exchange = web.Exchange(self._transport, self._request, self._rows, partial(self._judged, question))
        return web.answers(exchange.rows(images, self.manner.repeats), question)

    def _of_boxes(self, images: npt.NDArray[Any], question: Question) -> Answers:
        """SCORE (n,): of what fits the box in question. Raises AnswerError for answers that are no detections."""
        task, size = question.task, (images.shape[1], images.shape[2])
        if not task.located:
            raise AnswerError(f"{self.name} answers boxes, but the claim is about {task.name}: the suspect does another task")

        def rows(reply: Reply) -> Floats:
            held = [tensor(reply, name) for name in self._wire.outputs]
            box, labels, sure = held
            if any(one.dtype.kind not in "iuf" for one in held) or box.size % EDGES or np.any((sure < 0) | (sure > 1)):
                raise AnswerError(f"expected boxes of four numbers, labels as numbers and scores in [0, 1] from {self.name}")
            return np.asarray(rows_of(self.name, box, labels, sure, size))[None]

        found = web.Exchange(self._transport, self._request, rows, np.asarray).rows(images, self.manner.repeats)
        return {Reading.SCORE: task.decoded(found, None, question.target)[Reading.SCORE]}

    @cached_property
    def _wire(self) -> _Wire:
        """The server's metadata, overridden by what the user declared."""
        told, given = self._asked(self.name), self._dialect
        source = _chosen(told.get("inputs"), given.input, "input", self.name)
        boxes = None if given.output else _box_outputs(told.get("outputs"))
        outputs = () if boxes else _scores_first(told.get("outputs"))
        target = _chosen(outputs, given.output, "output", self.name, needed=False)
        datatype, shape = given.datatype or str(source.get("datatype", "")), _shape(source)
        if datatype not in FLOATS | PIXELS:
            raise SuspectError(
                f"expected {self.name} to take one of {READ}, got {datatype or 'no data type'}: if it takes one of these after "
                "all, pass it as --tensor :TYPE, e.g. --tensor :FP32"
            )
        if shape and len(shape) not in {BATCHED - 1, BATCHED}:
            raise SuspectError(f"expected {self.name} to take (n, channels, height, width) or similar, got {list(shape)}")
        layout = given.layout or _layout(shape)
        if layout is None:
            raise UsageError(f"{self.name} does not say where the channels are: pass --tensor ::nchw or --tensor ::nhwc")
        batch = 0 if len(shape) == BATCHED - 1 else max(shape[0], 1) if shape else 1
        labels = _labels_only(target) if given.labels is None else given.labels
        binary = self._binary if given.binary is None else given.binary
        if boxes and batch > 1:
            raise SuspectError(f"{self.name} takes {batch} images at once, whose boxes cannot be told apart: serve one at a time")
        name, output = str(source["name"]), str(target.get("name", ""))
        return _Wire(name, datatype, layout, shape[-3:], batch, output, labels, given.best, binary, boxes)

    @property
    def _binary(self) -> bool:
        """Whether the server lists the extension; a server without metadata is queried in JSON, which all support."""
        try:
            extensions = self._asked(self.name.split("/models/")[0]).get("extensions")
        except SuspectError:
            return False
        return isinstance(extensions, list) and "binary_tensor_data" in extensions

    def _asked(self, url: str) -> dict[str, Any]:
        """Metadata, which costs no query."""
        told = web.parsed(self._transport.send(Request("GET", url, headers=self._dialect.headers)).body)
        if not isinstance(told, dict):
            raise AnswerError(f"expected a JSON object of metadata from {url}, got {str(told)[:60]!r}")
        return told

    def _check_size(self, images: npt.NDArray[Any]) -> None:
        height, width, channels = images.shape[1:]
        wanted = (channels, height, width) if self._wire.layout is Layout.NCHW else (height, width, channels)
        if any(want not in {-1, got} for want, got in zip(self._wire.shape, wanted, strict=False)):
            raise SuspectError(f"{self.name} takes images {self._wire.shape} ({self._wire.layout}), but the claim has {wanted}")

    def _request(self, image: npt.NDArray[Any]) -> Request:
        """The request about one image, which is repeated if the server insists on a larger batch."""
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
        """The part of a request that names what is read."""
        wire = self._wire
        if not wire.outputs:
            return {"parameters": {"binary_data_output": True}} if wire.binary else {}
        how: dict[str, Any] = {"binary_data": True} if wire.binary else {}
        how = {"classification": wire.best} if wire.best else how
        return {"outputs": [{"name": name} | ({"parameters": how} if how else {}) for name in wire.outputs]}

    def _rows(self, reply: Reply) -> Floats:
        """One row: a label (1,) or scores (1, classes)."""
        values, batch = tensor(reply, self._wire.output), max(self._wire.batch, 1)
        if not values.size or values.size % batch:
            raise AnswerError(f"expected {batch} answers from {self.name}, got {values.shape}")
        rows = values.reshape(batch, -1)
        if self._wire.best or values.dtype.kind == "U":
            rows = np.array([[class_of(entry) for entry in row[:1]] for row in rows])
        labels = self._wire.labels or self._wire.best > 0
        if labels != (rows.shape[1:] == (1,)):
            expected = "one label per image" if labels else "the scores of all classes"
            raise AnswerError(f"expected {expected} from {self.name}, got {values.shape}")
        return rows[:1, 0] if labels else rows[:1]

    def _told(self, reply: Reply) -> web.Told:
        rows = self._rows(reply)
        if rows.ndim == 1:
            return {str(rows[0]): 1.0}
        return {str(place): float(score) for place, score in enumerate(rows[0])}

    def _judged(self, question: Question, rows: Floats) -> Floats:
        """Labels or probabilities. Raises UnsettledError for rows that cannot be judged with that many classes."""
        names = [int(name) for name in self.manner.classes]
        if rows.ndim == 1:
            places = {name: place for place, name in enumerate(names)}
            return np.array([places.get(int(label), web.UNDECIDED) for label in rows]) if names else rows
        if rows.shape[1] < self._classes or (rows.shape[1] > self._classes and not names):
            raise UnsettledError(
                f"the claim has {self._classes} classes, but {self.name} returns {rows.shape[1:]}: a different task, or it "
                "has an extra class, which decoys of known class would show"
            )
        shares = scored(rows, self._dialect.outputs, question)
        others = [column for column in range(rows.shape[1]) if column not in names]
        return web.known_part(shares[:, names + others], self._classes) if names else shares


def _chosen(told: object, name: str, what: str, where: str, *, needed: bool = True) -> dict[str, Any]:
    """The tensor of that name, or the only one."""
    known = [one for one in told if isinstance(one, dict) and one.get("name")] if isinstance(told, list) else []
    found = [one for one in known if one["name"] == name] if name else known
    if len({str(one["name"]) for one in known}) != len(known):
        raise AnswerError(f"{where} lists the same {what} twice: {', '.join(str(one['name']) for one in known)[:120]}")
    if name and not known:
        return {"name": name}  # the server lists none, like KServe
    if not found and not needed and not name:
        return {}
    if not found or (needed and len(found) > 1):
        names = ", ".join(str(one["name"]) for one in known) or "none"
        first = str(known[0]["name"]) if known else "NAME"
        typed = f"--tensor {first}" if needed else f"--tensor :::{first}"
        raise UsageError(f"name the {what} of {where}, e.g. {typed}; it lists: {names}")
    return found[0]


def _box_outputs(outputs: object) -> BoxPorts | None:
    """The outputs of a detector, by their names."""
    known = [one for one in outputs if isinstance(one, dict)] if isinstance(outputs, list) else []
    return BoxPorts.named([Port(str(one.get("name", "")), None, "") for one in known])


def _scores_first(outputs: object) -> object:
    """Outputs with those that hold scores first: some servers list the label before them."""
    if not isinstance(outputs, list) or not all(isinstance(one, dict) for one in outputs):
        return outputs
    return sorted(outputs, key=_labels_only)


def _labels_only(output: dict[str, Any]) -> bool:
    """Whether an output is declared to hold one class per image: integers or text."""
    datatype, shape = str(output.get("datatype", "")), _shape(output)
    return datatype == TEXT or (datatype.startswith(("INT", "UINT")) and (len(shape) < 2 or shape[-1] == 1))  # noqa: PLR2004


def _shape(tensor: dict[str, Any]) -> tuple[int, ...]:
    try:
        return tuple(int(size) for size in tensor.get("shape") or ())
    except (TypeError, ValueError, OverflowError) as error:
        raise AnswerError(f"the shape of a tensor must be a list of integers, got {str(tensor.get('shape'))[:60]}") from error


def _layout(shape: tuple[int, ...]) -> Layout | None:
    """Where the channels are, if the shape is unambiguous."""
    first, last = (shape[-3], shape[-1]) if shape else (0, 0)
    if first in {1, 3}:
        return Layout.NCHW
    return Layout.NHWC if last in {1, 3} else None

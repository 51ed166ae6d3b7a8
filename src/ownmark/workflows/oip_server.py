"""A small server of the Open Inference Protocol, version 2, around any suspect: to try things out, not to serve the public.

It takes pixels and answers probabilities, in JSON or as binary tensors. `Harden` is what a wary thief does to the answers.
"""

import json
import math
import threading
from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import numpy.typing as npt

from ownmark.errors import OwnmarkError
from ownmark.protocols import Question, Suspect
from ownmark.scoring.readings import Reading
from ownmark.suspects.wrappers.wrapped import Rounded, noisy

HEADER = "Inference-Header-Content-Length"
MOST_BYTES = 256 * 2**20
DECIMALS, NOISE = 2, 0.05  # what `round` keeps, and the deviation of what `noise` adds
CELLS, NEAR, REMEMBERED = 8, 0.02, 2000  # of the thumbnails by which `refuse` knows an image again
IMAGES = 4  # dimensions of the input
Floats = npt.NDArray[Any]


class Harden(StrEnum):
    """What is done to the answers: ROUND to two decimals, TOP1 the label only, NOISE added, REFUSE images near an earlier one."""

    NONE = "none"
    ROUND = "round"
    TOP1 = "top1"
    NOISE = "noise"
    REFUSE = "refuse"


class _RefusedError(Exception):
    """The request gets this status and this text."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass
class Service:
    """The suspect under the name that it is served by; images have so many `channels`."""

    suspect: Suspect
    name: str = "suspect"
    channels: int = 3
    harden: Harden = Harden.NONE
    rng: np.random.Generator = field(default_factory=np.random.default_rng)
    seen: deque[Floats] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    lock: threading.Lock = field(default_factory=threading.Lock)

    def about(self, path: str) -> dict[str, Any] | None:
        """What a GET tells, None for an unknown path."""
        labels = self.harden is Harden.TOP1
        known: dict[str, dict[str, Any]] = {
            "/v2": {"name": "ownmark", "version": "2", "extensions": ["binary_tensor_data"]},
            "/v2/health/live": {"live": True},
            "/v2/health/ready": {"ready": True},
            f"/v2/models/{self.name}/ready": {"name": self.name, "ready": True},
            f"/v2/models/{self.name}": {
                "name": self.name,
                "versions": ["1"],
                "platform": "ownmark",
                "inputs": [{"name": "images", "datatype": "UINT8", "shape": [-1, -1, -1, self.channels]}],
                "outputs": [
                    {"name": "label", "datatype": "INT64", "shape": [-1]}
                    if labels
                    else {"name": "probabilities", "datatype": "FP64", "shape": [-1, -1]}
                ],
            },
        }
        return known.get(path)

    def infer(self, body: bytes, size: int | None) -> tuple[bytes, int | None]:
        """The answer to a request whose JSON is `size` bytes long (None: all of it), and how long its own JSON is."""
        try:
            told = json.loads(body if size is None else body[:size])
            images = _images(told["inputs"], b"" if size is None else body[size:], self.channels)
            wanted = (told.get("outputs") or [{}])[0].get("parameters", {})
        except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError) as error:
            raise _RefusedError(400, f"the request is not understood: {error}") from error
        binary = wanted.get("binary_data", told.get("parameters", {}).get("binary_data_output", False))
        values = self._answers(images)
        name, kind, stored = ("label", "INT64", "<i8") if values.ndim == 1 else ("probabilities", "FP64", "<f8")
        output: dict[str, Any] = {"name": name, "datatype": kind, "shape": list(values.shape)}
        data = values.astype(stored).tobytes()
        output |= {"parameters": {"binary_data_size": len(data)}} if binary else {"data": values.ravel().tolist()}
        head = json.dumps({"model_name": self.name, "outputs": [output]}).encode()
        return (head + data, len(head)) if binary else (head, None)

    def _answers(self, images: npt.NDArray[np.uint8]) -> Floats:
        """Probabilities (n, classes), or labels (n,), as the hardening leaves them."""
        if self.harden is Harden.REFUSE:
            self._check_new(images)
        question = Question(frozenset({Reading.PROBABILITY}), np.zeros(len(images), dtype=np.int64))
        try:
            shares = np.asarray(self.suspect.read(images, question)[Reading.PROBABILITY], dtype=np.float64)
        except OwnmarkError as error:
            raise _RefusedError(400, str(error)) from error
        if self.harden is Harden.TOP1:
            return np.asarray(shares.argmax(axis=1))
        if self.harden is Harden.ROUND:
            return Rounded(DECIMALS).harden(shares)
        if self.harden is Harden.NOISE:
            with self.lock:
                return noisy(shares, NOISE, self.rng)
        return shares

    def _check_new(self, images: npt.NDArray[np.uint8]) -> None:
        """Refuses an image that looks like an earlier one: nobody who means well asks about nearly the same twice."""
        for image in images:
            rows, columns = (np.linspace(0, side, CELLS + 1).astype(int)[:-1] for side in image.shape[:2])
            small = np.add.reduceat(np.add.reduceat(image.mean(axis=2) / 255, rows, axis=0), columns, axis=1)
            small *= CELLS**2 / math.prod(image.shape[:2])
            with self.lock:
                near = any(old.shape == small.shape and np.abs(old - small).mean() < NEAR for old in self.seen)
                self.seen.append(small)
            if near:
                raise _RefusedError(403, "this was asked before")


def listening(service: Service, host: str, port: int) -> ThreadingHTTPServer:
    """A server that is bound and waits for `serve_forever`. Raises OSError if the port is taken."""
    handler = type("ServiceHandler", (_Handler,), {"service": service})
    return _Server((host, port), handler)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body are two packets, and the second must not wait for an answer to the first
    timeout = 60  # seconds that a connection may be silent
    service: Service

    def do_GET(self) -> None:
        told = self.service.about(self.path.rstrip("/"))
        status = 404 if told is None else 200
        self._say(json.dumps(told or {"error": f"there is no {self.path}"}).encode(), status)

    def do_POST(self) -> None:
        try:
            body = self._body()
            answer, head = self.service.infer(body, self._number(HEADER))
        except _RefusedError as refusal:
            self._say(json.dumps({"error": str(refusal)}).encode(), refusal.status)
            return
        self._say(answer, head=head)

    def _body(self) -> bytes:
        length = self._number("Content-Length")
        if length is None or length > MOST_BYTES:
            self.close_connection = True
            raise _RefusedError(413, f"a request has a Content-Length of at most {MOST_BYTES}")
        body = self.rfile.read(length)
        if self.path.rstrip("/") != f"/v2/models/{self.service.name}/infer":
            raise _RefusedError(404, f"there is no {self.path}")
        return body

    def _number(self, name: str) -> int | None:
        """A header that is a whole number."""
        value = self.headers.get(name)
        if value is not None and not value.isdecimal():
            raise _RefusedError(400, f"{name} is a whole number, got {value!r}")
        return None if value is None else int(value)

    def _say(self, body: bytes, status: int = 200, head: int | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json" if head is None else "application/octet-stream")
        self.send_header("Content-Length", str(len(body)))
        if head is not None:
            self.send_header(HEADER, str(head))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:  # noqa: ANN401 - as http.server has it
        """Requests are not told one by one."""


def _images(inputs: list[dict[str, Any]], rest: bytes, channels: int) -> npt.NDArray[np.uint8]:
    """The one input of a request: images (n, height, width, channels)."""
    (tensor,) = inputs
    shape = [int(size) for size in tensor["shape"]]
    if tensor["name"] != "images" or tensor["datatype"] != "UINT8" or len(shape) != IMAGES or shape[-1] != channels:
        raise ValueError(f"expected images, UINT8, (n, height, width, {channels}), got {str(tensor.get('name'))[:40]!r}, {shape}")
    if min(shape) < 1:
        raise ValueError("an empty tensor")
    held = (tensor.get("parameters") or {}).get("binary_data_size")
    values = np.frombuffer(rest[:held], np.uint8) if held is not None else np.asarray(tensor["data"])
    if values.dtype.kind not in "iu" or values.size != math.prod(shape) or values.min() < 0 or values.max() > 255:  # noqa: PLR2004
        raise ValueError(f"expected {math.prod(shape)} whole numbers in [0, 255], got {values.size} values")
    return values.astype(np.uint8).reshape(shape)

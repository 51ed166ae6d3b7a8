"""The Open Inference Protocol over gRPC, told as if it were HTTP: what is asked and answered is the same. No torch.

https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/open_inference_grpc.proto. The few messages
that are needed are written and read by hand, so that grpcio is the only library.
"""

import json
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit

import numpy as np

from ownmark.errors import AnswerError, UsageError
from ownmark.suspects.http.ledger import Reply
from ownmark.suspects.http.request import Request, filled
from ownmark.suspects.protobuf import VARINT, Field, as_field, as_varint, fields_of

if TYPE_CHECKING:
    import grpc

HEADER, TEXT = "inference-header-content-length", "BYTES"  # as in the protocol over HTTP
SCHEMES = ("grpc://", "grpcs://")
SERVICE = "/inference.GRPCInferenceService/"
NEAR = {"127.0.0.1", "localhost", "::1"}  # no proxy stands before these
BITS = 64  # of an integer in protobuf
INPUTS, OUTPUTS = 4, 5  # of a ModelMetadataResponse
FOUND, RAW = 5, 6  # of a ModelInferResponse
NAME, DATATYPE, SHAPE, HELD = 1, 2, 3, 5  # of a tensor
CONTENTS = {2: "<i4", 3: "<i8", 4: "<u4", 5: "<u8", 6: "<f4", 7: "<f8"}  # field of typed contents -> what it holds
FLOATS = {6, 7}  # those that are no varints
TEXTS = 8  # the field of texts
UNSERVED = {"UNAVAILABLE", "RESOURCE_EXHAUSTED", "UNAUTHENTICATED", "PERMISSION_DENIED"}  # the server did no work
AGAIN = {"UNAVAILABLE", "RESOURCE_EXHAUSTED", "DEADLINE_EXCEEDED", "ABORTED", "INTERNAL"}


class CallError(Exception):
    """A call that failed, by the name of gRPC's status and what the server says of it."""

    def __init__(self, status: str, said: str) -> None:
        Exception.__init__(self, f"answered with {status}: {said or 'no reason given'}")
        self.status = status

    @property
    def unserved(self) -> bool:
        """Whether the server did no work."""
        return self.status in UNSERVED

    @property
    def again(self) -> bool:
        """Whether another attempt makes sense."""
        return self.status in AGAIN


def needed() -> None:
    """Raises ModuleNotFoundError where grpcio is not installed."""
    import grpc  # noqa: F401 - only whether it is there


@dataclass
class Calls:
    """Calls to gRPC servers, each over one channel; `most_bytes`: of one answer."""

    most_bytes: int
    channels: dict[str, "grpc.Channel"] = field(default_factory=dict)
    opening: Lock = field(default_factory=Lock)

    def ask(self, request: Request, seconds: float) -> Reply:
        """The answer to a request of the protocol over HTTP. Raises CallError, and AnswerError for what cannot be read."""
        url = urlsplit(filled(request.url))
        model = url.path.partition("/v2/models/")[2].removesuffix("/infer")
        if not model:
            return Reply(200, {}, json.dumps({"extensions": ["binary_tensor_data"]}).encode())
        name, _, version = model.partition("/versions/")
        told = _text(1, name) + _text(2, version)
        call = partial(self._called, url, request, seconds)
        if request.method == "GET":
            return _metadata(call("ModelMetadata", told))
        return _tensors(call("ModelInfer", told + _asked(request)))

    def close(self) -> None:
        """Close every channel."""
        for channel in self.channels.values():
            channel.close()

    def _called(self, url: SplitResult, request: Request, seconds: float, method: str, message: bytes) -> bytes:
        import grpc

        call: Callable[..., bytes] = self._channel(url).unary_unary(f"{SERVICE}{method}", _same, _same)
        own = {"content-type", HEADER}
        metadata = [(name.lower(), filled(value)) for name, value in request.headers if name.lower() not in own]
        try:
            return call(message, timeout=seconds, metadata=metadata)
        except grpc.RpcError as error:
            raise CallError(error.code().name, error.details() or "") from error

    def _channel(self, url: SplitResult) -> "grpc.Channel":
        import grpc

        options = [
            ("grpc.max_receive_message_length", self.most_bytes),
            ("grpc.max_send_message_length", -1),
            ("grpc.enable_http_proxy", int(url.hostname not in NEAR)),
        ]
        with self.opening:
            key = f"{url.scheme}://{url.netloc}"
            if key not in self.channels:
                secure = url.scheme == "grpcs"
                credentials = grpc.ssl_channel_credentials() if secure else None
                self.channels[key] = (
                    grpc.secure_channel(url.netloc, credentials, options)
                    if secure
                    else grpc.insecure_channel(url.netloc, options)
                )
            return self.channels[key]


def _same(message: bytes) -> bytes:
    return message


def _asked(request: Request) -> bytes:
    """The rest of a ModelInferRequest: tensors, wanted outputs, and the tensors' bytes."""
    size = next((int(value) for name, value in request.headers if name.lower() == HEADER), len(request.body))
    told, rest = json.loads(request.body[:size]), request.body[size:]
    inputs, raw = [], []
    for tensor in told["inputs"]:
        shape = b"".join(as_varint(one) for one in tensor["shape"])
        inputs.append(as_field(5, _text(1, tensor["name"]) + _text(2, tensor["datatype"]) + as_field(3, shape)))
        if "data" in tensor:
            raise UsageError("gRPC sends tensors as bytes: leave --binary no out")
        held = tensor["parameters"]["binary_data_size"]
        raw.append(as_field(7, rest[:held]))
        rest = rest[held:]
    outputs = []
    for output in told.get("outputs", []):
        best = output.get("parameters", {}).get("classification")
        entry = b"" if best is None else as_field(2, _text(1, "classification") + as_field(2, _number(2, best)))
        outputs.append(as_field(6, _text(1, output["name"]) + entry))
    return b"".join((*inputs, *outputs, *raw))


def _metadata(message: bytes) -> Reply:
    """A ModelMetadataResponse as the JSON that the same server tells over HTTP."""
    told: dict[str, Any] = {"inputs": [], "outputs": []}
    with _readable():
        for one in fields_of(memoryview(message)):
            if one.number in {INPUTS, OUTPUTS}:
                name, datatype, shape, _ = _tensor(one)
                told["inputs" if one.number == INPUTS else "outputs"].append({"name": name, "datatype": datatype, "shape": shape})
    return Reply(200, {}, json.dumps(told).encode())


def _tensors(message: bytes) -> Reply:
    """A ModelInferResponse as the same server's answer over HTTP: JSON, and the tensors' bytes behind it."""
    with _readable():
        parts = list(fields_of(memoryview(message)))
        found = [_tensor(one) for one in parts if one.number == FOUND]
        raw = [bytes(one.value) for one in parts if one.number == RAW]
        told, tail = [], b""
        for place, (name, datatype, shape, contents) in enumerate(found):
            output: dict[str, Any] = {"name": name, "datatype": datatype, "shape": shape}
            if datatype == TEXT:
                output["data"] = contents or list(_texts(raw[place]))
            elif contents:
                output["data"] = contents
            else:
                bytes_held = raw[place] if raw or 0 not in shape else b""
                output["parameters"] = {"binary_data_size": len(bytes_held)}
                tail += bytes_held
            told.append(output)
    head = json.dumps({"outputs": told}).encode()
    return Reply(200, {HEADER: str(len(head))} if tail else {}, head + tail)


@contextmanager
def _readable() -> Iterator[None]:
    """Whatever a stranger's bytes raise is an AnswerError."""
    try:
        yield
    except (ValueError, LookupError, struct.error, OverflowError) as error:
        raise AnswerError(f"the answer does not follow the Open Inference Protocol: {error}") from error


def _tensor(held: Field) -> tuple[str, str, list[int], list[Any]]:
    """Name, data type, shape and typed contents of a tensor; none where these are raw, as MLServer writes them."""
    name, datatype, shape, contents = "", "", list[int](), list[Any]()
    for one in fields_of(memoryview(held.value)):
        if one.number == NAME:
            name = bytes(one.value).decode()
        elif one.number == DATATYPE:
            datatype = bytes(one.value).decode()
        elif one.number == SHAPE:
            shape += _integers(one)
        elif one.number == HELD:
            contents = _contents(one)
    return name, datatype, shape, contents


def _contents(held: Field) -> list[Any]:
    """The values of InferTensorContents, of whichever type it is."""
    found: list[Any] = []
    for one in fields_of(memoryview(held.value)):
        if one.number == TEXTS:
            found.append(bytes(one.value).decode())
        elif one.number in FLOATS:
            found += np.frombuffer(bytes(one.value), CONTENTS[one.number]).tolist()
        else:
            found += _integers(one)
    return found


def _integers(held: Field) -> Sequence[int]:
    """One integer, or several that are packed."""
    if held.written[0] & 7 == VARINT:
        return [_signed(int.from_bytes(held.value, "big"))]
    found, value, place = [], 0, 0
    for byte in bytes(held.value):
        value |= (byte & 127) << place
        place += 7
        if byte < 128:  # noqa: PLR2004 - the highest bit marks a continuation
            found.append(_signed(value))
            value, place = 0, 0
    return found


def _signed(value: int) -> int:
    return value - (1 << BITS) if value >> (BITS - 1) & 1 else value


def _texts(raw: bytes) -> Iterator[str]:
    """Texts as bytes, each behind its length."""
    at = 0
    while at < len(raw):
        (size,) = struct.unpack_from("<I", raw, at)
        yield raw[at + 4 : at + 4 + size].decode()
        at += 4 + size


def _text(number: int, value: str) -> bytes:
    return as_field(number, value.encode()) if value else b""


def _number(number: int, value: int) -> bytes:
    return as_varint(number << 3) + as_varint(value)

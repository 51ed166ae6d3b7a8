"""A suspect behind gRPC is asked the very same and gets the same verdict; what fails there fails as over HTTP."""

import json
import struct
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from asking import COUNT, NAMES
from branded import TRIGGERS, Branded, branded_claim
from loopback import Asked, transport
from torch import nn
from v2_server import V2
from workshop import ownmark

from ownmark.claims.claim import Claim
from ownmark.errors import SuspectError, UsageError
from ownmark.suspects.http.grpc_calls import _tensors
from ownmark.suspects.http.oip import Dialect, Oip
from ownmark.suspects.http.v2 import tensor
from ownmark.suspects.local import Local
from ownmark.suspects.open import opener_of
from ownmark.verdicts.verdict import Outcome
from ownmark.verdicts.verify import verify

grpc = pytest.importorskip("grpc", reason="gRPC needs grpcio: pip install 'ownmark[grpc]'")
Method = Callable[[bytes], bytes]


def varint(value: int) -> bytes:
    value &= 2**64 - 1
    parts = []
    while value > 127:
        parts.append(value & 127 | 128)
        value >>= 7
    return bytes([*parts, value])


def held(number: int, value: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(value)) + value


def read(message: bytes) -> list[tuple[int, Any]]:
    """Numbers and values of a message, written from protobuf's text alone."""
    found: list[tuple[int, Any]] = []
    at = 0

    def number() -> int:
        nonlocal at
        value = place = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 127) << place
            place += 7
            if byte < 128:
                return value

    while at < len(message):
        key = number()
        if key & 7 == 0:
            found.append((key >> 3, number()))
            continue
        size = number()
        found.append((key >> 3, message[at : at + size]))
        at += size
    return found


def packed(values: Any) -> bytes:
    return b"".join(map(varint, values))


class Server:
    """What a server of the protocol over HTTP says, said over gRPC; `typed`: as values, as KServe does, not as bytes."""

    def __init__(self, inner: V2, *, typed: bool = False) -> None:
        self.inner, self.typed, self.calls = inner, typed, 0

    def metadata(self, message: bytes) -> bytes:
        assert read(message) == [(1, b"suspect")]
        told = json.loads(self.inner(Asked("GET", "/v2/models/suspect", {}, b"", 0)).body)
        parts = [held(1, b"suspect"), held(3, b"torch")]
        for number, kind in ((4, "inputs"), (5, "outputs")):
            for one in told[kind]:
                tensor = held(1, one["name"].encode()) + held(2, one["datatype"].encode()) + held(3, packed(one["shape"]))
                parts.append(held(number, tensor))
        return b"".join(parts)

    def infer(self, message: bytes) -> bytes:
        self.calls += 1
        parts = read(message)
        tensor, raw = dict(read(dict(parts)[5])), dict(parts)[7]
        shape = [byte for byte in tensor[3] if byte < 128]
        head: dict[str, Any] = {"inputs": [{"name": tensor[1].decode(), "datatype": tensor[2].decode(), "shape": shape}]}
        head["inputs"][0]["parameters"] = {"binary_data_size": len(raw)}
        for number, value in parts:
            if number == 6:
                wanted = dict(read(value))
                best = dict(read(dict(read(wanted[2]))[2]))[2] if 2 in wanted else 0
                options = {"classification": best} if best else {"binary_data": True}
                head["outputs"] = [{"name": wanted[1].decode(), "parameters": options}]
        text = json.dumps(head).encode()
        asked = {"inference-header-content-length": str(len(text))}
        said = self.inner(Asked("POST", "/v2/models/suspect/infer", asked, text + raw, 0))
        size = int(said.headers.get("Inference-Header-Content-Length", len(said.body)))
        return self._said(json.loads(said.body[:size])["outputs"], said.body[size:])

    def _said(self, outputs: list[dict[str, Any]], raw: bytes) -> bytes:
        (one,) = outputs
        tensor = held(1, one["name"].encode()) + held(2, one["datatype"].encode()) + held(3, packed(one["shape"]))
        if "data" in one:
            texts = [word.encode() for word in one["data"]]
            if self.typed:
                return held(5, tensor + held(5, b"".join(held(8, text) for text in texts)))
            return held(5, tensor) + held(6, b"".join(struct.pack("<I", len(text)) + text for text in texts))
        empty = held(5, b"")  # as MLServer writes beside raw bytes
        return held(5, tensor + held(5, held(6, raw))) if self.typed else held(5, tensor + empty) + held(6, raw)


@contextmanager
def serving(methods: dict[str, Method]) -> Iterator[str]:
    """The address of a model behind a gRPC server with these methods."""

    def handler(method: Method) -> Any:
        return grpc.unary_unary_rpc_method_handler(lambda message, _: method(message))

    handlers = {name: handler(method) for name, method in methods.items()}
    server = grpc.server(ThreadPoolExecutor(4))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("inference.GRPCInferenceService", handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"grpc://127.0.0.1:{port}/v2/models/suspect"
    finally:
        server.stop(None).wait()


def methods(one: Server) -> dict[str, Method]:
    return {"ModelMetadata": one.metadata, "ModelInfer": one.infer}


@pytest.mark.parametrize("typed", [False, True])
def test_a_model_behind_grpc_gives_its_own_verdict(typed: bool, model: nn.Module, claim: Claim) -> None:  # noqa: FBT001
    own = verify(claim, Local(model))
    one = Server(V2(model), typed=typed)
    with serving(methods(one)) as url, transport() as carrier:
        verdict = verify(claim, Oip(url, len(NAMES), carrier))
        assert carrier.ledger.spent == one.calls == 2 * COUNT + 3
    assert (verdict.outcome, verdict.deciding.score, verdict.deciding.p) == (own.outcome, own.deciding.score, own.deciding.p)


@pytest.mark.parametrize("typed", [False, True])
def test_the_best_classes_over_grpc_are_read_as_text(typed: bool) -> None:  # noqa: FBT001
    marked = branded_claim()
    with serving(methods(Server(V2(Branded(marked)), typed=typed))) as url, transport() as carrier:
        verdict = verify(marked, Oip(url, len(NAMES), carrier, dialect=Dialect(best=1)), alpha=1e-3)
    assert (verdict.outcome, verdict.deciding.score) == (Outcome.MATCH, 1)


def refusing(_: bytes) -> bytes:
    raise PermissionError("no such key")


def test_what_fails_over_grpc_is_an_error_and_never_innocence(model: nn.Module, claim: Claim) -> None:
    broken = {"ModelMetadata": Server(V2(model)).metadata, "ModelInfer": refusing}
    with serving(broken) as url, transport() as carrier, pytest.raises(SuspectError, match=r"UNKNOWN.*no such key"):
        verify(claim, Oip(url, len(NAMES), carrier))
    babbling = {**broken, "ModelInfer": lambda _: b"\xff\xff"}
    with serving(babbling) as url, transport() as carrier, pytest.raises(SuspectError, match="does not follow"):
        verify(claim, Oip(url, len(NAMES), carrier))
    with transport() as carrier:
        with pytest.raises(SuspectError, match="UNAVAILABLE"):
            verify(claim, Oip("grpc://127.0.0.1:1/v2/models/suspect", len(NAMES), carrier))
        assert carrier.ledger.spent == 0


@pytest.fixture
def marked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Claim:
    """A claim, which lies in the working folder as my.claim."""
    monkeypatch.chdir(tmp_path)
    claim = branded_claim()
    claim.save("my.claim")
    return claim


def test_a_scan_and_a_verdict_by_the_command_line_take_the_address(marked: Claim, capsys: pytest.CaptureFixture[str]) -> None:
    with serving(methods(Server(V2(Branded(marked))))) as url:
        ran = ownmark(capsys, "verify", "my.claim", url, "--json", "--alpha", "1e-3")
    assert (ran.code, ran.record["queries"]) == (0, TRIGGERS)
    assert opener_of(url).remote
    assert ownmark(capsys, "verify", "my.claim", url, "--api", "mlflow").code == 2


def test_a_verdict_after_a_scan_by_the_same_way_of_asking_goes_on_in_the_ledger_of_the_address(
    marked: Claim, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(methods(Server(V2(Branded(marked))))) as url:
        scanned = ownmark(capsys, "scan", "my.claim", url, "--access", "labels", "--last")
        found = ownmark(capsys, "verify", "my.claim", url, "--access", "labels", "--json", "--alpha", "1e-3")
        refused = ownmark(capsys, "verify", "my.claim", url, "--json", "--alpha", "1e-3")
    assert (scanned.code, found.code, refused.code) == (0, 0, 2)


def test_nan_over_grpc_is_unusable_as_everywhere(claim: Claim, model: nn.Module) -> None:
    one = Server(V2(model, edit=lambda scores: scores * np.float32("nan")))
    with serving(methods(one)) as url, transport() as carrier, pytest.raises(SuspectError, match="NaN"):
        verify(claim, Oip(url, len(NAMES), carrier))


@pytest.mark.parametrize("raw", [b"", held(6, b"")])
def test_a_tensor_of_nothing_over_grpc_is_one_whether_it_is_raw_or_typed(raw: bytes) -> None:
    message = held(5, held(1, b"boxes") + held(2, b"FP32") + held(3, varint(0) + varint(4))) + raw
    assert tensor(_tensors(message), "boxes").shape == (0, 4)


def test_an_address_of_grpc_belongs_to_no_mapping() -> None:
    from ownmark.suspects.http.mapping import Mapping

    with pytest.raises(UsageError, match="http"):
        Mapping.read("mlflow", "grpc://host/x")

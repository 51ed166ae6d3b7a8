"""Small servers on 127.0.0.1 that do what a test tells them, well or badly, and remember what they were asked."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from ownmark.suspects.http.transport import Limits, Transport

# Hasty between attempts only: on a busy machine a short silence would be a second query, and tests count queries.
HASTY = Limits(silence=30, longest=60, attempts=3, backoff=0.01, patience=3)


@dataclass(frozen=True)
class Asked:
    """One request as the server saw it; `place` counts the requests from 0."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    place: int

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Said:
    """One answer; `pieces`, if given, are written one by one in place of the body, and the connection is closed after them."""

    body: bytes = b"{}"
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    pieces: Iterator[bytes] | None = None


def said(answer: Any, status: int = 200, **headers: str) -> Said:
    """An answer in JSON."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Said(json.dumps(answer).encode(), status, {"content-type": "application/json", **named})


@dataclass
class Server:
    """Where it listens and what it was asked so far; `most`: requests that were under way at once."""

    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    busy: int = 0
    most: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def queries(self) -> list[Asked]:
        return [one for one in self.asked if one.method == "POST"]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body are two packets, and the second must not wait for an answer to the first
    state: Server
    script: Callable[[Asked], Said]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        names = {name.lower(): value for name, value in self.headers.items()}
        with self.state.lock:
            asked = Asked(self.command, self.path, names, body, len(self.state.asked))
            self.state.asked.append(asked)
            self.state.busy += 1
            self.state.most = max(self.state.most, self.state.busy)
        answer = type(self).script(asked)
        with self.state.lock:
            self.state.busy -= 1
        try:
            self._say(answer)
        except OSError:
            self.close_connection = True  # the judge has had enough

    do_GET = do_POST  # noqa: N815 - the name that http.server looks for

    def _say(self, answer: Said) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.pieces is None:
            self.send_header("content-length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)
            return
        self.end_headers()
        self.close_connection = True
        for piece in answer.pieces:
            self.wfile.write(piece)
            self.wfile.flush()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


class _Quiet(ThreadingHTTPServer):
    request_queue_size = 64
    daemon_threads = True


@contextmanager
def serving(script: Callable[[Asked], Said]) -> Iterator[Server]:
    """A server that answers by `script`."""
    state = Server()
    handler = type("Handler", (_Handler,), {"state": state, "script": staticmethod(script)})
    server = _Quiet(("127.0.0.1", 0), handler)
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def transport(limits: Limits = HASTY, **given: Any) -> Iterator[Transport]:
    """A transport that is closed after the test."""
    carrier = Transport(limits, **given)
    try:
        yield carrier
    finally:
        carrier.close()

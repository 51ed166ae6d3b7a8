"""Serve a model, to try out how a judge asks it from afar; no server for the public. No torch, unless the model needs it."""

from contextlib import suppress
from dataclasses import dataclass, replace
from http.server import ThreadingHTTPServer
from pathlib import Path

import numpy as np

from ownmark.errors import UsageError
from ownmark.suspects.open import Access, opener_of
from ownmark.workflows.oip_server import Harden, Service, listening
from ownmark.workflows.watching import NOBODY, Watcher


@dataclass(frozen=True, kw_only=True)
class ServeRequest:
    """`model`: its name, as the registry of suspects reads it; `near`: how it is read (0 classes: it knows them).

    `harden`: what is done to its answers; `name`: what it is called in the address; `port`: 0 takes any that is free.
    """

    model: str
    near: Access
    weights: Path | None = None
    channels: int = 3
    harden: Harden = Harden.NONE
    host: str = "127.0.0.1"
    port: int = 8000
    name: str = "suspect"
    seed: int = 0


@dataclass(frozen=True)
class ServeResult:
    """A server that listens at `url` and answers while `run` goes on."""

    url: str
    harden: Harden
    server: ThreadingHTTPServer
    watcher: Watcher = NOBODY

    def run(self) -> None:
        """Answer until Ctrl-C, or until another thread calls `server.shutdown()`."""
        with self.server, suppress(KeyboardInterrupt):
            self.watcher.note("Ctrl-C stops it.")
            self.server.serve_forever()


def serve(request: ServeRequest, watcher: Watcher = NOBODY) -> ServeResult:
    """Open the model and begin to listen."""
    name = request.name
    if not name.replace("-", "").replace("_", "").isalnum() or not name.isascii():
        raise UsageError(f"--name must consist of letters, digits, - and _, got {name!r}")
    if not request.near.classes and opener_of(request.model).built:
        raise UsageError(f"pass the number of classes of {request.model}: --classes N")
    suspect = replace(request.near, note=watcher.note).suspect(request.model, request.weights)
    service = Service(suspect, name, request.channels, request.harden, np.random.default_rng(request.seed))
    try:
        server = listening(service, request.host, request.port)
    except (OSError, UnicodeError) as error:
        raise UsageError(f"cannot listen at {request.host}:{request.port}: {error}; name another --port") from error
    url = f"http://{request.host}:{server.server_address[1]}/v2/models/{name}"
    return ServeResult(url, request.harden, server, watcher)

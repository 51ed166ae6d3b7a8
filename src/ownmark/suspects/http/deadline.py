"""One deadline for a whole exchange with a server, from connecting to the last byte. No torch.

A timeout by itself bounds one read, so a server that sends one byte at a time could hold a client for ever: in its status line,
its headers, its interim responses or its trailers. Here each read may take no longer than the time left.
"""

import queue
import socket
import ssl
import threading
import time
from dataclasses import dataclass
from typing import Any

import httpcore2

PIECE = 4096  # bytes sent between two checks of the clock


class Deadline(threading.local):
    """When the current exchange of this thread must end; `at` is a time of `time.monotonic`."""

    at: float = float("inf")

    def begin(self, seconds: float) -> None:
        """From now on everything that this thread reads, writes and connects to must end after so many seconds."""
        self.at = time.monotonic() + seconds

    @property
    def over(self) -> bool:
        return time.monotonic() >= self.at

    def left(self, timeout: float | None, failure: type[Exception]) -> float | None:
        """Seconds for the next step: at most `timeout` and at most the time left. Raises `failure` if none is left."""
        left = self.at - time.monotonic()
        if left <= 0:
            raise failure("the time limit for one exchange has expired")
        return timeout if left == float("inf") else left if timeout is None else min(timeout, left)


@dataclass(frozen=True, eq=False)
class TimedStream(httpcore2.NetworkStream):
    """A connection whose every step ends by the deadline."""

    inner: httpcore2.NetworkStream
    deadline: Deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self.inner.read(max_bytes, self.deadline.left(timeout, httpcore2.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        for start in range(0, len(buffer), PIECE):
            self.inner.write(buffer[start : start + PIECE], self.deadline.left(timeout, httpcore2.WriteTimeout))

    def close(self) -> None:
        self.inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        left = self.deadline.left(timeout, httpcore2.ConnectTimeout)
        return TimedStream(self.inner.start_tls(ssl_context, server_hostname, left), self.deadline)

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401 - the library's signature
        return self.inner.get_extra_info(info)


@dataclass(frozen=True, eq=False)
class TimedBackend(httpcore2.NetworkBackend):
    """Resolves a name and connects by the deadline, however many addresses the name has."""

    deadline: Deadline
    inner: httpcore2.NetworkBackend

    def connect_tcp(self, host: str, port: int, timeout: float | None = None, *options: Any, **named: Any) -> TimedStream:  # noqa: ANN401
        failure: Exception = httpcore2.ConnectError(f"cannot resolve the name {host}")
        for address in _addresses(host, port, self.deadline.left(timeout, httpcore2.ConnectTimeout)):
            left = self.deadline.left(timeout, httpcore2.ConnectTimeout)
            try:
                return TimedStream(self.inner.connect_tcp(address, port, left, *options, **named), self.deadline)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
        raise failure

    def sleep(self, seconds: float) -> None:
        self.inner.sleep(seconds)


def _addresses(host: str, port: int, seconds: float | None) -> tuple[str, ...]:
    """The addresses of a name, if they are found in so many seconds. The system's resolver has no limit of its own to set.

    It runs in a thread that nobody waits for any longer then; the thread ends when the resolver does, or with the process.
    """
    answers: queue.SimpleQueue[tuple[str, ...] | Exception] = queue.SimpleQueue()
    threading.Thread(target=lambda: answers.put(_resolved(host, port)), daemon=True, name=f"resolving {host}").start()
    try:
        found = answers.get(timeout=seconds)
    except queue.Empty as error:
        raise httpcore2.ConnectTimeout(f"the name {host} was not resolved in time") from error
    if isinstance(found, Exception):
        raise httpcore2.ConnectError(str(found)) from found
    return found


def _resolved(host: str, port: int) -> tuple[str, ...] | Exception:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        return error
    return tuple(dict.fromkeys(str(one[4][0]) for one in found))


def timed(transport: object, deadline: Deadline) -> None:
    """Make an HTTP transport's connections end by the deadline; it has no public interface for this."""
    pool = vars(transport)["_pool"]
    pool._network_backend = TimedBackend(deadline, httpcore2.SyncBackend())  # noqa: SLF001 - see above; slow drips are tested

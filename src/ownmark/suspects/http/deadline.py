"""One deadline for a whole exchange with a server, from connecting to the last byte. No torch.

A time-out by itself bounds one read, so that a server which says one byte at a time is listened to for ever: in its status line,
its headers, its interim answers or its trailers. Here each read may take no longer than what is left.
"""

import socket
import ssl
import threading
import time
from dataclasses import dataclass
from typing import Any

import httpcore2

PIECE = 4096  # bytes that are sent between two looks at the clock


class Deadline(threading.local):
    """When the exchange that this thread carries on must be over; `at` is a time of `time.monotonic`."""

    at: float = float("inf")

    def begin(self, seconds: float) -> None:
        """All that this thread reads, writes and connects to from now on is over after so many seconds."""
        self.at = time.monotonic() + seconds

    @property
    def over(self) -> bool:
        return time.monotonic() >= self.at

    def left(self, timeout: float | None, failure: type[Exception]) -> float | None:
        """Seconds for the next step: no more than `timeout`, and than what is left. Raises `failure` if nothing is."""
        left = self.at - time.monotonic()
        if left <= 0:
            raise failure("the time for one exchange is over")
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
    """Connects by the deadline, however many addresses a name has. Looking the name up is the system's, with its own limits."""

    deadline: Deadline
    inner: httpcore2.NetworkBackend

    def connect_tcp(self, host: str, port: int, timeout: float | None = None, *options: Any, **named: Any) -> TimedStream:  # noqa: ANN401 - handed on
        failure: Exception = httpcore2.ConnectError(f"nobody knows the name {host}")
        for address in _addresses(host, port):
            left = self.deadline.left(timeout, httpcore2.ConnectTimeout)
            try:
                return TimedStream(self.inner.connect_tcp(address, port, left, *options, **named), self.deadline)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
        raise failure

    def sleep(self, seconds: float) -> None:
        self.inner.sleep(seconds)


def _addresses(host: str, port: int) -> tuple[str, ...]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise httpcore2.ConnectError(str(error)) from error
    return tuple(dict.fromkeys(str(one[4][0]) for one in found))


def timed(transport: object, deadline: Deadline) -> None:
    """Let an HTTP transport's connections end by the deadline. It has no public way to be handed them."""
    pool = vars(transport)["_pool"]
    pool._network_backend = TimedBackend(deadline, httpcore2.SyncBackend())  # noqa: SLF001 - see above; drips are tested

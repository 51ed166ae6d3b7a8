"""HTTP between a judge and a suspect, bounded in time, size, retries, redirects and queries. No torch.

Every request is in the ledger. A dead, slow or broken server raises SuspectError and never counts as an answer.
"""

import logging
import ssl
import threading
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TypeVar

import httpx2
import stamina

from ownmark.errors import AnswerError, SuspectError, UsageError, blamed, escaped
from ownmark.suspects.http.deadline import Deadline, timed
from ownmark.suspects.http.grpc_calls import SCHEMES, CallError, Calls
from ownmark.suspects.http.ledger import Ledger, Reply
from ownmark.suspects.http.pace import Pace, seconds_of
from ownmark.suspects.http.request import SAID, Request, filled, redacted, redacted_bytes, scrubbed, secrets

Parsed = TypeVar("Parsed")
PLAIN = (("accept", "*/*"), ("accept-encoding", "identity"), ("user-agent", "ownmark"))  # headers of every request
KEPT = ("content-type", "inference-header-content-length")  # headers needed to parse a body
MOVED, HOPS = {307, 308}, 3  # redirects that keep the body, and the most to follow in a row
BROKEN = 500  # which a server also says of a request that it cannot read
BUSY, DENIED = {408, 425, 429, 500, 502, 503, 504}, {401, 402, 403}
UNSERVED = BUSY - {408, 500, 504} | DENIED  # statuses by which the server says that it did no work
PREPARED = 3  # ledger entries prepared per request in flight, so that a disk sync does not stall the connection

logging.getLogger("stamina").addHandler(logging.NullHandler())  # the library is silent
logging.getLogger("httpx2").addFilter(lambda record: record.levelno > logging.INFO)  # its messages contain addresses with keys


@dataclass(frozen=True)
class Limits:
    """How a server may be used: seconds, unless a field says otherwise.

    `silence` without a byte, `longest` for one answer in total, `attempts` per request, `backoff` before the second one (it
    doubles), `patience`: the longest Retry-After to wait for, `most_bytes` per unpacked answer, `per_second` requests
    (0: unlimited), `at_once` requests, `most_queries` images in total, retries included.
    """

    silence: float = 30
    longest: float = 120
    attempts: int = 5
    backoff: float = 0.5
    patience: float = 300
    most_bytes: int = 16 * 2**20
    per_second: float = 0
    at_once: int = 8
    most_queries: int | None = None

    def __post_init__(self) -> None:
        positive = (self.silence, self.longest, self.attempts, self.most_bytes, self.at_once)
        if min(positive) <= 0 or min(self.backoff, self.patience, self.per_second, self.most_queries or 0) < 0:
            raise UsageError(f"limits must be positive numbers, got {self}")


class _AttemptError(SuspectError):
    """One attempt failed. `why` is for the ledger; `unserved`: the server did no work, so nothing is spent; `delay`: to wait.

    `status` and `body`: what the server answered, None and b"" if nothing.
    """

    def __init__(self, message: str, why: str, *, unserved: bool = False, again: bool = True, delay: float | None = None) -> None:
        super().__init__(message)
        self.why, self.unserved, self.again, self.delay = why, unserved, again, delay
        self.status: int | None = None
        self.body = b""


@cache
def _trust() -> ssl.SSLContext:
    """The certificates that servers are checked against; reading them takes longest of all, so a process does it once."""
    return httpx2.create_ssl_context()


class Transport:
    """Sends requests and returns their answers in order. Requests answered in the ledger are not sent again."""

    def __init__(self, limits: Limits = Limits(), ledger: Ledger | None = None) -> None:
        self.limits, self.ledger = limits, ledger or Ledger()
        direct = {f"all://{host}": httpx2.HTTPTransport(verify=_trust()) for host in ("127.0.0.1", "localhost", "[::1]")}
        pool = httpx2.Limits(max_connections=limits.at_once, max_keepalive_connections=limits.at_once)
        timeout = httpx2.Timeout(limits.silence, pool=None)
        self._client = httpx2.Client(verify=_trust(), timeout=timeout, limits=pool, mounts=direct)
        self._deadline = Deadline()
        for carrier in (self._client._transport, *self._client._mounts.values()):  # noqa: SLF001 - see `timed`
            if carrier is not None:
                timed(carrier, self._deadline)
        self._calls = Calls(limits.most_bytes)
        self._slots = threading.Semaphore(limits.at_once)
        self._pace = Pace(limits.per_second)
        self._alone: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    def ask(self, count: int, request: Callable[[int], Request], parse: Callable[[Reply], Parsed]) -> list[Parsed]:
        """The values that `parse` reads from the answers to `request(0)` ... `request(count - 1)`, in that order.

        Stops at the first failure. Raises UsageError before the first request if the budget would be exceeded, SuspectError if
        the server fails, and whatever `parse` raises.
        """
        self.check_budget(count, request)
        return self.gather(count, request, parse)

    def gather(self, count: int, request: Callable[[int], Request], parse: Callable[[Reply], Parsed]) -> list[Parsed]:
        """As `ask`, for requests whose budget was checked before."""
        pool = ThreadPoolExecutor(min(count, PREPARED * self.limits.at_once) or 1)
        try:
            futures = [pool.submit(self._one, request, place, parse) for place in range(count)]
            wait(futures, return_when=FIRST_EXCEPTION)
            for future in futures:
                if future.done():
                    future.result()
            return [future.result() for future in futures]
        finally:
            pool.shutdown(cancel_futures=True)

    def check_budget(self, count: int, request: Callable[[int], Request]) -> None:
        """Raises UsageError if so many requests, without those answered in the ledger, would exceed the budget."""
        most = self.limits.most_queries
        if most is None:
            return
        asked = {one.digest: one.queries for one in map(request, range(count))}
        needed = sum(queries for digest, queries in asked.items() if self.ledger.answer(digest) is None)
        if self.ledger.spent + needed > most:
            raise UsageError(
                f"the test takes {needed} queries and {self.ledger.spent} are spent, but the limit is {most}: raise the limit"
            )

    def send(self, request: Request) -> Reply:
        """The answer to one request, from the ledger if it is there. Raises SuspectError."""
        known = self.ledger.answer(request.digest) if request.queries else None
        return known or self._persist(request)

    def close(self) -> None:
        """Close the connections and the ledger."""
        self._client.close()
        self._calls.close()
        self.ledger.close()

    def _one(self, request: Callable[[int], Request], place: int, parse: Callable[[Reply], Parsed]) -> Parsed:
        """One parsed answer. Equal requests wait for each other, so that the second finds the first one's answer."""
        asked = request(place)
        digest = asked.digest
        with self._alone[digest]:
            reply = self.send(asked)
            try:
                with blamed(AnswerError, f"cannot read the answer of {asked.url}"):  # a server may answer anything
                    return parse(reply)
            except AnswerError:
                self.ledger.reject(digest, "unusable")
                raise

    def _persist(self, request: Request) -> Reply:
        """Retry until an attempt succeeds or another one is pointless."""
        limits = self.limits
        for text in (request.url, *(value for _, value in request.headers)):
            filled(text)  # detects a missing key before anything is entered
        context = stamina.retry_context(
            on=_delay,
            attempts=limits.attempts,
            timeout=None,
            wait_initial=limits.backoff,
            wait_max=limits.backoff * 2**limits.attempts,
            wait_jitter=limits.backoff / 2,
        )
        broken: set[bytes] = set()  # bodies of status 500
        try:
            for attempt in context:
                with attempt:
                    return self._attempt(request, broken)
        except _AttemptError as failure:
            tried = f" ({limits.attempts} attempts)" if failure.again else ""
            if failure.status == BROKEN and not failure.again:
                tried = " (2 attempts with the same answer: perhaps the request is wrong, not the server)"
            raise SuspectError(f"{request.url}: {failure}{tried}; the answers so far are kept") from failure
        raise SuspectError(f"{request.url} was not asked")  # unreachable: there is at least one attempt

    def _attempt(self, request: Request, broken: set[bytes]) -> Reply:
        number = self.ledger.send(request.digest, request.queries, self.limits.most_queries)
        try:
            with self._slots:
                self._pace.wait()
                reply = self._exchange(request)
        except _AttemptError as failure:
            if failure.status == BROKEN:
                failure.again = failure.again and failure.body not in broken
                broken.add(failure.body)
            if failure.delay is not None and failure.again:
                self._pace.pause(failure.delay)
            spent = 0 if failure.unserved else request.queries
            self.ledger.fail(number, failure.why, queries=spent, refunded=request.queries - spent, status=failure.status)
            raise
        self.ledger.complete(number, reply, request.queries)
        return reply

    def _exchange(self, request: Request) -> Reply:
        """One exchange with the server; a failure says whether the server may have done work."""
        hidden = secrets(request)
        self._deadline.begin(self.limits.longest)
        try:
            grpc = request.url.startswith(SCHEMES)
            reply = self._calls.ask(request, self.limits.longest) if grpc else self._followed(request)
        except CallError as error:
            told = scrubbed(str(error), hidden)
            raise _AttemptError(told, f"status {error.status}", unserved=error.unserved, again=error.again) from error
        except AnswerError as error:
            raise _AttemptError(scrubbed(str(error), hidden), "unreadable", again=False) from error
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
            raise _AttemptError(f"cannot be reached: {scrubbed(str(error), hidden)}", "unreachable", unserved=True) from error
        except httpx2.TimeoutException as error:
            slow = f"took longer than {self.limits.longest:g} s for one answer"
            told = slow if self._deadline.over else f"sent nothing for {self.limits.silence:g} s"
            raise _AttemptError(told, "timeout") from error
        except httpx2.TransportError as error:
            raise _AttemptError(f"broke the connection: {scrubbed(str(error), hidden)}", "broken") from error
        except httpx2.InvalidURL as error:
            raise _AttemptError("is not a web address or redirects to something that is not", "moved", again=False) from error
        kept = {name: redacted(reply.headers[name], hidden) for name in KEPT if name in reply.headers}
        clean = Reply(reply.status, kept, redacted_bytes(reply.body, hidden))  # a server may echo the key that it received
        if not 200 <= reply.status < 300:  # noqa: PLR2004 - success, as HTTP defines it
            raise self._refusal(clean, reply.headers.get("retry-after"))
        return clean

    def _followed(self, request: Request) -> Reply:
        """The answer, after redirects within the same server."""
        url, hidden = _address(filled(request.url)), secrets(request)
        headers = [*PLAIN, *((name, filled(value)) for name, value in request.headers)]
        for _ in range(HOPS):
            sent = httpx2.Request(request.method, url, headers=headers, content=request.body or None)
            with closing(self._client.send(sent, stream=True)) as response:
                if not response.has_redirect_location:
                    return Reply(response.status_code, dict(response.headers), b"".join(self._body(response)))
                target, status = url.join(response.headers["location"]), response.status_code
            if (target.scheme, target.host, target.port) != (url.scheme, url.host, url.port):
                where = scrubbed(f"{target.scheme}://{target.host}", hidden)
                raise _AttemptError(
                    f"redirects to another server, {where}: name that one if it is the suspect", "moved", again=False
                )
            if status not in MOVED and request.method != "GET":
                where = scrubbed(target.path, hidden)
                raise _AttemptError(f"moved to {where} (status {status}): name that address", "moved", again=False)
            url = target
        raise _AttemptError(f"redirects more than {HOPS} times", "moved", again=False)

    def _body(self, response: httpx2.Response) -> Iterator[bytes]:
        """The unpacked body, bounded in size and time."""
        packing = response.headers.get("content-encoding", "identity").lower()
        if packing not in {"identity", "gzip", "deflate"}:
            raise _AttemptError(f"encodes its answers as {packing[:SAID]!r}, which was not requested", "unreadable", again=False)
        room, unpack = self.limits.most_bytes, None if packing == "identity" else zlib.decompressobj(47)
        for chunk in response.iter_raw():
            try:
                part = chunk if unpack is None else unpack.decompress(chunk, room + 1)
            except zlib.error as error:
                raise _AttemptError(f"sent a corrupt {packing} body", "unreadable") from error
            room -= len(part)
            if room < 0 or (unpack is not None and unpack.unconsumed_tail):
                raise _AttemptError(f"sent more than {self.limits.most_bytes} bytes", "too large", again=False)
            if unpack is not None and unpack.unused_data:
                raise _AttemptError(f"sent data after its {packing} body", "unreadable", again=False)
            yield part
        if unpack is not None and not unpack.eof:
            raise _AttemptError(f"sent a truncated {packing} body", "unreadable")

    def _refusal(self, reply: Reply, retry_after: str | None) -> _AttemptError:
        """The failure that an error status means."""
        said = " ".join(reply.body[: 4 * SAID].decode("utf-8", "replace").split())
        shown = escaped(said[:SAID])
        message, why = f"answered with status {reply.status}: {shown or 'no reason given'}", f"status {reply.status}"
        delay, again = seconds_of(retry_after), reply.status in BUSY
        if reply.status in DENIED:
            message = f"refused access with status {reply.status}: check the key and run again"
        elif again and delay is not None and delay > self.limits.patience:
            message, again = f"asked to wait for {delay:g} s (status {reply.status}): run again after that", False
        failure = _AttemptError(message, why, unserved=reply.status in UNSERVED, again=again, delay=delay)
        failure.status, failure.body = reply.status, reply.body
        return failure


@lru_cache(maxsize=8)
def _address(url: str) -> httpx2.URL:
    """The parsed address, cached since it is nearly always the same."""
    return httpx2.URL(url)


def _delay(error: Exception) -> bool | float:
    """Whether another attempt makes sense, and after how many seconds if the server said so."""
    if not isinstance(error, _AttemptError) or not error.again:
        return False
    return True if error.delay is None else float(error.delay)

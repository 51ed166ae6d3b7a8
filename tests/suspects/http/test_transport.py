"""Transport: a server may be slow, busy, broken or hostile; it ends in an answer or in an error, within bounds."""

import gzip
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import repeat
from pathlib import Path
from typing import Any

import pytest
from loopback import HASTY, Asked, Said, said, serving, transport

from ownmark.errors import AnswerError, SuspectError, UsageError
from ownmark.suspects.http.ledger import Ledger, Reply
from ownmark.suspects.http.request import Request, check_address, check_headers
from ownmark.suspects.http.transport import Limits, _trust


def query(url: str, place: int = 0, headers: tuple[tuple[str, str], ...] = ()) -> Request:
    return Request("POST", f"{url}/predict", str(place).encode(), headers, queries=1)


def body(reply: Reply) -> bytes:
    return reply.body


def always(answer: Said) -> Callable[[Asked], Said]:
    return lambda _: answer


def sulky(failures: int, failure: Said) -> Callable[[Asked], Said]:
    """Fails so many times, then answers."""
    return lambda asked: failure if asked.place < failures else said("fine")


def test_answers_come_in_the_order_of_the_questions_and_no_more_at_once_than_allowed() -> None:
    def script(asked: Asked) -> Said:
        time.sleep(0.05 if int(asked.body) % 2 else 0.01)
        return Said(asked.body)

    with serving(script) as server, transport(replace(HASTY, at_once=4)) as carrier:
        answers = carrier.ask(20, lambda place: query(server.url, place), body)
    assert answers == [str(place).encode() for place in range(20)]
    assert 2 <= server.most <= 4


def test_a_process_reads_its_certificates_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[ssl.SSLContext] = []
    make = ssl.create_default_context

    def counted(*given: Any, **named: Any) -> ssl.SSLContext:
        made.append(make(*given, **named))
        return made[-1]

    monkeypatch.setattr(ssl, "create_default_context", counted)
    _trust.cache_clear()
    for _ in range(3):
        with transport() as carrier:
            assert carrier.ledger.spent == 0
    assert [one.verify_mode for one in made] == [ssl.CERT_REQUIRED]


def test_throughput_is_what_latency_and_concurrency_allow() -> None:
    def script(asked: Asked) -> Said:
        time.sleep(0.05)
        return Said(asked.body)

    with serving(script) as server, transport(replace(HASTY, at_once=8)) as carrier:
        start, cpu = time.perf_counter(), time.process_time()
        carrier.ask(80, lambda place: query(server.url, place), body)
        took, used = time.perf_counter() - start, time.process_time() - cpu
    assert took >= 0.5
    assert used < 80 * 0.02, "client and server together, on a machine that may be busy"


@pytest.mark.parametrize("when", ["seconds", "date"])
def test_retry_after_is_obeyed_in_seconds_and_as_a_date(when: str) -> None:
    def script(asked: Asked) -> Said:
        at = datetime.now(UTC) + timedelta(seconds=2)
        return (
            said("busy", 429, retry_after="1" if when == "seconds" else format_datetime(at)) if not asked.place else said("fine")
        )

    with serving(script) as server, transport() as carrier:
        start = time.monotonic()
        assert carrier.send(query(server.url)).body == b'"fine"'
        assert time.monotonic() - start >= 0.9
        assert carrier.ledger.spent == 1, "a refused request is not a query"


def test_a_wait_beyond_patience_is_an_error_that_says_how_long() -> None:
    with serving(lambda _: said("busy", 503, retry_after="3600")) as server, transport() as carrier:
        with pytest.raises(SuspectError, match="3600 s"):
            carrier.send(query(server.url))
        assert len(server.asked) == 1


@pytest.mark.parametrize("status", [408, 429, 502, 503, 504])
def test_a_burst_of_failures_is_outlasted_and_an_endless_one_is_not(status: int) -> None:
    with serving(sulky(2, said("oops", status))) as server, transport() as carrier:
        assert carrier.send(query(server.url)).body == b'"fine"'
    with serving(lambda _: said("Traceback: oops", status)) as server, transport() as carrier:
        with pytest.raises(SuspectError, match=rf"status {status}: .*oops.*3 attempts") as caught:
            carrier.send(query(server.url))
        assert len(server.asked) == 3
        assert caught.value.exit_code == 5


def test_the_same_500_twice_may_be_the_requests_fault_and_is_told_so() -> None:
    with serving(lambda _: said("Traceback: bad shape", 500)) as server, transport() as carrier:
        with pytest.raises(SuspectError, match=r"bad shape.*2 attempts with the same answer: perhaps the request is wrong"):
            carrier.send(query(server.url))
        assert len(server.asked) == 2
    with serving(sulky(1, said("oops", 500))) as server, transport() as carrier:
        assert carrier.send(query(server.url)).body == b'"fine"'
    other = r"busy 2.*3 attempts"
    with (
        serving(lambda asked: said(f"busy {asked.place}", 500)) as server,
        transport() as carrier,
        pytest.raises(SuspectError, match=other),
    ):
        carrier.send(query(server.url))


def test_nobody_at_the_address_is_an_error_after_a_few_attempts() -> None:
    with socket.socket() as taken, transport() as carrier:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(SuspectError, match="cannot be reached"):
            carrier.send(query(f"http://127.0.0.1:{taken.getsockname()[1]}"))
        assert carrier.ledger.spent == 0


def test_a_name_that_nobody_knows_and_a_server_without_tls_are_errors() -> None:
    with transport() as carrier, pytest.raises(SuspectError, match="cannot be reached"):
        carrier.send(query("http://no-such-host.invalid"))
    with (
        serving(lambda _: said("fine")) as server,
        transport() as carrier,
        pytest.raises(SuspectError, match="cannot be reached"),
    ):
        carrier.send(query(server.url.replace("http:", "https:")))


def test_a_connection_that_breaks_off_is_asked_again() -> None:
    cut = Said(headers={"content-length": "100"}, pieces=iter([b"{"]))
    with serving(sulky(1, cut)) as server, transport() as carrier:
        assert carrier.send(query(server.url)).body == b'"fine"'
        assert carrier.ledger.spent == 2, "the server may have worked for both"


def test_a_time_out_counts_as_a_query_that_was_spent() -> None:
    def script(asked: Asked) -> Said:
        time.sleep(0 if asked.place else 0.6)
        return said("fine")

    with serving(script) as server, transport(replace(HASTY, silence=0.3)) as carrier:
        assert carrier.ask(1, lambda place: query(server.url, place), body) == [b'"fine"']
        assert (len(server.asked), carrier.ledger.spent) == (2, 2)


def dripping() -> Iterator[bytes]:
    for _ in range(40):
        time.sleep(0.05)
        yield b"x"


def test_a_server_that_drips_its_answer_runs_out_of_time() -> None:
    with serving(lambda _: Said(pieces=dripping())) as server, transport(replace(HASTY, longest=0.4, attempts=2)) as carrier:
        start = time.monotonic()
        with pytest.raises(SuspectError, match=r"longer than 0\.4 s"):
            carrier.send(query(server.url))
        assert time.monotonic() - start < 3


def test_an_endless_answer_and_a_bomb_are_cut_at_the_size_allowed() -> None:
    endless = Said(pieces=repeat(b"x" * 10_000))
    bomb = Said(gzip.compress(bytes(50_000_000)), headers={"content-encoding": "gzip"})
    for answer in (endless, bomb):
        with serving(always(answer)) as server, transport(replace(HASTY, most_bytes=100_000)) as carrier:
            with pytest.raises(SuspectError, match="more than 100000 bytes"):
                carrier.send(query(server.url))
            assert len(server.asked) == 1


def test_packed_answers_are_read_and_damaged_or_strange_ones_are_not() -> None:
    packed = Said(gzip.compress(b'"fine"'), headers={"content-encoding": "gzip"})
    with serving(lambda _: packed) as server, transport() as carrier:
        assert carrier.send(query(server.url)).body == b'"fine"'
        assert server.asked[0].headers["accept-encoding"] == "identity"
    for kind in ("gzip", "br"):
        broken = Said(b"no such thing", headers={"content-encoding": kind})
        with serving(always(broken)) as server, transport() as carrier, pytest.raises(SuspectError, match=kind):
            carrier.send(query(server.url))


def test_another_server_is_never_asked_but_the_same_one_may_move() -> None:
    with serving(lambda _: said("stranger")) as stranger:
        away = said("", 307, location=f"{stranger.url}/predict")
        with serving(always(away)) as server, transport() as carrier, pytest.raises(SuspectError, match="another server"):
            carrier.send(query(server.url))
        assert stranger.asked == []
    moved = {"/predict": said("", 307, location="/new"), "/new": said("fine")}
    with serving(lambda asked: moved[asked.path]) as server, transport() as carrier:
        assert carrier.send(query(server.url)).body == b'"fine"'
        assert [one.method for one in server.asked] == ["POST", "POST"]
    for location, message in (("/predict", "3 times"), ("/new", "name that address")):
        status = 307 if location == "/predict" else 301
        moving = always(said("", status, location=location))
        with serving(moving) as server, transport() as carrier, pytest.raises(SuspectError, match=message):
            carrier.send(query(server.url))


def test_the_rate_is_kept() -> None:
    with serving(lambda _: said("fine")) as server, transport(replace(HASTY, per_second=20)) as carrier:
        start = time.monotonic()
        carrier.ask(9, lambda place: query(server.url, place), body)
        assert time.monotonic() - start >= 8 / 20


def test_equal_questions_are_asked_once() -> None:
    with serving(lambda _: said("fine")) as server, transport() as carrier:
        assert carrier.ask(12, lambda place: query(server.url, place % 2), body) == [b'"fine"'] * 12
        assert len(server.asked) == 2


def test_a_budget_that_cannot_be_enough_is_found_out_before_the_first_query() -> None:
    with serving(lambda _: said("fine")) as server, transport(replace(HASTY, most_queries=4)) as carrier:
        with pytest.raises(UsageError, match="takes 5 queries"):
            carrier.ask(5, lambda place: query(server.url, place), body)
        assert server.asked == []
        carrier.ask(4, lambda place: query(server.url, place), body)
        carrier.ask(4, lambda place: query(server.url, place), body)
        assert len(server.asked) == 4


def test_repeats_never_exceed_the_budget() -> None:
    limits = replace(HASTY, most_queries=3, attempts=10, at_once=1)
    with serving(lambda _: said("oops", 504)) as server, transport(limits) as carrier:
        with pytest.raises(SuspectError, match="3 of 3 queries are spent"):
            carrier.ask(2, lambda place: query(server.url, place), body)
        assert len(server.asked) == 3


def test_the_first_failure_stops_the_rest() -> None:
    def refuse(reply: Reply) -> bytes:
        raise AnswerError(f"not that: {reply.body!r}")

    with serving(lambda _: said("fine")) as server, transport(replace(HASTY, at_once=2)) as carrier:
        with pytest.raises(AnswerError, match="not that"):
            carrier.ask(500, lambda place: query(server.url, place), refuse)
        assert len(server.asked) < 100


def test_a_key_is_sent_but_never_shown_or_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(0)
    monkeypatch.setenv("MY_KEY", "open-sesame-42")
    header = (("authorization", "Bearer ${MY_KEY}"),)

    def parrot(asked: Asked) -> Said:
        echo = {"you": asked.headers["authorization"], "path": asked.path}
        return said(echo, 200 if asked.body == b"1" else 400 if asked.body == b"2" else 401)

    file = tmp_path / "asked.ledger"
    shown = []
    with serving(parrot) as server, transport(ledger=Ledger(file)) as carrier:
        url = f"{server.url}/predict?key=${{MY_KEY}}"
        reply = carrier.send(replace(query(server.url, 1, header), url=url))
        assert reply.body.count(b"***") == 2
        for place in (2, 3):
            with pytest.raises(SuspectError) as caught:
                carrier.send(replace(query(server.url, place, header), url=url))
            shown.append(str(caught.value))
        assert all(one.headers["authorization"] == "Bearer open-sesame-42" for one in server.asked)
        assert all(one.path.endswith("key=open-sesame-42") for one in server.asked)
    assert "check the key" in shown[1]
    kept = b"".join(one.read_bytes() for one in file.parent.iterdir())
    assert b"sesame" not in kept + "".join(shown).encode()
    assert "sesame" not in "".join(
        str(vars(record)) for record in caplog.records if record.name.startswith(("ownmark", "stamina"))
    )


def test_a_key_that_is_missing_or_stands_in_the_open_is_an_error_before_the_first_request(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("NO_KEY", raising=False)
    with serving(lambda _: said("fine")) as server, transport() as carrier:
        with pytest.raises(UsageError, match="export NO_KEY"):
            carrier.send(query(server.url, headers=(("x-api-key", "${NO_KEY}"),)))
        monkeypatch.setenv("NO_KEY", "two\nlines")
        with pytest.raises(UsageError, match="printable ASCII"):
            carrier.send(query(server.url, headers=(("x-api-key", "${NO_KEY}"),)))
        assert server.asked == []
    with pytest.raises(UsageError, match="contains a secret"):
        check_headers((("X-Api-Key", "open-sesame-42"),))
    for url in ("http://me:secret@host/x", "http://host/x?api_key=abc", "ftp://host", "http://", "no address", "http://host:x/"):
        with pytest.raises(UsageError) as caught:
            check_address(url)
        assert "secret@" not in str(caught.value)


def test_limits_that_make_no_sense_are_refused() -> None:
    for wrong in ({"attempts": 0}, {"silence": -1}, {"per_second": -1}, {"most_queries": -1}, {"at_once": 0}):
        with pytest.raises(UsageError):
            Limits(**wrong)

"""A server that wants to hold the judge up, to write to his terminal or to have his key written down gets none of it."""

import base64
import gzip
import html
import json
import socket
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from loopback import HASTY, Asked, Said, said, serving, transport

from ownmark.cli import console
from ownmark.errors import AnswerError, SuspectError, UsageError, escaped
from ownmark.suspects.http import web
from ownmark.suspects.http.ledger import Ledger, Reply
from ownmark.suspects.http.mapping import Mapping
from ownmark.suspects.http.request import Request, redacted
from ownmark.suspects.http.v2 import tensor

LIMIT = 0.5  # seconds for one exchange
OK = b"HTTP/1.1 200 OK\r\n"
DRIPS = {  # what comes at once, and what then drips byte by byte
    "the status line": (b"", b"HTTP/1.1 200 " + b"O" * 200),
    "the headers": (OK, b"x-a: " + b"y" * 200),
    "many headers": (OK, b"a: b\r\n" * 40),
    "interim answers": (b"", b"HTTP/1.1 103 Hints\r\n\r\n" * 20),
    "the body": (OK + b"content-length: 200\r\n\r\n", b"z" * 200),
    "the sizes of pieces": (OK + b"transfer-encoding: chunked\r\n\r\n", b"1\r\nz\r\n" * 40),
    "the trailers": (OK + b"transfer-encoding: chunked\r\n\r\n1\r\nz\r\n0\r\n", b"a: b\r\n" * 40),
}
KEY = 'open/sesame"42'


def query(url: str, place: int = 0, headers: tuple[tuple[str, str], ...] = ()) -> Request:
    return Request("POST", f"{url}/predict", str(place).encode(), headers, queries=1)


@contextmanager
def plain(talk: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server without any library: it reads what comes and then talks as it likes."""

    def serve() -> None:
        while True:
            try:
                line, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=answer, args=(line,), daemon=True).start()

    def answer(line: socket.socket) -> None:
        with line:
            try:
                talk(line)
            except OSError:
                return  # the judge has had enough

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        listening.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("part", DRIPS)
def test_a_server_that_drips_whatever_it_may_is_waited_for_no_longer_than_the_limit(part: str) -> None:
    at_once, slowly = DRIPS[part]

    def talk(line: socket.socket) -> None:
        line.recv(65536)
        line.sendall(at_once)
        for place in range(len(slowly)):
            time.sleep(0.05)
            line.sendall(slowly[place : place + 1])

    with plain(talk) as url, transport(replace(HASTY, silence=0.3, longest=LIMIT, attempts=1)) as carrier:
        start = time.monotonic()
        with pytest.raises(SuspectError, match=r"longer than 0\.5 s"):
            carrier.send(query(url))
        assert time.monotonic() - start < LIMIT + 0.5


def test_a_server_that_takes_the_question_byte_by_byte_is_waited_for_no_longer_either() -> None:
    def talk(line: socket.socket) -> None:
        while line.recv(1024):
            time.sleep(0.1)

    large = replace(query("http://x"), body=bytes(40_000_000))
    with plain(talk) as url, transport(replace(HASTY, silence=0.3, longest=LIMIT, attempts=1)) as carrier:
        start = time.monotonic()
        with pytest.raises(SuspectError, match=r"longer than|sent nothing"):
            carrier.send(replace(large, url=url))
        assert time.monotonic() - start < LIMIT + 0.5


def test_a_name_that_is_resolved_slowly_is_waited_for_no_longer_and_one_that_is_unknown_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answered = threading.Event()
    hasty = replace(HASTY, silence=0.3, longest=LIMIT, attempts=1)
    with serving(lambda _: said("fine")) as server, transport(hasty) as carrier:
        named = server.url.replace("127.0.0.1", "localhost")
        resolve = socket.getaddrinfo
        monkeypatch.setattr(socket, "getaddrinfo", lambda *asked, **how: answered.wait() and resolve(*asked, **how))
        start = time.monotonic()
        with pytest.raises(SuspectError, match="localhost"):
            carrier.send(query(named))
        assert time.monotonic() - start < LIMIT + 0.5
        answered.set()
        assert carrier.send(query(named, 1)).body == b'"fine"'

        def unknown(*_: object, **__: object) -> object:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

        monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with transport(hasty) as carrier, pytest.raises(SuspectError, match="Name or service not known"):
        carrier.send(query(named, 2))


def test_a_quick_answer_comes_whatever_was_late_before_it() -> None:
    """A deadline is one exchange's, not its connection's or its thread's."""
    with serving(lambda _: said("fine")) as server, transport(replace(HASTY, longest=LIMIT)) as carrier:
        for place in range(3):
            assert carrier.send(query(server.url, place)).body == b'"fine"'
            time.sleep(0.3)


@pytest.mark.parametrize("damage", [lambda packed: packed[:-4], lambda packed: packed + b"more", lambda packed: 2 * packed])
def test_packed_answers_that_are_cut_short_or_go_on_are_refused(damage: Callable[[bytes], bytes]) -> None:
    body = damage(gzip.compress(b'"fine"', mtime=0))
    with (
        serving(lambda _: Said(body, headers={"content-encoding": "gzip"})) as server,
        transport(replace(HASTY, attempts=1)) as carrier,
        pytest.raises(SuspectError, match="gzip body"),
    ):
        carrier.send(query(server.url))


def spelled(key: str) -> dict[str, str]:
    """The ways in which a server may write a key."""
    units = "".join(f"\\u{ord(sign):04x}" for sign in key)
    return {
        "as it is": key,
        "as JSON": json.dumps(key)[1:-1],
        "with slashes escaped": key.replace("/", "\\/").replace('"', '\\"'),
        "as escapes": units,
        "as escapes in capitals": units.upper().replace("\\U", "\\u"),
        "as JSON in JSON": json.dumps(units)[1:-1],
        "in part": key[:4] + units[24:],
        "in an address": urllib.parse.quote(key, safe=""),
        "twice in an address": urllib.parse.quote(urllib.parse.quote(key, safe=""), safe=""),
        "in HTML": html.escape(key),
        "in capitals": key.upper(),
    }


@pytest.mark.parametrize("way", spelled(KEY))
def test_a_key_that_a_server_repeats_in_whatever_spelling_is_neither_shown_nor_kept(
    way: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    echo = spelled(KEY)[way]
    assert redacted(f"before {echo} after", (KEY,)) == "before *** after"
    answers = {
        b"0": Said(f'{{"label": "{echo}"}}'.encode(), headers={"content-type": f"text/{urllib.parse.quote(echo)}"}),
        b"1": Said(f'{{"error": "{echo}"}}'.encode(), 400),
        b"2": Said(status=301, headers={"location": f"/{urllib.parse.quote(echo)}/x"}),
        b"3": Said(status=307, headers={"location": f"http://{urllib.parse.quote(echo)}.example/x"}),
    }
    shown = []
    with serving(lambda asked: answers[asked.body]) as server, transport(ledger=Ledger(tmp_path / "asked.ledger")) as carrier:
        header = (("authorization", "Bearer ${MY_KEY}"),)
        reply = carrier.send(query(server.url, 0, header))
        shown += [str(web.parsed(reply.body)), str(reply.headers)]
        for place in (1, 2, 3):
            with pytest.raises(SuspectError) as caught:
                carrier.send(query(server.url, place, header))
            shown.append(str(caught.value))
    kept = b"".join(one.read_bytes() for one in tmp_path.iterdir()).decode("latin-1")
    for text in (*shown, kept):
        assert "sesame" not in text.lower()
        assert echo.lower() not in text.lower()
        assert urllib.parse.quote(echo).lower() not in text.lower()


def test_a_key_in_another_encoding_of_letters_is_not_kept() -> None:
    assert b"s\0e\0s\0a\0m\0e" not in redacted(KEY.encode("utf-16-le").decode("latin-1"), (KEY,)).encode("latin-1")
    with pytest.raises(AnswerError, match="not JSON"):
        web.parsed('{"label": 1}'.encode("utf-16"))
    assert base64.b64encode(b"else") in redacted(base64.b64encode(b"else").decode(), (KEY,)).encode()


ATTACK = "\x1b[2J\x1b]0;owned\x07\rMATCH (strong)\n\u202egnorw\x9b31m"


def test_signs_that_would_steer_a_terminal_are_shown_as_escapes() -> None:
    assert escaped(ATTACK) == "\\x1b[2J\\x1b]0;owned\\x07\\rMATCH (strong)\\n\\u202egnorw\\x9b31m"
    assert escaped("plain Ünïcode 図 \\ text") == "plain Ünïcode 図 \\ text"
    assert escaped("half \ud800") == "half \\ud800"


def test_whatever_the_program_shows_passes_through_one_seam(capsys: pytest.CaptureFixture[str]) -> None:
    console.show(ATTACK)
    console.show_command(ATTACK)
    console.tell(ATTACK)
    console.fail(ATTACK)
    console.facts({ATTACK: (ATTACK, ATTACK)})
    with console.working(ATTACK):
        pass
    said_ = capsys.readouterr()
    text = said_.out + said_.err
    assert text.count("MATCH (strong)") == 8
    assert not [sign for sign in text if sign != "\n" and not sign.isprintable()]
    assert not [line for line in text.splitlines() if line.startswith("MATCH")]


def test_what_a_server_says_of_its_error_is_one_line_of_printable_signs() -> None:
    def script(asked: Asked) -> Said:
        return Said(ATTACK.encode(), 400) if asked.body == b"0" else said({"error": ATTACK})

    with serving(script) as server, transport() as carrier:
        with pytest.raises(SuspectError, match="status 400") as caught:
            carrier.send(query(server.url))
        assert str(caught.value).isprintable()
        with pytest.raises(AnswerError) as told:
            web.told_error(web.parsed(carrier.send(query(server.url, 1)).body))
        assert str(told.value).isprintable()


def test_an_answer_that_says_one_thing_twice_is_refused() -> None:
    with pytest.raises(AnswerError, match="duplicate key 'label'"):
        web.parsed(b'{"label": "cat", "label": "dog"}')
    with pytest.raises(AnswerError, match="named twice"):
        tensor(Reply(200, {}, b'{"outputs": [{"name": "y", "data": [1]}, {"name": "y", "data": [2]}]}'), "y")
    with pytest.raises(UsageError, match="duplicate key 'url'"):
        Mapping.read("{url: 'http://a', url: 'http://b', body: '{{png}}', label: x}")

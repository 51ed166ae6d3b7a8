"""The query ledger: every request that a judge sent, and the response, in one SQLite file. No torch.

A row is written before its request is sent and completed when the answer arrives, so that a killed run knows what it has spent,
and an answer that was paid for is never requested again. The server's responses are stored, the key is not.

Every row carries a code under the key of its hearing, which only the user who started the ledger has: a ledger that somebody else
created or modified is rejected, so that a judge trusts no answers but the judge's own.
"""

import hashlib
import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ownmark.errors import SuspectError, UsageError, blamed
from ownmark.files import held
from ownmark.querying.ledger_codes import LedgerCodes, equal, user_key
from ownmark.suspects.http.commits import Commits

APPLICATION, VERSION = 0x6F776E6D, 2  # "ownm", so that no other SQLite file passes for a ledger
OPEN, ANSWERED, RULE = "sent", "answered", "rule"  # the states of a row; any other word is a failure or a refusal
WHOLE = "the whole claim"  # the rule of a test that asks about the whole claim
TABLE = """
CREATE TABLE requests (
    number INTEGER PRIMARY KEY,   -- the order in which they were sent
    request TEXT NOT NULL,        -- SHA-256 of method, address, headers without secrets, and body
    sent TEXT NOT NULL,           -- UTC
    queries INTEGER NOT NULL,     -- images that count as asked about
    state TEXT NOT NULL,
    status INTEGER,               -- of HTTP
    headers TEXT,                 -- JSON: those without which the answer cannot be read; of a rule its words
    digest TEXT,                  -- SHA-256 of the answer
    answer BLOB,
    code TEXT NOT NULL            -- HMAC-SHA-256 over all of this but the answer, by the hearing's key
) STRICT
"""
TABLES = (
    TABLE.strip(),
    "CREATE INDEX requests_by_digest ON requests (request)",
    "CREATE TABLE hearing (nonce TEXT NOT NULL, code TEXT NOT NULL) STRICT",
)
COMPLETE = (
    "UPDATE requests SET state = ?, queries = ?, status = ?, headers = ?, digest = ?, code = ?, answer = ? WHERE number = ?"
)
SUMMED = "number, request, sent, queries, state, status, headers, digest"
INSERT = f"INSERT INTO requests ({SUMMED}, code) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 - our own names
Row = tuple[int, str, str, int, str, int | None, str | None, str | None]  # the columns that the code covers


@dataclass(frozen=True)
class Reply:
    """A server's response: the HTTP status, the relevant headers (names in lower case) and the body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Ledger:
    """The ledger in the file `path`, or in memory if there is none. One process at a time; its threads share it.

    `user`: the key that authenticates its rows, None for that of the current user. Raises UsageError for a link and for a file
    that another user, another key or another program has written to.
    """

    def __init__(self, path: Path | str | None = None, user: bytes | None = None) -> None:
        self.path = None if path is None else Path(path)
        self._taken = dict[int, int]()
        self._entered = dict[int, tuple[str, str]]()
        if self.path is not None and self.path.is_symlink():
            raise UsageError(f"{self.path} is a symbolic link, which could lead anywhere; name the ledger itself")
        self._codes = LedgerCodes.begun(user or (user_key() if self.path else bytes(32)))
        try:
            with ExitStack() as opened:
                opened.enter_context(nullcontext() if self.path is None else held(self.path))
                file = sqlite3.connect(self.path or ":memory:", timeout=0, isolation_level=None, check_same_thread=False)
                self._database = opened.enter_context(closing(file))
                self._queue = Commits(self._database)
                self._prepare()
                self._last = self._one("SELECT coalesce(max(number), 0) FROM requests")
                self._before = self._last
                self._spent = self._one("SELECT coalesce(sum(queries), 0) FROM requests")
                self._opened = opened.pop_all()
        except sqlite3.Error as error:
            raise UsageError(self._told(error)) from error

    @property
    def spent(self) -> int:
        """Images that count as asked about so far, in this run and earlier ones; requests without an answer count."""
        return self._spent

    @property
    def answered(self) -> int:
        """Images that have been answered and need not be asked about again."""
        with self._reading():
            return self._one(f"SELECT coalesce(sum(queries), 0) FROM requests WHERE state = '{ANSWERED}'")  # noqa: S608 - ours

    @property
    def nonce(self) -> bytes:
        """The random value drawn when the ledger was started: public, but unpredictable beforehand."""
        return self._codes.nonce

    @property
    def taken(self) -> int:
        """Images whose answers were used in this run but obtained in an earlier one."""
        return sum(self._taken.values())

    @property
    def digest(self) -> str:
        """SHA-256 over all rows in order, as 64 hexadecimal digits; an answer enters by its own digest."""
        total = hashlib.sha256()
        with self._reading():
            for row in self._database.execute(f"SELECT {SUMMED} FROM requests ORDER BY number"):  # noqa: S608 - our own names
                total.update(json.dumps(row, separators=(",", ":")).encode() + b"\n")
        return total.hexdigest()

    def answer(self, request: str) -> Reply | None:
        """The answer to the request of that digest. Raises SuspectError if it was modified since."""
        wanted = "SELECT number, queries, status, headers, digest, answer FROM requests WHERE request = ? AND state = ?"
        with self._reading():
            row = self._database.execute(f"{wanted} ORDER BY number", (request, ANSWERED)).fetchone()
        if row is None:
            return None
        number, queries, *told = row
        reply = self._kept(*told)
        if number <= self._before:
            self._taken[number] = queries
        return reply

    def _kept(self, status: object, headers: object, digest: object, body: object) -> Reply:
        """A row as it was answered. Raises SuspectError for a row that this program did not write so."""
        if not isinstance(body, bytes) or hashlib.sha256(body).hexdigest() != digest:
            raise SuspectError(f"the ledger {self.path} was modified: an answer does not match its digest; use another ledger")
        with blamed(
            SuspectError, f"the ledger {self.path} was modified: cannot read the headers of an answer; use another ledger"
        ):
            told = json.loads(str(headers))
            if not isinstance(status, int) or not all(isinstance(value, str) for value in told.values()):
                raise TypeError(f"status {status!r} and headers {headers!r}")
        return Reply(status, told, body)

    def begin(self, rule: str = WHOLE) -> None:
        """Record the stopping rule of the test before its first query. Raises UsageError if it was started under another rule.

        Otherwise a judge could change the rule, or continue after the end, until the outcome suits.
        """
        rules = self.noted(RULE)
        begun = rules[0] if rules else WHOLE if self._spent else rule
        if begun != rule:
            raise UsageError(
                f"the ledger {self.path} was started for {begun}; a test cannot be changed or extended, to {rule}: ask "
                "under the same rule again, or name another ledger, and keep this one on record"
            )
        if rule != WHOLE and not rules:
            self.note(RULE, rule)

    def begin_unless_begun(self, rule: str) -> None:
        """Record the rule in a ledger that nothing was asked for yet; one that was begun keeps its own."""
        if not self._spent and not self.noted(RULE):
            self.begin(rule)

    def note(self, kind: str, text: str) -> None:
        """Enter something other than a request."""
        with self._queue.adding:
            self._last += 1
            number = self._last
        self._enter((number, hashlib.sha256(text.encode()).hexdigest(), _now(), 0, kind, None, text, None))

    def noted(self, kind: str) -> tuple[str, ...]:
        """The entries of that kind, in order."""
        wanted = "SELECT headers FROM requests WHERE state = ? AND queries = 0 ORDER BY number"
        with self._queue.committing:
            return tuple(text for (text,) in self._database.execute(wanted, (kind,)))

    def send(self, request: str, queries: int, most: int | None = None) -> int:
        """Enter a request before it is sent; returns its number. Raises SuspectError if `most` queries would be exceeded."""
        with self._queue.adding:
            if most is not None and queries and self._spent + queries > most:
                raise SuspectError(
                    f"{self._spent} of {most} queries are spent, retries included; the answers are kept: allow more and run again"
                )
            self._spent += queries
            self._last += 1
            number, now = self._last, _now()
            self._entered[number] = request, now
        self._enter((number, request, now, queries, OPEN, None, None, None))
        return number

    def complete(self, number: int, reply: Reply, queries: int) -> None:
        """Enter the answer to a request."""
        headers = json.dumps(dict(reply.headers), sort_keys=True)
        digest = hashlib.sha256(reply.body).hexdigest()
        request, sent = self._entered.pop(number)
        self._change((number, request, sent, queries, ANSWERED, reply.status, headers, digest), reply.body)

    def fail(self, number: int, why: str, *, queries: int, refunded: int = 0, status: int | None = None) -> None:
        """Enter that a request failed; `queries` of it stay spent, `refunded` were never served."""
        with self._queue.adding:
            self._spent -= refunded
        request, sent = self._entered.pop(number)
        self._change((number, request, sent, queries, why, status, None, None), None)

    def reject(self, request: str, why: str) -> None:
        """Mark the stored answer to that request as unusable: it stays in the ledger and is requested again next time."""
        wanted = f"SELECT {SUMMED}, answer FROM requests WHERE request = ? AND state = ?"  # noqa: S608 - our own names
        with self._queue.committing:
            found = self._database.execute(wanted, (request, ANSWERED)).fetchall()
        for number, asked, sent, queries, _, status, headers, digest, body in found:
            self._change((number, asked, sent, queries, why, status, headers, digest), body)

    def close(self) -> None:
        """Close the file."""
        self._opened.close()

    def _prepare(self) -> None:
        """Lock the file, and create the table in a new one."""
        for pragma in ("trusted_schema = OFF", "locking_mode = EXCLUSIVE", "journal_mode = WAL", "synchronous = FULL"):
            self._database.execute(f"PRAGMA {pragma}")
        self._database.execute("BEGIN IMMEDIATE")
        found = self._one("PRAGMA application_id"), self._one("PRAGMA user_version")
        if found == (0, 0) and not self._one("SELECT count(*) FROM sqlite_master"):
            for table in TABLES:
                self._database.execute(table)
            self._database.execute("INSERT INTO hearing VALUES (?, ?)", (self.nonce.hex(), self._codes.code))
            self._database.execute(f"PRAGMA application_id = {APPLICATION}")
            self._database.execute(f"PRAGMA user_version = {VERSION}")
        elif found == (APPLICATION, 1):
            raise UsageError(
                f"the ledger {self.path} is of version 1, which does not show whose answers it holds; name another file"
            )
        elif found != (APPLICATION, VERSION):
            raise UsageError(f"{self.path} is not a ledger that this ownmark can read; name another file")
        else:
            self._check_own()
        self._database.execute("COMMIT")

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """No other thread writes meanwhile. Database errors become a UsageError: the file is corrupt or has a different table."""
        with self._queue.committing:
            try:
                yield
            except sqlite3.Error as error:
                raise UsageError(self._told(error)) from error

    def _check_own(self) -> None:
        """Raises UsageError unless this user started the ledger and wrote every row in it."""
        tables = {row[0] for row in self._database.execute("SELECT sql FROM sqlite_master")}
        hearings = self._database.execute("SELECT nonce, code FROM hearing").fetchall() if tables == set(TABLES) else []
        if len(hearings) != 1 or len(hearings[0][0]) != len(self.nonce.hex()):
            raise UsageError(f"{self.path} is not a ledger that this ownmark can read; name another file")
        nonce, code = hearings[0]
        self._codes = LedgerCodes(bytes.fromhex(nonce), self._codes.user)
        if not equal(code, self._codes.code):
            raise UsageError(f"the ledger {self.path} was not started by you, so its answers are not used; name your own file")
        for *row, signed in self._database.execute(f"SELECT {SUMMED}, code FROM requests ORDER BY number"):  # noqa: S608 - ours
            if not equal(signed, self._codes.signed(row)):
                raise UsageError(
                    f"row {row[0]} of the ledger {self.path} was not written by you, so no answer in it is used; name another"
                )

    def _enter(self, row: Row) -> None:
        self._write(INSERT, (*row, self._codes.signed(row)))

    def _change(self, row: Row, body: bytes | None) -> None:
        """Complete the row of that number."""
        number, _, _, queries, state, status, headers, digest = row
        self._write(COMPLETE, (state, queries, status, headers, digest, self._codes.signed(row), body, number))

    def _one(self, statement: str) -> int:
        """The integer that a statement returns."""
        return int(self._database.execute(statement).fetchone()[0])

    def _write(self, statement: str, values: tuple[object, ...]) -> None:
        try:
            self._queue.write(statement, values)
        except sqlite3.Error as error:
            raise UsageError(self._told(error)) from error

    def _told(self, error: sqlite3.Error) -> str:
        if "locked" in str(error):
            return f"another run is using the ledger {self.path}; wait for it or name another file"
        return f"cannot use the ledger {self.path}: {error}; its content is kept"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def whole(access: str | None) -> str:
    """The rule of a test that asks about the whole claim, by the way of asking that was named."""
    return f"{WHOLE}, asked by {access}" if access else WHOLE

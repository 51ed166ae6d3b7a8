"""The query ledger: every request that a judge sent, and what came back, in one SQLite file. No torch.

A row is written before its request is sent and completed when the answer is there, so that a run that is killed knows what
it has spent, and an answer that was paid for is never asked for again. What a server says to a key is kept, the key is not.
"""

import hashlib
import json
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from ownmark.errors import SuspectError, UsageError, blamed
from ownmark.files import held

APPLICATION, VERSION = 0x6F776E6D, 1  # "ownm", so that no other SQLite file is taken for a ledger
OPEN, ANSWERED, RULE = "sent", "answered", "rule"  # the states of a row; a failure or a refusal is any other word
WHOLE = "the whole claim"  # the rule of a test that asks about all of it
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
    answer BLOB
) STRICT
"""
COMPLETE = "UPDATE requests SET state = ?, queries = ?, status = ?, headers = ?, digest = ?, answer = ? WHERE number = ?"
SUMMED = "number, request, sent, queries, state, status, headers, digest"


@dataclass(frozen=True)
class Reply:
    """What a server answered: the HTTP status, the headers that matter (names in lower case), and the body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass
class _Pending:
    """A statement that waits to be committed."""

    statement: str
    values: tuple[object, ...]
    done: bool = False
    failure: sqlite3.Error | None = None


@dataclass
class _Queue:
    """Statements of several threads, so that one sync of the disk serves all that wait for it."""

    waiting: list[_Pending] = field(default_factory=list)
    adding: threading.Lock = field(default_factory=threading.Lock)
    committing: threading.Lock = field(default_factory=threading.Lock)


class Ledger:
    """The ledger in the file `path`, or in memory if there is none. One process at a time; its threads share it."""

    def __init__(self, path: Path | str | None = None) -> None:
        self.path = None if path is None else Path(path)
        self._queue = _Queue()
        try:
            with ExitStack() as opened:
                file = sqlite3.connect(self.path or ":memory:", timeout=0, isolation_level=None, check_same_thread=False)
                self._database = opened.enter_context(closing(file))
                opened.enter_context(nullcontext() if self.path is None else held(self.path))
                self._prepare()
                self._last = self._one("SELECT coalesce(max(number), 0) FROM requests")
                self._spent = self._one("SELECT coalesce(sum(queries), 0) FROM requests")
                self._opened = opened.pop_all()
        except sqlite3.Error as error:
            raise UsageError(self._told(error)) from error

    @property
    def spent(self) -> int:
        """Images that count as asked about so far, in this run and the ones before; requests without an answer count."""
        return self._spent

    @property
    def answered(self) -> int:
        """Images that are answered and need not be asked about again."""
        with self._reading():
            return self._one(f"SELECT coalesce(sum(queries), 0) FROM requests WHERE state = '{ANSWERED}'")  # noqa: S608 - ours

    @property
    def digest(self) -> str:
        """SHA-256 over all rows in their order, as 64 hexadecimal digits; an answer counts by its own digest."""
        total = hashlib.sha256()
        with self._reading():
            for row in self._database.execute(f"SELECT {SUMMED} FROM requests ORDER BY number"):  # noqa: S608 - our own names
                total.update(json.dumps(row, separators=(",", ":")).encode() + b"\n")
        return total.hexdigest()

    def answer(self, request: str) -> Reply | None:
        """What was answered to the request of that digest. Raises SuspectError if it was changed since."""
        wanted = "SELECT status, headers, digest, answer FROM requests WHERE request = ? AND state = ? ORDER BY number"
        with self._reading():
            row = self._database.execute(wanted, (request, ANSWERED)).fetchone()
        return None if row is None else self._kept(*row)

    def _kept(self, status: object, headers: object, digest: object, body: object) -> Reply:
        """A row as it was answered. Raises SuspectError for one that this program did not write so."""
        if not isinstance(body, bytes) or hashlib.sha256(body).hexdigest() != digest:
            raise SuspectError(f"the ledger {self.path} was changed: an answer does not fit its digest; use another ledger")
        with blamed(SuspectError, f"the ledger {self.path} was changed: an answer's headers cannot be read; use another ledger"):
            told = json.loads(str(headers))
            if not isinstance(status, int) or not all(isinstance(value, str) for value in told.values()):
                raise TypeError(f"status {status!r} and headers {headers!r}")
        return Reply(status, told, body)

    def begin(self, rule: str = WHOLE) -> None:
        """Say by which rule the test stops, before its first query. Raises UsageError if it was begun by another one.

        Whoever could change the rule, or go on after the end, could go on until he liked the outcome.
        """
        with self._reading():
            row = self._database.execute(f"SELECT headers FROM requests WHERE state = '{RULE}'").fetchone()  # noqa: S608 - ours
        begun = row[0] if row else WHOLE if self._spent else rule
        if begun != rule:
            raise UsageError(
                f"the ledger {self.path} was begun for {begun}; a test cannot be changed or extended afterwards, to {rule}: ask "
                "by the same rule again, or name another ledger, and keep this one on record"
            )
        if rule != WHOLE and not row:
            with self._queue.adding:
                self._last += 1
                entry = (self._last, hashlib.sha256(rule.encode()).hexdigest(), _now(), 0, RULE, rule)
            self._write("INSERT INTO requests (number, request, sent, queries, state, headers) VALUES (?, ?, ?, ?, ?, ?)", entry)

    def send(self, request: str, queries: int, most: int | None = None) -> int:
        """Enter a request before it is sent; gives its number. Raises SuspectError if `most` queries would be exceeded."""
        with self._queue.adding:
            if most is not None and queries and self._spent + queries > most:
                raise SuspectError(
                    f"{self._spent} of {most} queries are spent, retries included; the answers are kept: allow more and run again"
                )
            self._spent += queries
            self._last += 1
            number = self._last
        row = (number, request, _now(), queries, OPEN)
        self._write("INSERT INTO requests (number, request, sent, queries, state) VALUES (?, ?, ?, ?, ?)", row)
        return number

    def complete(self, number: int, reply: Reply, queries: int) -> None:
        """Enter the answer to a request."""
        headers = json.dumps(dict(reply.headers), sort_keys=True)
        digest = hashlib.sha256(reply.body).hexdigest()
        self._write(COMPLETE, (ANSWERED, queries, reply.status, headers, digest, reply.body, number))

    def fail(self, number: int, why: str, *, queries: int, refunded: int = 0, status: int | None = None) -> None:
        """Enter that a request failed; `queries` of it stay spent, `refunded` were never served."""
        with self._queue.adding:
            self._spent -= refunded
        self._write(COMPLETE, (why, queries, status, None, None, None, number))

    def reject(self, request: str, why: str) -> None:
        """What was answered to that request is no answer: it stays in the ledger and is asked for again next time."""
        self._write("UPDATE requests SET state = ? WHERE request = ? AND state = ?", (why, request, ANSWERED))

    def close(self) -> None:
        """Let go of the file."""
        self._opened.close()

    def _prepare(self) -> None:
        """Lock the file, and make the table in a new one."""
        for pragma in ("locking_mode = EXCLUSIVE", "journal_mode = WAL", "synchronous = FULL"):
            self._database.execute(f"PRAGMA {pragma}")
        self._database.execute("BEGIN IMMEDIATE")
        found = self._one("PRAGMA application_id"), self._one("PRAGMA user_version")
        if found == (0, 0) and not self._one("SELECT count(*) FROM sqlite_master"):
            self._database.execute(TABLE)
            self._database.execute("CREATE INDEX requests_by_digest ON requests (request)")
            self._database.execute(f"PRAGMA application_id = {APPLICATION}")
            self._database.execute(f"PRAGMA user_version = {VERSION}")
        elif found != (APPLICATION, VERSION):
            raise UsageError(f"{self.path} is no ledger that this ownmark can read; name another file")
        self._database.execute("COMMIT")

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Nobody writes meanwhile. What the database raises becomes a UsageError: the file is damaged, or its table another."""
        with self._queue.committing:
            try:
                yield
            except sqlite3.Error as error:
                raise UsageError(self._told(error)) from error

    def _one(self, statement: str) -> int:
        """The whole number that a statement asks for."""
        return int(self._database.execute(statement).fetchone()[0])

    def _write(self, statement: str, values: tuple[object, ...]) -> None:
        """Commit one statement, together with those that other threads wait for."""
        entry, queue = _Pending(statement, values), self._queue
        with queue.adding:
            queue.waiting.append(entry)
        with queue.committing:
            if not entry.done:
                with queue.adding:
                    batch, queue.waiting = queue.waiting, []
                self._commit(batch)
        if entry.failure is not None:
            raise UsageError(self._told(entry.failure)) from entry.failure

    def _commit(self, batch: list[_Pending]) -> None:
        failure: sqlite3.Error | None = None
        try:
            self._database.execute("BEGIN IMMEDIATE")
            for entry in batch:
                self._database.execute(entry.statement, entry.values)
            self._database.execute("COMMIT")
        except sqlite3.Error as error:
            failure = error
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
        for entry in batch:
            entry.done, entry.failure = True, failure

    def _told(self, error: sqlite3.Error) -> str:
        if "locked" in str(error):
            return f"another run is using the ledger {self.path}; wait for it or name another file"
        return f"cannot use the ledger {self.path}: {error}; what it holds is kept"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")

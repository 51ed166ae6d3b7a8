"""Group commit: statements of several threads to one SQLite database share one sync of the disk. No torch."""

import sqlite3
import threading
from dataclasses import dataclass, field


@dataclass
class _Pending:
    """A statement waiting to be committed."""

    statement: str
    values: tuple[object, ...]
    done: bool = False
    failure: sqlite3.Error | None = None


@dataclass
class Commits:
    """Writer for `database`. The holder of `committing` may read from it, that of `adding` may count pending rows."""

    database: sqlite3.Connection
    waiting: list[_Pending] = field(default_factory=list)
    adding: threading.Lock = field(default_factory=threading.Lock)
    committing: threading.Lock = field(default_factory=threading.Lock)

    def write(self, statement: str, values: tuple[object, ...]) -> None:
        """Commit one statement, together with those that other threads are waiting for. Raises sqlite3.Error."""
        entry = _Pending(statement, values)
        with self.adding:
            self.waiting.append(entry)
        with self.committing:
            if not entry.done:
                with self.adding:
                    batch, self.waiting = self.waiting, []
                self._commit(batch)
        if entry.failure is not None:
            raise entry.failure

    def _commit(self, batch: list[_Pending]) -> None:
        failure: sqlite3.Error | None = None
        try:
            self.database.execute("BEGIN IMMEDIATE")
            for entry in batch:
                self.database.execute(entry.statement, entry.values)
            self.database.execute("COMMIT")
        except sqlite3.Error as error:
            failure = error
            if self.database.in_transaction:
                self.database.execute("ROLLBACK")
        for entry in batch:
            entry.done, entry.failure = True, failure

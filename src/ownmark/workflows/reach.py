"""A suspect by whatever name: at hand, or behind an address with a ledger of every query. No torch, unless it needs it."""

import hashlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from ownmark.claims.claim import Claim
from ownmark.errors import UsageError
from ownmark.files import check_writable
from ownmark.protocols import Suspect
from ownmark.suspects.http.ledger import Ledger
from ownmark.suspects.open import Access, is_web, opened, opener_of
from ownmark.suspects.opener import Opening, Wire
from ownmark.workflows.watching import Watcher


@dataclass(frozen=True, kw_only=True)
class Reach:
    """How one judge gets at all suspects of one claim.

    `claim_file`: beside which the ledgers lie; `near`: how models at hand are read, and what is said of all. `ledger`: the file
    of queries, None for one per address beside the claim. The rest is as in `Wire`.
    """

    claim_file: Path
    near: Access
    api: str | None = None
    header: tuple[str, ...] = ()
    tensor: str | None = None
    ledger: Path | None = None
    per_second: float = 0
    at_once: int = 8
    max_queries: int | None = None
    repeats: int = 3
    blue_first: bool = False
    binary: bool | None = None

    def heard_by(self, watcher: Watcher) -> "Reach":
        """The same, with whatever is to be known about a suspect told to the watcher."""
        return replace(self, near=replace(self.near, note=watcher.note))

    def check(self, name: str) -> None:
        """Raises UsageError for a name that can only be a slip, before anybody is asked."""
        if not is_web(name):
            self.near.check(name)

    def check_near(self, names: tuple[str, ...]) -> None:
        """Raises UsageError for options of an address where no suspect has one."""
        given = (self.api, self.header or None, self.tensor, self.ledger, self.per_second or None, self.max_queries, self.binary)
        if self.blue_first or any(option is not None for option in given):
            self.check_remote(names)

    def check_remote(self, names: tuple[str, ...]) -> None:
        """Raises UsageError unless a suspect stands behind an address."""
        if not any(map(is_web, names)):
            raise UsageError(f"{names[0]} is no web address, so --api, --header, --dry-run and their like mean nothing for it")

    def file(self, name: str) -> Path:
        """The ledger's file: one for each claim and address."""
        mark = hashlib.sha256(name.encode()).hexdigest()[:8]
        return self.ledger or self.claim_file.with_name(f"{self.claim_file.name}.{mark}.ledger")

    def opening(self, name: str, claim: Claim) -> Opening:
        """A suspect behind an address, to be opened. Raises UsageError for what does not fit together; nothing is sent."""
        wire = Wire(
            api=self.api,
            header=self.header,
            tensor=self.tensor,
            per_second=self.per_second,
            at_once=self.at_once,
            max_queries=self.max_queries,
            repeats=self.repeats,
            blue_first=self.blue_first,
            binary=self.binary,
        )
        found = replace(self.near.opening(name), classes=len(claim.classes), names=claim.classes, wire=wire)
        opener_of(name).check(found)
        return found

    @contextmanager
    def suspect(self, name: str, claim: Claim) -> Iterator[tuple[Suspect, Ledger | None]]:
        """The suspect of that name, and the ledger of what it is asked if it stands behind an address."""
        if not is_web(name):
            yield self.near.suspect(name), None
            return
        opening, file = self.opening(name, claim), self.file(name)
        check_writable(file)
        with ExitStack() as closing:
            ledger = Ledger(file)
            closing.callback(ledger.close)
            yield opened(replace(opening, ledger=ledger, closing=closing)), ledger

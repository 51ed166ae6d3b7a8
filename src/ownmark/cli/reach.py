"""A suspect by whatever name: a file, a module, or an address with a ledger of every query. No torch, unless it needs it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ownmark.claims.claim import Claim
from ownmark.cli.suspects import Access
from ownmark.cli.web import Web, is_web
from ownmark.errors import UsageError
from ownmark.protocols import Suspect

if TYPE_CHECKING:
    from ownmark.suspects.http.ledger import Ledger


@dataclass(frozen=True, kw_only=True)
class Reach:
    """How one judge gets at all suspects of one claim.

    `claim_file`: beside which the ledgers lie; `near`: how models at hand are read, and what is said of all.
    The rest is as in `Web`.
    """

    claim_file: Path
    near: Access
    api: str | None = None
    header: tuple[str, ...] = ()
    tensor: str | None = None
    ledger: Path | None = None
    per_second: float = 0
    at_once: int = 8

    def check(self, name: str) -> None:
        """Raises UsageError for a name that can only be a slip, before anybody is asked."""
        if not is_web(name):
            self.near.check(name)

    def check_near(self, names: tuple[str, ...]) -> None:
        """Raises UsageError for options of an address where no suspect has one."""
        given = (self.api, self.header or None, self.tensor, self.ledger, self.per_second or None)
        if not any(map(is_web, names)) and any(option is not None for option in given):
            raise UsageError(f"{names[0]} is no web address, so --api, --header and their like mean nothing for it")

    @contextmanager
    def suspect(self, name: str, claim: Claim) -> Iterator[tuple[Suspect, "Ledger | None"]]:
        """The suspect of that name, and the ledger of what it is asked if it stands behind an address."""
        if not is_web(name):
            yield self.near.suspect(name), None
            return
        web = Web(
            name=name,
            claim_file=self.claim_file,
            api=self.api,
            header=self.header,
            tensor=self.tensor,
            ledger=self.ledger,
            per_second=self.per_second,
            at_once=self.at_once,
            output=self.near.output,
        )
        with web.opened(claim, self.near.preprocess, self.near.outputs) as (suspect, ledger):
            yield suspect, ledger

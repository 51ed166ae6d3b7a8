"""Show a claim to models known to be innocent, and write it. No torch, unless an innocent is a torch module.

What an innocent answered is kept until the claim is written, so that a calibration which was cut short asks nobody twice.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from ownmark.claims.claim import Claim
from ownmark.claims.doubt import Doubt
from ownmark.errors import OwnmarkError
from ownmark.files import check_writable
from ownmark.protocols import Suspect
from ownmark.report.words import counted
from ownmark.suspects.http.ledger import Ledger
from ownmark.suspects.http.remembered import Remembered, key_of
from ownmark.suspects.open import Access, Suspects
from ownmark.verdicts import soundness
from ownmark.verdicts.calibrate import calibration
from ownmark.verdicts.competence import right_on_originals
from ownmark.workflows.watching import NOBODY, Watcher


@dataclass(frozen=True, kw_only=True)
class CalibrateRequest:
    """`innocents`: their names, as the registry reads them; `near`: how they are read; `out`: the file to write."""

    claim: Claim
    innocents: tuple[str, ...]
    near: Access
    out: Path


@dataclass(frozen=True)
class CalibrateResult:
    """The calibrated claim; `groups`: names of innocents, those together that answer alike; `doubts`: sentences."""

    claim: Claim
    groups: tuple[tuple[str, ...], ...]
    doubts: tuple[Doubt, ...]

    @property
    def smallest(self) -> float:
        """The least p that a verdict by these innocents can have."""
        return 1 / (len(self.groups) + 1)


@dataclass(frozen=True)
class Asking:
    """How innocents are asked: about the claim, and about its unchanged images. Their answers are in the ledger, or come into it.

    `right`: by name, the share of these that each answered like the protected model; it fills as they are asked.
    """

    claim: Claim
    near: Access
    ledger: Ledger
    right: dict[str, float] = field(default_factory=dict)

    def innocent(self, name: str) -> Suspect:
        """The innocent of that name, which is built only if an answer of it is lacking."""
        suspect = Remembered(key_of(name, self.near), self.ledger, lambda: self.near.suspect(name))
        share = right_on_originals(self.claim, suspect)
        if share is not None:
            self.right[suspect.name] = share
        return suspect


def calibrate(request: CalibrateRequest, watcher: Watcher = NOBODY) -> CalibrateResult:
    """Ask every innocent, and write the claim that knows their scores. Raises UsageError, before any question where it can."""
    claim, names = request.claim, request.innocents
    near = replace(request.near, note=watcher.note)
    check_writable(request.out)
    near.check_layer(names)
    for name in names:
        near.check(name)
    if any(test.null.scores for test in claim.tests):
        watcher.warn("The claim was calibrated before: these innocent models replace the earlier ones.")
    file = request.out.with_name(f"{request.out.name}.calibration")
    if file.exists():
        watcher.note(f"Resuming from {file}.")
    with _answers(file, watcher) as ledger:
        asking = Asking(claim, near, ledger)
        with watcher.step(f"Asking {counted(len(names), 'innocent model')}") as progress:
            made = calibration(claim, Suspects(asking.innocent, names), progress)
        knowing = (*soundness.of_innocents(claim, asking.right), *soundness.of_unable(made.unable, len(names)))
        doubts = (*knowing, *soundness.of_claim(made.claim))
    made.claim.save(request.out)
    file.unlink()
    return CalibrateResult(made.claim, made.groups, soundness.warned(watcher.warn, doubts))


@contextmanager
def _answers(file: Path, watcher: Watcher) -> Iterator[Ledger]:
    """The ledger of a calibration: it outlives whoever was cut short or had no room left, not a calibration that was refused."""
    with ExitStack() as afterwards, closing(Ledger(file)) as ledger:
        try:
            yield ledger
        except KeyboardInterrupt:
            watcher.warn(f"Stopped. What the innocent models answered is kept in {file}: the same command resumes there.")
            raise
        except OwnmarkError as error:
            if not isinstance(error.__cause__, sqlite3.Error):
                afterwards.callback(file.unlink, missing_ok=True)
            raise

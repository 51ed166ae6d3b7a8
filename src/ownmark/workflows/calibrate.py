"""Show a claim to models known to be innocent, and write it. No torch, unless an innocent is a torch module.

What an innocent answered is kept until the claim is written, so that a calibration which was cut short asks nobody twice.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import overload

from ownmark.claims.claim import Claim
from ownmark.errors import OwnmarkError
from ownmark.files import check_writable
from ownmark.protocols import Suspect
from ownmark.report.words import counted
from ownmark.suspects.http.ledger import Ledger
from ownmark.suspects.http.remembered import Remembered, key_of
from ownmark.suspects.open import Access
from ownmark.verdicts import soundness
from ownmark.verdicts.calibrate import calibration
from ownmark.verdicts.soundness import Doubt
from ownmark.workflows.watching import NOBODY, Watcher


@dataclass(frozen=True, kw_only=True)
class CalibrateRequest:
    """`innocents`: their names, as the registry reads them; `access`: what is said of all; `out`: the file to write."""

    claim: Claim
    innocents: tuple[str, ...]
    access: Access
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
class Kept(Sequence[Suspect]):
    """Innocents whose answers are in the ledger, or come into it; each is built when something of it is lacking."""

    access: Access
    names: tuple[str, ...]
    ledger: Ledger

    def __len__(self) -> int:
        return len(self.names)

    @overload
    def __getitem__(self, place: int) -> Suspect: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Suspect]: ...
    def __getitem__(self, place: int | slice) -> Suspect | Sequence[Suspect]:
        if isinstance(place, slice):
            return replace(self, names=self.names[place])
        name = self.names[place]
        return Remembered(key_of(name, self.access), self.ledger, lambda: self.access.suspect(name))


class Measured(Sequence[Suspect]):
    """Suspects that also answer the claim's unchanged images when it is their turn: `right` keeps what came of it, by name."""

    def __init__(self, claim: Claim, suspects: Sequence[Suspect]) -> None:
        self.claim, self.suspects = claim, suspects
        self.right: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self.suspects)

    @overload
    def __getitem__(self, place: int) -> Suspect: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Suspect]: ...
    def __getitem__(self, place: int | slice) -> Suspect | Sequence[Suspect]:
        if isinstance(place, slice):
            return Measured(self.claim, self.suspects[place])
        return self._asked(self.suspects[place])

    def __iter__(self) -> Iterator[Suspect]:
        return map(self._asked, self.suspects)

    def _asked(self, suspect: Suspect) -> Suspect:
        share = soundness.right_on_originals(self.claim, suspect)
        if share is not None:
            self.right[suspect.name] = share
        return suspect


def calibrate(request: CalibrateRequest, watcher: Watcher = NOBODY) -> CalibrateResult:
    """Ask every innocent, and write the claim that knows their scores. Raises UsageError, before any question where it can."""
    claim, names = request.claim, request.innocents
    access = replace(request.access, note=watcher.note)
    check_writable(request.out)
    access.check_layer(names)
    for name in names:
        access.check(name)
    if any(test.null.scores for test in claim.tests):
        watcher.warn("The claim was calibrated before: these innocents take the place of the earlier ones.")
    file = request.out.with_name(f"{request.out.name}.calibration")
    if file.exists():
        watcher.note(f"Going on from what {file} holds.")
    with _answers(file) as ledger:
        measured = Measured(claim, Kept(access, names, ledger))
        with watcher.step(f"Asking {counted(len(names), 'innocent model')}") as progress:
            made = calibration(claim, measured, progress)
        doubts = (*soundness.of_innocents(claim, measured.right), *soundness.of_claim(made.claim))
    made.claim.save(request.out)
    file.unlink()
    return CalibrateResult(made.claim, made.groups, soundness.warned(watcher.warn, doubts))


@contextmanager
def _answers(file: Path) -> Iterator[Ledger]:
    """The ledger of a calibration: it outlives whoever was cut short, and not a calibration that was refused."""
    with ExitStack() as afterwards, closing(Ledger(file)) as ledger:
        try:
            yield ledger
        except OwnmarkError:
            afterwards.callback(file.unlink, missing_ok=True)
            raise

"""What a workflow tells while it goes on: notes, warnings and steps with progress. It prints nothing itself."""

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from ownmark.protocols import Progress, silent


class Watcher(Protocol):
    """Whoever waits for a workflow: a terminal, a notebook, nobody."""

    def note(self, text: str) -> None:
        """One line beside the result."""

    def warn(self, text: str) -> None:
        """One line that must not be missed."""

    def step(self, title: str) -> AbstractContextManager[Progress]:
        """Something long begins; inside, the callback tells how far it is."""


class Nobody:
    """Watches nothing."""

    def note(self, text: str) -> None:
        """Say nothing."""

    def warn(self, text: str) -> None:
        """Say nothing."""

    def step(self, title: str) -> AbstractContextManager[Progress]:  # noqa: ARG002 - nobody reads it
        """Show nothing."""
        return nullcontext(silent)


NOBODY = Nobody()

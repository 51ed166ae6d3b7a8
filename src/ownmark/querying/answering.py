"""What a suspect answers: a stranger's fault becomes one of its own, and what it reveals can be hidden. No torch."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from ownmark.errors import SuspectError, blamed
from ownmark.protocols import Question, Suspect
from ownmark.scoring.readings import Answers, Reading


def asking(name: str) -> AbstractContextManager[None]:
    """Whatever the suspect called `name` raises inside the block that is none of ours becomes a SuspectError that names it."""
    return blamed(SuspectError, f"{name} cannot be asked")


def answers_of(suspect: Suspect, images: npt.NDArray[Any], question: Question) -> Answers:
    """What `suspect` answers about `images`. Whatever it raises that is none of ours is a SuspectError that names it."""
    with asking(suspect.name):
        return suspect.read(images, question)


@dataclass(frozen=True)
class Hiding:
    """A suspect that is not asked for one reading: maps that it cannot show, or probabilities that mean nothing certain."""

    suspect: Suspect
    hidden: Reading

    @property
    def name(self) -> str:
        return self.suspect.name

    @property
    def digest(self) -> str:
        return self.suspect.digest

    @property
    def reveals(self) -> frozenset[Reading]:
        return self.suspect.reveals - {self.hidden}

    def read(self, images: npt.NDArray[Any], question: Question) -> Answers:
        """As the suspect answers."""
        return self.suspect.read(images, question)

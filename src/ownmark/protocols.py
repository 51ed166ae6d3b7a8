"""READ FIRST: the roles of the play, on one page.

A scheme turns a model into a protected model and a claim; an attack turns a stolen model into another model; a suspect
answers questions; `verify(claim, suspect)` gives a verdict. The signature is the threat model: what a role may not know,
it is not handed. torch is only named here, not imported, since the judge needs none.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from ownmark.errors import UsageError
from ownmark.scoring.readings import Answers, Expected, Floats, Labels, Reading
from ownmark.tasks import Classification, Task

if TYPE_CHECKING:
    import torch
    from torch import nn

    from ownmark.claims.claim import Claim
    from ownmark.data.images import Images

Progress = Callable[[int, int], None]  # called with (steps done, steps in all)


def silent(done: int, total: int) -> None:
    """The progress callback that says nothing."""


class Told(dict[Reading, npt.NDArray[Any]]):
    """Answers, and a `note` on how its maps came about, which a verdict repeats: "" where that is as the claim says."""

    def __init__(self, answers: Answers, note: str) -> None:
        self.update(answers)
        self.note = note


@dataclass(frozen=True)
class Question:
    """What a suspect is asked about a batch of images.

    `target`: (n,) the class whose map a SALIENCY reading takes, (n, 2) with `covered`: the label and the model's own answer;
    `layer`: where, "" for the last convolution; `task`: what the model is taken to do; `pairs`: (n,) for similarity, which of the
    images each one is compared with; `covered`: (n,) where a map is of what speaks against another answer, which of the images
    got that one.
    """

    readings: frozenset[Reading]
    target: Expected
    layer: str = ""
    task: Task = Classification()
    pairs: Labels | None = None
    covered: Labels | None = None


class Suspect(Protocol):
    """A model that may or may not be a copy: a file, a module, or an address."""

    @property
    def name(self) -> str:
        """What a person calls it: a path or an address."""

    @property
    def digest(self) -> str:
        """SHA-256 of what is asked, or "" where that cannot be known."""

    @property
    def reveals(self) -> frozenset[Reading]:
        """The readings that `read` can give."""

    def read(self, images: npt.NDArray[Any], question: Question) -> Answers:
        """Answers to uint8 images (n, height, width, channels), one array of n rows per reading asked for.

        LABEL, VALUE and SIMILARITY (n,), PROBABILITY (n, classes), EMBEDDING (n, d), SALIENCY (n, h, w). Raises SuspectError;
        never answers in part.
        """


@dataclass(frozen=True)
class Blind:
    """A suspect without its maps: all else that it reveals."""

    suspect: Suspect

    @property
    def name(self) -> str:
        return self.suspect.name

    @property
    def digest(self) -> str:
        return self.suspect.digest

    @property
    def reveals(self) -> frozenset[Reading]:
        return self.suspect.reveals - {Reading.SALIENCY}

    def read(self, images: npt.NDArray[Any], question: Question) -> Answers:
        """As the suspect answers."""
        return self.suspect.read(images, question)


@dataclass(frozen=True)
class Owner:
    """What an owner brings: `images`, and the models that were made for contrast.

    `surrogates` are copies that the owner made of the model (fine-tuned, retrained, pruned): the claim shall hold on them.
    `references` are models that the owner trained independently: the claim shall be silent on them. None of either may
    calibrate the claim later. Work that was cut short goes on from what lies in the folder `workspace`. `key`: 32 secret bytes,
    from which a watermark's key is derived, last of all, with every choice that could bend it; new ones unless they are given.
    `public`: the public key of who will seal the claim, "": not known yet; `alpha`: the rate of false accusations that the claim
    is to be judged by; `pulse`: the output of a public beacon, drawn after all of that was timestamped, b"": none.
    """

    images: Images
    surrogates: tuple[nn.Module, ...] = ()
    references: tuple[nn.Module, ...] = ()
    workspace: Path | None = None
    key: bytes = field(default_factory=partial(os.urandom, 32), repr=False)
    public: str = ""
    alpha: float = 1e-6
    pulse: bytes = b""


@dataclass(frozen=True)
class Protected:
    """What `protect` gives: the `model` to publish (a fingerprint leaves it as it was) and the `claim` to keep."""

    model: nn.Module
    claim: Claim

    def __repr__(self) -> str:
        """One line for a notebook."""
        return f"<Protected {type(self.model).__name__}: {self.claim!r}>"


class Scheme(Protocol):
    """A frozen dataclass of its parameters with one verb; its repr is its identity."""

    contrast: ClassVar[bool]  # whether it looks at the owner's surrogates and references: else they are not made
    marks: ClassVar[bool]  # whether it gives a new model, drawn from the owner's key: a watermark; a fingerprint changes none
    serves: ClassVar[tuple[type[Task], ...]]  # the tasks that it can make claims for

    def protect(self, model: nn.Module, owner: Owner, rng: torch.Generator, progress: Progress) -> Protected:
        """Make a claim on `model`, which is left untouched. Raises ProtectError where none that holds can be made."""


class Attack(Protocol):
    """A frozen dataclass of its parameters with one verb; it never sees a claim."""

    def apply(self, stolen: nn.Module, thief: Images, rng: torch.Generator, progress: Progress) -> nn.Module:
        """Another model made of `stolen`, which is left untouched, with the thief's own images."""


@dataclass(frozen=True, eq=False)  # arrays cannot be compared by ==
class Alarm:
    """What a detector learnt. `score`: how unlike a normal query each of the uint8 images (n, height, width, channels) is.

    It takes the images of one call as one stream, in the order in which they are asked, and gives (n,) numbers, higher for less
    normal ones. `normal` (m,): the scores of normal images that it did not learn from.
    """

    score: Callable[[npt.NDArray[np.uint8]], Floats]
    normal: Floats

    def threshold(self, false_alarms: float = 0.05) -> float:
        """What the next normal image scores above with at most this probability, if it is exchangeable with those of `normal`."""
        allowed = math.floor((len(self.normal) + 1) * false_alarms + 1e-9)
        if not 1 <= allowed <= len(self.normal):
            raise UsageError(
                f"{len(self.normal)} normal images cannot show a false-alarm rate of {false_alarms:g}: "
                f"choose one in (0, 1) and bring at least 1 / rate - 1 images"
            )
        return float(np.sort(self.normal)[-allowed])


class Detector(Protocol):
    """A frozen dataclass of its parameters with one verb; it knows what a thief knows, and never sees a claim."""

    def fit(self, model: nn.Module, normal: Images, rng: torch.Generator, progress: Progress) -> Alarm:
        """An alarm for queries to `model`, which is left untouched, learnt from normal images alone."""

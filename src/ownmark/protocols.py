"""READ FIRST: the roles, on one page.

A scheme turns a model into a protected model and a claim; an attack turns a stolen model into another model; a suspect
answers queries; `verify(claim, suspect)` returns a verdict. The signature is the threat model: a role is never handed what it
must not know. torch is only named here, not imported, since the judge does not need it.
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
    from ownmark.claims.doubt import Doubt
    from ownmark.data.images import Images

Progress = Callable[[int, int], None]  # called with (steps done, total steps)


def silent(done: int, total: int) -> None:
    """The progress callback that reports nothing."""


@dataclass(frozen=True)
class Question:
    """A query about a batch of images.

    `target`: (n,) the class that a SALIENCY map explains, or with `covered` (n, 2): the label and the model's own answer;
    `layer`: of the map, "" for the last feature map; `task`: what the model is assumed to do; `pairs`: (n,) for similarity, the
    row of the image to compare each image with; `covered`: (n,) for maps of the evidence against another answer, the row of the
    image that got it; `classes`: how many a classifier must know at least, 0 if any number will do.
    """

    readings: frozenset[Reading]
    target: Expected
    layer: str = ""
    task: Task = Classification()
    pairs: Labels | None = None
    covered: Labels | None = None
    classes: int = 0


class Suspect(Protocol):
    """A model that may or may not be a copy: a file, a module or an address."""

    @property
    def name(self) -> str:
        """How a person refers to it: a path or an address."""

    @property
    def digest(self) -> str:
        """SHA-256 of the model that answers, or "" if it cannot be known."""

    @property
    def reveals(self) -> frozenset[Reading]:
        """The readings that `read` can return."""

    def read(self, images: npt.NDArray[Any], question: Question) -> Answers:
        """Answers to uint8 images (n, height, width, channels), one array of n rows per reading asked for.

        LABEL, VALUE and SIMILARITY (n,), PROBABILITY (n, classes), EMBEDDING (n, d), SALIENCY (n, h, w). Raises SuspectError;
        never answers only some of the images.
        """


@dataclass(frozen=True)
class Owner:
    """What an owner brings: `images`, and the models made for contrast.

    `surrogates` are copies that the owner made of the model (fine-tuned, retrained, pruned): the claim must match them.
    `references` are models that the owner trained independently: the claim must not match them. Neither may be used to calibrate
    the claim later. Interrupted work resumes from the folder `workspace`. `key`: 32 secret bytes from which a watermark's key is
    derived, last of all, together with every choice that could bias it; random by default. `public`: the public key of the future
    sealer, "" if not known yet; `alpha`: the rate of false accusations at which the claim is to be judged; `pulse`: the output of
    a public beacon, drawn after everything else was timestamped, b"" if none; `batch`: how many images a fingerprint changes at
    once, None: as many as suit the device.
    """

    images: Images
    surrogates: tuple[nn.Module, ...] = ()
    references: tuple[nn.Module, ...] = ()
    workspace: Path | None = None
    key: bytes = field(default_factory=partial(os.urandom, 32), repr=False)
    public: str = ""
    alpha: float = 1e-6
    pulse: bytes = b""
    batch: int | None = None


@dataclass(frozen=True)
class Protected:
    """The result of `protect`: the `model` to publish (which a fingerprint leaves unchanged) and the `claim` to keep.

    `doubts`: what the scheme found out that speaks against the claim.
    """

    model: nn.Module
    claim: Claim
    doubts: tuple[Doubt, ...] = ()

    def __repr__(self) -> str:
        """One line for a notebook."""
        return f"<Protected {type(self.model).__name__}: {self.claim!r}>"


@dataclass(frozen=True)
class Needs:
    """What a scheme takes of an owner beside images.

    `contrast`: whether it uses surrogates and references; if not, none are trained. `references`: the least number that it needs,
    to compare their answers, so that they must be trained as the model was; 0: any number will do. `chooses`: whether it makes
    more samples than it keeps, and chooses among them by surrogates and references. `batched`: whether it changes images, in
    batches.
    """

    contrast: bool = False
    references: int = 0
    chooses: bool = False
    batched: bool = False


class Scheme(Protocol):
    """A frozen dataclass of its parameters with one verb; its repr is its identity."""

    marks: ClassVar[bool]  # whether it returns a new model marked by the owner's key: watermarks do, fingerprints do not
    serves: ClassVar[tuple[type[Task], ...]]  # the tasks that it supports

    @property
    def needs(self) -> Needs:
        """What it needs of an owner beside images; a constant of the class unless a parameter changes it."""

    def protect(self, model: nn.Module, owner: Owner, rng: torch.Generator, progress: Progress) -> Protected:
        """Make a claim on `model` without changing the model. Raises ProtectError if it finds no claim that holds."""


class Attack(Protocol):
    """A frozen dataclass of its parameters with one verb; it never sees a claim."""

    def apply(self, stolen: nn.Module, thief: Images, rng: torch.Generator, progress: Progress) -> nn.Module:
        """Another model made from `stolen` and the thief's own images; `stolen` itself stays unchanged."""


@dataclass(frozen=True, eq=False)  # == does not compare arrays
class Alarm:
    """A fitted detector. `score` rates how unlike a normal query each of the uint8 images (n, height, width, channels) is.

    It treats the images of one call as one stream, in the order of the queries, and returns (n,) numbers, higher for less normal
    images. `normal` (m,): the scores of normal images that were not used for fitting.
    """

    score: Callable[[npt.NDArray[np.uint8]], Floats]
    normal: Floats

    def threshold(self, false_alarms: float = 0.05) -> float:
        """The threshold that the next normal image exceeds with at most this probability, if it is exchangeable with `normal`."""
        allowed = math.floor((len(self.normal) + 1) * false_alarms + 1e-9)
        if not 1 <= allowed <= len(self.normal):
            raise UsageError(
                f"{len(self.normal)} normal images cannot establish a false-alarm rate of {false_alarms:g}: "
                f"choose one in (0, 1) and use at least 1 / rate - 1 images"
            )
        return float(np.sort(self.normal)[-allowed])


class Detector(Protocol):
    """A frozen dataclass of its parameters with one verb; it knows what a thief knows and never sees a claim."""

    def fit(self, model: nn.Module, normal: Images, rng: torch.Generator, progress: Progress) -> Alarm:
        """An alarm for queries to `model`, fitted on normal images alone; `model` stays unchanged."""

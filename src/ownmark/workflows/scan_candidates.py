"""From what a judge names to those who are asked: apps and folders are searched, and what fits the claim is a suspect.

Whether a model fits is found out with images of noise, never with the claim's: who is left out does not hang on any answer that
counts, so p is corrected for those who are asked. No torch by itself.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ownmark.claims.claim import Claim
from ownmark.errors import OwnmarkError, SizeError, SuspectError, UnsettledError, blamed
from ownmark.finding.archives import Limits
from ownmark.finding.search import Found, is_container, search, suffix_of
from ownmark.protocols import Progress, Suspect
from ownmark.scoring.null_models import Uncalibrated
from ownmark.suspects.open import Reach
from ownmark.suspects.wrappers.resized import Resized
from ownmark.verdicts.verify import answered
from ownmark.workflows.watching import Watcher

PROBES = 2  # images of noise that find out whether a model fits


@dataclass(frozen=True)
class Candidate:
    """A suspect: `shown`, as it is told and remembered, and its `name`, as the registry reads it; `size`: height and width to
    which images are brought first, None where they are shown as they are."""

    shown: str
    name: str
    size: tuple[int, int] | None = None

    def sized(self, suspect: Suspect) -> Suspect:
        """The suspect, shown images as it takes them."""
        return suspect if self.size is None else Resized(suspect, self.size)


@dataclass(frozen=True)
class Unasked:
    """What was found and is not asked: where, what it is, and why."""

    place: str
    what: str
    why: str


@dataclass(frozen=True)
class Candidates:
    """All that a judge's words come to; `looked_at`: files in apps, archives and folders."""

    asked: tuple[Candidate, ...]
    unasked: tuple[Unasked, ...]
    looked_at: int


def candidates_of(names: Sequence[str], reach: Reach, claim: Claim, folder: Path, watcher: Watcher, limits: Limits) -> Candidates:
    """Every suspect; those in an app are unpacked into the empty `folder`. Raises UsageError for a name that is a slip."""
    containers = {name: None for name in names if is_container(name)}
    named = [Candidate(name, name) for name in names if name not in containers]
    for one in named:
        reach.check(one.name)
    unasked: list[Unasked] = []
    seen: dict[str, str] = {}
    looked_at = 0
    for place, name in enumerate(containers):
        into = folder / str(place)
        into.mkdir()
        with watcher.step(f"Searching {name}"):
            found = search(name, into, limits)
        looked_at += found.looked_at
        unasked += [Unasked(where, "", why) for where, why in found.refused.items()]
        with watcher.step(f"Trying what was found in {name}") as progress:
            tried = [_fit(model, seen, reach, claim) for model in _watched(found.models, progress)]
        named += [one for one in tried if isinstance(one, Candidate)]
        unasked += [one for one in tried if isinstance(one, Unasked)]
    return Candidates(tuple(named), tuple(unasked), looked_at)


def _watched(models: Sequence[Found], progress: Progress) -> Iterator[Found]:
    """The models one by one, with the progress told."""
    for number, model in enumerate(models):
        progress(number, len(models))
        yield model


def _fit(model: Found, seen: dict[str, str], reach: Reach, claim: Claim) -> Candidate | Unasked:
    told = _same(model, seen) or _tried(model, reach, claim)
    return told if isinstance(told, Candidate) else Unasked(model.place, model.format.name, told)


def _same(model: Found, seen: dict[str, str]) -> str:
    """Why a model counts with another one, "" for the first of its bytes."""
    first = seen.setdefault(model.digest, model.place)
    return "" if first == model.place else f"it is the same file as {first}"


def _tried(model: Found, reach: Reach, claim: Claim) -> Candidate | str:
    """A model that takes the claim's images, perhaps resized, or why it does not."""
    if model.format.why:
        return model.format.why
    if suffix_of(model.format) is None:
        return "no kind of suspect opens this format"
    name, probe = str(model.file), _probe(claim)
    try:
        with blamed(SuspectError, f"{name} cannot be opened"):
            suspect = replace(reach.near, code=False).suspect(name)  # whatever is allowed: a scan runs no code that it found
        try:
            return _fitting(Candidate(model.place, name), suspect, probe)
        except SizeError as error:
            height, width = error.size
            own = "x".join(map(str, claim.images.shape[2:4]))
            resized = f"{model.place} (images resized from {own} to {height}x{width})"
            return _fitting(Candidate(resized, name, error.size), suspect, probe)
    except OwnmarkError as error:
        return str(error).replace(name, model.place)


def _fitting(asked: Candidate, suspect: Suspect, probe: Claim) -> Candidate:
    """The same, if its answers are such as the claim's tests read. Raises OwnmarkError."""
    try:
        answered(probe, asked.sized(suspect))
    except UnsettledError:
        return asked  # what its numbers mean shows in the answers to the claim's own images
    return asked


def _probe(claim: Claim) -> Claim:
    """The claim with noise in the place of its first images, which only shows whether they can be asked about."""
    noise = np.random.default_rng(0).integers(0, 256, (PROBES, *claim.images.shape[1:]), dtype=np.uint8)
    rows = np.arange(PROBES) % len(claim.images)
    tests = tuple(replace(test, expected=test.expected[rows], null=Uncalibrated()) for test in claim.tests)
    return replace(claim, images=noise, tests=tests, originals=None, maps=None)

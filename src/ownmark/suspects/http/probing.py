"""Ordinary images reveal how an address answers before any query about the claim, and again at the end. No torch.

`verify_remote` wraps `verify` in these probes: what remains ambiguous is INCONCLUSIVE, with the likely cause.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, Self

import numpy as np

from ownmark.claims.claim import Claim
from ownmark.errors import DataError, SuspectError, UsageError
from ownmark.protocols import Suspect
from ownmark.querying.control_twins import controls_of
from ownmark.querying.integrity_checks import LEVEL, MOST_UNSTABLE
from ownmark.querying.transcript import AGAIN, PROBES, Decoys
from ownmark.scoring.readings import Labels
from ownmark.statistics.p_values import binomial_tail, fisher
from ownmark.statistics.sequential import Early
from ownmark.suspects.http.naming import LEAST, Naming, are_learnable, are_strange, learnt, supposed
from ownmark.suspects.http.web import STEADY, Manner, Pixels, Told
from ownmark.verdicts.competence import shown_originals
from ownmark.verdicts.early import keyed_order
from ownmark.verdicts.verdict import Outcome, Verdict
from ownmark.verdicts.verify import unsettled, verify

SURE = 0.9  # share of the first probes that settles the names of the classes
MOST_DECOYS = 200  # the most images to ask about if the names are not settled
CLEARLY = 3  # more of the first probes that another way of sending them must get right to be the likely cause
BY_LUCK = 0.01  # level at which a suspect is better than one answer to all images
REFUSALS = 5  # triggers to try one by one after one got no answer
LATER, REFUSED = AGAIN + 1, AGAIN + 2  # turns: after the triggers, and after a trigger got no answer
TOLD = 6  # names of classes that are told


class Remote(Suspect, Protocol):
    """A suspect behind an address."""

    manner: Manner

    @property
    def namings(self) -> tuple[tuple[str, ...], ...]:
        """What it may call the claim's classes."""

    def otherwise(self) -> Iterator[tuple[str, Manner]]:
        """Other ranges of values that it may expect, each with what to pass or to write."""

    def asked(self, manner: Manner) -> Self:
        """The same suspect, queried in that manner."""

    def told(self, images: Pixels) -> list[Told]:
        """Its answers about images (n, height, width, channels), in its own words."""


@dataclass(frozen=True)
class Settled:
    """The suspect with settings that fit it; `notes`: what the probes found; `doubt`: why it cannot be judged, "" if it can."""

    remote: Remote
    notes: tuple[str, ...] = ()
    doubt: str = ""


@dataclass(frozen=True)
class RemoteVerdict:
    """A verdict, and what else was learnt about the suspect."""

    verdict: Verdict
    notes: tuple[str, ...]


def planned(claim: Claim, decoys: Decoys | None, repeats: int, early: Early | None) -> tuple[int, int]:
    """How many images are asked about besides the claim's own, and how many of the claim's, both at most."""
    own = claim.images.shape[0] * claim.images.shape[1]
    if early is not None:
        own = min(early.most or claim.images.shape[0], claim.images.shape[0])
    probes = 0 if decoys is None else min(PROBES, len(decoys.images)) * (2 + AGAIN)
    twins = controls_of(claim) if early is None else None
    unchanged = 0 if early is not None else len(shown_originals(claim))  # of a suspect that answers changed ones wrong
    return probes + min(repeats, own) + (0 if twins is None else len(twins.rows)) + unchanged, own


def verify_remote(
    claim: Claim,
    remote: Remote,
    decoys: Decoys | None = None,
    *,
    alpha: float = 0.05,
    early: Early | None = None,
    access: str = "",
) -> RemoteVerdict:
    """Probe the suspect, query it, and check that it is still the same. Raises as `verify` does."""
    if decoys is None and early is None:
        return RemoteVerdict(verify(claim, remote, alpha=alpha, access=access), ())
    found = Settled(remote) if decoys is None else settled(claim, remote, decoys)
    if found.doubt:
        return RemoteVerdict(unsettled(claim, remote, alpha, found.doubt), found.notes)
    quiet = found.remote.asked(replace(found.remote.manner, repeats=0))
    try:
        verdict = verify(claim, quiet, alpha=alpha, early=early, access=access)
    except SuspectError:
        doubt = None if decoys is None else _refusal(claim, found.remote, decoys)
        if doubt is None:
            raise
        return RemoteVerdict(unsettled(claim, remote, alpha, doubt), found.notes)
    doubt = _change(found.remote, _shown(claim, verdict, remote.manner.repeats), decoys) if verdict.queries else ""
    if doubt:
        verdict = replace(verdict, outcome=Outcome.INCONCLUSIVE, reason=doubt)
    return RemoteVerdict(verdict, found.notes)


def settled(claim: Claim, remote: Remote, decoys: Decoys) -> Settled:
    """What ordinary images of known class show: stable answers, the names of the classes, and whether preprocessing fits."""
    known = Decoys(decoys.images[decoys.labels >= 0], decoys.labels[decoys.labels >= 0])
    if not len(known.images):
        raise DataError(
            f"expected decoys of known class: name their folders after the claim's classes, {', '.join(claim.classes)}"
        )
    probes = known.images[:PROBES]
    first = _turned(remote, probes, 0)
    if are_strange(first, remote.namings, claim.classes) and not are_learnable(first, known.labels):
        return Settled(remote, (), _other_names(claim, first))
    turns = [first, *(_turned(remote, probes, turn) for turn in range(1, 1 + AGAIN))]
    changed = sum(any(_apart(before, other) for other in others) for before, *others in zip(*turns, strict=True))
    notes: tuple[str, ...] = (
        f"{changed} of {len(probes)} ordinary images got a different answer when asked about {AGAIN} more times",
    )
    if changed > MOST_UNSTABLE * len(probes):
        doubt = f"{notes[0]}: two models behind one address, or it answers at random; nothing can be judged"
        return Settled(remote, notes, doubt)
    naming = _named(claim, remote, known, first)
    if not naming.good:
        return Settled(remote, notes, _cause(claim, remote, known, naming, first))
    notes += (f"{naming.right} of {naming.asked} ordinary images correct; classes: {naming.how}",)
    fewer = set(naming.classes) - set(first[0]) if len(first[0]) > 1 and _scored(remote) else set()
    if fewer:
        return Settled(remote, notes, f"the suspect has no class for {len(fewer)} of the claim's {len(claim.classes)} classes")
    spoken = {name for told in first for name in told}
    plain = naming.classes in remote.namings and not spoken - set(naming.classes)
    return Settled(remote.asked(replace(remote.manner, classes=() if plain else naming.classes)), notes)


def _turned(remote: Remote, images: Pixels, turn: int) -> Sequence[Told]:
    """The answers of one turn; each starts one image later, so that alternating models do not get the same images again."""
    order = np.roll(np.arange(len(images)), turn)
    told = remote.asked(replace(remote.manner, turn=turn)).told(images[order])
    return [told[place] for place in np.argsort(order)]


def _scored(remote: Remote) -> bool:
    return len(remote.reveals) > 1


def _named(claim: Claim, remote: Remote, known: Decoys, first: Sequence[Told]) -> Naming:
    """Settled by the first probes if nearly all of them fit, otherwise by more images, as long as these can tell names apart."""
    classes, told = len(claim.classes), first
    found = supposed(first, known.labels[: len(first)], remote.namings, claim.classes)
    for most in (LEAST * classes, MOST_DECOYS):
        labels = known.labels[:most]
        if found.right >= SURE * found.asked or len(labels) <= len(told) or not are_learnable(told, known.labels):
            break
        told = remote.told(known.images[:most])
        found = learnt(told, labels, classes) or supposed(told, labels, remote.namings, claim.classes)
    return found


def _cause(claim: Claim, remote: Remote, known: Decoys, naming: Naming, first: Sequence[Told]) -> str:
    """Why so few ordinary images were correct, if another way of sending them explains it, or else if the task may be hard."""
    doubt = f"only {naming.right} of {naming.asked} ordinary images were classified correctly, so nothing can be judged"
    if are_strange(first, remote.namings, claim.classes):
        return f"{doubt}. {_other_names(claim, first)}"
    probes, labels = known.images[:PROBES], known.labels[:PROBES]
    sent = supposed(first, labels, remote.namings, claim.classes).right
    for what, manner, images in _other_ways(remote, probes):
        try:
            found = supposed(remote.asked(manner).told(images), labels, remote.namings, claim.classes)
        except UsageError:
            break  # the budget is spent
        except SuspectError:
            continue
        if found.good and found.right >= sent + CLEARLY:
            return f"{doubt}. Likely cause: it expects {what} ({found.right} of {found.asked} correct with that)"
    often = max(Counter(known.labels[: naming.asked].tolist()).values()) / naming.asked  # right by one answer to all of them
    if binomial_tail(naming.right, naming.asked, often) <= BY_LUCK:
        return (
            f"{doubt}: {naming.needed} would be enough, halfway from chance to all. It is better than chance: if the protected "
            "model itself is right no more often, ask without --decoys"
        )
    return f"{doubt}. {_answers(claim, first)}: its classes, their order or its preprocessing differ, or it answers at random"


def _other_names(claim: Claim, first: Sequence[Told]) -> str:
    """What to do about names of classes that decoys do not explain."""
    return (
        f"{_answers(claim, first)}, and ordinary images do not tell which is which: declare in the mapping's classes what the "
        "API calls the claim's classes"
    )


def _answers(claim: Claim, first: Sequence[Told]) -> str:
    """The names that were heard beside the claim's."""
    heard = sorted({name for told in first for name in told})
    names = f"{', '.join(name[:40] for name in heard[:TOLD])}{', ...' if len(heard) > TOLD else ''}"
    return f"It answers {names} where the claim has {', '.join(claim.classes[:TOLD])}"


def _other_ways(remote: Remote, images: Pixels) -> Iterator[tuple[str, Manner, Pixels]]:
    manner = remote.manner
    yield "blue first: pass --blue-first", replace(manner, blue_first=not manner.blue_first), images
    for what, other in remote.otherwise():
        yield what, other, images
    yield "images of twice the size", manner, images.repeat(2, axis=1).repeat(2, axis=2)
    yield "images of half the size", manner, np.ascontiguousarray(images[:, ::2, ::2])


def _shown(claim: Claim, verdict: Verdict, repeats: int) -> Pixels:
    """Some of the claim's images that were asked about."""
    key = verdict.deciding.test.null.keyed
    images: Pixels = claim.images.reshape(-1, *claim.images.shape[2:])
    if verdict.early is not None and key is not None:
        images = claim.images[keyed_order(key)[: verdict.queries], 0]
    return np.asarray(images[_spread(len(images), repeats)])


def _change(remote: Remote, triggers: Pixels, decoys: Decoys | None) -> str:
    """Evidence that the suspect was replaced during the test, "" if there is none."""
    changed = _changed(remote, triggers, 1)
    if decoys is None:
        twice = f"{changed} of {len(triggers)} repeated triggers got a different answer"
        return f"{twice}: the suspect was replaced meanwhile or answers at random" if changed else ""
    probes = decoys.images[decoys.labels >= 0][:PROBES]
    later = _changed(remote, probes, LATER)
    if later > MOST_UNSTABLE * len(probes):
        told = f"{later} of {len(probes)} ordinary images got a different answer after the triggers than before"
        return f"{told}: the suspect was replaced meanwhile or is evading"
    if changed:
        told = f"{changed} of {len(triggers)} triggers got a different answer when asked again"
        return f"evasion suspected: {told}, ordinary images did not"
    return ""


def _changed(remote: Remote, images: Pixels, turn: int) -> int:
    """How many of the images get a different answer in that turn than in the first."""
    if not len(images):
        return 0
    again = remote.asked(replace(remote.manner, turn=turn)).told(images)
    return sum(_apart(one, other) for one, other in zip(remote.told(images), again, strict=True))


def _refusal(claim: Claim, remote: Remote, decoys: Decoys) -> str | None:
    """Evidence that triggers in particular get no answer; None if ordinary images get none either."""
    again = remote.asked(replace(remote.manner, turn=REFUSED))
    probes = decoys.images[:PROBES]
    if _refused(again, probes[0]):
        return None
    decoy = (sum(_refused(again, image) for image in probes), len(probes))
    images = claim.images[:, 0][_spread(len(claim.images), REFUSALS)]
    trigger = (sum(_refused(again, image) for image in images), len(images))
    p = fisher(trigger, decoy)
    told = f"{trigger[0]} of {trigger[1]} triggers and {decoy[0]} of {decoy[1]} ordinary images got no answer, p = {p:.3g}"
    return f"evasion suspected: {told}" if p <= LEVEL else None


def _spread(count: int, most: int) -> Labels:
    """(most,) rows, or all if there are fewer, evenly spaced."""
    return np.linspace(0, count - 1, min(most, count)).round().astype(np.int64)


def _refused(remote: Remote, image: Pixels) -> bool:
    try:
        remote.told(image[None])
    except SuspectError:
        return True
    return False


def _apart(first: Told, second: Told) -> bool:
    """Whether two answers differ by more than floating-point noise."""
    largest = max(1.0, *map(abs, first.values()))
    return any(abs(first.get(name, 0.0) - second.get(name, 0.0)) > STEADY * largest for name in first.keys() | second.keys())

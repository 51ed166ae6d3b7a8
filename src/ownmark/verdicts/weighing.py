"""What of a suspect's findings counts: neither what was rounded, nor what a model without the task finds, too. No torch."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cache, cached_property

from ownmark.claims.claim import Claim
from ownmark.protocols import Suspect
from ownmark.scoring.matches import Combining
from ownmark.verdicts.combined import best_of
from ownmark.verdicts.competence import EITHER, fit_on_originals, shown_originals, unfit
from ownmark.verdicts.rounding import strict
from ownmark.verdicts.uninformative import all_alike, of_number, of_residual, one_answer, one_class, too_far
from ownmark.verdicts.verdict import Finding, named


class Ability:
    """Whether a suspect does the claim's task, by what its tests `found`.

    A classifier that fails on changed images is asked about their originals, once, and only where that decides something.
    """

    def __init__(self, claim: Claim, suspect: Suspect, found: tuple[Finding, ...]) -> None:
        self.asked = 0  # originals
        self._claim, self._suspect, self._same = claim, suspect, all_alike(found)
        self._covered, self._either = unfit(claim.task, found) or self._same, unfit(claim.task, found, EITHER) or self._same

    @property
    def unable(self) -> str:
        """Why it does not do the task; "" where it does, or where the claim cannot tell."""
        return self._unless_excused(self._covered)

    def doubt(self, finding: Finding) -> str:
        """Why a finding that a model without the task may have, too, counts as nothing; "" where it counts."""
        return self._unless_excused(self._either) if of_residual(finding) or of_number(finding) else ""

    def _unless_excused(self, why: str) -> str:
        return "" if why and self._excused else why

    @cached_property
    def _excused(self) -> bool:
        if self._same:
            return False
        self.asked = len(shown_originals(self._claim))
        return fit_on_originals(self._claim, self._suspect)


@dataclass(frozen=True, eq=False)
class Weighed:
    """A suspect's findings as they were made (`plain`) and as they count (`found`), in one order.

    `rounded` and `nothing`: why some count less, or as nothing; "" where all stay. `strictly` and `doubt` say so of one finding.
    """

    claim: Claim
    plain: tuple[Finding, ...]
    found: tuple[Finding, ...]
    rounded: str
    nothing: str
    ability: Ability
    strictly: Callable[[Finding], tuple[Finding, str]]
    doubt: Callable[[Finding], str]

    @classmethod
    def of(cls, claim: Claim, suspect: Suspect, plain: tuple[Finding, ...], alpha: float) -> "Weighed":
        strictly = cache(strict)  # of each finding once
        exact, rounded = revised(claim, plain, strictly)
        ability = Ability(claim, suspect, exact)

        def doubt(one: Finding) -> str:
            return too_far(one) or one_class(one) or one_answer(one, alpha) or ability.doubt(one)

        found, nothing = discounted(claim, exact, doubt)
        return cls(claim, plain, found, rounded, nothing, ability, strictly, doubt)

    def notes(self) -> Iterable[str]:
        """What a verdict tells of each test that counts less than it found."""
        told = [(one, self.doubt(one) or self.strictly(one)[1]) for one in self.plain]
        return dict.fromkeys(f"{named(one.test)}: {why}" for one, why in told if why)


def discounted(
    claim: Claim, found: tuple[Finding, ...], doubt: Callable[[Finding], str] = too_far
) -> tuple[tuple[Finding, ...], str]:
    """A suspect's findings, in order, without what counts as nothing; and why, "" if all counts.

    `doubt`: why a finding counts as nothing, "" if it counts; `too_far`: it lies further from independent models than any copy.
    Innocents and references keep what they score: none may make p smaller by lying far out.
    """
    return revised(claim, found, lambda one: (_muted(one), why) if (why := doubt(one)) else (one, ""))


def revised(
    claim: Claim, found: tuple[Finding, ...], change: Callable[[Finding], tuple[Finding, str]]
) -> tuple[tuple[Finding, ...], str]:
    """A suspect's findings, in order, as `change` leaves each of them, with the best of several anew; and why, "" if all stay."""
    told = {id(one.test): change(one) for one in found}
    whys = [why for _, why in told.values() if why]
    if not whys:
        return found, ""
    places = {id(test): place for place, test in enumerate(claim.tests)}
    held = {places[key]: one for key, (one, _) in told.items()}
    asked = {place: one for place, one in held.items() if not isinstance(one.test.match, Combining)}
    held |= best_of(claim, asked)
    return tuple(held[places[id(one.test)]] for one in found), whys[0]


def _muted(finding: Finding) -> Finding:
    """The finding with a score of 0."""
    return replace(finding, score=0.0, interval=(0.0, 0.0), p=finding.test.null.p_value(0.0))

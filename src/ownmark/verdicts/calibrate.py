"""Show a claim to models known to be innocent: only then can a score be rare. No torch."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ownmark.claims.claim import Claim
from ownmark.errors import UsageError
from ownmark.protocols import Progress, Question, Suspect, silent
from ownmark.scoring.matches import Combining
from ownmark.scoring.null_models import Innocents, Null
from ownmark.scoring.readings import Answers, Floats, Reading
from ownmark.verdicts import duplicates
from ownmark.verdicts.competence import EITHER, unfit
from ownmark.verdicts.verdict import Finding
from ownmark.verdicts.verify import answered, check_claim, check_suspect


@dataclass(frozen=True, eq=False)  # arrays cannot be compared by ==
class Calibration:
    """A calibrated claim. `groups`: the names of the innocents, those together that answer alike and count as one.

    `unable`: by name, why an innocent does not do the task, where labels do not tell.
    """

    claim: Claim
    groups: tuple[tuple[str, ...], ...]
    unable: Mapping[str, str] = field(default_factory=dict)


def calibrate(claim: Claim, innocents: Sequence[Suspect], progress: Progress = silent) -> Claim:
    """The same claim, its nulls set by `innocents`: models known to be independent of it. See `calibration`, which tells more."""
    return calibration(claim, innocents, progress).claim


def calibration(claim: Claim, innocents: Sequence[Suspect], progress: Progress = silent) -> Calibration:
    """The same claim with its nulls set by models known to be innocent, which neither built nor chose it.

    Those that answer alike count once, with the highest of their scores. A test that not every innocent can answer stays as it
    was, and so does one of keyed labels, which is exact already. Raises UsageError if no other test is there, or if a model comes
    twice or is the claim's own.
    """
    check_claim(claim)
    exact = {place for place, test in enumerate(claim.tests) if test.null.keyed is not None}
    if len(exact) == len(claim.tests):
        raise UsageError("the labels of this claim come from a key: it is exact already, and innocent models add nothing to it")
    scores: dict[int, list[float]] = {}
    seen: list[str] = []
    names, answers, unable = list[str](), list[Answers](), dict[str, str]()
    for done, innocent in enumerate(innocents, start=1):
        _admit(claim, innocent, seen)
        found = answered(claim, innocent)
        for place, finding in found.items():
            scores.setdefault(place, []).append(finding.score)
        if not claim.task.discrete and (why := unfit(claim.task, found.values(), EITHER)):
            unable[innocent.name] = why
        names.append(innocent.name)
        answers.append(_shown(claim, innocent, found.values()))
        progress(done, len(innocents))
    if not seen:
        raise UsageError("calibrating needs at least one innocent model; for alpha = 0.05 at least 19")
    whole = {place: given for place, given in scores.items() if len(given) == len(seen) and place not in exact}
    if not whole:
        raise UsageError(
            "no test that innocents can calibrate was answered by all of them: leave out those that reveal the least"
        )
    groups = duplicates.groups(answers)
    models = tuple(seen[group[0]] for group in groups)
    nulls: dict[int, Null] = {
        place: Innocents(tuple(max(given[one] for one in group) for group in groups), models) for place, given in whole.items()
    }
    return Calibration(claim.with_nulls(nulls), tuple(tuple(names[one] for one in group) for group in groups), unable)


def _shown(claim: Claim, innocent: Suspect, found: Iterable[Finding]) -> Answers:
    """What tells an innocent from others: its answers to all images, and its probabilities even if no test asks for them."""
    answers: dict[Reading, Floats] = {
        finding.test.reading: finding.observed for finding in found if not isinstance(finding.test.match, Combining)
    }
    told = set(answers) - {Reading.SALIENCY, Reading.LABEL}  # numbers that tell models from each other
    if told or not claim.task.discrete or Reading.PROBABILITY not in innocent.reveals:
        return answers
    target = np.repeat(claim.target_of(claim.tests[0]), claim.images.shape[1], axis=0)
    question = Question(frozenset({Reading.PROBABILITY}), target, "", claim.task)
    return answers | dict(innocent.read(claim.images.reshape(-1, *claim.images.shape[2:]), question))


def _admit(claim: Claim, innocent: Suspect, seen: list[str]) -> None:
    """Add the model to `seen`, unless it cannot count as innocent and independent of the claim."""
    check_suspect(innocent)
    identity = innocent.digest or innocent.name
    if identity == claim.model:
        raise UsageError(f"{innocent.name} is the protected model itself, not an innocent one")
    if identity in claim.built_with:
        raise UsageError(f"{innocent.name} helped to build this claim: calibrate with models that it has never seen")
    if identity in seen:
        raise UsageError(f"{innocent.name} was already counted: every innocent must be another model")
    seen.append(identity)

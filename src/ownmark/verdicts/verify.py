"""The judge: puts a claim's questions to a suspect, and says what each test finds and what the answers show. No torch."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ownmark.claims.claim import Claim, Preprocess, Test
from ownmark.errors import AnswerError, KindError, MapError, UnsettledError, UsageError
from ownmark.protocols import Question, Suspect
from ownmark.querying import control_twins
from ownmark.querying.answering import Hiding, NotedAnswers, answers_of, checked, inner, more_of
from ownmark.scoring.matches import Combining, scored
from ownmark.scoring.readings import Floats, Reading
from ownmark.statistics.sequential import Early
from ownmark.verdicts import ways
from ownmark.verdicts.combined import best_of, counted, placed
from ownmark.verdicts.competence import advice
from ownmark.verdicts.early import verify_early
from ownmark.verdicts.uninformative import hardly_differing, other_scale
from ownmark.verdicts.verdict import CONFIDENCE, Finding, Outcome, Verdict
from ownmark.verdicts.ways import Asked, source
from ownmark.verdicts.weighing import Weighed


def verify(claim: Claim, suspect: Suspect, *, alpha: float = 0.05, early: Early | None = None, access: str = "") -> Verdict:
    """Ask `suspect` every question of `claim` that it can answer, each image once, and judge at level `alpha`.

    `access`: the one way of asking that counts (`verdicts.ways`), named before anybody is asked; "": p pays for every way.
    What would be a MATCH by two views of each sample is one only if control twins match less. With `early` only the keyed
    labels are asked about, one by one until they decide. Answers whose meaning cannot be settled are INCONCLUSIVE. Raises
    UsageError before any query if nothing can be asked, SuspectError if the answers cannot be used.
    """
    if not 0 < alpha < 1:
        raise UsageError(f"alpha must lie between 0 and 1, got {alpha}: it is the rate of false accusations you accept")
    check_claim(claim)
    ways.check(claim, access)
    check_suspect(suspect)
    try:
        if not ways.shown(claim, suspect, access):
            verdict = unsettled(claim, suspect, alpha, f"{ways.hidden(access)}{more_of(suspect)}")
        elif early is None:
            verdict = _verify_whole(claim, suspect, alpha, access)
        else:
            verdict = verify_early(claim, suspect, alpha, early, access)
    except UnsettledError as error:
        verdict = unsettled(claim, suspect, alpha, str(error))
    return replace(verdict, notes=(*verdict.notes, *_known(claim, suspect), *_given(claim, suspect), *notes_of(suspect)))


def _known(claim: Claim, suspect: Suspect) -> tuple[str, ...]:
    """What the verdict on a model says that the claim knows already: its score was arranged, or is counted against itself."""
    if suspect.digest in claim.built_with:
        return ("the suspect is a model that helped to build this claim: its score was arranged, and says nothing, high or low",)
    if any(suspect.digest in test.null.models for test in claim.tests):
        return ("the suspect is one of the innocent models that calibrated this claim: p counts its own score among theirs",)
    return ()


def _given(claim: Claim, suspect: Suspect) -> tuple[str, ...]:
    """What the verdict says on a suspect that was given other numbers for the same pixels than the protected model is."""
    own, given = claim.preprocess, getattr(inner(suspect), "preprocess", None) or claim.preprocess
    channels = claim.images.shape[4]
    if _scales(own, channels) == _scales(given, channels):
        return ()
    told, claimed = (f"mean {_listed(one.mean)} and std {_listed(one.std)}" for one in (given, own))
    return (f"the suspect was asked with {told}, where the claim has {claimed}: right only if it takes its images so",)


def _scales(preprocess: Preprocess, channels: int) -> list[tuple[float, float]]:
    """The mean and the standard deviation of each channel; one of each counts for all."""
    found = list(zip(preprocess.mean, preprocess.std, strict=True))
    return found * channels if len(found) == 1 else found


def _listed(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:g}" for value in values)


def check_claim(claim: object) -> None:
    """Raises UsageError for what is no claim, such as the name of its file."""
    if not isinstance(claim, Claim):
        raise UsageError(f"expected a claim, got {type(claim).__name__}: open its file with Claim.load(...)")


def check_suspect(suspect: object) -> None:
    """Raises UsageError for what cannot be asked, such as a bare module."""
    if getattr(suspect, "reveals", None) is None:
        raise UsageError(
            f"expected a suspect, got {type(suspect).__name__}: wrap a module of torch in Local(...), a file in Onnx(...)"
        )


def notes_of(suspect: Suspect) -> tuple[str, ...]:
    """How a suspect was read, where that was not the only way. A suspect of one's own needs no `notes`."""
    notes: tuple[str, ...] = getattr(inner(suspect), "notes", ())
    return notes


def unsettled(claim: Claim, suspect: Suspect, alpha: float, reason: str) -> Verdict:
    """INCONCLUSIVE for that reason, without a single answer that could be judged."""
    test = next((test for test in claim.tests if test.reading in suspect.reveals), claim.tests[0])
    nothing = Finding(test, np.zeros(0, dtype=np.bool_), np.zeros((0, 1)), 0.0, (0.0, 1.0), 1.0, test.null.smallest)
    return Verdict(Outcome.INCONCLUSIVE, reason, alpha, nothing, (), 0, claim.digest, suspect.name, suspect.digest)


def findings(claim: Claim, suspect: Suspect) -> tuple[Finding, ...]:
    """What every test that the suspect can answer finds, the deciding one first; control twins are not asked about.

    The first calibrated one decides, but the best of several comes before these.
    """
    found = sorted(answered(claim, suspect).values(), key=lambda finding: not isinstance(finding.test.match, Combining))
    deciding = next((finding for finding in found if finding.smallest < 1), found[0])
    return (deciding, *(finding for finding in found if finding is not deciding))


def _told(claim: Claim, suspect: Suspect, access: str) -> tuple[tuple[Finding, ...], tuple[str, ...]]:
    """The findings, and which tests were left out. Probabilities that cannot be settled count only where they would decide."""
    try:
        return findings(claim, suspect), ()
    except KindError as error:
        tests = [test for test in claim.tests if source(test.reading, suspect) in suspect.reveals]
        tests.sort(key=lambda test: not isinstance(test.match, Combining))
        able = [test for test in tests if test.null.smallest < 1 and access in {"", ways.way(test)}]
        deciding = (able or tests)[0]
        blind = source(deciding.reading, suspect) is not Reading.PROBABILITY and not isinstance(deciding.match, Combining)
        if not blind or not any(test.reading is Reading.PROBABILITY for test in tests):
            raise
        found = findings(claim, Hiding(suspect, Reading.PROBABILITY))
        return found, (f"the black-box test, which would not have decided, was left out: {error}",)


def _verify_whole(claim: Claim, suspect: Suspect, alpha: float, access: str) -> Verdict:
    plain, notes = _told(claim, suspect, access)
    weighed = Weighed.of(claim, suspect, plain, alpha)
    chief, asked = ways.deciding(weighed.found, ways.calibrated(claim), access)
    deciding, others = ways.paid(chief, asked), tuple(one for one in weighed.found if one is not chief)
    outcome, reason = _judge(deciding, alpha, asked)
    if outcome is Outcome.NO_MATCH and (why := _not_cleared(weighed, deciding, alpha, asked)):
        outcome, reason = Outcome.INCONCLUSIVE, f"{reason}; but {why}"
    else:
        notes = (*notes, *weighed.notes())
    notes = (*notes, scale) if (scale := other_scale(plain)) else notes
    queries = claim.images.shape[0] * claim.images.shape[1] + weighed.ability.asked
    noted = f"; {deciding.note}" if deciding.note else ""
    if outcome is Outcome.MATCH and (paired := _by_pairs(claim, deciding, others)) is not None:
        outcome, told, more = _controlled(control_twins.paired(claim), suspect, paired)
        reason, queries = f"{reason}; {told}" if outcome is Outcome.MATCH else told, queries + more
    known = (claim.digest, suspect.name, suspect.digest)
    return Verdict(outcome, reason + noted, alpha, deciding, others, queries, *known, notes=notes)


def _not_cleared(weighed: Weighed, deciding: Finding, alpha: float, asked: Asked) -> str:
    """Why NO MATCH clears nobody: the suspect does not do the task, or what does not count would have decided; "" if it does."""
    seen = next(one for one in weighed.plain if one.test is deciding.test)
    bears = _judge(ways.paid(seen, asked), alpha, asked)[0] is not Outcome.NO_MATCH
    if why := weighed.ability.unable or (weighed.nothing if bears else ""):
        return f"{why}: {advice(weighed.claim.task)}"
    return (weighed.rounded if bears else "") or hardly_differing(deciding, weighed.plain)


def _by_pairs(claim: Claim, deciding: Finding, others: Sequence[Finding]) -> Finding | None:
    """The finding that compares two views of each sample and that the verdict rests on; None if it rests on none.

    The best of several tests rests on it if all others score less, unless the suspect yields maps.
    """
    best, shows_map = basis(claim, deciding, others)[0], deciding.test.reading is Reading.SALIENCY
    return best if control_twins.needed(best.test) and not shows_map else None


def basis(claim: Claim, deciding: Finding, found: Sequence[Finding]) -> list[Finding]:
    """What the deciding finding is made of, what its score rests on first: itself, or the tests of which it is the best.

    Of equal scores a graded one comes first, and one that compares two views last.
    """
    match = deciding.test.match
    if not isinstance(match, Combining):
        return [deciding]
    parts = [(counted(match, place, one), one) for place, one in placed(claim, match, found).items()]
    parts.sort(key=lambda part: (-part[0], not part[1].graded, control_twins.needed(part[1].test)))
    return [one for _, one in parts]


def _controlled(claim: Claim, suspect: Suspect, finding: Finding) -> tuple[Outcome, str, int]:
    """What control twins leave of a match, why, and how many images were asked about. No answer to them is no match."""
    twins = control_twins.controls_of(claim)
    if twins is None:
        return Outcome.MATCH, control_twins.NONE, 0
    asking = twins.asking(claim, finding.test)
    asked = asking.images.shape[0] * asking.images.shape[1]
    try:
        (control,) = answered(asking, suspect).values()
    except AnswerError as error:
        return Outcome.INCONCLUSIVE, f"the control twins got no answer that can be judged: {error}", asked
    found = control_twins.compared(finding.matches, twins.matches(finding.test, finding.observed[:, 0], control.observed[:, 1]))
    return Outcome.MATCH if found.apart else Outcome.INCONCLUSIVE, found.reason, asked


def _judge(finding: Finding, alpha: float, asked: Asked) -> tuple[Outcome, str]:
    if asked.count == math.inf:
        return Outcome.INCONCLUSIVE, asked.told
    least = f"the smallest possible p is {finding.smallest:.3g}" + (f", {asked.told}" if asked.count > 1 else "")
    if finding.smallest > alpha:
        advice = finding.test.null.advice(alpha / asked.count)
        helps = asked.count > 1 and finding.smallest <= alpha * asked.count
        other = ", or name one way of asking before you ask" if helps else ""
        return Outcome.INCONCLUSIVE, f"no score could reach p <= {alpha:g}: {least}. {advice}{other}"
    if finding.p <= alpha:
        return Outcome.MATCH, f"p = {finding.p:.3g} is not above alpha = {alpha:g}; {least}"
    if finding.interval[1] >= finding.test.target_score:
        return Outcome.INCONCLUSIVE, (
            f"p = {finding.p:.3g} is above alpha = {alpha:g}, but the score may still equal the protected model's own; {least}"
        )
    return Outcome.NO_MATCH, (
        f"p = {finding.p:.3g} is above alpha = {alpha:g} and the score lies below the protected model's own; {least}"
    )


def answered(claim: Claim, suspect: Suspect) -> dict[int, Finding]:
    """Findings by the place of their test, for every test that the suspect can answer; all views in one go."""
    asked = {place: test for place, test in enumerate(claim.tests) if not isinstance(test.match, Combining)}
    tests = {place: test for place, test in asked.items() if source(test.reading, suspect) in suspect.reveals}
    if not tests:
        needed = ", ".join(test.reading for test in claim.tests)
        shown = ", ".join(sorted(suspect.reveals))
        raise UsageError(f"the claim needs one of: {needed}; {suspect.name} reveals: {shown}{more_of(suspect)}")
    count, views = claim.images.shape[:2]
    chief = next((test for test in tests.values() if test.reading is Reading.SALIENCY), next(iter(tests.values())))
    question = Question(
        frozenset(source(test.reading, suspect) for test in tests.values()),
        np.repeat(claim.target_of(chief), views, axis=0),
        chief.layer,
        claim.task,
        np.repeat(np.arange(count) * views + views - 1, views) if claim.task.compares else None,
        claim.covered if chief.reading is Reading.SALIENCY else None,
        len(claim.classes),
    )
    try:
        answers = answers_of(suspect, claim.images.reshape(count * views, *claim.images.shape[2:]), question)
    except MapError as error:
        return _asked_blind(claim, suspect, error)
    size = (count * views, len(claim.classes))
    whole = {reading: checked(reading, answers, size) for reading in question.readings}
    viewed = {reading: found.reshape(count, views, *found.shape[1:]) for reading, found in whole.items()}
    viewed = {**claim.task.derived(viewed), **viewed}
    note = answers.note if isinstance(answers, NotedAnswers) else ""
    found = {
        place: replace(_finding(test, viewed[test.reading][test.samples]), note=note if test.reading is Reading.SALIENCY else "")
        for place, test in tests.items()
    }
    return found | best_of(claim, found)


def _asked_blind(claim: Claim, suspect: Suspect, error: MapError) -> dict[int, Finding]:
    """What the other tests find, of a suspect that shows no map. Raises the error again if there are none."""
    blind = Hiding(suspect, Reading.SALIENCY)
    if not any(source(test.reading, blind) in blind.reveals for test in claim.tests):
        raise error
    note = f"its answers decide, since it shows no map: {error}"
    return {place: replace(finding, note=note) for place, finding in answered(claim, blind).items()}


def _finding(test: Test, observed: Floats) -> Finding:
    matches, score = scored(test.match, observed, test.expected, CONFIDENCE)
    return Finding(test, matches, observed, score.value, score.interval, test.null.p_value(score.value), test.null.smallest)

"""A claim's questions put to a suspect, and what each of its tests finds in the answers. No torch."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from ownmark.claims.claim import Claim, Test
from ownmark.errors import MapError, UsageError
from ownmark.protocols import Question, Suspect, Told
from ownmark.querying.answering import Hiding, answers_of
from ownmark.scoring.matches import BestOf, Score, scored
from ownmark.scoring.readings import Floats, Reading
from ownmark.scoring.validation import checked
from ownmark.verdicts.verdict import Finding

CONFIDENCE = 0.95  # of the interval around a score


def answered(claim: Claim, suspect: Suspect) -> dict[int, Finding]:
    """Findings by the place of their test, for every test that the suspect can answer; all views in one go."""
    asked = {place: test for place, test in enumerate(claim.tests) if not isinstance(test.match, BestOf)}
    tests = {place: test for place, test in asked.items() if source(test.reading, suspect) in suspect.reveals}
    if not tests:
        needed = ", ".join(test.reading for test in claim.tests)
        raise UsageError(f"the claim needs one of: {needed}; {suspect.name} reveals: {', '.join(suspect.reveals)}")
    count, views = claim.images.shape[:2]
    chief = next((test for test in tests.values() if test.reading is Reading.SALIENCY), next(iter(tests.values())))
    question = Question(
        frozenset(source(test.reading, suspect) for test in tests.values()),
        np.repeat(claim.target_of(chief), views, axis=0),
        chief.layer,
        claim.task,
        np.repeat(np.arange(count) * views + views - 1, views) if claim.task.compares else None,
        claim.covered if chief.reading is Reading.SALIENCY else None,
    )
    try:
        answers = answers_of(suspect, claim.images.reshape(count * views, *claim.images.shape[2:]), question)
    except MapError as error:
        return _asked_blind(claim, suspect, error)
    size = (count * views, len(claim.classes))
    whole = {reading: checked(reading, answers, size) for reading in question.readings}
    viewed = {reading: found.reshape(count, views, *found.shape[1:]) for reading, found in whole.items()}
    viewed = {**claim.task.derived(viewed), **viewed}
    note = answers.note if isinstance(answers, Told) else ""
    found = {
        place: replace(_finding(test, viewed[test.reading][test.samples]), note=note if test.reading is Reading.SALIENCY else "")
        for place, test in tests.items()
    }
    return found | _best(claim, found)


def _asked_blind(claim: Claim, suspect: Suspect, error: MapError) -> dict[int, Finding]:
    """What the other tests find, of a suspect that shows no map. Raises the error again if there are none."""
    blind = Hiding(suspect, Reading.SALIENCY)
    if not any(source(test.reading, blind) in blind.reveals for test in claim.tests):
        raise error
    note = f"its answers decide, since it shows no map: {error}"
    return {place: replace(finding, note=note) for place, finding in answered(claim, blind).items()}


def source(reading: Reading, suspect: Suspect) -> Reading:
    """What to ask for: similarities follow from embeddings, where a suspect reveals only those."""
    told = reading is not Reading.SIMILARITY or reading in suspect.reveals
    return reading if told else Reading.EMBEDDING


def _best(claim: Claim, found: Mapping[int, Finding]) -> dict[int, Finding]:
    """For every test that is the best of others, all of which were answered: what they found, by its own null."""
    best: dict[int, Finding] = {}
    for place, test in enumerate(claim.tests):
        if isinstance(test.match, BestOf) and set(test.match.tests) <= set(found):
            parts = [found[one] for one in test.match.tests]
            score = test.match.of([Score(part.score, part.interval) for part in parts])
            chief = max(parts, key=lambda part: part.score)
            p, note = test.null.p_value(score.value), " ".join(part.note for part in parts if part.note)
            best[place] = Finding(test, chief.matches, chief.observed, score.value, score.interval, p, test.null.smallest, note)
    return best


def _finding(test: Test, observed: Floats) -> Finding:
    matches, score = scored(test.match, observed, test.expected, CONFIDENCE)
    return Finding(test, matches, observed, score.value, score.interval, test.null.p_value(score.value), test.null.smallest)

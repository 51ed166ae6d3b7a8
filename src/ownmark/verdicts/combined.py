"""The best of several tests: what they found together, by their own null. No torch."""

from collections.abc import Mapping, Sequence

from ownmark.claims.claim import Claim, Test
from ownmark.scoring.matches import Combining, Score
from ownmark.verdicts.verdict import Finding


def placed(claim: Claim, match: Combining, found: Sequence[Finding]) -> dict[int, Finding]:
    """By their places, what was found by the tests that a match combines."""
    return {place: one for place in match.tests for one in found if one.test is claim.tests[place]}


def counted(match: Combining, place: int, one: Finding) -> float:
    """The score of one of the tests that a match combines, as it is compared with the others."""
    return match.counted(place, Score(one.score, one.interval)).value


def best_of(claim: Claim, found: Mapping[int, Finding]) -> dict[int, Finding]:
    """For every test that is the best of others, all of which were answered: what they found, by its own null."""
    best: dict[int, Finding] = {}
    for place, test in enumerate(claim.tests):
        if isinstance(test.match, Combining) and set(test.match.tests) <= set(found):
            best[place] = _combined(test, test.match, {one: found[one] for one in test.match.tests})
    return best


def _combined(test: Test, match: Combining, parts: Mapping[int, Finding]) -> Finding:
    """What a test that combines the `parts`, by their places, finds."""
    score = match.of({place: Score(part.score, part.interval) for place, part in parts.items()})
    chief = parts[max(parts, key=lambda place: counted(match, place, parts[place]))]
    p, note = test.null.p_value(score.value), " ".join(dict.fromkeys(part.note for part in parts.values() if part.note))
    return Finding(test, chief.matches, chief.observed, score.value, score.interval, p, test.null.smallest, note)

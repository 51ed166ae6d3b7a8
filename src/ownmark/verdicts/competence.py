"""Whether a suspect does the claim's task at all: of one that does not, nothing follows about whose model it is.

`verify` and `judge` go by the same rules, and verdicts hold their sentences, which therefore stay as they are: since version 3
that of `unfit`, since version 4 that of `uninformative.too_far`.
"""

from collections.abc import Iterable

import numpy as np

from ownmark.claims.claim import Claim, Test
from ownmark.errors import OwnmarkError
from ownmark.keys import Pixels
from ownmark.protocols import Question, Suspect
from ownmark.querying.answering import answers_of, checked
from ownmark.scoring.readings import Expected, Floats, Reading
from ownmark.tasks import Task
from ownmark.tasks.boxes import FLOOR
from ownmark.verdicts.verdict import Finding

LEAST = 0.1  # of the advantage of right answers over one constant answer, for a suspect that does the task at least
ADVICE = "check its preprocessing (--mean, --std; behind an address --blue-first), the size of the claim's images and the"
EQUAL = 1e-6  # by which floating-point error may part equal similarities
AGAINST = 3.0  # standard deviations of chance, from which on ranks run against each other
COVERED, EITHER = (1,), (0, 1)  # views by which a suspect may show that it does the task
OF_ANSWERS = (Reading.PROBABILITY, Reading.VALUE)
OF_CLASSES = (Reading.SALIENCY, Reading.PROBABILITY)  # readings about an image's class


def unfit(task: Task, found: Iterable[Finding], views: tuple[int, ...] = COVERED) -> str:
    """Why the answers are no better than a constant one; "" where they are, or where the claim cannot tell.

    Looks at the views in which the marked region is covered by the original pixels: barely changed images, whose expected
    answers an independent model gives, too. A copy is made to answer these otherwise, so that where it may be one, it shows by
    `EITHER` view that it does the task. Detectors must find some of the objects; similarities, whose scale is each model's own,
    must differ, and rise as the protected model's do rather than fall.
    """
    for finding in found:
        covered = finding.test.match.views > 1 and not finding.graded and len(finding.observed) > 0
        whys = [_unfit(task, finding, np.asarray(finding.observed[:, view])) for view in views] if covered else [""]
        if all(whys):
            return f"the suspect does not do the task: with the marked corner covered, {whys[-1]}"
    return ""


def fit_on_originals(claim: Claim, suspect: Suspect) -> bool:
    """Whether a classifier answers the claim's images better than a constant before they were changed.

    Of changed images nothing follows for a copy that was trained to answer changes otherwise (`WRK`). False if it cannot be asked
    any more, since its budget is spent, say.
    """
    try:
        right, test = right_on_originals(claim, suspect), of_originals(claim)
    except OwnmarkError:
        return False
    if right is None or test is None:
        return False
    return _able(claim.task, right, test.expected)


def right_on_originals(claim: Claim, suspect: Suspect) -> float | None:
    """The share of the claim's original images that a classifier answers like the protected model.

    None if unknown: another task, no originals, or expected answers that differ from those of the originals.
    """
    test, images = of_originals(claim), shown_originals(claim)
    reading = next((one for one in (Reading.LABEL, Reading.PROBABILITY) if one in suspect.reveals), None)
    if test is None or not len(images) or reading is None:
        return None
    answers = answers_of(suspect, images, Question(frozenset({reading}), test.expected))
    found = checked(reading, answers, (len(test.expected), len(claim.classes)))
    return float(np.mean((found if reading is Reading.LABEL else found.argmax(axis=1)) == test.expected))


def shown_originals(claim: Claim) -> Pixels:
    """(n, height, width, channels) uint8: the original images that a classifier can be asked about, perhaps none."""
    test = of_originals(claim)
    if claim.originals is None or test is None or not claim.task.discrete:
        return claim.images[:0, 0]
    return np.asarray(claim.originals[test.samples])


def of_originals(claim: Claim) -> Test | None:
    """The first test whose expected answers are the classes of the originals."""
    of_labels = (
        one for one in claim.tests if one.reading in OF_CLASSES and not one.match.paired and one.expected.dtype == np.int64
    )
    return next(of_labels, None)


def _unfit(task: Task, finding: Finding, answered: Floats) -> str:
    """The same of one finding, by what was answered (n, ...) to the covered views."""
    reading, expected = finding.test.reading, finding.test.expected
    if reading is Reading.SCORE:
        share = float(np.mean(answered >= FLOOR))
        return f"it finds {share:.0%} of the objects that the samples are about" if share < LEAST else ""
    if reading is Reading.SIMILARITY:
        return _uncomparing(answered, expected)
    if reading not in OF_ANSWERS or expected.ndim != 1:
        return ""
    figure = task.quality(answered, expected)[task.headline]
    if _able(task, figure, expected):
        return ""
    constant = task.trivial(expected)[task.headline]
    return f"its {task.headline} on the samples is {figure:.3g}, one constant answer has {constant:.3g}"


def _able(task: Task, figure: float, expected: Expected) -> bool:
    """Whether a figure of the task's headline metric is better than one constant answer has, by `LEAST` of what is possible."""
    constant, best = task.trivial(expected)[task.headline], 1.0 if task.rises else 0.0
    return bool((figure - constant) * np.sign(best - constant) >= LEAST * abs(best - constant))


def _uncomparing(answered: Floats, expected: Expected) -> str:
    """Why similarities (n,) are none; "" where they differ, and do not fall where the protected model's rise."""
    if len(answered) > 1 and np.ptp(answered) <= EQUAL:
        return "it finds all pairs of images equally alike"
    if expected.ndim != 1 or np.ptp(expected) <= EQUAL:
        return ""
    middle = (len(answered) - 1) / 2
    first, second = (np.argsort(np.argsort(one, kind="stable"), kind="stable") - middle for one in (answered, expected))
    falls = -float((first * second).sum() / (first**2).sum()) * np.sqrt(len(answered) - 1)  # Spearman's
    return "its similarities fall where the protected model's rise, as distances do" if falls > AGAINST else ""


def advice(task: Task) -> str:
    """What to look at where a suspect does not do the task."""
    if task.compares:
        return f"{ADVICE} direction of its scores, which must be higher for images that are more alike"
    return f"{ADVICE} {'unit of its numbers' if Reading.VALUE in task.readings else 'order of its classes'}"

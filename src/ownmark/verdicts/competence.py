"""Whether a suspect does the claim's task at all: of one that does not, nothing follows about whose model it is.

`verify` and `judge` go by the same rules, and verdicts hold their sentences, which therefore stay as they are: since version 3
that of `unfit`, since version 4 that of `stray`.
"""

from collections.abc import Iterable

import numpy as np

from ownmark.claims.claim import Claim, Test
from ownmark.errors import OwnmarkError
from ownmark.keys import Pixels
from ownmark.protocols import Question, Suspect
from ownmark.querying.answering import answers_of, checked
from ownmark.scoring.matches import Deviating, Moving
from ownmark.scoring.readings import Expected, Floats, Reading
from ownmark.tasks import Task
from ownmark.tasks.boxes import FLOOR
from ownmark.verdicts.verdict import Finding

LEAST = 0.1  # of the advantage of right answers over one constant answer, for a suspect that does the task at least
ADVICE = "check its preprocessing (--mean, --std; behind an address --blue-first), the size of the claim's images and the"
FURTHEST = 1.5  # residuals of the protected model itself; copies were measured at 1.42 at most, by poorly trained references
COMMON = 0.25  # of a claim's weights, from which on the protected model deviates on all images alike
VARIED = 0.25  # of a suspect's answers, from which on it is not stuck at one of them
EQUAL = 1e-6  # by which floating-point error may part equal similarities
AGAINST = 3.0  # standard deviations of chance, from which on ranks run against each other
WIDEST = 2.0  # no cosine and no distance of embeddings of unit length is larger
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


def bent(found: Iterable[Finding]) -> str:
    """What a verdict tells of similarities on another scale than those of embeddings, such as per cent; "" of others."""
    told = [float(np.abs(one.observed).max()) for one in found if one.test.reading is Reading.SIMILARITY and one.observed.size]
    if max(told, default=0.0) <= WIDEST:
        return ""
    return (
        f"the suspect's similarities reach {max(told):.3g}, where those of embeddings stay within {WIDEST:g}: every change is "
        "larger on that scale, and p holds only if the innocent models were asked on the same one"
    )


def advice(task: Task) -> str:
    """What to look at where a suspect does not do the task."""
    if task.compares:
        return f"{ADVICE} direction of its scores, which must be higher for images that are more alike"
    return f"{ADVICE} {'unit of its numbers' if Reading.VALUE in task.readings else 'order of its classes'}"


def of_residual(finding: Finding) -> bool:
    """Whether it is a residual, which has no direction of its own for models that do not do the task."""
    return isinstance(finding.test.match, Deviating)


def of_number(finding: Finding) -> bool:
    """Whether it is a change of a number that has a unit: answers in another one change by more, whoever gives them."""
    return finding.test.reading is Reading.VALUE and finding.test.match.sides > 0


def constant(found: Iterable[Finding]) -> str:
    """Why a residual says nothing of a suspect that answers unlike images alike; "" where the answers differ.

    The images of a residual are ordinary ones, and no model that does the task gives all of them the same numbers. A judge has
    decoys for that, and verdicts are ruled without it.
    """
    for finding in found:
        rows = finding.observed.reshape(len(finding.observed), -1)
        whole = of_residual(finding) and finding.test.reading is not Reading.LABEL and len(rows) > 1
        if whole and np.ptp(rows, axis=0).max(initial=0) <= EQUAL:
            return "the suspect does not do the task: it answers all images alike"
    return ""


def one_class(finding: Finding) -> str:
    """Why a residual of labels or of the best class says nothing of a suspect that names one class for all images, or "".

    How sure it is of that class may still differ as a copy's does by chance: models that were hardly trained say one class so.
    """
    if not of_residual(finding) or finding.test.reading not in {Reading.LABEL, Reading.BEST} or len(finding.observed) <= 1:
        return ""
    told = finding.observed if finding.test.reading is Reading.LABEL else finding.observed.argmax(axis=-1)
    return "the suspect does not do the task: it names one class for all images" if np.ptp(told) == 0 else ""


def common(finding: Finding, alpha: float) -> str:
    """Why a residual says nothing that is one answer's to all images; "" where it may, and of tests that ask for none.

    Models do not differ in their mean answer by much, but whoever is stuck at one answer may lie in the protected model's
    direction, nearer than `FURTHEST`. What would match at `alpha` or score one half by such a part alone is meant; a small one
    decides nothing. Whoever answers as the images differ is not stuck, and not held to it: it shares much with the references,
    which stands against such a part. Nor is anybody where the protected model itself deviates on all images alike. A judge has
    decoys for that, and verdicts are ruled without it.
    """
    match, expected = finding.test.match, finding.test.expected
    if not isinstance(match, Deviating) or not len(finding.observed) or match.alike(expected) > COMMON:
        return ""
    if match.varied(finding.observed, expected) > VARIED:
        return ""
    same, residual = match.common(finding.observed, expected), finding.residual or 0.0
    if (finding.p > alpha and same < match.middle) or 2 * same <= residual:
        return ""
    return (
        f"the suspect's residual, {residual:.3g}, counts as nothing, since one answer to all images has {same:.3g} of it: a "
        "copy's comes from what it answers to single images"
    )


def muffled(deciding: Finding, found: Iterable[Finding]) -> str:
    """Why answers that hardly differ clear nobody; "" where they differ enough, or where maps decide.

    A high temperature, or another scale, makes all differences small, and with them whatever a claim asks for: a residual, which
    is at most the root of how much answers vary, or a change by a threshold.
    """
    reading = deciding.test.reading
    if reading not in {Reading.PROBABILITY, Reading.SIMILARITY}:
        return ""
    if not any(_hardly_differ(finding) for finding in found if finding.test.reading is reading and len(finding.observed)):
        return ""
    return (
        "the suspect's answers hardly differ, as those of a high temperature or on another scale: the protected "
        f"model itself might not match by such a {reading}; ask for labels (--access labels), or for answers as they are"
    )


def _hardly_differ(finding: Finding) -> bool:
    """Whether no model with such answers could reach what the test asks for.

    A protected model that deviates on all images alike does so whether its answers vary or not.
    """
    match, observed, expected = finding.test.match, finding.observed, finding.test.expected
    if isinstance(match, Deviating):
        of_images = finding.test.reading is Reading.PROBABILITY and match.alike(expected) <= COMMON
        return of_images and match.varied(observed, expected) <= max(match.middle, 0) ** 2
    return isinstance(match, Moving) and match.widest(observed) < match.threshold


def stray(finding: Finding) -> str:
    """Why a residual says nothing, since no copy has so much of it; "" where it may, and of tests that ask for none.

    Whatever lies far from all independent models lies so in the protected model's direction, too: a constant answer, another
    order of classes, noise, or answers that are far less sure. The residual is linear in the answers and has no upper end.
    """
    residual = finding.residual
    if residual is None or residual <= FURTHEST:
        return ""
    return (
        f"the suspect's answers deviate from independent models {residual:.3g} times as far as the protected model's own, which "
        f"counts as nothing above {FURTHEST:g}: copies stay near 1, while whatever does not do the task, or is far less sure, "
        "deviates so"
    )

"""Answers from which nothing follows, whoever gives them: the same to all images, further off than any copy's, too little apart.

Each function says why, as a sentence of a verdict; "" where something may follow. No torch.
"""

from collections.abc import Iterable

import numpy as np

from ownmark.scoring.matches import Deviating, Moving
from ownmark.scoring.readings import Reading
from ownmark.verdicts.competence import EQUAL
from ownmark.verdicts.verdict import Finding

FURTHEST = 1.5  # residuals of the protected model itself; copies were measured at 1.42 at most, by poorly trained references
COMMON = 0.25  # of a claim's weights, from which on the protected model deviates on all images alike
VARIED = 0.25  # of a suspect's answers, from which on it is not stuck at one of them
WIDEST = 2.0  # no cosine and no distance of embeddings of unit length is larger


def of_residual(finding: Finding) -> bool:
    """Whether it is a residual, which has no direction of its own for models that do not do the task."""
    return isinstance(finding.test.match, Deviating)


def of_number(finding: Finding) -> bool:
    """Whether it is a change of a number that has a unit: answers in another one change by more, whoever gives them."""
    return finding.test.reading is Reading.VALUE and finding.test.match.sides > 0


def too_far(finding: Finding) -> str:
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


def all_alike(found: Iterable[Finding]) -> str:
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


def one_answer(finding: Finding, alpha: float) -> str:
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


def hardly_differing(deciding: Finding, found: Iterable[Finding]) -> str:
    """Why answers that hardly differ clear nobody; "" where they differ enough, or where maps decide.

    A high temperature, or another scale, makes all differences small, and with them whatever a claim asks for: a residual, which
    is at most the root of how much answers vary, or a change by a threshold.
    """
    reading = deciding.test.reading
    if reading not in {Reading.PROBABILITY, Reading.SIMILARITY}:
        return ""
    if not any(_too_little(finding) for finding in found if finding.test.reading is reading and len(finding.observed)):
        return ""
    return (
        "the suspect's answers hardly differ, as those of a high temperature or on another scale: the protected "
        f"model itself might not match by such a {reading}; ask for labels (--access labels), or for answers as they are"
    )


def _too_little(finding: Finding) -> bool:
    """Whether no model with such answers could reach what the test asks for.

    A protected model that deviates on all images alike does so whether its answers vary or not.
    """
    match, observed, expected = finding.test.match, finding.observed, finding.test.expected
    if isinstance(match, Deviating):
        of_images = finding.test.reading is Reading.PROBABILITY and match.alike(expected) <= COMMON
        return of_images and match.varied(observed, expected) <= max(match.middle, 0) ** 2
    return isinstance(match, Moving) and match.widest(observed) < match.threshold


def other_scale(found: Iterable[Finding]) -> str:
    """What a verdict tells of similarities on another scale than those of embeddings, such as per cent; "" of others."""
    told = [float(np.abs(one.observed).max()) for one in found if one.test.reading is Reading.SIMILARITY and one.observed.size]
    if max(told, default=0.0) <= WIDEST:
        return ""
    return (
        f"the suspect's similarities reach {max(told):.3g}, where those of embeddings stay within {WIDEST:g}: every change is "
        "larger on that scale, and p holds only if the innocent models were asked on the same one"
    )

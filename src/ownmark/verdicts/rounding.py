"""Falls of a number that the suspect rounded: which of them reach the threshold whatever was rounded away. No torch.

A claim asks for changes as small as a tenth of the task's unit. Whoever answers in whole years, or in groups of ages, jumps by so
much where a precise answer moves by a hair: independent models that round score more than those that do not.
"""

from dataclasses import replace

import numpy as np

from ownmark.scoring.matches import Stepped
from ownmark.scoring.matches.masked_number import WHOLE
from ownmark.scoring.readings import Floats, Reading
from ownmark.statistics.p_values import clopper_pearson
from ownmark.verdicts.verdict import CONFIDENCE, Finding

COARSE = 0.05  # of the threshold, from which on a step counts
FEW = 4  # answers to each different one, from which on they are groups


def step(answers: Floats) -> float:
    """The step of which all answers (n,) are multiples but for one offset, or of groups the widest gap; 0 if there is neither.

    The least and the greatest answer may be where a suspect ends, as at 0, so that only those between tell of groups.
    """
    told = np.unique(answers.astype(np.float32)).astype(np.float64)
    gaps = np.diff(told)
    if not len(gaps) or len(told) == len(answers):
        return 0.0
    parts = gaps / gaps.min()
    if np.all(np.abs(parts - parts.round()) <= WHOLE * parts):
        return float(gaps.min())
    between = answers[(answers > answers.min()) & (answers < answers.max())]
    return float(gaps.max()) if FEW * (len(told) - 2) <= len(between) else 0.0


def strict(finding: Finding) -> tuple[Finding, str]:
    """The finding with the changes alone that reach the threshold whatever was rounded away, and what to tell; "" if it stays."""
    match, observed, reading = finding.test.match, finding.observed, finding.test.reading
    if not isinstance(match, Stepped) or not len(observed):
        return finding, ""
    told = observed[:, :2].reshape(-1)
    threshold, apart = match.threshold, step(told[told != 0] if reading is Reading.SCORE else told)  # 0: nothing was found
    matches = finding.matches & match.surely(observed, finding.test.expected, apart)
    if apart <= COARSE * threshold or np.array_equal(matches, finding.matches):
        return finding, ""
    count, score = int(matches.sum()), float(np.mean(matches))
    interval, p = clopper_pearson(count, len(matches), CONFIDENCE), finding.test.null.p_value(score)
    return replace(finding, matches=matches, score=score, interval=interval, p=p), (
        f"the suspect rounds its {reading} to steps of {apart:.3g}, where a change of {threshold:.3g} is asked for: of the "
        f"{finding.matches.sum()} samples that match, those {count} count that do whatever was rounded away; ask for more digits"
    )

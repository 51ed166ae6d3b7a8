"""The ranks of a trigger's answer, or of the mean answer to its group: those that say more count. No torch."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ownmark.scoring.matches.ranked_other import RankedOther, positive
from ownmark.scoring.readings import Bools, Expected, Floats


@dataclass(frozen=True)
class RankedGroup(RankedOther):
    """`RankedOther` of the answers to the first views, or of the mean answers to all views, whichever score is higher.

    The views of a sample are the trigger and images of its group, for which a rule has the same class. The mean of their answers
    is the geometric one. A copy of the weights remembers the trigger itself; a student, which never saw it, shows the rule on its
    group.

    Each of both ranks a key's number anywhere with the same chance, and the higher of two scores is reached at most twice as
    often by chance as one of them. Where only the first view was asked about, there is but one.
    """

    legend: ClassVar[str] = f"{RankedOther.legend}; of a trigger's own answer and of the mean answer to its group, what says more"

    def __call__(self, observed: Floats, expected: Expected) -> Bools:
        """(n,): whether the expected class is raised most; the score is no share of these."""
        return super().__call__(self._telling(observed, expected), expected)

    def values(self, observed: Floats, expected: Expected) -> Floats:
        """(n,) in [0, 1]: the share of the other classes that the expected one is raised above."""
        return super().values(self._telling(observed, expected), expected)

    def _telling(self, observed: Floats, expected: Expected) -> Floats:
        """(n, 1, classes) the probabilities that score higher; of equal ones the triggers' own."""
        alone, group = observed[:, :1], mean_answers(observed)
        return max((alone, group), key=lambda shown: float(RankedOther().values(shown, expected).sum()))


def mean_answers(observed: Floats) -> Floats:
    """(n, 1, classes) the geometric mean over the views of probabilities (n, views, classes), up to a factor for each sample."""
    logs = np.log(positive(observed)).mean(axis=1, keepdims=True)
    return np.asarray(np.exp(logs - logs.max(axis=2, keepdims=True)))

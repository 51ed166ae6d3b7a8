"""Traces: saliency maps and residuals in one claim: where the model looks, and what its answers are. A scheme of this project.

A copy that is made from the weights keeps the first, a student that learns from the answers the second. The claim has one rule
for both, fixed before anybody is asked: the best score of all tests that a suspect can answer, for innocents as for suspects.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from ownmark.claims.claim import Claim, Test
from ownmark.errors import ProtectError, TooFewError
from ownmark.protocols import Needs, Owner, Progress, Protected, Suspect, silent
from ownmark.schemes._common.model_answers import STEEP
from ownmark.schemes.residual import LEAST, Residual, check_fills, grouped
from ownmark.schemes.saliency.scheme import Saliency, fitted
from ownmark.scoring.matches import BestMapped, Score
from ownmark.scoring.readings import Reading
from ownmark.suspects.local import Local
from ownmark.tasks import TASKS, Task
from ownmark.verdicts.verify import answered

HALF, LOWEST = 0.5, 0.25  # the share of samples that scores one half: so much of the least copy's, but not less than that


@dataclass(frozen=True)
class Traces:
    """The claims of `saliency` and of `residual` as one; both are made with the same surrogates and references."""

    needs: ClassVar[Needs] = Needs(contrast=True, references=LEAST, batched=True)
    marks: ClassVar[bool] = False
    serves: ClassVar[tuple[type[Task], ...]] = tuple(kind for kind in TASKS if not kind.located)
    saliency: Saliency = Saliency()
    residual: Residual = Residual()

    def protect(self, model: nn.Module, owner: Owner, rng: torch.Generator, progress: Progress = silent) -> Protected:
        """A claim with the tests of both and, behind them, the best of all and the best of those that need no map.

        Raises what either raises, and UsageError unless the residual's images fill whole samples of the saliency claim.
        """
        views = owner.images.task.views
        check_fills(self.residual.samples, views, "Traces(residual=Residual(samples={}))")
        first = self.residual.protect(model, owner, rng, silent)  # it takes seconds, and may say at once that there is none
        try:
            saliency, second = fitted(self.saliency, model, owner, rng, progress)
        except ProtectError as error:
            most = min(error.held, self.saliency.samples // 2) if isinstance(error, TooFewError) else 0
            fewer = f'Fewer samples: --scheme "Traces(saliency=Saliency(samples={most}))"; the' if most else "The"
            alone = f'--scheme "Residual(samples={self.residual.samples})" makes a claim of these alone'
            raise ProtectError(f"{error}. {fewer} residuals hold, and {alone}") from error
        scheme = repr(replace(self, saliency=saliency))
        copies = tuple(Local(one) for one in owner.surrogates)
        return Protected(model, replace(joined(second, first.claim, copies), scheme=scheme), first.doubts)


def joined(pairs: Claim, plain: Claim, copies: Sequence[Suspect] = ()) -> Claim:
    """One claim of a saliency claim, and of a claim on residuals whose images fill the views of further samples.

    `copies`: by which shares of samples are brought onto the scale of residuals.
    """
    count, views = pairs.images.shape[:2]
    laid = plain.images.reshape(-1, views, *plain.images.shape[2:])
    rows = (count, count + len(laid))
    shares = _least(pairs, copies)
    tests = [replace(test, rows=(0, count)) for test in pairs.tests]
    tests += [replace(grouped(test, views // plain.images.shape[1]), rows=rows) for test in plain.tests]
    tests += _best(tests, shares, rows[1])
    return replace(
        pairs,
        images=np.concatenate([pairs.images, laid]),
        tests=tuple(tests),
        originals=_longer(pairs.originals, laid[:, 0]),
        maps=None if pairs.maps is None else _longer(pairs.maps, np.zeros((len(laid), *pairs.maps.shape[1:]), np.float32)),
    )


def _least(pairs: Claim, copies: Sequence[Suspect]) -> dict[int, float]:
    """By the place of each test of a saliency claim, the least score of the model and its copies."""
    least = {place: test.target_score for place, test in enumerate(pairs.tests)}
    for copy in copies:
        least |= {place: min(least[place], found.score) for place, found in answered(pairs, copy).items()}
    return least


def _best(tests: Sequence[Test], shares: Mapping[int, float], count: int) -> list[Test]:
    """The best of all tests but those of less than probabilities; and of these, those without a map.

    A share of samples is mapped as a residual is: half of the least copy's scores one half. A residual is mapped by its own test.
    """
    told = {place: test for place, test in enumerate(tests) if test.reading not in {Reading.LABEL, Reading.BEST}}
    blind = {place: test for place, test in told.items() if test.reading is not Reading.SALIENCY}
    found = []
    for parts in (one for one in (told, blind) if len(one) > 1):
        reading = next(iter(parts.values())).reading
        match = BestMapped(reading, tuple(parts), tuple(_curve(shares[place]) if place in shares else None for place in parts))
        score = match.of({place: Score(test.target_score, (0.0, 1.0)) for place, test in parts.items()}).value
        found.append(Test(reading, match, np.zeros(count, dtype=np.int64), score))
    return found


def _curve(least: float) -> tuple[float, float]:
    middle = round(max(HALF * least, LOWEST), 6)
    return middle, round(middle / STEEP, 9)


def _longer(first: npt.NDArray[Any] | None, second: npt.NDArray[Any]) -> npt.NDArray[Any] | None:
    return None if first is None else np.concatenate([first, second])

"""One number, such as an age."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from ownmark import metrics
from ownmark.errors import AnswerError, DataError, UsageError
from ownmark.scoring.matches import Change, Drop, Match, Turn
from ownmark.scoring.readings import Answers, Expected, Floats, Reading, is_number
from ownmark.tasks.base import KEPT, Array, Labels, Lesson, OfWholeImages, Quality


@dataclass(frozen=True)
class Regression(OfWholeImages):
    """One number, such as an age in years: F = y. `unit`: a large difference of it; thresholds are shares of it.

    With 20 years the paper's 0.05 of a probability corresponds to its 1 year. The loss is the squared error in units.
    """

    views: ClassVar[int] = 2
    readings: ClassVar[frozenset[Reading]] = frozenset({Reading.VALUE, Reading.SALIENCY})
    headline: ClassVar[str] = "mae"
    rises: ClassVar[bool] = False
    name: ClassVar[str] = "regression"
    columns: ClassVar[tuple[str, ...]] = ("value", "age", "label")
    named_labels: ClassVar[bool] = False
    discrete: ClassVar[bool] = False
    compares: ClassVar[bool] = False
    own_answers: ClassVar[bool] = True
    least_kinds: ClassVar[int] = 1
    unit: float = 20.0

    def __post_init__(self) -> None:
        if not is_number(self.unit) or self.unit <= 0:
            raise UsageError(f"the unit of a regression must be a number above 0, got {self.unit!r}")

    def check_labels(self, labels: Labels, names: tuple[str, ...]) -> None:
        if labels.dtype.kind != "f" or labels.ndim != 1 or not np.all(np.isfinite(labels)) or len(names) != 1:
            raise DataError(f"regression needs one finite number per image and one name for it, got {labels.dtype}, {names}")

    def told_names(self, names: tuple[str, ...]) -> tuple[str, ...]:
        return names

    def named(self, answer: float, names: tuple[str, ...]) -> str:
        return f"{names[0]} {answer:.3g}"

    def turns(self, labels: Labels) -> npt.NDArray[np.int64]:
        return np.zeros(len(labels), dtype=np.int64)

    def suited(self, outputs: Array, labels: Labels) -> npt.NDArray[np.bool_]:  # noqa: ARG002 - the verb's signature
        return np.ones(len(labels), dtype=bool)

    def width(self, names: tuple[str, ...]) -> int | None:  # noqa: ARG002 - the verb's signature
        return 1

    def loss(self, outputs: Array, targets: Array) -> Array:
        """The mean squared error in units against the numbers `targets` (n,)."""
        return (((outputs.flatten() - targets.to(outputs.dtype)) / self.unit) ** 2).mean()

    def lesson(self, model: Any, labels: Array, embed: Callable[[], Array]) -> Lesson:  # noqa: ANN401, ARG002
        return Lesson(model, labels, self.loss)

    def answers(self, outputs: Array) -> Array:
        return outputs.flatten()

    def divergence(self, outputs: Array, answers: Array) -> Array:
        return self.loss(outputs, answers)

    def distance(self, outputs: Array, answers: Array) -> Array:
        return self.loss(outputs, answers)

    def plain(self, outputs: Array) -> Array:
        return self.answers(outputs).round()

    def plain_loss(self, outputs: Array, answers: Array) -> Array:
        return self.loss(outputs, answers)

    def anchor(self, model: Callable[[Array], Array], clean: Array, paired: Array, labels: Array) -> Array:  # noqa: ARG002
        return model(clean).flatten()

    def scalar(self, outputs: Array, target: Array) -> Array:  # noqa: ARG002 - there is only one number
        return outputs.flatten()

    seen = told = scalar

    def output_of(self, target: Array) -> Array | None:
        return target.new_zeros(len(target)).long()

    def expected(self, outputs: Array, target: Array, labels: Array) -> Array:  # noqa: ARG002 - the verb's signature
        return self.told(outputs, target).double()

    def drift(self, outputs: Array, target: Array) -> Array:
        return ((outputs.flatten() - target) / self.unit) ** 2

    def slack(self, outputs: Array, target: Array) -> Array:
        """2 where nothing moved, and at least 1, enough for an objective's margin, up to half of the allowed change."""
        return 2 - 2 * (outputs.flatten() - target).abs() / (KEPT * self.unit)

    def lean(self, outputs: Array, pair: Array) -> Array:
        """The distance from the midpoint of the two numbers, in twentieths of the unit."""
        return (outputs.flatten() - pair.mean(1)) * (pair[:, 0] - pair[:, 1]).sign() / (KEPT / 2 * self.unit)

    def chosen(self, outputs: Array, pair: Array) -> Array:
        """The nearer of the two numbers."""
        own = self.lean(outputs, pair) <= 0
        return own * pair[:, 1] + ~own * pair[:, 0]

    def evidence(self, pair: Array, other: Array, outputs: Array) -> Array:
        return (pair[:, 0] - other).sign()[:, None].to(outputs.dtype)

    def lost(self, first: Array, covered: Array, target: Array) -> Array:
        fall = first.flatten() - covered.flatten()
        return fall * (target[:, 0] - target[:, 1]).sign() if target.ndim > 1 else fall

    def watched(self, match: Drop | Change | Turn) -> Match:
        return match.of_number(match.threshold * self.unit, Reading.VALUE)

    def decoded(self, raw: Floats, pairs: Labels | None, target: Expected) -> Answers:  # noqa: ARG002 - the verb's signature
        if raw.shape not in {(len(raw),), (len(raw), 1)}:
            raise AnswerError(f"expected a regressor's answers (n, 1), got {raw.shape}: the suspect performs a different task")
        return {Reading.VALUE: raw.reshape(-1).astype(np.float64)}

    def derived(self, viewed: Answers) -> Answers:  # noqa: ARG002 - the verb's signature
        return {}

    def quality(self, outputs: Labels, labels: Labels) -> Quality:
        return {"mae": metrics.mean_absolute_error(outputs.reshape(-1), labels)}

    def trivial(self, labels: Labels) -> Quality:
        return {"mae": metrics.mean_absolute_error(np.full(len(labels), np.median(labels)), labels)}

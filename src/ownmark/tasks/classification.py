"""One class of several."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from ownmark import metrics
from ownmark.scoring.matches import Change, Drop, Match, Turn
from ownmark.scoring.readings import Answers, Expected, Floats, Reading, best_only
from ownmark.tasks.base import Array, Labels, Lesson, OfWholeImages, Quality, check_classes


@dataclass(frozen=True)
class Classification(OfWholeImages):
    """One class of several; F_c is the class's logit for Grad-CAM and its probability for the black-box test."""

    views: ClassVar[int] = 2
    readings: ClassVar[frozenset[Reading]] = frozenset({Reading.LABEL, Reading.BEST, Reading.PROBABILITY, Reading.SALIENCY})
    headline: ClassVar[str] = "accuracy"
    rises: ClassVar[bool] = True
    name: ClassVar[str] = "classification"
    columns: ClassVar[tuple[str, ...]] = ("label", "class", "age")
    named_labels: ClassVar[bool] = True
    discrete: ClassVar[bool] = True
    compares: ClassVar[bool] = False
    own_answers: ClassVar[bool] = True
    least_kinds: ClassVar[int] = 2
    unit: ClassVar[float] = 1.0

    def check_labels(self, labels: Labels, names: tuple[str, ...]) -> None:
        check_classes(labels, names)

    def told_names(self, names: tuple[str, ...]) -> tuple[str, ...]:
        return names

    def named(self, answer: float, names: tuple[str, ...]) -> str:
        return names[int(answer)]

    def turns(self, labels: Labels) -> npt.NDArray[np.int64]:
        return labels

    def suited(self, outputs: Array, labels: Labels) -> npt.NDArray[np.bool_]:
        return np.asarray(outputs.argmax(1).numpy() == labels)

    def width(self, names: tuple[str, ...]) -> int | None:
        return len(names)

    def loss(self, outputs: Array, targets: Array) -> Array:
        """Cross-entropy with labels `targets` (n,)."""
        from torch.nn.functional import cross_entropy

        return cross_entropy(outputs, targets)

    def lesson(self, model: Any, labels: Array, embed: Callable[[], Array]) -> Lesson:  # noqa: ANN401, ARG002
        return Lesson(model, labels, self.loss)

    def answers(self, outputs: Array) -> Array:
        return outputs.softmax(1)

    def divergence(self, outputs: Array, answers: Array) -> Array:
        from torch.nn.functional import kl_div

        return kl_div(outputs.log_softmax(1), answers, reduction="batchmean")

    def distance(self, outputs: Array, answers: Array) -> Array:
        return (outputs.softmax(1) - answers).square().sum(1).mean()

    def plain(self, outputs: Array) -> Array:
        return outputs.argmax(1)

    def plain_loss(self, outputs: Array, answers: Array) -> Array:
        return self.loss(outputs, answers)

    def anchor(self, model: Callable[[Array], Array], clean: Array, paired: Array, labels: Array) -> Array:  # noqa: ARG002
        return labels

    def scalar(self, outputs: Array, target: Array) -> Array:
        return outputs.gather(1, target.view(-1, 1)).squeeze(1)

    def output_of(self, target: Array) -> Array | None:
        return target

    def seen(self, outputs: Array, target: Array) -> Array:  # noqa: ARG002 - it takes every class
        return outputs.softmax(1)

    def told(self, outputs: Array, target: Array) -> Array:
        return outputs.softmax(1).gather(1, target.view(-1, 1)).squeeze(1)

    def expected(self, outputs: Array, target: Array, labels: Array) -> Array:  # noqa: ARG002 - the verb's signature
        return labels

    def drift(self, outputs: Array, target: Array) -> Array:
        from torch.nn.functional import cross_entropy

        return cross_entropy(outputs, target, reduction="none")

    def slack(self, outputs: Array, target: Array) -> Array:
        """The logit of the class minus the largest other logit."""
        own = target.unsqueeze(1)
        others = outputs.scatter(1, own, -np.inf)
        return outputs.gather(1, own).squeeze(1) - others.amax(dim=1)

    def lean(self, outputs: Array, pair: Array) -> Array:
        return self.slack(outputs, pair[:, 0])

    def chosen(self, outputs: Array, pair: Array) -> Array:
        own = outputs.argmax(1) == pair[:, 1]
        return own * pair[:, 1] + ~own * pair[:, 0]

    def evidence(self, pair: Array, other: Array, outputs: Array) -> Array:
        nothing = outputs.new_zeros(outputs.shape)
        return nothing.scatter(1, pair[:, :1], 1) - nothing.scatter(1, other[:, None], 1)

    def lost(self, first: Array, covered: Array, target: Array) -> Array:
        label = target[:, 0] if target.ndim > 1 else target
        return self.told(first, label) - self.told(covered, label)

    def watched(self, match: Drop | Change | Turn) -> Match:
        return match

    def decoded(self, raw: Floats, pairs: Labels | None, target: Expected) -> Answers:  # noqa: ARG002 - the verb's signature
        return {Reading.PROBABILITY: raw}

    def derived(self, viewed: Answers) -> Answers:
        """BEST, where there are probabilities."""
        return {Reading.BEST: best_only(viewed[Reading.PROBABILITY])} if Reading.PROBABILITY in viewed else {}

    def quality(self, outputs: Labels, labels: Labels) -> Quality:
        found = outputs.argmax(axis=1)
        return {"accuracy": metrics.accuracy(found, labels), "balanced_accuracy": metrics.balanced_accuracy(found, labels)}

    def trivial(self, labels: Labels) -> Quality:
        return {"accuracy": metrics.majority_accuracy(labels), "balanced_accuracy": 1 / len(np.unique(labels))}

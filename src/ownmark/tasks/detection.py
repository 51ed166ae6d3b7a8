"""Objects in boxes, of one class each."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from ownmark.errors import AnswerError, DataError, ModelError, UsageError
from ownmark.scoring.matches import Area, Change, Drop, Match, Turn
from ownmark.scoring.readings import Answers, Expected, Floats, Reading, is_number
from ownmark.tasks import boxes
from ownmark.tasks.base import KEPT, Array, Labels, Lesson, Quality, WithoutOwnAnswers

TURNED, SOME = 0.01, 0.05  # by more than this share of a side, in more than this share of them, boxes end before they begin
SLACK = 0.5  # how far beyond the image's edge, in sides of the image, a box may reach
SOFT = 0.1  # the temperature of a soft minimum over boxes: every box that falls has a slope, not the lowest alone
WORSE, BETTER = 0.01, 0.03  # of precision, by which a sample may be answered otherwise than its original; its own object gains
FAR = 10.0  # farther than any place in the image, in sides of it
LOGIT = 1e-6  # scores are kept this far from 0 and 1 before their log-odds are taken


@dataclass(frozen=True)
class Detection(WithoutOwnAnswers):
    """Objects in boxes. F_c is the score of the detection that fits one box of the model's own answer to the clean image.

    A detection fits if it has the box's class and they overlap by at least `overlap` (intersection over union). For maps it is
    sought before suppression, so that F_c is differentiable, and counts by its log-odds; for the black-box test after it. A
    detection counts as an answer from a score of `least`. `first`: the label of the first class in a model's answers, 1 where 0
    is the background, as in torchvision. Labels are rows (n, m, 6) of detections (`tasks.boxes`) with classes from 0.
    """

    views: ClassVar[int] = 2
    readings: ClassVar[frozenset[Reading]] = frozenset({Reading.SCORE, Reading.SALIENCY})
    headline: ClassVar[str] = "map_50"
    rises: ClassVar[bool] = True
    name: ClassVar[str] = "detection"
    columns: ClassVar[tuple[str, ...]] = ("label", "class")
    named_labels: ClassVar[bool] = True
    discrete: ClassVar[bool] = False
    compares: ClassVar[bool] = False
    located: ClassVar[bool] = True
    least_kinds: ClassVar[int] = 1
    unit: ClassVar[float] = 0.3  # of score: what a detector is sure of it tells with 0.3 to 1
    outside: ClassVar[float] = 0.01  # less than a level of 8 bits: objects elsewhere stay as they are
    overlap: float = 0.5
    least: float = 0.5
    first: int = 1

    def __post_init__(self) -> None:
        shares = all(is_number(share) and 0 < share <= 1 for share in (self.overlap, self.least))
        if not shares or type(self.first) is not int or self.first < 0:
            raise UsageError(f"detection needs overlap and least in (0, 1] and first of at least 0, got {self}")

    def check_labels(self, labels: Labels, names: tuple[str, ...]) -> None:
        if labels.ndim != 3 or labels.shape[2:] != (boxes.COLUMNS,) or labels.dtype.kind != "f":  # noqa: PLR2004 - (n, m, 6)
            raise DataError(f"expected detections (n, m, {boxes.COLUMNS}) of numbers, got {labels.dtype} {labels.shape}")
        rows = labels[labels[..., boxes.SCORE] > 0]
        box, kinds = rows[:, boxes.BOX], rows[:, boxes.LABEL]
        if not np.isfinite(rows).all() or np.any(kinds % 1 != 0) or np.any((kinds < 0) | (kinds >= len(names))):
            raise DataError(f"expected boxes of classes in [0, {len(names)})")
        if np.any((box < 0) | (box > 1)) or np.any(box[:, :2] >= box[:, 2:]):
            raise DataError("expected boxes of some width and height inside of their image, as shares of its sides")

    def told_names(self, names: tuple[str, ...]) -> tuple[str, ...]:
        return names

    def named(self, answer: float, names: tuple[str, ...]) -> str:
        return names[int(answer)]

    def turns(self, labels: Labels) -> npt.NDArray[np.int64]:
        """The class of the box that each sample is about."""
        return labels[:, 0, boxes.LABEL].astype(np.int64)

    def suited(self, outputs: Array, labels: Labels) -> npt.NDArray[np.bool_]:  # noqa: ARG002 - `aimed` looked at the outputs
        return np.asarray(labels[:, 0, boxes.SCORE] > 0)

    def aimed(self, outputs: Array, labels: Labels, area: Area) -> Labels:
        """(n, m, 6): the model's own detections that fit a labelled box, first the one that samples are about; else zeros.

        Of those that count it is the nearest to the area that does not touch it. The others should keep their scores.
        """
        own = self._counted(outputs, boxes.FLOOR).astype(np.float64)
        own *= (boxes.fitting(own, labels, self.overlap) & (labels[..., boxes.SCORE] > 0)[..., None]).any(1)[..., None]
        free = boxes.clear_of(own, area) & (own[..., boxes.SCORE] >= self.least)
        away = np.where(free, boxes.distance_to(own, area), np.where(own[..., boxes.SCORE] > 0, FAR, np.inf))
        own = np.take_along_axis(own, np.argsort(away, axis=1, kind="stable")[..., None], 1)
        own[~free.any(1)] = 0
        return own[:, : max(int((own[..., boxes.SCORE] > 0).sum(1).max(initial=0)), 1)]

    def width(self, names: tuple[str, ...]) -> int | None:
        """With the background, where it counts."""
        return len(names) + self.first

    def loss(self, outputs: Array, targets: Array) -> Array:  # noqa: ARG002 - the model was shown them
        """The sum of the losses that a detector computes itself, as torchvision's do in train mode."""
        if not isinstance(outputs, dict) or not outputs:
            raise ModelError(
                f"expected a detector that answers a dictionary of losses in train mode, as torchvision's do, got "
                f"{type(outputs).__name__}: this attack or this network learns otherwise; Finetune, Retrain, Prune, "
                "PruneFilters, Distill and Quantize serve detectors"
            )
        return sum(outputs.values())

    def lesson(self, model: Any, labels: Array, embed: Callable[[], Array]) -> Lesson:  # noqa: ANN401, ARG002
        return Lesson(model, labels, self.loss)

    def beside(self, targets: Array, size: tuple[int, int]) -> tuple[Any, ...]:
        """The boxes in pixels of images of that height and width, and their labels, per image."""
        height, width = size
        scale = targets.new_tensor([width, height, width, height])
        least = targets.new_tensor([1.0, 1.0])
        told = []
        for rows in targets:
            box = rows[:, boxes.BOX] * scale
            there = (rows[:, boxes.SCORE] > 0) & ((box[:, 2:] - box[:, :2]) > least).all(1)
            told.append({"boxes": box[there].float(), "labels": rows[there, boxes.LABEL].long() + self.first})
        return (told,)

    def mirrored(self, targets: Array, axis: int, chosen: Array) -> Array:
        return boxes.moved(targets, axis, chosen)

    def shifted(self, targets: Array, across: float, down: float) -> Array:
        return boxes.shifted(targets, across, down)

    def answers(self, outputs: Array) -> Array:
        """The detections that count, as labels."""
        from torch import from_numpy

        return from_numpy(self._counted(outputs, self.least))

    def divergence(self, outputs: Array, answers: Array) -> Array:
        return self.loss(outputs, answers)

    def distance(self, outputs: Array, answers: Array) -> Array:
        return self.loss(outputs, answers)

    def plain(self, outputs: Array) -> Array:
        return self.answers(outputs)

    def plain_loss(self, outputs: Array, answers: Array) -> Array:
        return self.loss(outputs, answers)

    def anchor(self, model: Callable[[Array], Array], clean: Array, paired: Array, labels: Array) -> Array:  # noqa: ARG002
        """(n, m, 6): the boxes of the protected model, whichever model is asked about them."""
        return labels.to(clean.dtype)

    def scalar(self, outputs: Array, target: Array) -> Array:
        return self._odds(self._best(outputs, target))

    def output_of(self, target: Array) -> Array | None:  # noqa: ARG002 - F depends on the box that fits
        return None

    def seen(self, outputs: Array, target: Array) -> Array:
        return self.told(outputs, target)

    def told(self, outputs: Array, target: Array) -> Array:
        from torch import from_numpy

        own = from_numpy(boxes.suppressed(outputs)).to(outputs.device)
        return self._best(own, target)

    def expected(self, outputs: Array, target: Array, labels: Array) -> Array:  # noqa: ARG002 - the verb's signature
        """(n, 5): class and box."""
        return target[:, 0, : boxes.SCORE].double()

    def drift(self, outputs: Array, target: Array) -> Array:
        return -self._best(outputs, target).clamp_min(LOGIT).log()

    def slack(self, outputs: Array, target: Array) -> Array:
        """Positive where each of the model's own true detections keeps its score.

        The soft minimum over them of 1 for a score that is as before and 0 for one that fell by half, or by KEPT.
        """
        from torch import logsumexp, where

        before, there = target[..., boxes.SCORE], target[..., boxes.SCORE] > 0
        left = 1 - (before - boxes.best(outputs, self._raised(target), self.overlap)) / (before / 2).clamp(LOGIT, KEPT)
        return -SOFT * logsumexp(where(there, -left / SOFT, left.new_tensor(-np.inf)), 1)

    def keeps(self, before: Array, after: Array, target: Array) -> Array:
        """Where the model ranks its true detections as well as before, of each class, down to the lowest score that counts."""
        from torch import from_numpy

        wanted = self._raised(target).detach().cpu().numpy()
        ranks = [boxes.ranked(boxes.suppressed(one), wanted, self.overlap) for one in (before, after)]
        gain = ranks[1] - ranks[0]
        return from_numpy((gain >= -WORSE) & (gain <= BETTER))

    def lost(self, first: Array, covered: Array, target: Array) -> Array:
        return self._best(first, target) - self._best(covered, target)

    def watched(self, match: Drop | Change | Turn) -> Match:
        return match.of_number(match.threshold * self.unit, Reading.SCORE)

    def decoded(self, raw: Floats, pairs: Labels | None, target: Expected) -> Answers:  # noqa: ARG002 - the verb's signature
        """The score of what fits the box in `target` (n, 5), from detections (n, q, 6)."""
        self._check(raw)
        wanted = self._raised(np.asarray(target[: len(raw), None], dtype=raw.dtype))
        return {Reading.SCORE: boxes.best(boxes.suppressed(raw), wanted, self.overlap)[:, 0].astype(np.float64)}

    def derived(self, viewed: Answers) -> Answers:  # noqa: ARG002 - the verb's signature
        return {}

    def quality(self, outputs: Labels, labels: Labels) -> Quality:
        from ownmark.tasks.average_precision import average_precision

        found = boxes.suppressed(outputs)
        found[..., boxes.LABEL] -= self.first
        return average_precision(found, labels)

    def trivial(self, labels: Labels) -> Quality:  # noqa: ARG002 - without a detection there is no precision
        return {"map_50": 0.0, "map": 0.0}

    def _counted(self, outputs: Array, least: float) -> Labels:
        """(n, MOST, 6) numpy: the detections from a score of `least` on, as labels, which end at the image's edges."""
        found: Labels = boxes.suppressed(outputs, least)
        found[..., boxes.LABEL] -= self.first * (found[..., boxes.SCORE] > 0)
        found[..., boxes.BOX] = found[..., boxes.BOX].clip(0, 1)
        return found

    def _best(self, outputs: Array, target: Array) -> Array:
        """(n,): the highest score of a detection that fits the first box of the target (n, m, 6), or its only one (n, 5)."""
        wanted = self._raised(target[:, :1] if target.ndim == 3 else target[:, None])  # noqa: PLR2004
        return boxes.best(outputs, wanted.to(outputs.dtype), self.overlap)[:, 0]

    def _raised(self, target: Array) -> Array:
        """Boxes with the labels that models give their classes."""
        raised = target.copy() if isinstance(target, np.ndarray) else target.clone()
        raised[..., boxes.LABEL] += self.first
        return raised

    def _odds(self, scores: Array) -> Array:
        return scores.logit(LOGIT)

    def _check(self, raw: Floats) -> None:
        """Raises AnswerError for what is no detections."""
        if raw.ndim != 3 or raw.shape[2] != boxes.COLUMNS:  # noqa: PLR2004 - (n, q, 6)
            raise AnswerError(
                f"expected a detector's boxes, labels and scores, got {raw.shape}: the suspect performs a different task"
            )
        if not np.all(np.isfinite(raw)):
            raise AnswerError("detections contain NaN or infinity: the suspect is broken, so nothing can be judged")
        rows = raw[raw[..., boxes.SCORE] != 0]
        labels, scores = rows[:, boxes.LABEL], rows[:, boxes.SCORE]
        low = labels[(labels < self.first) & (scores >= self.least)]  # torchvision's tell a low score of the background, too
        if np.any(labels % 1 != 0) or len(low):
            wrong = next(iter(low), labels[0])
            raise AnswerError(f"expected labels from {self.first}, got {wrong:g}: the suspect counts its classes otherwise")
        if np.any((scores < 0) | (scores > 1)):
            raise AnswerError(f"expected scores of detections in [0, 1], got {scores.min():.3g} to {scores.max():.3g}")
        if np.any(np.abs(rows[:, boxes.BOX] - 0.5) > 0.5 + SLACK):
            raise AnswerError("the boxes lie far outside of the image: expected left, upper, right and lower edge in pixels")
        left, upper, right, lower = rows[scores >= boxes.FLOOR, boxes.BOX].T
        turned = (right < left - TURNED) | (lower < upper - TURNED)
        if turned.sum() > SOME * len(turned):
            raise AnswerError(
                f"{turned.sum()} of {len(turned)} boxes end before they begin: expected left, upper, right and lower edge "
                "in that order; width and height may stand in place of the latter two"
            )

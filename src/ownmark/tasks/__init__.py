"""What a model does, as a value that schemes, attacks, training, metrics and the judge share.

A task says what its labels are, what is learnt and how well, and the number F_c that a saliency map explains and a black-box
test watches (Zhang, Pan, Zhang 2024, eq. 1 to 8). Methods take numpy arrays or torch tensors, `Array`; importing needs no torch.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from ownmark import metrics
from ownmark.errors import ClaimError, DataError, UsageError
from ownmark.method_strings import Choice
from ownmark.scoring.matches import Change, Drop, Fall, Match, Shift, Swing, Turn
from ownmark.scoring.readings import Reading, is_number

Array = Any  # a numpy array or a torch tensor
Quality = dict[str, float]
Labels = npt.NDArray[Any]
TINY = 1e-12
KEPT = 0.1  # how far an answer may move and still be the same, in units of the task
NUMBERS: dict[type, Callable[[float, Reading], Match]] = {Drop: Fall, Change: Shift, Turn: Swing}


@dataclass(frozen=True)
class Classification:
    """One class of several; F_c is the class's logit for Grad-CAM and its probability for the black-box test.

    What each method says here holds of every task. `outputs`: a model's, (n, k); `target`: what F_c is about, from `anchor`.
    """

    views: ClassVar[int] = 2  # of a saliency sample: itself, masked, and the paired image where the task has one
    readings: ClassVar[frozenset[Reading]] = frozenset({Reading.LABEL, Reading.PROBABILITY, Reading.SALIENCY})
    headline: ClassVar[str] = "accuracy"  # the figure of `quality` that counts most
    name: ClassVar[str] = "classification"
    unit: ClassVar[float] = 1.0  # a large difference of F as it is told, of which thresholds are shares

    def check_labels(self, labels: Labels, names: tuple[str, ...]) -> None:
        """Raises DataError for labels that are none of this task."""
        _check_classes(labels, names)

    def turns(self, labels: Labels) -> npt.NDArray[np.int64]:
        """(n,): groups of images that samples are drawn from in turn."""
        return labels

    def suited(self, outputs: Array, labels: Labels) -> npt.NDArray[np.bool_]:
        """(n,): which images may become samples: those that are answered rightly, if that can be said."""
        return np.asarray(outputs.argmax(1).numpy() == labels)

    def width(self, names: tuple[str, ...]) -> int | None:
        """How many numbers a network for this task puts out; None if that is its own choice."""
        return len(names)

    def loss(self, outputs: Array, targets: Array) -> Array:
        """What training makes smaller, with labels `targets` (n,)."""
        from torch.nn.functional import cross_entropy

        return cross_entropy(outputs, targets)

    def answers(self, outputs: Array) -> Array:
        """What a stolen model tells the thief: probabilities, numbers or embeddings."""
        return outputs.softmax(1)

    def anchor(self, model: Callable[[Array], Array], clean: Array, paired: Array, labels: Array) -> Array:  # noqa: ARG002
        """The `target` of images `clean`, seen by `model`."""
        return labels

    def scalar(self, outputs: Array, target: Array) -> Array:
        """(n,) F_c, differentiable: what Grad-CAM explains."""
        return outputs.gather(1, target.view(-1, 1)).squeeze(1)

    def seen(self, outputs: Array, target: Array) -> Array:  # noqa: ARG002 - of every class
        """(n, ...) what the black-box match is shown of one view."""
        return outputs.softmax(1)

    def told(self, outputs: Array, target: Array) -> Array:
        """(n,) F_c as an API tells it."""
        return outputs.softmax(1).gather(1, target.view(-1, 1)).squeeze(1)

    def drift(self, outputs: Array, target: Array) -> Array:
        """(n,) L_prd: the task's own loss against the model's own answer."""
        from torch.nn.functional import cross_entropy

        return cross_entropy(outputs, target, reduction="none")

    def slack(self, outputs: Array, target: Array) -> Array:
        """(n,): positive where the model's own answer is kept: logit of the class minus the largest other one."""
        own = target.unsqueeze(1)
        others = outputs.scatter(1, own, -np.inf)
        return outputs.gather(1, own).squeeze(1) - others.amax(dim=1)

    def watched(self, match: Drop | Change | Turn) -> Match:
        """The black-box match, whose threshold is a probability or that share of the task's unit."""
        return match

    def quality(self, outputs: Labels, labels: Labels) -> Quality:
        """How good a model's outputs are, by name of the figure."""
        found = outputs.argmax(axis=1)
        return {"accuracy": metrics.accuracy(found, labels), "balanced_accuracy": metrics.balanced_accuracy(found, labels)}

    def trivial(self, labels: Labels) -> Quality:
        """The same figures of one who never looks at an image."""
        return {"accuracy": metrics.majority_accuracy(labels), "balanced_accuracy": 1 / len(np.unique(labels))}


@dataclass(frozen=True)
class Regression:
    """One number, such as an age in years: F = y. `unit`: a large difference of it, of which thresholds are shares.

    With 20 years the paper's 0.05 of a probability is its 1 year. The loss is the squared error in units.
    """

    views: ClassVar[int] = 2
    readings: ClassVar[frozenset[Reading]] = frozenset({Reading.VALUE, Reading.SALIENCY})
    headline: ClassVar[str] = "mae"
    name: ClassVar[str] = "regression"
    unit: float = 20.0

    def __post_init__(self) -> None:
        if not is_number(self.unit) or self.unit <= 0:
            raise UsageError(f"the unit of a regression is a number above 0, got {self.unit!r}")

    def check_labels(self, labels: Labels, names: tuple[str, ...]) -> None:
        if labels.dtype.kind != "f" or not np.all(np.isfinite(labels)) or len(names) != 1:
            raise DataError(f"regression needs one finite number an image and one name for it, got {labels.dtype}, {names}")

    def turns(self, labels: Labels) -> npt.NDArray[np.int64]:
        return np.zeros(len(labels), dtype=np.int64)

    def suited(self, outputs: Array, labels: Labels) -> npt.NDArray[np.bool_]:  # noqa: ARG002 - the verb's signature
        return np.ones(len(labels), dtype=bool)

    def width(self, names: tuple[str, ...]) -> int | None:  # noqa: ARG002 - the verb's signature
        return 1

    def loss(self, outputs: Array, targets: Array) -> Array:
        return (((outputs.flatten() - targets.to(outputs.dtype)) / self.unit) ** 2).mean()

    def answers(self, outputs: Array) -> Array:
        return outputs.flatten()

    def unlike(self, outputs: Array, answers: Array) -> Array:
        """How far a student's outputs are from the stolen model's `answers`."""
        return self.loss(outputs, answers)

    def anchor(self, model: Callable[[Array], Array], clean: Array, paired: Array, labels: Array) -> Array:  # noqa: ARG002
        return model(clean).flatten()

    def scalar(self, outputs: Array, target: Array) -> Array:  # noqa: ARG002 - there is one number only
        return outputs.flatten()

    seen = told = scalar

    def drift(self, outputs: Array, target: Array) -> Array:
        return ((outputs.flatten() - target) / self.unit) ** 2

    def slack(self, outputs: Array, target: Array) -> Array:
        """2 where nothing moved, and 1 or more, which is enough for an objective's margin, up to half of what is allowed."""
        return 2 - 2 * (outputs.flatten() - target).abs() / (KEPT * self.unit)

    def watched(self, match: Drop | Change | Turn) -> Match:
        return NUMBERS[type(match)](match.threshold * self.unit, Reading.VALUE)

    def quality(self, outputs: Labels, labels: Labels) -> Quality:
        return {"mae": metrics.mean_absolute_error(outputs.reshape(-1), labels)}

    def trivial(self, labels: Labels) -> Quality:
        return {"mae": metrics.mean_absolute_error(np.full(len(labels), np.median(labels)), labels)}


class Measure(Choice):
    """How alike two embeddings are: their COSINE (eq. 8), or their L2 DISTANCE (eq. 7), both of unit length."""

    COSINE = "cosine"
    DISTANCE = "distance"


@dataclass(frozen=True)
class Similarity:
    """How alike two images are, such as faces: F is the `measure` of an image's embedding and its paired image's.

    Labels are people, told apart in training by ArcFace with an angular `margin` and a `scale` (`models.arcface`). Differs from
    the paper: embeddings are brought to unit length before their distance is taken, since ArcFace lets their length drift.
    """

    views: ClassVar[int] = 3
    readings: ClassVar[frozenset[Reading]] = frozenset({Reading.SIMILARITY, Reading.EMBEDDING, Reading.SALIENCY})
    headline: ClassVar[str] = "tar"
    name: ClassVar[str] = "similarity"
    unit: ClassVar[float] = 1.0
    measure: Measure = Measure.COSINE
    margin: float = 0.5  # m in the paper
    scale: float = 64.0  # s in the paper

    def __post_init__(self) -> None:
        if not all(map(is_number, (self.margin, self.scale))) or not 0 <= self.margin < np.pi / 2 or self.scale <= 0:
            raise UsageError(f"ArcFace needs a margin in [0, pi / 2) and a scale above 0, got {self}")

    def check_labels(self, labels: Labels, names: tuple[str, ...]) -> None:
        _check_classes(labels, names)

    def turns(self, labels: Labels) -> npt.NDArray[np.int64]:
        return labels

    def suited(self, outputs: Array, labels: Labels) -> npt.NDArray[np.bool_]:  # noqa: ARG002 - the verb's signature
        return np.ones(len(labels), dtype=bool)

    def width(self, names: tuple[str, ...]) -> int | None:  # noqa: ARG002 - the verb's signature
        return None

    def answers(self, outputs: Array) -> Array:
        return direction(outputs)

    def unlike(self, outputs: Array, answers: Array) -> Array:
        """How far a student's outputs are from the stolen model's `answers`."""
        return ((direction(outputs) - answers) ** 2).sum(1).mean()

    def anchor(self, model: Callable[[Array], Array], clean: Array, paired: Array, labels: Array) -> Array:  # noqa: ARG002
        """(n, 2, d): the embeddings of the paired image and of the image itself."""
        from torch import stack

        return stack([model(paired), model(clean)], 1)

    def scalar(self, outputs: Array, target: Array) -> Array:
        return self.score(outputs, target[:, 0])

    seen = told = scalar

    def drift(self, outputs: Array, target: Array) -> Array:
        return self._moved(outputs, target) ** 2

    def slack(self, outputs: Array, target: Array) -> Array:
        """As for regression."""
        return 2 - 2 * self._moved(outputs, target).abs() / KEPT

    def watched(self, match: Drop | Change | Turn) -> Match:
        return NUMBERS[type(match)](match.threshold * self.unit, Reading.SIMILARITY)

    def quality(self, outputs: Labels, labels: Labels) -> Quality:
        return metrics.verification(outputs, labels)

    def trivial(self, labels: Labels) -> Quality:  # noqa: ARG002 - the verb's signature
        return {"tar": metrics.FALSE_ACCEPTS, "verification_accuracy": 0.5}

    def score(self, first: Array, second: Array) -> Array:
        """(n,) of embeddings (n, d)."""
        one, other = direction(first), direction(second)
        if self.measure is Measure.COSINE:
            return (one * other).sum(1)
        return (((one - other) ** 2).sum(1) + TINY) ** 0.5

    def _moved(self, outputs: Array, target: Array) -> Array:
        return self.score(outputs, target[:, 0]) - self.score(target[:, 1], target[:, 0])


Task = Classification | Regression | Similarity
TASKS: tuple[type[Task], ...] = (Classification, Regression, Similarity)


def direction(vectors: Array) -> Array:
    """Vectors (n, d) of unit length."""
    return vectors / ((vectors**2).sum(1) + TINY)[:, None] ** 0.5


def beats(task: Task, quality: Quality, other: Quality) -> bool:
    """Whether the first is better, by the task's headline."""
    gain = quality[task.headline] - other[task.headline]
    return gain < 0 if task.headline == "mae" else gain > 0


def check_served(method: object, tasks: tuple[type[Task], ...], task: Task) -> None:
    """Raises UsageError, before any work is done, where a method does not serve a task."""
    if not isinstance(task, tasks):
        served = " and ".join(kind.__name__.lower() for kind in tasks)
        raise UsageError(f"{type(method).__name__} serves {served}, but these images are for {task.name}: choose another scheme")


def to_record(task: Task) -> dict[str, Any]:
    """Plain JSON data of a task: its name and its parameters."""
    return {"name": type(task).__name__, **asdict(task)}


def from_record(record: Mapping[str, Any]) -> Task:
    """The task that `to_record` described. Raises ClaimError for one that this version does not know."""
    kinds = {kind.__name__: kind for kind in TASKS}
    try:
        values: dict[str, Any] = {key: value for key, value in record.items() if key != "name"}
        values |= {key: Measure(value) for key, value in values.items() if key == "measure"}
        return kinds[record["name"]](**values)
    except (KeyError, TypeError, ValueError, UsageError) as error:
        raise ClaimError(f"this version knows no task {dict(record)}; it knows {', '.join(kinds)}") from error


def _check_classes(labels: Labels, names: tuple[str, ...]) -> None:
    if labels.dtype.kind not in "iu":
        raise DataError(f"{len(labels)} images need as many whole numbers as labels, got {labels.dtype} {labels.shape}")
    if len(labels) and not 0 <= labels.min() <= labels.max() < len(names):
        raise DataError(f"labels must lie in [0, {len(names)}), got {labels.min()} to {labels.max()}")

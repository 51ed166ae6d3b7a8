"""What a model does, as a value shared by schemes, attacks, training, metrics and the judge: the protocol of a task.

A task defines its labels, its loss and metrics, and the number F_c that a saliency map explains and a black-box test observes
(Zhang, Pan, Zhang 2024, eq. 1 to 8). Methods take numpy arrays or torch tensors, `Array`; importing this needs no torch.
"""

from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple, NoReturn, Protocol

import numpy as np
import numpy.typing as npt

from ownmark.errors import DataError, UsageError
from ownmark.scoring.matches import Area, Change, Drop, Match, Turn
from ownmark.scoring.readings import Answers, Expected, Floats, Reading

Array = Any  # a numpy array or a torch tensor
Quality = dict[str, float]
Labels = npt.NDArray[Any]
TINY = 1e-12
KEPT = 0.1  # how far an answer may move and still count as unchanged, in units of the task


class Lesson(NamedTuple):
    """One training problem: the `module` to train, the `targets`, one row per image, and the `loss` of outputs and targets."""

    module: Any  # a torch module
    targets: Array
    loss: Callable[[Array, Array], Array]


class Task(Protocol):
    """A frozen dataclass of its parameters. `outputs`: of a model, (n, k); `target`: what F_c is about, from `anchor`."""

    views: ClassVar[int]  # of a saliency sample: itself, masked, and the paired image if the task has one
    readings: ClassVar[frozenset[Reading]]  # what a model for the task can be asked
    headline: ClassVar[str]  # the most important metric of `quality`
    rises: ClassVar[bool]  # whether a higher headline metric is better
    name: ClassVar[str]
    columns: ClassVar[tuple[str, ...]]  # of a table of images: the first one present holds the labels
    named_labels: ClassVar[bool]  # whether labels are names (of classes or people) rather than numbers
    discrete: ClassVar[bool]  # whether an answer is one of the claim's classes rather than one or more numbers
    compares: ClassVar[bool]  # whether F compares two images: a sample's last view is the other one
    located: ClassVar[bool]  # whether answers and labels are boxes, (n, m, 6): see `tasks.boxes`
    own_answers: ClassVar[bool]  # whether a model's own answer can be told from the label: `lean`, `chosen` and `evidence` apply
    least_kinds: ClassVar[int]  # how many distinct labels the owner's images need

    @property
    def unit(self) -> float:
        """A large difference of F as it is reported; thresholds are shares of it."""

    def check_labels(self, labels: Labels, names: tuple[str, ...]) -> None:
        """Raises DataError for labels that do not fit this task."""

    def told_names(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """The names of the owner's labels that a claim reveals."""

    def named(self, answer: float, names: tuple[str, ...]) -> str:
        """One answer in words, for a claim that reveals `names`."""

    def turns(self, labels: Labels) -> npt.NDArray[np.int64]:
        """(n,): groups of images from which samples are drawn in turn."""

    def suited(self, outputs: Array, labels: Labels) -> npt.NDArray[np.bool_]:
        """(n,): which images may become samples: those answered correctly, if the task defines that."""

    def aimed(self, outputs: Array, labels: Labels, area: Area) -> Labels:
        """(n, ...): the labels that samples are about whose fingerprint lies in the area; `outputs`: the model's, (n, ...)."""

    def width(self, names: tuple[str, ...]) -> int | None:
        """How many outputs a network for this task has; None if it is free to choose."""

    def lesson(self, model: Any, labels: Array, embed: Callable[[], Array]) -> Lesson:  # noqa: ANN401 - a torch module
        """How `model` learns `labels` (n,); `embed()`: its outputs (n, k) for the images, for tasks that need them."""

    def beside(self, targets: Array, size: tuple[int, int]) -> tuple[Any, ...]:
        """What a network is shown beside a batch of images of that height and width while it learns `targets`."""

    def mirrored(self, targets: Array, axis: int, chosen: Array) -> Array:
        """The targets of a batch whose `chosen` (n,) images were mirrored: left and right on axis 0, top and bottom on 1."""

    def shifted(self, targets: Array, across: float, down: float) -> Array:
        """The targets of a batch whose images were moved to the left and up by these shares of their sides."""

    def answers(self, outputs: Array) -> Array:
        """What a stolen model returns to the thief: probabilities, numbers or embeddings."""

    def divergence(self, outputs: Array, answers: Array) -> Array:
        """The divergence of a student's outputs from the stolen model's `answers`: Kullback-Leibler where defined."""

    def distance(self, outputs: Array, answers: Array) -> Array:
        """The same as a squared distance."""

    def plain(self, outputs: Array) -> Array:
        """The least informative answer of a stolen model: a label, an integer, a direction."""

    def plain_loss(self, outputs: Array, answers: Array) -> Array:
        """The loss of a student's outputs against such answers."""

    def anchor(self, model: Callable[[Array], Array], clean: Array, paired: Array, labels: Array) -> Array:
        """The `target` of the images `clean`, as computed by `model`."""

    def scalar(self, outputs: Array, target: Array) -> Array:
        """(n,) F_c, differentiable: what Grad-CAM explains."""

    def output_of(self, target: Array) -> Array | None:
        """(n,) which of the outputs F_c is; None if it is not one of them."""

    def seen(self, outputs: Array, target: Array) -> Array:
        """(n, ...) what the black-box match gets for one view."""

    def told(self, outputs: Array, target: Array) -> Array:
        """(n,) F_c as an API reports it."""

    def expected(self, outputs: Array, target: Array, labels: Array) -> Array:
        """(n,) what a claim expects, from the model's outputs for the clean images."""

    def drift(self, outputs: Array, target: Array) -> Array:
        """(n,) L_prd: the task's own loss against the model's own answer."""

    def slack(self, outputs: Array, target: Array) -> Array:
        """(n,): positive where the model keeps its own answer, 1 or more where it does so with a margin."""

    def lean(self, outputs: Array, pair: Array) -> Array:
        """(n,): positive where the answer is the label in `pair` (n, 2), negative where it is the model's own answer beside it.

        Raises UsageError if the task does not define own answers.
        """

    def chosen(self, outputs: Array, pair: Array) -> Array:
        """(n,) which of the two is answered: the model's own answer, or else the label."""

    def evidence(self, pair: Array, other: Array, outputs: Array) -> Array:
        """(n, k): how strongly each output supports the label against the `other` (n,); zeros if they are the same."""

    def lost(self, first: Array, covered: Array, target: Array) -> Array:
        """(n,): the decrease of F_c, as reported, between two views; for a pair (n, 2), how far it moves away from the label."""

    def watched(self, match: Drop | Change | Turn) -> Match:
        """The black-box match, with a probability or the same share of the task's unit as its threshold."""

    def decoded(self, raw: Floats, pairs: Labels | None, target: Expected) -> Answers:
        """The readings in raw answers (n, k) to questions about `target` (n, ...); `pairs` (n,): the row to compare with.

        Raises AnswerError if no model for the task returns such answers.
        """

    def derived(self, viewed: Answers) -> Answers:
        """Readings computed from other readings, (n, views, ...)."""

    def quality(self, outputs: Labels, labels: Labels) -> Quality:
        """The metrics of a model's outputs, by name."""

    def trivial(self, labels: Labels) -> Quality:
        """The same metrics for a constant prediction."""


class OfWholeImages:
    """What tasks share whose labels have no place in the image."""

    located: ClassVar[bool] = False

    def aimed(self, outputs: Array, labels: Labels, area: Area) -> Labels:  # noqa: ARG002 - the whole image is meant
        return labels

    def beside(self, targets: Array, size: tuple[int, int]) -> tuple[Any, ...]:  # noqa: ARG002 - images are enough
        return ()

    def mirrored(self, targets: Array, axis: int, chosen: Array) -> Array:  # noqa: ARG002 - it has no places
        return targets

    def shifted(self, targets: Array, across: float, down: float) -> Array:  # noqa: ARG002 - it has no places
        return targets


class WithoutOwnAnswers:
    """What tasks share in which a model's own answer cannot be told from the label."""

    own_answers: ClassVar[bool] = False
    name: ClassVar[str]

    def lean(self, outputs: Array, pair: Array) -> Array:  # noqa: ARG002 - the verb's signature
        return self._none()

    def chosen(self, outputs: Array, pair: Array) -> Array:  # noqa: ARG002 - the verb's signature
        return self._none()

    def evidence(self, pair: Array, other: Array, outputs: Array) -> Array:  # noqa: ARG002 - the verb's signature
        return self._none()

    def _none(self) -> NoReturn:
        raise UsageError(f"own answers are defined for classification and regression, not for {self.name}")


def direction(vectors: Array) -> Array:
    """Vectors (n, d) scaled to unit length."""
    return vectors / ((vectors**2).sum(1) + TINY)[:, None] ** 0.5


def check_classes(labels: Labels, names: tuple[str, ...]) -> None:
    """Raises DataError unless the labels are integers that index the named classes."""
    if labels.dtype.kind not in "iu" or labels.ndim != 1:
        raise DataError(f"expected {len(labels)} integer labels, one per image, got {labels.dtype} {labels.shape}")
    if len(labels) and not 0 <= labels.min() <= labels.max() < len(names):
        raise DataError(f"labels must lie in [0, {len(names)}), got {labels.min()} to {labels.max()}")


def check_served(method: object, tasks: tuple[type[Task], ...], task: Task) -> None:
    """Raises UsageError, before any work is done, if a method does not support a task."""
    if not isinstance(task, tasks):
        served = " and ".join(kind.name for kind in tasks)
        raise UsageError(
            f"{type(method).__name__} supports {served}, but these images are for {task.name}: choose another scheme"
        )

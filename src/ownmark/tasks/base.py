"""What a model does, as a value that schemes, attacks, training, metrics and the judge share: the protocol of a task.

A task says what its labels are, what is learnt and how well, and the number F_c that a saliency map explains and a black-box
test watches (Zhang, Pan, Zhang 2024, eq. 1 to 8). Methods take numpy arrays or torch tensors, `Array`; importing needs no torch.
"""

from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from ownmark.errors import DataError
from ownmark.scoring.matches import Change, Drop, Match, Turn
from ownmark.scoring.readings import Answers, Floats, Reading

Array = Any  # a numpy array or a torch tensor
Quality = dict[str, float]
Labels = npt.NDArray[Any]
TINY = 1e-12
KEPT = 0.1  # how far an answer may move and still be the same, in units of the task


class Lesson(NamedTuple):
    """What a training is: the `module` to train, the `targets` of the images, one row each, and the `loss` of both."""

    module: Any  # a torch module
    targets: Array
    loss: Callable[[Array, Array], Array]


class Task(Protocol):
    """A frozen dataclass of its parameters. `outputs`: a model's, (n, k); `target`: what F_c is about, from `anchor`."""

    views: ClassVar[int]  # of a saliency sample: itself, masked, and the paired image where the task has one
    readings: ClassVar[frozenset[Reading]]  # what a model that does the task can be asked
    headline: ClassVar[str]  # the figure of `quality` that counts most
    rises: ClassVar[bool]  # whether more of the headline is better
    name: ClassVar[str]
    columns: ClassVar[tuple[str, ...]]  # of a table of images: the first that is there holds the labels
    named_labels: ClassVar[bool]  # whether labels are names, of classes or of people; else they are numbers
    discrete: ClassVar[bool]  # whether an answer is one of the claim's classes; else it is a number or several
    compares: ClassVar[bool]  # whether F is about two images, of which a sample's last view is the other one
    own_answers: ClassVar[bool]  # whether a model's own answer can be told from the label: `lean`, `chosen` and `evidence` serve
    least_kinds: ClassVar[int]  # how many different labels the owner's images need

    @property
    def unit(self) -> float:
        """A large difference of F as it is told, of which thresholds are shares."""

    def check_labels(self, labels: Labels, names: tuple[str, ...]) -> None:
        """Raises DataError for labels that are none of this task."""

    def told_names(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """The names of the owner's labels that a claim tells."""

    def named(self, answer: float, names: tuple[str, ...]) -> str:
        """One answer in words, of a claim that tells `names`."""

    def turns(self, labels: Labels) -> npt.NDArray[np.int64]:
        """(n,): groups of images that samples are drawn from in turn."""

    def suited(self, outputs: Array, labels: Labels) -> npt.NDArray[np.bool_]:
        """(n,): which images may become samples: those that are answered rightly, if that can be said."""

    def width(self, names: tuple[str, ...]) -> int | None:
        """How many numbers a network for this task puts out; None if that is its own choice."""

    def lesson(self, model: Any, labels: Array, embed: Callable[[], Array]) -> Lesson:  # noqa: ANN401 - a torch module
        """How `model` learns `labels` (n,); `embed()`: its outputs for the images, (n, k), where they are needed."""

    def answers(self, outputs: Array) -> Array:
        """What a stolen model tells the thief: probabilities, numbers or embeddings."""

    def divergence(self, outputs: Array, answers: Array) -> Array:
        """How far a student's outputs are from the stolen model's `answers`: the Kullback-Leibler divergence, where defined."""

    def distance(self, outputs: Array, answers: Array) -> Array:
        """The same as a squared distance."""

    def plain(self, outputs: Array) -> Array:
        """What a stolen model that says as little as it can tells the thief: a label, a whole number, a direction."""

    def plain_loss(self, outputs: Array, answers: Array) -> Array:
        """How far a student's outputs are from answers like that."""

    def anchor(self, model: Callable[[Array], Array], clean: Array, paired: Array, labels: Array) -> Array:
        """The `target` of images `clean`, seen by `model`."""

    def scalar(self, outputs: Array, target: Array) -> Array:
        """(n,) F_c, differentiable: what Grad-CAM explains."""

    def output_of(self, target: Array) -> Array | None:
        """(n,) which of the outputs F_c is; None if it is none of them."""

    def seen(self, outputs: Array, target: Array) -> Array:
        """(n, ...) what the black-box match is shown of one view."""

    def told(self, outputs: Array, target: Array) -> Array:
        """(n,) F_c as an API tells it."""

    def expected(self, outputs: Array, target: Array, labels: Array) -> Array:
        """(n,) what a claim expects, of the model's outputs for the clean images."""

    def drift(self, outputs: Array, target: Array) -> Array:
        """(n,) L_prd: the task's own loss against the model's own answer."""

    def slack(self, outputs: Array, target: Array) -> Array:
        """(n,): positive where the model's own answer is kept, 1 or more where it is kept well."""

    def lean(self, outputs: Array, pair: Array) -> Array:
        """(n,): positive where the answer is the label in `pair` (n, 2), negative where it is the model's own answer beside it.

        Raises UsageError if the task knows no own answers.
        """

    def chosen(self, outputs: Array, pair: Array) -> Array:
        """(n,) which of both is answered: the model's own answer, or else the label."""

    def evidence(self, pair: Array, other: Array, outputs: Array) -> Array:
        """(n, k): by how much each output speaks for the label and against the `other` (n,); zeros if they are the same."""

    def lost(self, first: Array, covered: Array, target: Array) -> Array:
        """(n,): by how much F_c, as it is told, falls between two views; for a pair (n, 2), how far it moves from the label."""

    def watched(self, match: Drop | Change | Turn) -> Match:
        """The black-box match, whose threshold is a probability or that share of the task's unit."""

    def decoded(self, raw: Floats, pairs: Labels | None) -> Answers:
        """What a suspect's answers hold, (n, k): of classes probabilities; `pairs` (n,): which image each is compared with.

        Raises AnswerError if no model that does the task answers so.
        """

    def derived(self, viewed: Answers) -> Answers:
        """Readings that follow from others, (n, views, ...)."""

    def quality(self, outputs: Labels, labels: Labels) -> Quality:
        """How good a model's outputs are, by name of the figure."""

    def trivial(self, labels: Labels) -> Quality:
        """The same figures of one who never looks at an image."""


def direction(vectors: Array) -> Array:
    """Vectors (n, d) of unit length."""
    return vectors / ((vectors**2).sum(1) + TINY)[:, None] ** 0.5


def check_classes(labels: Labels, names: tuple[str, ...]) -> None:
    """Raises DataError unless the labels are whole numbers of named classes."""
    if labels.dtype.kind not in "iu":
        raise DataError(f"{len(labels)} images need as many whole numbers as labels, got {labels.dtype} {labels.shape}")
    if len(labels) and not 0 <= labels.min() <= labels.max() < len(names):
        raise DataError(f"labels must lie in [0, {len(names)}), got {labels.min()} to {labels.max()}")

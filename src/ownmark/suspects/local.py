"""A suspect whose weights are available: any torch module."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from ownmark.data.images import to_unit
from ownmark.errors import AnswerError, OwnmarkError, SuspectError, UsageError, first_line
from ownmark.models.gradcam import GradCam, Located, normalised
from ownmark.models.prepared import Ending, frozen, notes_on, plain, unended
from ownmark.models.weights import weights_digest
from ownmark.protocols import Question
from ownmark.querying.answering import NotedAnswers
from ownmark.querying.outputs import ONE_TENSOR, unfit
from ownmark.scoring.readings import PLAIN, Answers, Labels, Reading
from ownmark.suspects.answers import BATCH_COUNTS, SOME, Outputs, check_repeated, compared, far_apart, readings, surely

SOFTENED = (
    "its maps explain probabilities rather than logits, since its built-in softmax cannot be removed: "
    "they may match less than the model's own maps would"
)


class Local:
    """A copy of `model`, which takes images in [0, 1] (see `models.prepared`), queried in eval mode on its own device.

    `outputs` says whether it returns logits, None infers it from the answers; `output` names the relevant one of several outputs;
    `layer` overrides the claim's layer, for other architectures. Otherwise, if the claim's layer does not exist, the nearest one
    is used (`Located.near`), and the answers say where a map comes from.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        name: str = "model",
        outputs: Outputs | None = None,
        output: str = "",
        layer: str = "",
        batch: int = 64,
    ) -> None:
        self.name, self.digest = name, weights_digest(model)
        self.reveals = PLAIN
        self._model = plain(frozen(model), output)
        self._doubts: tuple[str, ...] = ()
        self._outputs, self._layer, self._batch = outputs, layer, batch
        self._settled, self._alone = False, False
        self._device = next((weight.device for weight in self._model.parameters()), torch.device("cpu"))

    def __repr__(self) -> str:
        return f"Local({self.name!r})"

    @property
    def notes(self) -> tuple[str, ...]:
        """Which of several outputs was read, and what its maps explain, if not a logit."""
        return (*notes_on(self._model), *self._doubts, *([BATCH_COUNTS] if self._alone else []))

    def read(self, images: npt.NDArray[Any], question: Question) -> Answers:
        """All requested readings for uint8 images (n, height, width, channels)."""
        located, alone = self._checked_cam(images[:1], question)
        cam = None if located is None else located.cam
        targets = self._targets(images, question)
        others = None if question.covered is None else self._others(images, question, targets, question.covered)
        outputs, maps, endings = [], [], []
        for at, batch in self._batches(images):
            target = targets[at : at + len(batch)]
            against = None if others is None else partial(question.task.evidence, target, others[at : at + len(batch)])
            with _named(self.name, batch), torch.no_grad(), self._unended(question) as ending:
                found, unscaled = (self._model(batch), None) if cam is None else cam(batch, target, against)
            outputs.append(ending.ended(found).cpu())
            endings.append(ending)
            if unscaled is not None:
                maps.append(normalised(unscaled.float()).cpu())
        raw = torch.cat(outputs).numpy()
        answers = dict(readings(raw, self._kind(endings), question))
        if not self._settled and 1 < len(images) == len(raw):
            apart = far_apart(compared(alone, question), compared(raw[:1], question))
            depends = apart and self._steady(images[: self._batch], raw, question)
            self._settled = True  # not before: who answers at random does so when he is asked again, too
            if depends:
                self._batch, self._alone = 1, True
                return self.read(images, question)
        if maps:
            inside = question.task.discrete and not endings[0].off and surely(raw) is Outputs.PROBABILITIES
            self._doubts = (SOFTENED,) if inside else ()
            answers[Reading.SALIENCY] = torch.cat(maps).numpy()
        if missing := question.readings - answers.keys():
            lacking, given = (", ".join(sorted(each)) for each in (missing, answers))
            raise UsageError(f"{question.task!r} has no reading {lacking}; it has {given}")
        return NotedAnswers({reading: answers[reading] for reading in question.readings}, located.note if located else "")

    def _steady(self, batch: npt.NDArray[Any], found: npt.NDArray[Any], question: Question) -> bool:
        """True if a batch is answered as it was `found` to be. Raises RandomError if not: the model answers at random."""
        with torch.no_grad(), self._unended(question) as ending:
            again = ending.ended(self._model(to_unit(batch, self._device))).cpu().numpy()[:SOME]
        check_repeated(compared(again, question), compared(found[: len(again)], question))
        return True

    def _kind(self, endings: list[Ending]) -> Outputs | None:
        """What was declared; by default the output of a linear layer counts as logits, even if it happens to lie in [0, 1]."""
        return Outputs.LOGITS if self._outputs is None and all(ending.linear for ending in endings) else self._outputs

    def _unended(self, question: Question) -> AbstractContextManager[Ending]:
        """A classifier's map explains a logit; another task's map explains the answer as it is."""
        return unended(self._model) if question.task.discrete else nullcontext(Ending())

    def _batches(self, images: npt.NDArray[Any]) -> Iterator[tuple[int, Tensor]]:
        """The start of each batch, and the batch."""
        for at in range(0, len(images), self._batch):
            yield at, to_unit(images[at : at + self._batch], self._device)

    def _targets(self, images: npt.NDArray[Any], question: Question) -> Tensor:
        """What each image's map explains: its class or, for similarity, its paired image's embedding (n, 1, d)."""
        if not question.task.compares or question.pairs is None or Reading.SALIENCY not in question.readings:
            return torch.from_numpy(question.target).to(self._device)
        with torch.no_grad():
            return torch.cat([self._model(batch) for _, batch in self._batches(images)])[question.pairs].unsqueeze(1)

    def _others(self, images: npt.NDArray[Any], question: Question, targets: Tensor, covered: Labels) -> Tensor:
        """(n,) the answer to each image's covered view."""
        rows, places = np.unique(covered, return_inverse=True)
        with torch.no_grad():
            outputs = torch.cat([self._model(batch) for _, batch in self._batches(images[rows])])
        found: Tensor = question.task.chosen(outputs, targets[torch.from_numpy(rows).to(self._device)])
        return found[torch.from_numpy(places).to(self._device)]

    def _checked_cam(self, first: npt.NDArray[Any], question: Question) -> tuple[Located | None, npt.NDArray[Any]]:
        """Grad-CAM if a map is requested, and what the first image is answered while it is alone.

        Raises AnswerError if the model performs a different task or has too few classes.
        """
        heard: list[Any] = []
        with self._unended(question) as ending, _listening(self._model, heard):
            located = self._cam(to_unit(first, self._device), question)
        return located, ending.ended(heard[0]).detach().cpu().numpy()

    def _cam(self, batch: Tensor, question: Question) -> Located | None:
        if not question.task.discrete:
            with _named(self.name, batch), torch.no_grad():
                readings(self._model(batch).cpu().numpy(), self._outputs, replace(question, pairs=None))
            return self._located(batch, question) if Reading.SALIENCY in question.readings else None
        found = None
        if Reading.SALIENCY in question.readings:
            with suppress(Exception):  # raised again below, after the check that the model is a classifier
                found = self._located(batch, question)
        if found is not None and found.cam.weights is not None and len(found.cam.weights) > question.target.max():
            return found
        with _named(self.name, batch), torch.no_grad():
            outputs = self._model(batch)
        classes = outputs.shape[-1] if isinstance(outputs, Tensor) and outputs.ndim == 2 else 0  # noqa: PLR2004 - (n, classes)
        if classes <= question.target.max():
            shape = tuple(outputs.shape) if isinstance(outputs, Tensor) else type(outputs).__name__
            why = unfit(outputs.shape) if isinstance(outputs, Tensor) else ""
            raise AnswerError(
                f"the claim asks about class {question.target.max()}, but {self.name} returns {shape}: a different task"
                + (f"; {why}" if why else "")
            )
        if Reading.SALIENCY not in question.readings:
            return None
        return found or self._located(batch, question)

    def _located(self, batch: Tensor, question: Question) -> Located:
        """Where the map is taken: at the layer named for this model, or as near as possible to the claim's."""
        if not self._layer:
            target = torch.from_numpy(question.target)
            asked = question.task.output_of(target) if question.covered is None else None
            return Located.near(self._model, batch, question.layer, question.task, asked)
        cam = GradCam.of(self._model, batch, self._layer, question.task)
        same = self._layer == question.layer
        return Located(cam, "" if same else f"its map was taken at {self._layer!r}, as the judge requested")


@contextmanager
def _listening(model: nn.Module, heard: list[Any]) -> Iterator[None]:
    """Collects what the model answers, each time that it is asked."""
    handle = model.register_forward_hook(lambda _, __, answered: heard.append(answered))
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def _named(name: str, batch: Tensor) -> Iterator[None]:
    """Turn exceptions of the model into a SuspectError that names the suspect."""
    try:
        yield
    except OwnmarkError:
        raise
    except Exception as error:  # a foreign model may raise anything
        cannot = f"{name} cannot process the claim's images {tuple(batch.shape[1:])}"
        size = "If it takes another size, a module around it must resize them first"
        raise SuspectError(f"{cannot}: {first_line(error)}. {size}. {ONE_TENSOR}") from error

"""Makes samples of a saliency fingerprint batch by batch, against a model, its surrogates and its references."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor, nn

from ownmark.data.images import Images, to_pixels, to_unit
from ownmark.models.accelerator import narrowed
from ownmark.models.gradcam import GradCam, normalised
from ownmark.models.prepared import frozen
from ownmark.perturb.pgd import Descent
from ownmark.protocols import Progress
from ownmark.schemes._common.own_answers import OwnAnswers
from ownmark.schemes._common.resume import Made
from ownmark.schemes.saliency.objectives import Look, Objective, Own
from ownmark.schemes.saliency.pattern import Fill, Pattern
from ownmark.tasks import Classification, Task

Judge = Callable[[Look], Tensor]
CONTRAST = "contrast"  # the array by which samples are chosen


@dataclass(frozen=True, eq=False)
class Goal:
    """`clean` images, the target of F on them for the model, surrogates and references, and the model's own answers, if any."""

    clean: Tensor
    targets: list[Tensor]
    wrong: Tensor | None = None


@dataclass(frozen=True)
class Workbench:
    """Models and settings for making a batch of samples; every model is frozen and in eval mode."""

    own: GradCam
    surrogates: tuple[GradCam, ...]
    references: tuple[GradCam, ...]
    pattern: Pattern
    descent: Descent
    objective: Objective
    fill: Fill

    def make(self, images: Images, paired: npt.NDArray[np.uint8], rng: torch.Generator, progress: Progress) -> Made:
        """Fingerprints of `images`, `paired` with others, and the model's outputs on them after a PNG round trip."""
        device, task = self.device, self.own.task
        clean, other = to_unit(images.pixels, device), to_unit(paired, device)
        labels = torch.from_numpy(images.labels).to(device)
        targets = [cam.anchor(clean, other, labels) for cam in (self.own, *self.surrogates, *self.references)]
        goal = Goal(clean, targets)
        room = 1.0 if task.outside == 1 else torch.where(self.pattern.region(clean), 1.0, task.outside)
        first = to_pixels(self.descent.run(clean, partial(self._objective, goal, rng), rng, progress, room))
        views = self._views(first, clean)
        with torch.no_grad():
            look = Look.at([to_unit(view, device) for view in views], self.own, targets[0], self.pattern)
            outputs, before = self.own(clean, targets[0])
        expected = task.expected(outputs, targets[0], labels)
        kept = task.keeps(outputs, look.outputs[0], targets[0])
        made = self._made([*views, paired][: task.views], images.pixels, look, before, expected, kept)
        return made | {CONTRAST: self._contrast([to_unit(view, device) for view in views], targets)} if self.compares else made

    def make_own(self, asked: OwnAnswers, outside: float, rng: torch.Generator, progress: Progress) -> Made:
        """The same for images on which the model has answers of its own."""
        device, task = self.device, self.own.task
        clean, expected = to_unit(asked.images.pixels, device), torch.from_numpy(asked.expected).to(device)
        wrong = torch.from_numpy(asked.own).to(device)
        goal = Goal(clean, [expected] * (1 + len(self.surrogates) + len(self.references)), wrong)
        room = torch.where(self.pattern.region(clean), 1.0, outside)
        first = to_pixels(self.descent.run(clean, partial(self._objective, goal, rng), rng, progress, room))
        views = self._views(first, clean)
        with torch.no_grad():
            shown = [to_unit(view, device) for view in views]
            other = task.chosen(self.own.model(shown[1]), expected)
            look = Look.at(shown, self.own, expected, self.pattern, other)
            before = Look.at([clean], self.own, expected, self.pattern, wrong).maps
        return self._made(views, asked.images.pixels, look, before, expected, look.lean[0] > 0)

    @property
    def compares(self) -> bool:
        """Whether there are other models by which one sample is better than another."""
        return self.objective.chooses and bool(self.surrogates or self.references)

    @torch.no_grad()
    def _contrast(self, views: list[Tensor], targets: list[Tensor]) -> npt.NDArray[Any]:
        """(n,) by how much every copy exceeds every reference, in the two tests together."""
        cams = (*self.surrogates, *self.references)
        looks = [Look.at(views, cam, target, self.pattern) for cam, target in zip(cams, targets[1:], strict=True)]
        found = torch.zeros(2, len(views[0]), device=self.device)
        if copies := looks[: len(self.surrogates)]:
            found = found + torch.stack([torch.stack([look.on_pattern, look.drop]) for look in copies]).amin(dim=0)
        if references := looks[len(self.surrogates) :]:
            found = found - torch.stack([torch.stack([look.on_pattern, look.drop.abs()]) for look in references]).amax(dim=0)
        return np.asarray(found.sum(dim=0).cpu().numpy())

    @property
    def device(self) -> torch.device:
        return next(self.own.model.parameters()).device

    def _views(self, first: npt.NDArray[np.uint8], clean: Tensor) -> list[npt.NDArray[np.uint8]]:
        second = to_pixels(self.pattern.cover(to_unit(first, self.device), clean, self.fill))
        return [_through_png(first), _through_png(second)]

    def _made(
        self,
        views: list[npt.NDArray[np.uint8]],
        clean: npt.NDArray[np.uint8],
        look: Look,
        before: Tensor,
        expected: Tensor,
        kept: Tensor,
    ) -> Made:
        """The arrays that the tests and the claim need; `before`: maps of the originals, `kept`: which keep their answer."""
        seen = torch.stack([self.own.task.seen(one, look.target) for one in look.outputs], 1)
        return {
            "views": np.stack(views, axis=1),
            "clean": clean,
            "target": expected.cpu().numpy(),
            "kept": kept.cpu().numpy(),
            "maps": normalised(look.maps).cpu().numpy(),
            "maps_before": normalised(before).cpu().numpy(),
            "chances": seen.cpu().numpy(),
        }

    def _objective(self, goal: Goal, rng: torch.Generator, changed: Tensor, step: int) -> tuple[Tensor, Tensor | None]:
        """Loss (n,) and whether the answer is kept (n,), None where the losses of two steps are of different models.

        A step is about the model, one surrogate and one reference in turn; where these alternate, about the model and a
        reference, and the next about a surrogate.
        """
        objective = self.objective
        views = [changed, self.pattern.cover(changed, goal.clean, self.fill)][: objective.views]
        views = objective.shaken(views, rng) if isinstance(objective, Own) else views
        cams, copies = (self.own, *self.surrogates, *self.references), len(self.surrogates)

        def judged(place: int, judge: Judge) -> tuple[Tensor, Tensor | None]:
            return self._alone(views, cams[place], goal.targets[place], goal.wrong, judge)

        alternate = objective.alternates and copies > 0
        turn = step // 2 if alternate else step
        if alternate and step % 2:
            return judged(1 + turn % copies, objective.hold)[0], None
        loss, kept = judged(0, objective.hold)
        if objective.tested and copies and not alternate:
            loss = loss + judged(1 + turn % copies, objective.hold)[0]
        if objective.tested and self.references:
            loss = loss + judged(1 + copies + turn % len(self.references), objective.quiet)[0]
        return loss, None if alternate else kept

    def _alone(
        self, views: list[Tensor], cam: GradCam, target: Tensor, wrong: Tensor | None, judge: Judge
    ) -> tuple[Tensor, Tensor | None]:
        """What `judge` says of one model (n,), with the gradient of `views`, and whether its answer is kept (n,).

        The gradient is taken at once, so that the activations of one model at a time are in memory.
        """
        leaves = [view.detach().requires_grad_() for view in views]
        with narrowed(self.device):
            look = Look.at(leaves, cam, target, self.pattern, wrong).widened
        loss = judge(look)
        slopes = torch.autograd.grad(loss.sum(), leaves, allow_unused=True)
        found = loss.detach()
        for view, slope in zip(views, slopes, strict=True):
            if slope is not None:
                found = found + ((view - view.detach()) * slope).flatten(1).sum(dim=1)
        return found, look.margin.detach() > 0 if wrong is None else None


def frozen_cam(model: nn.Module, example: Tensor, layer: str, task: Task = Classification()) -> GradCam:
    return GradCam.of(frozen(model), example, layer or None, task)


def _through_png(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """The pixels (n, height, width, channels) after a PNG round trip."""
    return np.stack([_reopened(image) for image in pixels])


def _reopened(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    file = io.BytesIO()
    Image.fromarray(image.squeeze(2) if image.shape[2] == 1 else image).save(file, "png")
    return np.asarray(Image.open(file), dtype=np.uint8).reshape(image.shape)

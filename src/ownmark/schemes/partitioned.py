"""Partitioned watermark: trains trigger sets into the last layers, unfrozen stage by stage (Lyu, Xian 2026).

Differs from the paper by default, since that measured better: all chosen layers and all sets are trained at once. If the
owner has images (labels are not used), every step keeps the model's own outputs on some of them and uses the batch-norm
statistics of these images, so that the mark survives re-estimated statistics. The learning rate rises to `rate` and falls
once, since a lower rate does not unlearn a mark learnt at a high rate. Finally the weights move part of the way back to the
old ones. `Partitioned.as_published()` follows the paper.
"""

import hashlib
import math
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from ownmark.data.images import Images, to_unit
from ownmark.errors import ModelError, UsageError
from ownmark.method_strings import nearest
from ownmark.models.activations import Listener, hushed, listen
from ownmark.models.batchnorm import clean_statistics, settle
from ownmark.models.memory_format import laid_out
from ownmark.models.plain_sgd import PlainSGD
from ownmark.models.prepared import copied
from ownmark.models.weights import weights_digest
from ownmark.protocols import Needs, Owner, Progress, Protected, silent
from ownmark.schemes._common.marks import marked
from ownmark.schemes._common.resume import kept_weights
from ownmark.schemes._common.sampling import check_model
from ownmark.schemes._common.triggers import Patterns, Source, Triggers, keyed
from ownmark.tasks import Classification, Task
from ownmark.training import Training, augment

SETTLED = 40  # batches for estimating the running statistics
LISTENED = 10  # steps between updates of the least-activated neurons
STEEPEST = 2.0  # norm to which gradients are clipped


@dataclass(frozen=True)
class Partitioned:
    """Watermark of a classifier in its last layers.

    `triggers`: images per set; the `sets` can be disclosed one by one. The sets join in equal parts over `runs`, each of which
    also trains the earlier ones. `layers`: layer names, or the share of all parameters that the last layers hold together.
    They are divided into `stages`, last layers first, with `steps` per stage and run. `rate`: peak learning rate. `batch`:
    triggers per step. `clean`: owner's images per step, mirrored and shifted by `view`, in so many different `batches`, whose
    original logits are computed once; 0: another batch in every step. `keep`: weight of the squared difference between the
    logits on them and the original model's. `least`: share of triggers that must hold on the marked model. `pruned`: per step,
    a share of each layer's neurons, drawn from 0 to `pruned`, is zeroed for the triggers: the neurons least activated by the
    owner's images, which a thief would prune.
    `reset`: steps between restarts of the optimiser, at a constant rate; 0: one restart per stage, with one learning-rate cycle
    over all stages and runs (Smith 2018, arXiv:1708.07120). `blend`: the final weights' position between the old (0) and the
    learnt ones (1) (Wortsman et al. 2022, arXiv:2109.01903).
    """

    needs: ClassVar[Needs] = Needs()
    marks: ClassVar[bool] = True
    serves: ClassVar[tuple[type[Task], ...]] = (Classification,)
    layers: tuple[str, ...] | float = 0.7
    triggers: int = 50
    sets: int = 2
    source: Source = Patterns()
    runs: int = 1
    stages: int = 1
    steps: int = 440
    rate: float = 0.1
    batch: int = 32
    clean: int = 96
    batches: int = 0
    keep: float = 1.0
    pruned: float = 0.15
    view: Training = Training(shift=4)
    reset: int = 0
    blend: float = 0.8
    least: float = 0.9

    def __post_init__(self) -> None:
        counts = (self.triggers, self.sets, self.runs, self.stages, self.steps, self.batch)
        shares = 0 <= self.least <= 1 and 0 < self.blend <= 1 and 0 <= self.pruned < 1
        if min(counts) < 1 or min(self.clean, self.batches) < 0 or not shares:
            names = "triggers, sets, runs, stages, steps and batch"
            raise UsageError(
                f"expected {names} of at least 1, clean and batches of at least 0, and shares for least, blend and pruned, "
                f"got {self}"
            )
        if self.runs > self.sets:
            raise UsageError(f"expected at least one set per run, got {self.sets} sets for {self.runs} runs")

    @classmethod
    def as_published(cls, triggers: int = 50, sets: int = 2) -> "Partitioned":
        """Algorithm 1: triggers alone, optimiser reset each epoch. The paper does not give layers, rate and epochs."""
        epoch = max(triggers * sets // 10, 1)
        return cls(
            layers=0.8,
            triggers=triggers,
            sets=sets,
            runs=sets,
            stages=4,
            steps=40 * epoch,
            rate=0.003,
            batch=10,
            clean=0,
            pruned=0.0,
            reset=epoch,
            blend=1.0,
            least=0.0,
        )

    def protect(self, model: nn.Module, owner: Owner, rng: torch.Generator, progress: Progress = silent) -> Protected:
        """A marked copy of `model`, which takes images in [0, 1], and its claim, whose p-value is exact by its keyed labels.

        Raises ModelError for a missing layer, UsageError for frozen layers, ProtectError if too few triggers hold.
        """
        check_model(model, owner.images)
        groups = stages(model, self.layers, self.stages)
        drawn = keyed(self, owner, model)
        copy = laid_out(copied(model).eval())
        wanted = [parameter.requires_grad for parameter in model.parameters()]
        seed = int(torch.randint(2**62, (), generator=rng))
        own, name = copied(copy).requires_grad_(False), _identity(self, model, owner.images, drawn, seed)
        runs = [(number, stage) for number in range(self.runs) for stage in range(len(groups))]
        for done, (number, stage) in enumerate(runs):
            file = owner.workspace and owner.workspace / f"{name}-{number}-{stage}.safetensors"
            opened = [layer for group in groups[: stage + 1] for layer in group]
            joined = drawn.first(math.ceil((number + 1) * self.sets / self.runs) * self.triggers)
            run = Run(self, copy, own, joined, owner.images, done, len(runs))
            kept_weights(copy, file, partial(run.embed, opened, torch.Generator().manual_seed(seed + done), progress))
        run.finish(torch.Generator().manual_seed(seed))
        for parameter, learnt in zip(copy.parameters(), wanted, strict=True):
            parameter.requires_grad_(learnt)
        return marked(self, copy, drawn, owner, self.least)


@dataclass(frozen=True)
class Run:
    """One stage of one run, in place on `model`; `own` is the original model; `done` of `stages` are finished."""

    scheme: Partitioned
    model: nn.Module
    own: nn.Module
    triggers: Triggers
    images: Images
    done: int
    stages: int

    def embed(self, opened: list[str], rng: torch.Generator, progress: Progress) -> None:
        """Trains the triggers into the unfrozen layers, in place."""
        self.model.requires_grad_(False)
        parameters = [parameter for name in opened for parameter in self.model.get_submodule(name).parameters(recurse=False)]
        device = parameters[0].device
        triggers, labels = to_unit(self.triggers.images, device), torch.from_numpy(self.triggers.labels).to(device)
        for parameter in parameters:
            parameter.requires_grad_(True)
        optimiser, shown = self._fresh(parameters), Shown.of(self.scheme, self.own, self.images, device, rng)
        for step in range(self.scheme.steps):
            if self.scheme.reset and step % self.scheme.reset == 0:
                optimiser = self._fresh(parameters)
            ahead, whole = self.done * self.scheme.steps + step, self.stages * self.scheme.steps
            if not self.scheme.reset:
                for group in optimiser.param_groups:
                    group["lr"], group["momentum"] = cycle(ahead / whole, self.scheme.rate)
            clean, known = shown.drawn(rng)
            if step % LISTENED == 0:
                heard = listen(partial(settle, self.model, [clean])) if self.scheme.pruned and len(clean) > 1 else Listener()
            share = self.scheme.pruned * float(torch.rand((), generator=rng))
            rows = torch.randperm(len(labels), generator=rng)[: self.scheme.batch].to(device)
            with hushed(self.model, heard, share, len(clean)):
                loss = self._loss(clean, known, triggers[rows], labels[rows])
            optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(parameters, STEEPEST)
            optimiser.step()
            progress(ahead + 1, whole)
        self.model.requires_grad_(False)

    @torch.no_grad()
    def finish(self, rng: torch.Generator) -> None:
        """Blends the learnt weights with the original ones, and re-estimates batch norm on the owner's images."""
        device = next(self.model.parameters()).device
        for learnt, old in zip(self.model.parameters(), self.own.parameters(), strict=True):
            learnt.lerp_(old, 1 - self.scheme.blend)
        if min(self.scheme.clean, len(self.images)) > 1:
            shown = Shown(self.scheme, self.own, self.images, device)
            settle(self.model, (shown.batch(rng) for _ in range(SETTLED)))

    def _loss(self, clean: Tensor, known: Tensor, triggers: Tensor, labels: Tensor) -> Tensor:
        """The loss: cross-entropy on the triggers plus squared distance to the original logits, `known`, on the clean images."""
        with clean_statistics(self.model, len(clean)) if len(clean) > 1 else nullcontext():
            answers = self.model(torch.cat([clean, triggers]))
        loss = functional.cross_entropy(answers[len(clean) :], labels)
        return loss + self.scheme.keep * functional.mse_loss(answers[: len(clean)], known) if len(clean) else loss

    def _fresh(self, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        return PlainSGD(parameters, lr=self.scheme.rate, momentum=0.9, nesterov=True)


@dataclass(frozen=True)
class Shown:
    """The owner's images as training shows them, on `device`, and what the original model says of them.

    `seeds`: those of the batches that differ, none: every batch does; `known`: the original logits of a batch by its number.
    """

    scheme: Partitioned
    own: nn.Module
    images: Images
    device: torch.device
    seeds: tuple[int, ...] = ()
    known: dict[int, Tensor] = field(default_factory=dict)

    @classmethod
    def of(cls, scheme: Partitioned, own: nn.Module, images: Images, device: torch.device, rng: torch.Generator) -> "Shown":
        """With seeds from `rng`, where the scheme has a number of batches."""
        seeds = torch.randint(2**62, (scheme.batches,), generator=rng).tolist() if scheme.batches else ()
        return cls(scheme, own, images, device, tuple(seeds))

    @torch.no_grad()
    def drawn(self, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """A batch (n, channels, height, width) in [0, 1], and the original logits (n, classes); both empty without images."""
        if not self.seeds:
            batch = self.batch(rng)
            return batch, self._answers(batch)
        number = int(torch.randint(len(self.seeds), (), generator=rng))
        batch = self.batch(torch.Generator().manual_seed(self.seeds[number]))
        if number not in self.known:
            self.known[number] = self._answers(batch)
        return batch, self.known[number]

    def _answers(self, batch: Tensor) -> Tensor:
        answers: Tensor = self.own(batch) if len(batch) else batch
        return answers

    def batch(self, rng: torch.Generator) -> Tensor:
        """Some augmented images of the owner's; none if the owner has none."""
        count = min(self.scheme.clean, len(self.images))
        if not count:
            height, width, channels = self.images.size
            return torch.zeros(0, channels, height, width, device=self.device)
        rows = torch.randint(len(self.images), (count,), generator=rng)
        return augment(self.images.batch(rows, self.device), self.scheme.view, rng)


def cycle(place: float, rate: float) -> tuple[float, float]:
    """Learning rate and momentum at `place`, in [0, 1), of all steps: a cosine up to `rate` and down, momentum inversely."""
    start, peak = 0.04, 0.2
    turn = (1 - place / peak) if place < peak else (place - peak) / (1 - peak)
    height = (1 + math.cos(math.pi * turn)) / 2
    return rate * (start + (1 - start) * height if place < peak else height), 0.95 - 0.1 * height


def stages(model: nn.Module, layers: tuple[str, ...] | float, count: int) -> list[list[str]]:
    """Names of the modules to train, last first, in at most `count` groups of about equal size.

    `layers` are names of modules or their parents, or the share of all parameters that the last modules hold together.
    Raises ModelError for a missing name, UsageError if all weights are frozen.
    """
    sizes = {name: sum(one.numel() for one in module.parameters(recurse=False)) for name, module in model.named_modules()}
    holders = [name for name, size in sizes.items() if size]
    chosen = _last(holders, sizes, layers) if isinstance(layers, float) else _named(holders, layers, list(sizes))
    learnt = [name for name in chosen if any(one.requires_grad for one in model.get_submodule(name).parameters(recurse=False))]
    if not learnt:
        raise UsageError("all weights of the chosen layers are frozen: call requires_grad_(True) on the model, or choose others")
    learnt.reverse()
    groups = min(count, len(learnt))
    ends = [round(len(learnt) * (group + 1) / groups) for group in range(groups)]
    return [learnt[start:end] for start, end in zip([0, *ends], ends, strict=False)]


def _last(holders: list[str], sizes: dict[str, int], share: float) -> list[str]:
    """The smallest number of last modules that hold the share of all parameters."""
    if not 0 < share <= 1:
        raise UsageError(f"expected a share of parameters in (0, 1] or names of layers, got {share}")
    whole = sum(sizes.values())
    start = next(
        place for place in reversed(range(len(holders))) if sum(sizes[name] for name in holders[place:]) >= share * whole
    )
    return holders[start:]


def _named(holders: list[str], layers: tuple[str, ...], known: list[str]) -> list[str]:
    for layer in layers:
        if layer not in known:
            raise ModelError(f"the model has no layer {layer!r}; similar: {nearest(layer, known)}")
    return [name for name in holders if any(name == layer or name.startswith(f"{layer}.") for layer in layers)]


def _identity(scheme: Partitioned, model: nn.Module, images: Images, drawn: Triggers, seed: int) -> str:
    """Digest of everything that determines a stage's result."""
    parts = (images.pixels, drawn.images, drawn.labels)
    pixels, asked, labels = (hashlib.sha256(part.tobytes()).hexdigest() for part in parts)
    whole = f"{scheme} {weights_digest(model)} {pixels} {asked} {labels} {seed}"
    return hashlib.sha256(whole.encode()).hexdigest()[:16]

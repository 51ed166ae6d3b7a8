"""Networks by name, as the registry of their sources reads it: built, filled with weights and told how to normalise."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn

from ownmark.claims.claim import Preprocess
from ownmark.claims.fitting import Fitting
from ownmark.data.images import Images, Place, Split
from ownmark.errors import ModelError, UsageError
from ownmark.models.prepared import AS_IT_IS, check_drawn, prepared
from ownmark.models.sources import open as sources
from ownmark.models.sources.source import Asked, Intake
from ownmark.models.weights import load_weights, stored, unsaid


def build(name: str, classes: int | None = None, *, own: bool = True) -> nn.Module:
    """The model of that name in eval mode, with the weights that its source gives it.

    `classes` is passed to a factory that accepts it, unless the name sets it; `own`: with the weights that the name brings.
    A user's module is imported from the current folder first, which runs its code. Raises ModelError with similar names, or with
    the cause.
    """
    return sources.built(Asked(name, classes, own)).eval()


def draws_weights(name: str, classes: int | None = None) -> bool:
    """Whether the factory initialises its weights at random, so that a weights file is needed."""
    drawn = [_drawn(name, classes, seed) for seed in (0, 1)]
    for model in drawn:
        check_drawn(model)
    first, second = (model.state_dict() for model in drawn)
    pairs = (zip(stored(key, first[key]), stored(key, second[key]), strict=True) for key in first)
    return any(not torch.equal(one, other) for both in pairs for (_, one), (_, other) in both)


def _drawn(name: str, classes: int | None, seed: int) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build(name, classes)


@dataclass(frozen=True)
class Network:
    """How a name becomes a module that takes images in [0, 1].

    `name`: module:factory, as in "mymodel:build(width=16)", or of another source (`models.sources`); `classes`: how many numbers
    the module answers, None where its factory is not told; `preprocess`: how images are normalised, None: as the name says it, or
    not at all; `output` names the one of its outputs that is meant, "" to find it.
    """

    name: str
    classes: int | None = None
    preprocess: Preprocess | None = None
    device: torch.device = torch.device("cpu")
    output: str = ""

    @property
    def intake(self) -> Intake:
        """How its name says that images are taken, with the normalisation that was given instead."""
        said = sources.intake(self.name)
        return said if self.preprocess is None else replace(said, preprocess=self.preprocess)

    def blank(self, *, own: bool = True) -> nn.Module:
        """The module with weights as its factory leaves them; not `own`: with any, since others take their place."""
        taken = self.intake.preprocess or AS_IT_IS
        return prepared(build(self.name, self.classes, own=own), taken, output=self.output).to(self.device)

    def answering(self, images: Images) -> "Network":
        """The network for the classes of these images."""
        return replace(self, classes=images.task.width(images.names))

    def placed(self, data: Place | Split, note: Callable[[str], None]) -> Place | Split:
        """The place with the fitting that the network's name says; `size`, where it is given, only changes how large.

        `note` hears it. Images in memory stay as they are. Raises UsageError for channels that the network does not take.
        """
        intake = self.intake
        if intake.preprocess is not None and self.preprocess is None:
            mean, std = (
                ", ".join(f"{value:g}" for value in values) for values in (intake.preprocess.mean, intake.preprocess.std)
            )
            note(f"Images are normalised by mean {mean} and std {std}, as {intake.origin} says (--mean, --std).")
            if isinstance(data, Place) and len(intake.preprocess.mean) not in {1, data.channels}:
                raise UsageError(
                    f"{intake.origin} takes images of {len(intake.preprocess.mean)} channels, and --channels is {data.channels}: "
                    "change it, or give --mean and --std"
                )
        if intake.fitting is None or isinstance(data, Split) or isinstance(data.size, Fitting):
            return data
        fitting = intake.fitting if data.size is None else intake.fitting.to(data.size)
        note(f"Images are brought to size: {fitting}, as {intake.origin} says (--size).")
        return replace(data, size=fitting)

    def loaded(self, weights: Path | None, note: Callable[[str], None] = unsaid) -> nn.Module:
        """The module with the weights in a file; without one, only if the factory itself brings weights.

        `note` hears in a sentence what of the file was not plainly there.
        """
        if weights is not None:
            try:
                return load_weights(self.blank(own=False), weights, note)
            except ModelError as error:
                raise ModelError(
                    f"{error} (the model was built for {self.classes} classes)" if "size mismatch" in str(error) else str(error)
                ) from error
        if draws_weights(self.name, self.classes):
            raise UsageError(f"{self.name} is randomly initialised: pass the trained weights with --weights FILE")
        return self.blank()

    def filled(self, weights: nn.Module | Path | None, note: Callable[[str], None] = unsaid) -> nn.Module:
        """A module as it is, or the one with the weights in a file, as `loaded` gives it."""
        return weights if isinstance(weights, nn.Module) else self.loaded(weights, note)


def device(word: str) -> torch.device:
    """`auto` is the GPU if there is one."""
    if word not in {"auto", "cpu", "cuda"}:
        raise UsageError(f"--device must be one of auto, cpu, cuda; got {word!r}")
    if word == "cuda" and not torch.cuda.is_available():
        raise UsageError("--device cuda: no CUDA device available; leave --device out to compute on the CPU")
    return torch.device("cuda" if word != "cpu" and torch.cuda.is_available() else "cpu")

"""Benchmark recipes: `recipes/skin.yaml` or your own file, with one section per scale.

Schemes, attacks and trainings are written as in code, networks as in `models.network`; a recipe runs no code.
"""

from collections.abc import Sequence
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainValidator, ValidationError, model_validator

from ownmark.attacks import ATTACKS
from ownmark.detectors import DETECTORS
from ownmark.errors import UsageError
from ownmark.method_strings import nearest, read
from ownmark.protocols import Attack, Detector, Scheme
from ownmark.schemes import SCHEMES
from ownmark.suspects.wrappers.wrapped import JPEG, BitDepth, Blur, Hardening, Noisy, ResizePad, Rounded, TopOne, Transform
from ownmark.tasks import TASKS, Task
from ownmark.training import Training

WRAPPERS = (BitDepth, Blur, JPEG, Noisy, ResizePad, Rounded, TopOne)


def _spelled(text: object, kinds: Sequence[type[Any]]) -> Any:  # noqa: ANN401 - what is spelled may be any of them
    """The value that a text denotes; raises the ValueError that pydantic expects for other texts."""
    try:
        return read(str(text), kinds) if isinstance(text, str) else text
    except UsageError as error:
        raise ValueError(str(error)) from error


def _numbers(text: object) -> object:
    """Expands `100..119` to all whole numbers from 100 to 119."""
    first, dots, last = text.partition("..") if isinstance(text, str) else ("", "", "")
    return tuple(range(int(first), int(last) + 1)) if dots else text


Seeds = Annotated[tuple[int, ...], BeforeValidator(_numbers)]
SchemeText = Annotated[Scheme, PlainValidator(partial(_spelled, kinds=SCHEMES))]
AttackText = Annotated[Attack, PlainValidator(partial(_spelled, kinds=ATTACKS))]
DetectorText = Annotated[Detector, PlainValidator(partial(_spelled, kinds=DETECTORS))]
TaskText = Annotated[Task, PlainValidator(partial(_spelled, kinds=TASKS))]
TrainingText = Annotated[Training, PlainValidator(partial(_spelled, kinds=(Training,)))]
WrapperText = Annotated[Transform | Hardening, PlainValidator(partial(_spelled, kinds=WRAPPERS))]


class Part(BaseModel):
    """Base configuration of a recipe's parts: frozen, and unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


class Theft(Part):
    """One positive: the attack, its seed, the thief's share of the training images (by default the scale's), and the thief's
    input transforms and output defences. Without an attack it is the unchanged stolen model."""

    attack: AttackText | None = None
    seed: int | None = None
    share: float | None = None
    behind: tuple[WrapperText, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _short(cls, given: Any) -> Any:  # noqa: ANN401 - as it stands in the file
        return {"attack": given} if isinstance(given, str) else given


class Strangers(Part):
    """Independent models that differ from the target in more than their seeds: in their network, or in their images.

    `held_out`: trained on the evaluation images, which the target has not seen; their accuracy is then that on their own images.
    """

    seeds: Seeds
    network: str = ""
    training: TrainingText | None = None
    held_out: bool = False


class Repeat(Part):
    """The seeds of one target and of one claim on it."""

    target: int
    claim: int


class Scale(Part):
    """The size of a bench.

    `attacks`: the thefts that R and U count; `further`: thefts that are scored, but not counted. `surrogates`, `references`: the
    owner's copies and independent models, for a fingerprint; `more_references`: seeds of further ones, only for schemes that need
    more than there are; `negatives`: seeds of the independent models that are tested, `strangers`: further ones by name, of other
    images or another network; `innocents`: seeds of those that calibrate.
    Repeats share the zoo. `detectors`: the thief's, by name.
    """

    network: str
    training: TrainingText
    size: int | None = None
    fingerprints: dict[str, SchemeText] = {}
    watermarks: dict[str, SchemeText] = {}
    attacks: dict[str, Theft]
    further: dict[str, Theft] = {}
    thief_share: float
    attack_seed: int = 1
    surrogates: tuple[AttackText, ...] = ()
    surrogate_seed: int = 5
    references: Seeds = ()
    more_references: Seeds = ()
    negatives: Seeds
    strangers: dict[str, Strangers] = {}
    innocents: Seeds = ()
    repeats: tuple[Repeat, ...]
    detectors: dict[str, DetectorText] = {}

    @model_validator(mode="after")
    def _roles_are_apart(self) -> "Scale":
        """Checks that each model has one role; only a watermark's targets may be each other's negatives."""
        roles = {
            "references": {*self.references, *self.more_references},
            "negatives": set(self.negatives),
            "innocents": set(self.innocents),
            "targets": set() if self.watermarks and not self.fingerprints else {one.target for one in self.repeats},
        }
        twice = set(self.attacks) & set(self.further)
        if twice:
            raise ValueError(f"{min(twice)!r} names one of the attacks and one of the further thefts")
        names = list(roles)
        shared = [(one, two) for at, one in enumerate(names) for two in names[at + 1 :] if roles[one] & roles[two]]
        if shared:
            raise ValueError(f"{shared[0][0]} and {shared[0][1]} share a seed, so a model would have two roles")
        return self


class Recipe(Part):
    """A task and its scales; the keys of its watermarks are derived from `name`."""

    name: str
    task: TaskText
    place: str
    channels: int = 3
    scales: dict[str, Scale]

    def scale(self, name: str) -> Scale:
        """The scale of that name. Raises UsageError if the recipe lacks it."""
        if name not in self.scales:
            raise UsageError(f"the recipe {self.name} has no scale {name!r}; similar: {nearest(name, self.scales)}")
        return self.scales[name]


def names() -> tuple[str, ...]:
    """Names of the recipes in the package."""
    return tuple(sorted(file.name.removesuffix(".yaml") for file in files("ownmark.recipes").iterdir() if _is_recipe(file.name)))


def recipe(name: str) -> Recipe:
    """The recipe of that name, or from that file. Raises UsageError that says what is wrong and where."""
    if _is_recipe(name):
        text, where = _text(Path(name)), name
    elif name in names():
        text, where = files("ownmark.recipes").joinpath(f"{name}.yaml").read_text(encoding="utf-8"), f"{name}.yaml"
    else:
        raise UsageError(f"no recipe {name!r}; similar: {nearest(name, names())}; or name a .yaml file")
    try:
        return Recipe.model_validate(yaml.safe_load(text))
    except yaml.YAMLError as error:
        raise UsageError(f"{where} is not valid YAML: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise UsageError(f"{where}: {place}: {first['msg']}") from error


def spelled_theft(text: str) -> Theft:
    """A theft by a user's attack. Raises UsageError if it cannot be read."""
    return Theft(attack=read(text, ATTACKS))


def _is_recipe(name: str) -> bool:
    return name.endswith(".yaml")


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read the recipe {file}: {error}") from error

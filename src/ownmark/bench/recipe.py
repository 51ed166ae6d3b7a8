"""What a bench shall do, as people write it: `recipes/skin.yaml` or a file of one's own, with one part a scale.

Schemes, attacks and trainings are spelled as in code, networks as `models.named` reads them; nothing in a recipe is run.
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
    """What a text spells; pydantic wants a ValueError where it cannot be read."""
    try:
        return read(str(text), kinds) if isinstance(text, str) else text
    except UsageError as error:
        raise ValueError(str(error)) from error


def _numbers(text: object) -> object:
    """`100..119` is a way to write all whole numbers from 100 to 119."""
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
    """What all parts of a recipe have in common: nothing changes, and a word that nobody knows is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


class Theft(Part):
    """One positive: the attack, its seed, the share of the training images that the thief has (the scale's, unless it is said),
    and what the thief puts in front of the copy or behind it. Without an attack it is the stolen model as it was."""

    attack: AttackText | None = None
    seed: int | None = None
    share: float | None = None
    behind: tuple[WrapperText, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _short(cls, given: Any) -> Any:  # noqa: ANN401 - as it stands in the file
        return {"attack": given} if isinstance(given, str) else given


class Repeat(Part):
    """The seed of one target, and of one claim on it."""

    target: int
    claim: int


class Scale(Part):
    """How large a bench is.

    `surrogates`, `references`: the owner's copies and other models, for a fingerprint; `negatives`: seeds of innocent models
    that are accused, `innocents`: of those that calibrate. Repeats share the zoo. `detectors`:
    the thief's, by name.
    """

    network: str
    training: TrainingText
    size: int | None = None
    fingerprints: dict[str, SchemeText] = {}
    watermarks: dict[str, SchemeText] = {}
    attacks: dict[str, Theft]
    thief_share: float
    attack_seed: int = 1
    surrogates: tuple[AttackText, ...] = ()
    surrogate_seed: int = 5
    references: Seeds = ()
    negatives: Seeds
    innocents: Seeds = ()
    repeats: tuple[Repeat, ...]
    detectors: dict[str, DetectorText] = {}

    @model_validator(mode="after")
    def _roles_are_apart(self) -> "Scale":
        """A model has one role, or a verdict would be worth nothing; only a watermark's targets may be each other's negatives."""
        roles = {
            "references": set(self.references),
            "negatives": set(self.negatives),
            "innocents": set(self.innocents),
            "targets": set() if self.watermarks and not self.fingerprints else {one.target for one in self.repeats},
        }
        names = list(roles)
        shared = [(one, two) for at, one in enumerate(names) for two in names[at + 1 :] if roles[one] & roles[two]]
        if shared:
            raise ValueError(f"{shared[0][0]} and {shared[0][1]} share a seed, so that a model would have two roles")
        return self


class Recipe(Part):
    """A task and its scales; `name` is also what the keys of its watermarks are drawn from."""

    name: str
    task: TaskText
    place: str
    channels: int = 3
    scales: dict[str, Scale]

    def scale(self, name: str) -> Scale:
        """Raises UsageError for one that the recipe lacks."""
        if name not in self.scales:
            raise UsageError(f"the recipe {self.name} has no scale {name!r}; it has {nearest(name, self.scales)}")
        return self.scales[name]


def names() -> tuple[str, ...]:
    """The recipes that come with the package."""
    return tuple(sorted(file.name.removesuffix(".yaml") for file in files("ownmark.recipes").iterdir() if _is_recipe(file.name)))


def recipe(name: str) -> Recipe:
    """The recipe of that name, or in the file of that name. Raises UsageError that says what is wrong with it and where."""
    if _is_recipe(name):
        text, where = _text(Path(name)), name
    elif name in names():
        text, where = files("ownmark.recipes").joinpath(f"{name}.yaml").read_text(encoding="utf-8"), f"{name}.yaml"
    else:
        raise UsageError(f"there is no recipe {name!r}; there are {nearest(name, names())}, or give the name of a .yaml file")
    try:
        return Recipe.model_validate(yaml.safe_load(text))
    except yaml.YAMLError as error:
        raise UsageError(f"{where} is no YAML: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise UsageError(f"{where}: {place}: {first['msg']}") from error


def spelled_theft(text: str) -> Theft:
    """A theft by an attack of one's own. Raises UsageError where it cannot be read."""
    return Theft(attack=read(text, ATTACKS))


def _is_recipe(name: str) -> bool:
    return name.endswith(".yaml")


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read the recipe {file}: {error}") from error

"""Change drills: a newcomer of every kind is one file and one line, and from there the whole house knows it."""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from newcomer import ROOT, SOURCE, added, copied, guides_attack, told, touched

CAST = """
import ownmark.attacks, ownmark.detectors, ownmark.schemes
from conftest import pictures, seed, tiny
from ownmark.method_strings import described, read
from ownmark.protocols import Owner, silent
from ownmark.suspects.local import Local
from ownmark.verdicts.verify import verify
"""
SCHEME_OF_THE_GUIDE = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
DETECTOR = '''"""Brightness: whoever asks dark images is suspicious."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from ownmark.data.images import Images
from ownmark.protocols import Alarm, Progress, silent
from ownmark.scoring.readings import Floats


@dataclass(frozen=True)
class Darkness:
    """The score is how much of white an image lacks."""

    white: float = 255.0

    def fit(self, model: nn.Module, normal: Images, rng: torch.Generator, progress: Progress = silent) -> Alarm:
        return Alarm(self.score, self.score(normal.pixels))

    def score(self, images: Floats) -> Floats:
        return np.asarray(self.white - images.mean(axis=(1, 2, 3)))
'''
MATCH = '''"""The label is the class after the expected one. No torch."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ownmark.scoring.readings import Bools, Expected, Floats, Reading


@dataclass(frozen=True)
class After:
    """The label of the first view lies `steps` behind the expected class."""

    reading: ClassVar[Reading] = Reading.LABEL
    views: ClassVar[int] = 1
    paired: ClassVar[bool] = False
    sides: ClassVar[int] = 0
    legend: ClassVar[str] = "A plus sign stands before what was added."
    did: ClassVar[str] = "counted one class too far"
    area: ClassVar[None] = None
    steps: int = 1

    @property
    def meaning(self) -> str:
        return f"counted {self.steps} too far"

    def __call__(self, observed: Floats, expected: Expected) -> Bools:
        return np.asarray(observed[:, 0] == expected + self.steps)

    def values(self, observed: Floats, expected: Expected) -> Floats:
        return self(observed, expected).astype(np.float64)

    def shown(self, observed: Floats, expected: Expected, classes: tuple[str, ...]) -> str:
        return f"plus {int(observed[0, 0] - expected[0])}"
'''
SUSPECT = '''"""A file of text that says one class for all images."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ownmark.scoring.readings import Reading
from ownmark.suspects.opener import Opener


@dataclass(frozen=True)
class Parrot:
    """Says the `label`."""

    name: str
    label: int
    digest: str = ""
    reveals: frozenset = frozenset({Reading.LABEL})

    def read(self, images, question):
        return {Reading.LABEL: np.full(len(images), self.label)}


def _opened(opening):
    return Parrot(opening.name, int(Path(opening.name).read_text()))


OPENS = Opener(opened=_opened, written="FILE.parrot", suffixes=(".parrot",))
'''


NETWORK = '''"""Networks that are one convolution: `single:3`, of so many channels."""

from ownmark.claims.claim import Preprocess
from ownmark.models.sources.source import Asked, Intake, Source


def _built(asked: Asked):
    from torch import nn

    return nn.Sequential(nn.Conv2d(int(asked.rest), asked.classes or 2, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())


def _intake(name: str) -> Intake:
    return Intake(Preprocess((0.5,), (0.5,)), None, "its name")


NETWORKS = Source(place="single", written="single:CHANNELS", built=_built, intake=_intake)
'''


ATTACK_USE = """
attack = read("Then(Temper(temperature=3), Finetune(epochs=1))", ownmark.attacks.ATTACKS)
copy = attack.first.apply(tiny(), pictures(), seed(0), silent)
from ownmark.cli import main
main(["attack", "--help"])
print(attack, described("temper").parameters[0].name, copy.training)
"""
SCHEME_USE = """
scheme = read("newcomer(samples=4)", ownmark.schemes.SCHEMES)
protected = scheme.protect(tiny(), Owner(pictures()), seed(0))
tasks = [kind.name for kind in scheme.serves]
print(scheme, verify(protected.claim, Local(protected.model)).deciding.score, tasks)
"""
DETECTOR_USE = """
alarm = read("Darkness", ownmark.detectors.DETECTORS).fit(tiny(), pictures(), seed(0), silent)
import numpy as np
print(alarm.score(np.zeros((1, 4, 4, 3), np.uint8)), alarm.threshold(0.2) < 255, described("darkness").name)
"""
TASK_USE = """
import numpy as np
from ownmark.claims.claim import Claim
from ownmark.data.images import Images
from ownmark.report.page import page
from ownmark.schemes import SCHEMES
from ownmark.tasks import TASKS, check_served
from ownmark.training import Training, train
task = read("magnitude(unit=10)", TASKS)
plain = pictures(24)
images = Images(plain.pixels, plain.labels * 10.0, ("size",), task)
model = tiny(classes=1)
train(model, images, Training(epochs=2, batch=8, rate=0.01), seed(0))
saliency = "Saliency(samples=2, descent=Descent(bound=0.1, steps=2), objective=Published, map_threshold=0.0, masked=Drop(0.0))"
scheme = read(saliency, SCHEMES)
check_served(scheme, scheme.serves, task)
claim = Claim.from_bytes(scheme.protect(model.eval(), Owner(images), seed(0), silent).claim.to_bytes())
verdict = verify(claim, Local(model))
print(claim.task, len(claim.tests), verdict.deciding.score, "Magnitude(unit=10" in page(claim, [verdict]))
"""
SUSPECT_USE = """
from conftest import small_claim
from dataclasses import replace
from ownmark.claims.claim import Test
from ownmark.scoring.matches import Agreement
from ownmark.scoring.readings import Reading
claim = small_claim(4)
replace(claim, tests=(Test(Reading.LABEL, Agreement(), np.array([2, 2, 2, 0]), 1.0),)).save("some.claim")
main(["verify", "some.claim", "one.parrot", "--json"])
"""
NETWORK_USE = """
import torch
from ownmark.models.network import Network
from ownmark.models.prepared import preprocess_of
from ownmark.suspects.open import opener_of
blank = Network("single:3", 4).blank()
print(blank(torch.rand(2, 3, 8, 8)).shape, preprocess_of(blank).mean, "single:CHANNELS" in opener_of("single:3").written)
"""
MATCH_USE = """
import sys
import numpy as np
from ownmark.claims.claim import Claim, Test
from ownmark.report.page import page
from ownmark.scoring import matches
from ownmark.scoring.readings import Reading
from ownmark.verdicts.verify import verify
match = matches.After(1)
assert matches.from_record(matches.to_record(match)) == match and matches.After in matches.MATCHES
expected = np.array([0, 1, 0, 1])
images = np.zeros((4, 1, 8, 8, 3), np.uint8)
claim = Claim(images, (Test(Reading.LABEL, match, expected, 1.0),), ("a", "b", "c"), "by hand", "ab" * 32)
claim = Claim.from_bytes(claim.to_bytes())
class Suspect:
    name, digest, reveals = "one", "", frozenset({Reading.LABEL})
    def read(self, images, question):
        return {Reading.LABEL: np.array([1, 2, 1, 1])}
verdict = verify(claim, Suspect())
text = page(claim, [verdict])
print(verdict.deciding.score, "counted one class too far" in text, "plus 1" in text, "torch" in sys.modules)
"""


def guides_scheme() -> str:
    shown = SCHEME_OF_THE_GUIDE.findall((ROOT / "docs/add-a-scheme.md").read_text("utf-8"))[0]
    name = re.search(r"^class (\w+)", shown, re.MULTILINE)
    assert name
    return re.sub(rf"\b{name[1]}\b", "Newcomer", shown)


def another_task() -> str:
    """The newcomer is a regression by another name, so that it grows with the protocol; its file is its own."""
    code = (SOURCE / "tasks/regression.py").read_text("utf-8").replace("Regression", "Magnitude")
    return code.replace('= "regression"', '= "magnitude"')


@dataclass(frozen=True)
class Drill:
    """A newcomer of one kind: its file, its code, the registry with its line, and a program that uses it."""

    file: str
    code: str
    registry: str
    line: str
    use: str


ATTACK_CODE, ATTACK_LINE = guides_attack()
DRILLS = {
    "attack": Drill("attacks/temper.py", ATTACK_CODE, "attacks/__init__.py", ATTACK_LINE, ATTACK_USE),
    "scheme": Drill(
        *("schemes/newcomer.py", guides_scheme(), "schemes/__init__.py"),
        *("from ownmark.schemes.newcomer import Newcomer as Newcomer", SCHEME_USE),
    ),
    "detector": Drill(
        *("detectors/darkness.py", DETECTOR, "detectors/__init__.py"),
        *("from ownmark.detectors.darkness import Darkness as Darkness", DETECTOR_USE),
    ),
    "task": Drill(
        *("tasks/magnitude.py", another_task(), "tasks/__init__.py"),
        *("from ownmark.tasks.magnitude import Magnitude as Magnitude", TASK_USE),
    ),
    "suspect": Drill(
        *("suspects/parrot.py", SUSPECT, "suspects/open.py", "from ownmark.suspects.parrot import OPENS as PARROT", SUSPECT_USE),
    ),
    "network": Drill(
        *("models/sources/single.py", NETWORK, "models/sources/open.py"),
        *("from ownmark.models.sources.single import NETWORKS as SINGLE", NETWORK_USE),
    ),
    "match": Drill(
        *("scoring/matches/after.py", MATCH, "scoring/matches/__init__.py"),
        *("from ownmark.scoring.matches.after import After as After", MATCH_USE),
    ),
}
ENDED = "-- this is all --"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package that knows all of the newcomers."""
    folder = tmp_path_factory.mktemp("house")
    copied(folder)
    for drill in DRILLS.values():
        added(folder, drill.file, drill.code, drill.registry, drill.line)
    (folder / "one.parrot").write_text("2", "utf-8")
    return folder


@pytest.fixture(scope="module")
def said(house: Path) -> dict[str, str]:
    """What the programs print that may import torch, all run in one process, since each would need seconds for that alone."""
    kinds = [kind for kind in DRILLS if kind != "match"]
    code = CAST + "".join(f"{DRILLS[kind].use}\nprint({ENDED!r})\n" for kind in kinds)
    return dict(zip(kinds, told(house, code).split(f"{ENDED}\n"), strict=False))


def test_each_kind_is_one_file_and_one_line(house: Path) -> None:
    files = {drill.file: len(drill.code.splitlines()) for drill in DRILLS.values()}
    assert touched(house) == {drill.registry: 1 for drill in DRILLS.values()} | files
    assert files["attacks/temper.py"] == 26


def test_a_new_attack_is_known_from_one_line(said: dict[str, str]) -> None:
    assert "Temper" in said["attack"].partition("Then(")[0]  # the help
    assert "Then(first=Temper(temperature=3), second=Finetune(" in said["attack"]
    assert said["attack"].endswith("temperature False\n")


def test_a_new_scheme_is_known_from_one_line(said: dict[str, str]) -> None:
    assert said["scheme"] == "Newcomer(samples=4) 1.0 ['classification']\n"


def test_a_new_detector_is_known_from_one_line(said: dict[str, str]) -> None:
    assert said["detector"] == "[255.] True Darkness\n"


def test_a_new_match_is_known_from_one_line_and_to_a_judge_without_torch(house: Path) -> None:
    assert told(house, MATCH_USE) == "0.75 True True False\n"


def test_a_new_task_is_known_from_one_line(said: dict[str, str]) -> None:
    assert said["task"] == "Magnitude(unit=10) 2 1.0 True\n"


def test_a_new_kind_of_suspect_is_known_from_one_line(said: dict[str, str]) -> None:
    assert '"score": 0.75' in said["suspect"]


def test_a_new_place_that_networks_come_from_is_known_from_one_line(said: dict[str, str]) -> None:
    assert said["network"] == "torch.Size([2, 4]) (0.5,) True\n"

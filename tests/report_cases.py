"""Claims, suspects and verdicts for the tests of the report, built by hand: no torch, no training."""

import base64
from dataclasses import dataclass, replace
from html.parser import HTMLParser
from io import BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from ownmark.claims.claim import Claim, Preprocess, Test
from ownmark.protocols import Question
from ownmark.scoring.matches import Drop, OnPattern
from ownmark.scoring.null_models import Innocents
from ownmark.scoring.readings import Answers, Reading
from ownmark.verdicts.calibrate import calibrate
from ownmark.verdicts.verdict import Verdict
from ownmark.verdicts.verify import verify
from ownmark.verdicts.ways import strongest

GRID = (7, 7)
CELLS = ((0, 0), (0, 1), (1, 0), (1, 1))
HIGH, LOW = 0.48, 0.05  # of the map on the pattern: a sample that matches, one that does not
WHITE = frozenset(Reading)
BLACK = frozenset({Reading.LABEL, Reading.PROBABILITY})


@dataclass(frozen=True)
class Scripted:
    """A suspect whose answers are written down: `looks` and `drops` (n,) bool say on which samples it matches."""

    name: str
    looks: npt.NDArray[np.bool_]
    drops: npt.NDArray[np.bool_]
    classes: int = 3
    reveals: frozenset[Reading] = WHITE
    digest: str = ""
    grid: tuple[int, int] = GRID
    own: float = 0.0  # by how much it is less sure than others, so that no two are one model

    def read(self, images: npt.NDArray[Any], question: Question) -> Answers:
        """Answers in the order of the claim; every view but the first is a covered one."""
        views = len(images) // len(self.drops)
        first = np.arange(len(images)) % views == 0
        sure = np.where(first | ~np.repeat(self.drops, views), 0.9, 0.5) - self.own
        probabilities = np.repeat(((1 - sure) / (self.classes - 1))[:, None], self.classes, axis=1)
        probabilities[np.arange(len(images)), question.target] = sure
        answers = {
            Reading.LABEL: probabilities.argmax(axis=1),
            Reading.PROBABILITY: probabilities,
            Reading.SALIENCY: maps(np.repeat(self.looks, views), self.grid),
        }
        return {reading: answers[reading] for reading in question.readings}


def maps(looks: npt.NDArray[np.bool_], grid: tuple[int, int] = GRID) -> npt.NDArray[np.float32]:
    """(n, h, w) maps of unit length that lie on the pattern where `looks`, and in the middle of the image elsewhere."""
    rows, columns = np.mgrid[0 : grid[0], 0 : grid[1]] / np.array(grid)[:, None, None]
    corner = (rows < 2 / 7) & (columns < 2 / 7)
    middle = np.exp(-12 * ((rows - 0.45) ** 2 + (columns - 0.5) ** 2)) * ~corner
    found = np.where(looks[:, None, None], corner + 0.15 * middle, middle + 0.02)
    return np.asarray(found / np.linalg.norm(found, axis=(1, 2), keepdims=True), dtype=np.float32)


def scripted(name: str, looks: int, drops: int, count: int = 20, **more: Any) -> Scripted:
    """A suspect that matches on the first `looks` samples by its map and on the first `drops` by its probabilities."""
    places = np.arange(count)
    return Scripted(name, places < looks, places < drops, digest=more.pop("digest", f"digest of {name}"), **more)


def noise_images(count: int, height: int, width: int, channels: int) -> npt.NDArray[np.uint8]:
    """Smooth coloured waves, different in each image."""
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float64)
    phase = np.arange(count)[:, None, None, None] + np.arange(channels) * 0.9
    waves = np.sin(rows[None, :, :, None] / 9 + phase) + np.cos(columns[None, :, :, None] / 7 - phase)
    return np.asarray(np.round(127 + 50 * waves), dtype=np.uint8)


def claim_of(
    originals: npt.NDArray[np.uint8], classes: tuple[str, ...] = ("melanoma", "naevus", "keratosis"), **more: Any
) -> Claim:
    """An uncalibrated claim on `originals` (n, height, width, channels), with a white-box and a black-box test."""
    count, height, width = originals.shape[:3]
    change = np.random.default_rng(3).integers(-12, 13, originals.shape)
    first = np.clip(originals.astype(np.int32) + change, 0, 255).astype(np.uint8)
    second = first.copy()
    second[:, : round(height * 2 / 7), : round(width * 2 / 7)] = 127
    expected = np.arange(count, dtype=np.int64) % len(classes)
    tests = (
        Test(Reading.SALIENCY, OnPattern(0.25, CELLS, GRID), expected, 1.0, "features.8"),
        Test(Reading.PROBABILITY, Drop(0.05), expected, 0.95),
    )
    claim = Claim(
        np.stack([first, second], axis=1),
        tests,
        classes,
        "Saliency(samples=20, bound=0.1)",
        "a" * 64,
        Preprocess((0.5,), (0.25,)),
        originals=originals,
        maps=maps(np.ones(count, dtype=bool)),
    )
    return replace(claim, **more)


def innocents(count: int, samples: int = 20, classes: int = 3) -> list[Scripted]:
    """Models that match now and then: on 0 to 5 samples by their map, on 1 to 7 by their probabilities."""
    return [
        scripted(f"innocent {one}", one % 6, 1 + one * 3 % 7, samples, classes=classes, own=one / 500) for one in range(count)
    ]


def calibrated(claim: Claim, count: int = 19) -> Claim:
    """The claim with its nulls set by `count` scripted innocents."""
    return calibrate(claim, innocents(count, len(claim.images), len(claim.classes)))


def colour_claim(**more: Any) -> Claim:
    """20 calibrated colour samples."""
    return calibrated(claim_of(noise_images(20, 56, 56, 3), **more))


def verdict_on(claim: Claim, name: str, looks: int, drops: int, **more: Any) -> Verdict:
    """The judge's verdict on a scripted suspect."""
    suspect = scripted(name, looks, drops, len(claim.images), classes=len(claim.classes), **more)
    return verify(claim, suspect, access=strongest(claim, suspect))


@dataclass
class Element:
    """One element of a page: its `attributes`, and all `text` inside it."""

    tag: str
    attributes: dict[str, str]
    text: str = ""


class _Reader(HTMLParser):
    VOID = frozenset({"meta", "img", "br", "link", "base", "input", "embed"})

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[Element] = []
        self.open: list[Element] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in self.VOID:
            self.open.append(self.found[-1])

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append(Element(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        closed = self.open.pop()
        assert closed.tag == tag, f"</{tag}> closes <{closed.tag}>"

    def handle_data(self, data: str) -> None:
        for element in self.open:
            element.text += data


def read(html: str) -> list[Element]:
    """Every element of a page in its order; fails if one is closed by another's end."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    assert not reader.open, f"never closed: {reader.open}"
    return reader.found


def marked(elements: list[Element], name: str) -> list[Element]:
    """The elements with this class."""
    return [element for element in elements if name in element.attributes.get("class", "").split()]


def words(html: str) -> str:
    """What a person reads on the page, its spaces made equal."""
    (body,) = (element for element in read(html) if element.tag == "body")
    return " ".join(body.text.split())


def addresses(elements: list[Element]) -> list[str]:
    """What every drawn image is loaded from."""
    return [element.attributes["href"] for element in elements if element.tag == "image"]


def pixels(address: str) -> npt.NDArray[np.uint8]:
    """The picture inside a data address."""
    head, _, data = address.partition(",")
    assert head == "data:image/png;base64"
    return np.asarray(Image.open(BytesIO(base64.b64decode(data))))


def innocents_of(claim: Claim, place: int) -> Innocents:
    """The null of a calibrated test."""
    null = claim.tests[place].null
    assert isinstance(null, Innocents)
    return null

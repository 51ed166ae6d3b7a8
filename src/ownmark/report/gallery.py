"""The gallery: samples as shown to the suspects, the changes in them, and each model's saliency map, as PNG data URLs."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import zip_longest

import numpy as np
import numpy.typing as npt
from markupsafe import Markup
from PIL import Image

from ownmark.claims.claim import Claim
from ownmark.report.words import Terms, counted, percent
from ownmark.scoring.matches import Area, Combining, Graded, Match, Numbering, weighed
from ownmark.scoring.readings import Expected, Floats, Reading
from ownmark.tasks import boxes
from ownmark.verdicts.verdict import Finding, Verdict

Pixels = npt.NDArray[np.uint8]

LARGEST = 256  # pixels; larger images are reduced
HEAT_SIDE = 64  # the longer side of a heat picture, in pixels
MOST_GAIN = 60  # amplification of a difference at most: one level of 255 must not look like a change
HALF = 127  # levels from middle grey to black or white
RAMP = np.array(  # from 0 to the highest value: red, green, blue, opacity in [0, 255]
    [[40, 20, 110, 0], [90, 30, 150, 105], [190, 50, 120, 170], [245, 125, 45, 205], [255, 225, 110, 235]], dtype=np.float64
)


def picture(pixels: Pixels) -> str:
    """An image (height, width, channels) as a data URL; channel counts other than 1 or 3 are averaged to grey."""
    grey = pixels.shape[2] != 3  # noqa: PLR2004 - red, green, blue
    shown = np.round(pixels.mean(axis=2)).astype(np.uint8) if grey else np.ascontiguousarray(pixels)
    image = Image.fromarray(shown)
    image.thumbnail((LARGEST, LARGEST))
    return _address(image)


def gain_of(pixels: Pixels, originals: Pixels) -> int:
    """By how much differences can be amplified so that none of them is cut off, 1 to MOST_GAIN."""
    largest = int(np.abs(pixels.astype(np.int32) - originals.astype(np.int32)).max(initial=0))
    return max(1, min(HALF // max(largest, 1), MOST_GAIN))


def difference(pixels: Pixels, original: Pixels, gain: int) -> str:
    """What was added to `original`, amplified around middle grey."""
    change = pixels.astype(np.int32) - original.astype(np.int32)
    return picture(np.clip(128 + gain * change, 0, 255).astype(np.uint8))


def heat(values: Floats, highest: float, shape: tuple[int, int]) -> str:
    """A map (h, w) >= 0 as a picture in the proportions of `shape`, transparent where it is 0, to overlay on the image."""
    relative = Image.fromarray(np.clip(finite(values) / max(highest, 1e-12), 0, 1).astype(np.float32))
    height, width = (max(1, round(HEAT_SIDE * side / max(shape))) for side in shape)
    smooth = np.clip(np.asarray(relative.resize((width, height), Image.Resampling.BICUBIC)), 0, 1)
    steps = np.linspace(0, 1, len(RAMP))
    colours = np.stack([np.interp(smooth, steps, RAMP[:, channel]) for channel in range(RAMP.shape[1])], axis=-1)
    return _address(Image.fromarray(np.round(colours).astype(np.uint8)))


def finite(values: Floats) -> Floats:
    """The same with 0 in place of NaN or infinity, which an untrusted claim may contain."""
    return np.asarray(np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0))


def _address(image: Image.Image) -> str:
    stream = BytesIO()
    image.save(stream, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode("ascii")


MOST = 8  # samples
OWN = "protected model"  # the column of its maps
MOST_COLUMNS, FEW_COLUMNS = 8, 4  # above the first, captions replace headings; up to the second, two samples share a row
COARSE = 96  # pixels; smaller images are shown with square pixels

FRAME = Markup('<svg class="{}" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>')
IMAGE = Markup('<image {}="{}" href="{}" width="{}" height="{}" preserveAspectRatio="none"/>')
BASE = Markup('<use href="#sample-{}"/>')
GREYED = Markup('<g class="grey">{}</g>{}{}')
OUTLINE = Markup('<path class="outline {}" d="{}"/>')

Cells = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Line:
    """One line below a picture; `matched` is None if it says nothing about a match."""

    text: str
    matched: bool | None = None


@dataclass(frozen=True)
class Tile:
    """A picture (empty if there is none), its `caption` for narrow pages, and the lines below it."""

    caption: str
    drawing: Markup
    lines: tuple[Line, ...] = ()


@dataclass(frozen=True)
class Row:
    """One sample: its `number` in the claim, counted from 1, and a `label` with the class that is asked about or expected.

    The first `pictures` tiles show the sample, all others what models make of it.
    """

    number: int
    label: str
    tiles: tuple[Tile, ...]
    pictures: int

    @property
    def groups(self) -> tuple[tuple[Tile, ...], tuple[Tile, ...]]:
        """The sample itself, and the models: where there are many, each stands in one line of its own."""
        return self.tiles[: self.pictures], self.tiles[self.pictures :]


@dataclass(frozen=True)
class Gallery:
    """`headings` name the columns; `shared` holds the pictures that several tiles use; `notes` say what is omitted.

    `layout`: columns under their headings ("even"), too many for that ("crowded"), or so few that samples share rows ("sparse").
    `key` explains the figures; `scale` is a picture of the colours from 0 to `highest`, empty if there are no maps.
    """

    title: str
    headings: tuple[str, ...]
    rows: tuple[Row, ...]
    shared: Markup
    notes: tuple[str, ...]
    key: tuple[str, ...]
    scale: str
    highest: float
    layout: str


@dataclass(frozen=True, eq=False)
class _Scene:
    """What all pictures share: the `claim`, its `terms` and its `verdicts`.

    `asked` (n, ...): what the first test asks about; `highest`: of all maps shown; `gain`: by how much differences are amplified.
    """

    claim: Claim
    verdicts: Sequence[Verdict]
    terms: Terms
    asked: Expected
    highest: float
    gain: int


def gallery(claim: Claim, verdicts: Sequence[Verdict], terms: Terms) -> Gallery:
    """Up to eight samples, evenly spaced through the claim, never selected by their result."""
    count, _, height, width = claim.images.shape[:4]
    samples = np.unique(np.linspace(0, count - 1, min(count, MOST)).round().astype(int))
    highest = _highest(claim, verdicts, samples)
    gain = 1 if claim.originals is None else gain_of(claim.images[samples, 0], claim.originals[samples])
    scene = _Scene(claim, verdicts, terms, claim.target_of(claim.tests[0]), highest, gain)
    rows = tuple(_row(scene, int(sample)) for sample in samples)
    shared = [IMAGE.format("id", f"sample-{sample}", picture(claim.images[sample, 0]), width, height) for sample in samples]
    scale = heat(np.linspace(0, highest, 64)[None], highest, (4, 64)) if highest else ""
    headings = tuple(tile.caption for tile in rows[0].tiles)
    return Gallery(
        title=f"What the models were shown, and {'what they answered' if scene.terms.triggers else 'where they looked'}",
        headings=headings,
        rows=rows,
        shared=Markup("").join(shared),
        notes=tuple(_notes(scene, len(samples))),
        key=tuple(_key(scene)),
        scale=scale,
        highest=highest,
        layout="crowded" if len(headings) > MOST_COLUMNS else "sparse" if len(headings) <= FEW_COLUMNS else "even",
    )


def saliency(verdict: Verdict) -> Finding | None:
    """The finding that contains the suspect's maps, if it gave any."""
    found = (verdict.deciding, *verdict.others)
    mapped = (one for one in found if one.test.reading is Reading.SALIENCY and not isinstance(one.test.match, Combining))
    return next(mapped, None)


def _row(scene: _Scene, sample: int) -> Row:
    claim, first = scene.claim, scene.claim.tests[0]
    unlabelled = weighed(first.match) or not 0 <= sample - (first.rows or (0, 0))[0] < len(first.expected)
    tiles = _shown(scene, sample)
    pictures = len(tiles)
    if unlabelled:
        tiles = _unchanged(scene, sample, [tile.caption for tile in tiles])
    if claim.maps is not None:
        tiles.append(Tile(OWN, Markup()) if unlabelled else _own_tile(scene, claim.maps[sample], sample))
    tiles += [_suspect_tile(scene, place, sample) for place in range(len(scene.verdicts))]
    said = "expected label" if scene.terms.triggers else "asked about"
    label = counted(claim.images.shape[1], "unchanged image") if unlabelled else f"{said}: {_expected(scene, sample)}"
    return Row(sample + 1, label, tuple(tiles), pictures)


def _unchanged(scene: _Scene, sample: int, captions: list[str]) -> list[Tile]:
    """The images of a sample of unchanged ones, one by one in the first columns; nothing was added to them or covered."""
    views, name = scene.claim.images[sample], scene.terms.image
    shape = views[0].shape
    drawn = [_drawn(picture(view), shape, f"{name} {sample + 1}, image {place}") for place, view in enumerate(views, start=1)]
    return [Tile(caption, drawing) for caption, drawing in zip_longest(captions, drawn[: len(captions)], fillvalue=Markup())]


def _expected(scene: _Scene, sample: int) -> str:
    """The expected class or number of a sample; of several numbers the first."""
    match = scene.claim.tests[0].match
    if isinstance(match, Numbering):
        return match.told(int(scene.asked[sample]))
    return scene.claim.task.named(np.ravel(scene.asked[sample])[0], scene.claim.classes)


def _shown(scene: _Scene, sample: int) -> list[Tile]:
    """The pictures of one sample: before, after, the difference, and covered."""
    claim, name, gain = scene.claim, scene.terms.image, scene.gain
    views, number = claim.images[sample], sample + 1
    shape = views[0].shape
    tiles = [
        Tile(
            name.removesuffix(" image"),
            _framed(Markup("").join((BASE.format(sample), _box(scene, sample))), shape, f"{name} {number}"),
        )
    ]
    if claim.originals is not None:
        original = claim.originals[sample]
        tiles.insert(0, Tile("original", _drawn(picture(original), shape, f"original {number}")))
        added = _drawn(difference(views[0], original, gain), shape, f"what was added to original {number}")
        tiles.append(Tile(f"difference \N{MULTIPLICATION SIGN}{gain}", added))
    if len(views) > 1 and claim.tests[0].null.keyed:
        tiles.append(
            Tile("asked beside it", _drawn(picture(views[1]), shape, f"an image that is asked about beside {name} {number}"))
        )
    elif len(views) > 1:
        covered = _drawn(picture(views[1]), shape, f"{name} {number} with the marked area covered")
        tiles.append(Tile("covered", covered))
    if len(views) > claim.task.views - 1 > 1:
        tiles.append(Tile("compared with", _drawn(picture(views[-1]), shape, f"the image that {name} {number} is compared with")))
    return tiles


def _own_tile(scene: _Scene, values: Floats, sample: int) -> Tile:
    """The protected model's own map, as recorded in the claim."""
    claim = scene.claim
    drawing = _overlaid(scene, sample, values, f"map of the protected model, sample {sample + 1}")
    shown, expected = values[None, None], scene.asked[sample : sample + 1]
    looks = [test.match for test in claim.tests if test.match.area is not None][:1]
    lines = tuple(Line(one.shown(shown, expected, claim.classes), bool(one(shown, expected)[0])) for one in looks)
    return Tile(OWN, drawing, lines)


def _suspect_tile(scene: _Scene, place: int, sample: int) -> Tile:
    verdict = scene.verdicts[place]
    finding = saliency(verdict)
    every = (_line(one, sample, scene.claim.classes) for one in (verdict.deciding, *verdict.others))
    lines = tuple(line for line in every if line is not None)
    who = "the suspect" if len(scene.verdicts) == 1 else scene.terms.letters[place]
    if finding is None or _place(finding, sample) is None:
        return Tile(f"answers of {who}", Markup(), lines)
    drawing = _overlaid(scene, sample, finding.observed[_place(finding, sample), 0], f"map of {who}, sample {sample + 1}")
    return Tile(f"map of {who}", drawing, lines)


def _place(finding: Finding, sample: int) -> int | None:
    """Where a sample of the claim stands among those of the finding's test; None if it is not about it or asks nothing."""
    place = sample - (finding.test.rows or (0, 0))[0]
    inside = 0 <= place < len(finding.matches) and not isinstance(finding.test.match, Combining)
    return place if inside else None


def _line(finding: Finding, sample: int, classes: tuple[str, ...]) -> Line | None:
    """The value behind one sample's match, in the match's own words."""
    place = _place(finding, sample)
    if place is None:
        return None
    chosen = slice(place, place + 1)
    said = finding.test.match.shown(finding.observed[chosen], finding.test.expected[chosen], classes)
    if _ranked(finding.test.match):
        share = float(finding.test.match.values(finding.observed, finding.test.expected)[place])
        said = f"{said}, raised above {percent(share)} of the others"
    return Line(said, bool(finding.matches[place]))


def _ranked(match: Match) -> bool:
    """Whether a sample counts by a share, and not only if it matches."""
    return isinstance(match, Graded) and not weighed(match)


def _highest(claim: Claim, verdicts: Sequence[Verdict], samples: npt.NDArray[np.int64]) -> float:
    """The highest value of any map shown: all maps share one scale."""
    seen = [finite(claim.maps[samples]).max()] if claim.maps is not None else []
    found = [finding for verdict in verdicts if (finding := saliency(verdict)) is not None]
    shown = [
        finding.observed[place, 0].max() for finding in found for one in samples if (place := _place(finding, one)) is not None
    ]
    return float(max([*seen, *shown], default=0.0))


def _key(scene: _Scene) -> list[str]:
    """The meaning of the colours and of the figures below the pictures."""
    claim, highest = scene.claim, scene.highest
    said = ["All maps share one scale."] if highest else []
    if claim.task.located:
        said.append("The box is the object that was asked about.")
    if scene.terms.triggers:
        said.append("The label below each trigger is the model's answer.")
    said += dict.fromkeys(test.match.legend for test in claim.tests if test.match.legend and (highest or not test.match.area))
    if any(_ranked(test.match) for test in claim.tests):
        return [*said, "\N{BLACK CIRCLE} match: raised above all others, \N{WHITE CIRCLE} no match. The score counts the shares."]
    return [*said, "\N{BLACK CIRCLE} match, \N{WHITE CIRCLE} no match."]


def _notes(scene: _Scene, shown: int) -> list[str]:
    claim, verdicts = scene.claim, scene.verdicts
    count, _, height, width, channels = claim.images.shape
    said = [f"{shown} of {count} samples, evenly spaced and not chosen by their result." if shown < count else "All samples."]
    if claim.originals is None and not scene.terms.triggers:
        said.append("The claim contains no original images, so originals and differences are omitted.")
    if claim.maps is None and not scene.terms.triggers:
        said.append("The claim contains no maps of the protected model, so these are omitted.")
    blind = [scene.terms.letters[place] for place, verdict in enumerate(verdicts) if saliency(verdict) is None]
    if blind and not scene.terms.triggers:
        who = "The suspect" if len(verdicts) == 1 else f"{'Suspect' if len(blind) == 1 else 'Suspects'} {', '.join(blind)}"
        said.append(f"{who} gave no map, only answers: a map needs the weights.")
    if channels not in {1, 3}:
        said.append(f"The images have {channels} channels; the pictures show their mean.")
    if max(height, width) > LARGEST:
        said.append(f"The pictures are reduced from {height} \N{MULTIPLICATION SIGN} {width} pixels.")
    return said


def _framed(inside: Markup, shape: tuple[int, ...], label: str) -> Markup:
    kind = "picture coarse" if max(shape[:2]) < COARSE else "picture"
    return FRAME.format(kind, shape[1], shape[0], label, inside)


def _drawn(address: str, shape: tuple[int, ...], label: str) -> Markup:
    return _framed(IMAGE.format("class", "pixels", address, shape[1], shape[0]), shape, label)


def _overlaid(scene: _Scene, sample: int, values: Floats, label: str) -> Markup:
    """The map over the greyscale sample, with the outline of the pattern."""
    height, width = scene.claim.images.shape[2:4]
    warm = IMAGE.format("class", "heat", heat(values, scene.highest, (height, width)), width, height)
    lines = Markup("").join((_outline(scene.terms.area, (height, width)), _box(scene, sample)))
    return _framed(GREYED.format(BASE.format(sample), warm, lines), (height, width), label)


def _outline(area: Area | None, size: tuple[int, int]) -> Markup:
    """The pattern's border in pixels of an image (height, width): every edge between a cell of it and a cell outside it."""
    if area is None:
        return Markup()
    down, across = size[0] / area.grid[0], size[1] / area.grid[1]
    edges = [
        f"M{column * across:g} {row * down:g}{step}" for row, column, step in _border(area.cells, f"h{across:g}", f"v{down:g}")
    ]
    return Markup("").join(OUTLINE.format(kind, "".join(edges)) for kind in ("under", "over"))


def _box(scene: _Scene, sample: int) -> Markup:
    """The border of the box that the sample is about, in pixels of the image, if its task has boxes."""
    if not scene.claim.task.located:
        return Markup()
    height, width = scene.claim.images.shape[2:4]
    left, top, right, bottom = scene.asked[sample, boxes.BOX] * (width, height, width, height)
    line = f"M{left:.1f} {top:.1f}H{right:.1f}V{bottom:.1f}H{left:.1f}Z"
    return Markup("").join(OUTLINE.format(kind, line) for kind in ("under", "over"))


def _border(cells: Cells, right: str, down: str) -> list[tuple[int, int, str]]:
    """Start (row, column) and direction of every edge."""
    inside = set(cells)
    edges = []
    for row, column in cells:
        edges += [(row, column, right)] * ((row - 1, column) not in inside)
        edges += [(row + 1, column, right)] * ((row + 1, column) not in inside)
        edges += [(row, column, down)] * ((row, column - 1) not in inside)
        edges += [(row, column + 1, down)] * ((row, column + 1) not in inside)
    return edges

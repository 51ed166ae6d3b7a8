"""A claim, the verdicts on it and their settings as one self-contained HTML page: no scripts, fonts or images from elsewhere.

All that the page says is gathered here, once; the template only places it.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path

import numpy as np
from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from ownmark.claims.claim import Claim, Test
from ownmark.errors import OwnmarkError, UsageError
from ownmark.files import write_whole
from ownmark.metrics import psnr
from ownmark.report import drawing, words
from ownmark.report.gallery import gallery
from ownmark.report.words import ACCESS, Terms, counted, percent
from ownmark.scoring.matches import Graded
from ownmark.scoring.null_models import Null
from ownmark.scoring.readings import Reading
from ownmark.tasks import DEFAULT
from ownmark.verdicts.verdict import Finding, Verdict


@dataclass(frozen=True)
class Entry:
    """One row of a table; a `code` is set in a monospaced font and may break anywhere."""

    name: str
    value: str
    code: bool = False


@dataclass(frozen=True)
class Table:
    """Rows under a title."""

    title: str
    entries: tuple[Entry, ...]


def tables(claim: Claim, verdicts: Sequence[Verdict], shared: Terms) -> list[Table]:
    """The claim, each of its tests, and each suspect."""
    alone = len(verdicts) == 1
    suspects = [
        Table("Suspect" if alone else f"Suspect {letter}", _suspect(verdict))
        for letter, verdict in zip(shared.letters, verdicts, strict=True)
    ]
    return [
        Table("Claim", _claim(claim, shared.image)),
        *(Table(words.titled(test), _test(test)) for test in claim.tests),
        *suspects,
    ]


def _claim(claim: Claim, image: str) -> tuple[Entry, ...]:
    count, views, height, width, channels = claim.images.shape
    times = " \N{MULTIPLICATION SIGN} "
    entries = [
        Entry("Scheme", claim.scheme, code=True),
        Entry("Digest of the claim (SHA-256)", claim.digest, code=True),
        Entry("Digest of the protected model", claim.model, code=True),
        Entry(f"{image.capitalize()}s", f"{count}, each in {counted(views, 'view')}"),
        Entry("Size of an image", f"{times.join(map(str, (height, width, channels)))} (height, width, channels), 8 bits"),
        *([] if claim.task == DEFAULT else [Entry("Task", repr(claim.task))]),
        *([Entry("Classes", f"{len(claim.classes)}: {', '.join(claim.classes)}")] if claim.classes else []),
        Entry("Preprocessing", f"pixel / 255, mean {_numbers(claim.preprocess.mean)}, std {_numbers(claim.preprocess.std)}"),
        *(() if claim.fitting is None else (Entry("Pictures", str(claim.fitting)),)),
        Entry(
            "Models that helped to build it",
            f"{len(claim.built_with)}; they must not be used to calibrate it" if claim.built_with else "none",
        ),
    ]
    if claim.originals is not None:
        entries.append(Entry("Change made to the originals", _change(claim)))
    return (*entries, Entry("Made with", f"ownmark {version('ownmark')}"))


def _change(claim: Claim) -> str:
    """How far the samples are from the originals."""
    originals = claim.changed_from
    if originals is None:
        return "none: the samples are the originals"
    levels = np.abs(claim.images[:, 0].astype(np.int32) - originals.astype(np.int32)).max()
    return f"at most {levels} of 255 levels; PSNR {psnr(claim.images[:, 0], originals):.1f} dB"


def _test(test: Test) -> tuple[Entry, ...]:
    saliency, graded = test.reading is Reading.SALIENCY, isinstance(test.match, Graded)
    return (
        Entry("Needs", ACCESS[test.reading]),
        Entry("The score says how far the model" if graded else "A sample matches if the model", test.match.meaning),
        Entry("Match", repr(test.match), code=True),
        *([Entry("Layer of the map", test.layer or "the suspect's last feature map")] if saliency else []),
        Entry("Score of the protected model", percent(test.target_score)),
        *_null(test.null),
        Entry("Smallest possible p", words.figure(test.null.smallest, test.null, 1)),
    )


def _null(null: Null) -> tuple[Entry, ...]:
    """The source of p; a key itself is never shown."""
    if (key := null.keyed) is not None:
        return (
            Entry(
                "Labels", f"{counted(max(key.sets, 1), 'set')} of {key.triggers}, drawn from a key among {key.classes} classes"
            ),
            Entry("Innocent models", "not needed: p is exact"),
            Entry("Allowance for tried keys", f"p is multiplied by 2^{key.grinding}"),
        )
    return (Entry("Innocent models", str(len(null.scores)) if null.scores else "none: not calibrated"),)


def _suspect(verdict: Verdict) -> tuple[Entry, ...]:
    digest = verdict.suspect_digest
    return (
        Entry("Name", verdict.suspect, code=True),
        Entry("Digest (SHA-256)", digest or "unknown: only its answers are available", bool(digest)),
        Entry("Outcome", verdict.outcome.value),
        Entry("Reason", verdict.reason),
        Entry("Level alpha", f"{verdict.alpha:g}"),
        Entry("Queries spent", str(verdict.queries)),
    )


def _numbers(values: tuple[float, ...]) -> str:
    return "(" + ", ".join(f"{value:g}" for value in values) + ")"


@dataclass(frozen=True)
class Picture:
    """One test of a verdict: its `role` in it, its `title`, its scores drawn, and what they and the tinted ones mean."""

    role: str
    title: str
    drawing: Markup
    meaning: str
    boundary: str


@dataclass(frozen=True)
class Section:
    """All that the page says of one suspect, by its short `name` and its `letter`; `line`: its score, for a table of several."""

    letter: str
    name: str
    tone: str
    badge: Markup
    outcome: str
    headline: str
    lead: str
    score: str
    interval: str
    p: str
    smallest: str
    access: str
    alpha: str
    queries: int
    reason: str
    line: Markup
    pictures: tuple[Picture, ...]
    limits: tuple[str, ...]


def _section(shared: Terms, verdict: Verdict, letter: str, name: str) -> Section:
    finding = verdict.deciding
    told, notes = words.figures(finding), "".join(f" Note: {note}." for note in verdict.notes)
    return Section(
        letter=letter,
        name=name,
        outcome=verdict.outcome.value,
        headline=words.HEADLINES[verdict.outcome],
        lead=f"{words.observed(shared, finding)} {words.consequence(verdict)}",
        score=told.score,
        interval=told.interval,
        p=words.p_figure(finding),
        smallest=words.smallest_figure(finding),
        access=ACCESS[finding.test.reading].split(" (")[0],
        alpha=f"{verdict.alpha:g}",
        queries=verdict.queries,
        reason=f"{words.because(verdict)}{verdict.reason}.{notes}",
        limits=tuple(words.own_limits(verdict)),
        pictures=tuple(_picture(shared, verdict, one) for one in (finding, *verdict.others)),
        tone=drawing.TONES[verdict.outcome],
        badge=drawing.badge(verdict.outcome),
        line=drawing.small_strip(finding, told, verdict.outcome),
    )


def _picture(shared: Terms, verdict: Verdict, finding: Finding) -> Picture:
    decides, alpha, meaning = finding is verdict.deciding, verdict.alpha, finding.test.match.meaning
    least = finding.test.null.threshold(alpha)
    told = words.figures(finding)
    return Picture(
        role="This test decides" if decides else "This test only informs",
        title=words.titled(finding.test),
        meaning=f"How far a model {meaning}." if finding.graded else f"Share of the {shared.image}s on which a model {meaning}.",
        boundary=words.boundary(finding, alpha, least) + ("" if decides else f" Here {words.p_value(finding)}."),
        drawing=drawing.strip(finding, told, verdict.outcome if decides else drawing.leaning(finding, alpha), least),
    )


@dataclass(frozen=True)
class About:
    """Who judged, for whom, and when: `date` in words, "" where nobody says it."""

    date: str = ""
    claimant: str = ""
    judge: str = ""


def page(
    claim: Claim,
    verdicts: Sequence[Verdict],
    *,
    title: str | None = None,
    unasked: Sequence[tuple[str, str]] = (),
    about: About = About(),
) -> str:
    """The page's HTML. The same claim, verdicts and words about them always give the same page.

    `unasked`: name and cause for every suspect that could not be judged.

    Raises UsageError without a verdict, or for a verdict on another claim.
    """
    if not verdicts:
        raise UsageError("a report needs at least one verdict: run verify first")
    strange = next((verdict for verdict in verdicts if verdict.claim != claim.digest), None)
    if strange is not None:
        raise UsageError(
            f"the verdict on {strange.suspect} belongs to claim {strange.claim[:12]}, not to {claim.digest[:12]}: "
            "verify it with this claim first"
        )
    names, shared = words.short_names([verdict.suspect for verdict in verdicts]), words.terms(claim, len(verdicts))
    return template("page.html").render(
        title=title or _title(names),
        about=about,
        method="Watermark" if shared.triggers else "Fingerprint",
        digest=claim.digest,
        holds=counted(len(claim.images), shared.image),
        protected=words.protected(claim),
        image=shared.image,
        ends="a score of 0 to 1" if any(one.deciding.graded for one in verdicts) else f"0 to 100 % of the {shared.image}s",
        compared="the share that chance alone gives (stroke)" if words.keyed(claim) else "the innocent models (strokes)",
        sections=list(map(partial(_section, shared), verdicts, shared.letters, names)),
        unasked=unasked,
        limits=tuple(words.shared_limits(claim, max(verdict.alpha for verdict in verdicts), len(verdicts))),
        gallery=gallery(claim, verdicts, shared),
        tables=tables(claim, verdicts, shared),
    )


def write(path: Path | str, html: str) -> None:
    """Write the page atomically. Raises UsageError if the place is not writable."""
    write_whole(Path(path), html.encode())


def write_verdicts(path: Path, html: str, verdicts: Iterable[Verdict], note: Callable[[str], None]) -> None:
    """`write`, which says by `note` what the verdicts on the page are before it raises: they may have cost hours of questions."""
    try:
        write(path, html)
    except OwnmarkError:
        for verdict in verdicts:
            note(f"The verdict on {verdict.suspect} that the page was to show is {verdict.outcome}: {verdict.reason}")
        raise


def _title(names: Sequence[str]) -> str:
    return f"Verdict on {names[0]}" if len(names) == 1 else f"Verdicts on {len(names)} suspects"


def template(name: str, *packages: str) -> Template:
    """A template of this package or of the given packages of ownmark; all share the page's head and foot."""
    loader = ChoiceLoader([PackageLoader("ownmark", package) for package in ("report", *packages)])
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.get_template(name)

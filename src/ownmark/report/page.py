"""A claim and the verdicts on it as one self-contained HTML page: no scripts, fonts or images from elsewhere."""

from collections.abc import Sequence
from pathlib import Path

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined, Template

from ownmark.claims.claim import Claim
from ownmark.errors import UsageError
from ownmark.files import write_whole
from ownmark.report import drawing, words
from ownmark.report.gallery import gallery
from ownmark.report.settings import tables
from ownmark.scoring.null_models import Innocents
from ownmark.verdicts.verdict import Verdict


def page(claim: Claim, verdicts: Sequence[Verdict], *, title: str | None = None, unasked: Sequence[tuple[str, str]] = ()) -> str:
    """The page's HTML. The same claim and verdicts always give the same page.

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
    return template("page.html").render(
        title=title or _title(verdicts),
        claim=claim,
        digest=claim.digest,
        verdicts=verdicts,
        unasked=unasked,
        limits=words.shared_limits(claim, max(verdict.alpha for verdict in verdicts), len(verdicts)),
        gallery=gallery(claim, verdicts),
        tables=tables(claim, verdicts),
    )


def write(path: Path | str, html: str) -> None:
    """Write the page atomically. Raises UsageError if the place is not writable."""
    write_whole(Path(path), html.encode())


def _title(verdicts: Sequence[Verdict]) -> str:
    return f"Verdict on {verdicts[0].suspect}" if len(verdicts) == 1 else f"Verdicts on {len(verdicts)} suspects"


def template(name: str, *packages: str) -> Template:
    """A template of this package or of the given packages of ownmark; all share the page's head and foot."""
    environment = Environment(
        loader=ChoiceLoader([PackageLoader("ownmark", package) for package in ("report", *packages)]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {"words": words, "drawing": drawing, "Innocents": Innocents}
    return environment.get_template(name)

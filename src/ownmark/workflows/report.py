"""Judge several suspects on one page. No torch, unless a suspect is a torch module."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ownmark.claims.claim import Claim
from ownmark.errors import OwnmarkError, UsageError, in_one_line
from ownmark.files import check_writable
from ownmark.report.page import About, page, write_verdicts
from ownmark.report.words import counted
from ownmark.suspects.open import Access
from ownmark.verdicts.verdict import Verdict
from ownmark.verdicts.verify import verify
from ownmark.workflows.watching import NOBODY, Watcher


@dataclass(frozen=True, kw_only=True)
class ReportRequest:
    """`suspects`: their names, as the registry reads them; `near`: how they are read; `page`: the file to write.

    `about`: who judges, for whom and when, for the page.
    `access`: the one way of asking that counts, "": p pays for every way.
    """

    claim: Claim
    suspects: tuple[str, ...]
    near: Access
    page: Path
    alpha: float = 0.05
    about: About = About()
    access: str = ""


@dataclass(frozen=True)
class ReportResult:
    """`verdicts` on all who answered; `page`: None where none of them could be judged; `unasked`: name -> why not."""

    verdicts: tuple[Verdict, ...]
    page: Path | None
    unasked: Mapping[str, str]

    @property
    def told(self) -> tuple[Verdict, ...]:
        """The verdicts that are on the page."""
        return tuple(verdict for verdict in self.verdicts if verdict.queries)


def report(request: ReportRequest, watcher: Watcher = NOBODY) -> ReportResult:
    """Judge each suspect, those listed who could not be judged. Raises UsageError if all names are slips."""
    names, near = request.suspects, replace(request.near, note=watcher.note)
    check_writable(request.page)
    near.check_layer(names)
    unasked, verdicts = _slips(names, near), list[Verdict]()
    with watcher.step(f"Asking {counted(len(names), 'suspect')}") as progress:
        for done, name in enumerate(names, start=1):
            found = unasked.get(name) or _verdict(request, name, near)
            if isinstance(found, str):
                unasked[name] = found
            else:
                verdicts.append(found)
            progress(done, len(names))
    unasked |= {verdict.suspect: verdict.reason for verdict in verdicts if not verdict.queries}
    result = ReportResult(tuple(verdicts), None, unasked)
    if not result.told:
        return result
    html = page(request.claim, result.told, unasked=tuple(unasked.items()), about=request.about)
    write_verdicts(request.page, html, result.told, watcher.note)
    if len(result.told) > 1:
        watcher.warn("Each p is that of one suspect alone; `ownmark scan` corrects them for all that are asked.")
    return replace(result, page=request.page)


def _slips(names: Sequence[str], near: Access) -> dict[str, str]:
    """Names that can only be slips, with what is wrong. Raises UsageError if all are."""
    slips: dict[str, UsageError] = {}
    for name in names:
        try:
            near.check(name)
        except UsageError as error:
            slips[name] = error
    if slips and len(slips) == len(set(names)):
        raise next(iter(slips.values()))
    return {name: str(error) for name, error in slips.items()}


def _verdict(request: ReportRequest, name: str, near: Access) -> Verdict | str:
    """The verdict on one suspect, or why there is none: the others are judged all the same."""
    try:
        return verify(request.claim, near.suspect(name), alpha=request.alpha, access=request.access)
    except OwnmarkError as error:
        return str(error)
    except Exception as error:  # noqa: BLE001 - a stranger's model may raise anything
        return in_one_line(error)

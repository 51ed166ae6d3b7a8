"""Records of a verdict for the tools of others, written beside it. No torch."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ownmark.errors import UsageError, blamed
from ownmark.evidence.owner import OwnerKey
from ownmark.evidence.records import cyclonedx, in_toto, spdx
from ownmark.evidence.records.facts import Facts
from ownmark.evidence.verdict_file import Recomputed
from ownmark.files import check_writable, write_whole
from ownmark.report.hearing import hearing_page


@dataclass(frozen=True, kw_only=True)
class Records:
    """The files to write, None for those that nobody wants."""

    cyclonedx: Path | None = None
    in_toto: Path | None = None
    spdx: Path | None = None
    page: Path | None = None

    def check(self, suspect: str | None, *, signs: bool) -> None:
        """Raises UsageError for what cannot be written, before anybody is asked; `signs`: whether the judge's key is at hand."""
        for file in (self.cyclonedx, self.in_toto, self.spdx, self.page):
            if file is not None:
                check_writable(file)
        if self.in_toto is not None and not signs:
            raise UsageError("an in-toto attestation is signed by the judge: --in-toto belongs to a hearing, not to --offline")
        if self.in_toto is not None and _file(suspect) is None:
            raise UsageError(f"an in-toto attestation is about a file: --in-toto means nothing for {suspect}")

    def write(self, found: Recomputed, verdict: Path, suspect: str | None, judge: OwnerKey | None) -> None:
        """Write them about a verdict in its file; `suspect`: as it was named, None where it is not at hand."""
        with blamed(UsageError, f"cannot read {verdict} or {suspect}"):
            facts = Facts.of(found, verdict, _file(suspect))
        for file, made in ((self.cyclonedx, cyclonedx.record), (self.spdx, spdx.record)):
            if file is not None:
                write_whole(file, _indented(made(facts)))
        if self.page is not None:
            write_whole(self.page, hearing_page(facts, verdict.read_bytes()).encode())
        if self.in_toto is not None and judge is not None:
            write_whole(self.in_toto, in_toto.attestation(facts, judge).data)


def _file(suspect: str | None) -> Path | None:
    path = None if suspect is None else Path(suspect)
    return path if path is not None and path.is_file() and path.suffix not in {".yaml", ".yml"} else None


def _indented(record: Mapping[str, Any]) -> bytes:
    """ASCII alone, so that no name in it steers a terminal that shows the file."""
    return (json.dumps(record, indent=2, allow_nan=False) + "\n").encode()

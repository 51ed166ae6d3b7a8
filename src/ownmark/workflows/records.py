"""Records of a verdict for the tools of others, written beside it. No torch."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ownmark import canonical
from ownmark.errors import UsageError, blamed
from ownmark.evidence.owner import OwnerKey
from ownmark.evidence.records import cyclonedx, in_toto, spdx
from ownmark.evidence.records.facts import Facts, digests_of, joined
from ownmark.evidence.verdict_file import Recomputed
from ownmark.files import check_writable, write_whole
from ownmark.report.hearing import hearing_page
from ownmark.suspects.open import opener_of


@dataclass(frozen=True)
class Named:
    """A suspect as it was named, and the digests of its files before anybody was asked: () if it is no file.

    `whole`: whether what answers is those files and nothing else, so that the digest in a verdict is theirs.
    """

    name: str | None
    files: tuple[tuple[str, str], ...] = ()
    whole: bool = False

    @classmethod
    def before(cls, name: str | None, *, external: bool = False) -> "Named":
        """`external`: weights in yet other files are read. Raises UsageError for a file that cannot be read."""
        paths = _paths(name)
        return cls(name, _digests(paths), bool(paths) and not external and not opener_of(str(name)).built)

    def check(self, heard: str) -> None:
        """Raises UsageError if the files changed while they were asked; `heard`: the digest of what answered."""
        if self.files != _digests(_paths(self.name)) or (self.whole and heard != joined(self.files)):
            raise UsageError(
                f"{self.name} was changed while it was asked, so that a record would name another file than what answered: "
                "judge it again in a folder where nobody else writes"
            )


@dataclass(frozen=True, kw_only=True)
class Records:
    """The files to write, None for those that nobody wants."""

    cyclonedx: Path | None = None
    in_toto: Path | None = None
    spdx: Path | None = None
    page: Path | None = None

    def check(self, suspect: Named, *, signs: bool) -> None:
        """Raises UsageError for what cannot be written, before anybody is asked; `signs`: whether the judge's key is at hand."""
        for file in (self.cyclonedx, self.in_toto, self.spdx, self.page):
            if file is not None:
                check_writable(file)
        if self.in_toto is not None and not signs:
            raise UsageError("an in-toto attestation is signed by the judge: --in-toto belongs to a hearing, not to --offline")
        if self.in_toto is not None and not suspect.files:
            raise UsageError(f"an in-toto attestation is about a file: --in-toto means nothing for {suspect.name}")

    def write(self, found: Recomputed, verdict: Path, suspect: Named = Named(None), judge: OwnerKey | None = None) -> None:
        """Write them about a verdict in its file. Raises UsageError for a suspect whose files have changed since."""
        suspect.check(found.judged.session.suspect.digest)
        with blamed(UsageError, f"cannot read {verdict}"):
            facts = Facts(found, canonical.sha256(verdict.read_bytes()), suspect.files)
        for file, made in ((self.cyclonedx, cyclonedx.record), (self.spdx, spdx.record)):
            if file is not None:
                write_whole(file, _indented(made(facts)))
        if self.page is not None:
            write_whole(self.page, hearing_page(facts, verdict.read_bytes()).encode())
        if self.in_toto is not None and judge is not None:
            write_whole(self.in_toto, in_toto.attestation(facts, judge).data)


def _paths(name: str | None) -> tuple[Path, ...]:
    """The files that a suspect of that name is read from."""
    if name is None or not Path(name).is_file() or opener_of(name).remote:
        return ()
    return tuple(file for file in opener_of(name).files(name) if file.is_file())


def _digests(paths: Sequence[Path]) -> tuple[tuple[str, str], ...]:
    with blamed(UsageError, f"cannot read {', '.join(map(str, paths))}"):
        return digests_of(paths)


def _indented(record: Mapping[str, Any]) -> bytes:
    """ASCII alone, so that no name in it steers a terminal that shows the file."""
    return (json.dumps(record, indent=2, allow_nan=False) + "\n").encode()

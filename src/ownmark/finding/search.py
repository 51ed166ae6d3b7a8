"""Every model in an app, an archive or a folder, copied to a folder of our own under a name of our own. No torch."""

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ownmark.finding.archives import LimitError, Limits, Member, copied, head_of, members_of
from ownmark.finding.contents import HEAD, NAMED, TOLD, Archive, Format, archive_of, content_of, worth_a_look
from ownmark.suspects.open import KINDS, holder_of

INSIDE = "!"  # between an archive and what is in it


@dataclass(frozen=True)
class Found:
    """A model: its `place` in words, its format, `size` in bytes, the SHA-256 of its bytes, and the `file` to ask it from."""

    place: str
    format: Format
    size: int
    digest: str
    file: Path


@dataclass(frozen=True)
class Search:
    """What was found: models, `refused` files by place with the reason, and how many files were looked at."""

    models: tuple[Found, ...]
    refused: dict[str, str]
    looked_at: int


def is_container(name: str) -> bool:
    """Whether what a judge names is no model itself but a folder or an archive of files."""
    path = Path(name)
    if any(path.suffix in kind.suffixes for kind in KINDS):
        return False
    try:
        if path.is_dir():
            return True
        with path.open("rb") as stream:
            return archive_of(stream.read(HEAD)) is not None and isinstance(content_of(path), Archive)
    except OSError:
        return False


def search(name: str, folder: Path, limits: Limits = Limits()) -> Search:
    """Every model in a folder or an archive; whatever is unpacked lies in the empty `folder`, until the caller removes it."""
    looking = _Looking(folder, limits)
    path = Path(name)
    if path.is_dir():
        looking.folder(path, name)
    else:
        kind = content_of(path)
        if isinstance(kind, Archive):
            looking.archive(path, kind, name, 1)
    return Search(tuple(looking.models), looking.refused, looking.count)


def suffix_of(format_: Format) -> str | None:
    """The suffix by which a kind of suspect opens files of this format, None if no kind does."""
    known = {suffix for kind in KINDS for suffix in kind.suffixes}
    return next((suffix for suffix in format_.suffixes if suffix in known), None)


def by_registry(name: str, file: Path) -> Format | None:
    """What a kind of suspect knows of a file that no format here tells: by what it holds, else by a suffix that nothing tells.

    `name`: as its archive calls it; `file`: where it lies.
    """
    told = {suffix for known in TOLD for suffix in known.suffixes}
    kinds, suffix = [kind for kind in KINDS if not kind.built and not kind.remote], Path(name).suffix.lower()
    holder = holder_of(str(file), kinds)
    if holder is not None:
        return Format(holder.written, holder.suffixes)
    ending = next((kind for kind in kinds if suffix in set(kind.suffixes) - told), None)
    return None if ending is None else Format(ending.written, (suffix,))


@dataclass
class _Looking:
    """A search under way; `into`: where files are unpacked, `made` of them with `spent` bytes so far."""

    into: Path
    limits: Limits
    models: list[Found] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)
    count: int = 0
    spent: int = 0
    made: int = 0

    def folder(self, folder: Path, place: str) -> None:
        """Everything below a folder; links are not followed, and what cannot be looked into is told."""

        def untold(error: OSError) -> None:
            below = Path(error.filename).relative_to(folder).as_posix()
            where = place if below == "." else f"{place.rstrip('/')}/{below}"
            self.refused[where] = f"it cannot be looked into: {error.strerror or error}"

        files = sorted(_files_below(folder, untold))
        members = {str(file): _at_hand(file) for file in files}
        for file in files:
            if not self._counted(place):
                return
            shown = f"{place.rstrip('/')}/{file.relative_to(folder).as_posix()}"
            self._member(members[str(file)], shown, members.get(str(file.with_suffix(".bin"))), 0)

    def archive(self, file: Path, kind: Archive, place: str, depth: int) -> None:
        """Everything in an archive, which lies in so many others."""
        if depth > self.limits.depth:
            self.refused[place] = f"it lies in {depth - 1} archives, more than the limit of {self.limits.depth}"
            return
        try:
            with members_of(file, kind) as found:
                members = self._listed(found, place)
                by_name = {member.name: member for member in members}
                for member in members:
                    beside = by_name.get(str(Path(member.name).with_suffix(".bin")))
                    self._member(member, f"{place}{INSIDE}{member.name}", beside, depth)
        except LimitError as error:
            self.refused[place] = str(error)

    def _listed(self, found: Iterator[Member], place: str) -> list[Member]:
        members: list[Member] = []
        for member in found:
            if not self._counted(place):
                break
            members.append(member)
        return members

    def _counted(self, place: str) -> bool:
        """Whether one more file may be looked at."""
        if self.count < self.limits.count:
            self.count += 1
            return True
        self.refused[place] = f"it holds more than {self.limits.count} files, and the rest was not looked at"
        return False

    def _member(self, member: Member, place: str, beside: Member | None, depth: int) -> None:
        """One file, which may be an archive itself."""
        while place in self.seen:
            place = f"{place} (again)"
        self.seen.add(place)
        refusal = member.refusal(self.limits)
        if refusal:
            self.refused[place] = refusal
            return
        try:
            head = head_of(member, HEAD)
            if not worth_a_look(head) and self._unknown(member.name, head):
                self._unreadable(member, place)
                return
            self.made += 1
            file = self._unpacked(member, f"{self.made}")
            kind = content_of(file) or by_registry(member.name, file)
            if isinstance(kind, Archive):
                self.archive(file, kind, place, depth + 1)
            elif kind is not None:
                self._model(file, kind, place, beside)
                return
            else:
                self._unreadable(member, place)
            file.unlink()
        except LimitError as error:
            self.refused[place] = str(error)

    def _unknown(self, name: str, head: bytes) -> bool:
        """Whether no kind of suspect knows a file by how it begins, which is all that it is shown."""
        begun = self.into / "begun"
        begun.write_bytes(head)
        try:
            return by_registry(name, begun) is None
        finally:
            begun.unlink()

    def _unreadable(self, member: Member, place: str) -> None:
        """What is named as a model but is none by its content is told; other files are passed over."""
        if Path(member.name).suffix.lower() in NAMED:
            self.refused[place] = "it is named like a model, but its content is none that is known: perhaps it is encrypted"

    def _unpacked(self, member: Member, name: str) -> Path:
        file = self.into / name
        self.spent += copied(member, file, self.limits, self.limits.total - self.spent)
        return file

    def _model(self, file: Path, kind: Format, place: str, beside: Member | None) -> None:
        """Keep a model under a name by which a kind of suspect opens it, together with the file that belongs to it."""
        named = file.with_name(f"{file.name}{suffix_of(kind) or kind.suffixes[0]}")
        file.rename(named)
        if kind.beside and beside is not None and not beside.refusal(self.limits):
            self._unpacked(beside, named.with_suffix(kind.beside).name)
        with named.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        self.models.append(Found(place, kind, named.stat().st_size, digest, named))


def _files_below(folder: Path, untold: Callable[[OSError], None]) -> Iterator[Path]:
    """Every file, `untold` about each folder and file that the system does not show; what has just gone is no file."""
    below = (Path(parent, name) for parent, _, names in os.walk(folder, onerror=untold) for name in names)
    for file in below:
        try:
            if file.is_file() and not file.is_symlink():
                yield file
        except OSError as error:
            untold(error)


def _at_hand(file: Path) -> Member:
    try:
        size = file.stat().st_size
    except OSError as error:
        return Member(file.name, -1, -1, lambda: file.open("rb"), f"it cannot be read: {error.strerror or error}")
    return Member(file.name, size, size, lambda: file.open("rb"))

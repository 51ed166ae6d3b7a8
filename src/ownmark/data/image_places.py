"""Machine-independent places of images, as in a recipe: `${OWNMARK_DATA}/ham10000`, or its zip if there is no such folder."""

import hashlib
import os
import re
from pathlib import Path

from ownmark.errors import UsageError

VARIABLE = re.compile(r"\$\{(\w+)\}")


def resolved(place: str) -> str:
    """The place with environment variables expanded. Raises UsageError for an unset variable."""
    missing = [name for name in VARIABLE.findall(place) if name not in os.environ]
    if missing:
        raise UsageError(f"the images are in {place}: set {missing[0]} to the folder that contains them")
    found = VARIABLE.sub(lambda name: os.environ[name[1]], place)
    zipped = f"{found}.zip"
    return zipped if not Path(found).exists() and Path(zipped).exists() else found


def stamp(place: str) -> str:
    """A digest of the names and sizes of a place's files, "" for a place that is not a path."""
    path = Path(place)
    if not path.exists():
        return ""
    files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
    lines = "".join(f"{file.relative_to(path.parent)} {file.stat().st_size}\n" for file in files)
    return hashlib.sha256(lines.encode()).hexdigest()

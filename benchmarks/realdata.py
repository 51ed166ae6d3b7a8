"""Where the real images lie: the folder named by the environment variable OWNMARK_DATA, zip files or unpacked."""

import os
import sys
import zipfile
from pathlib import Path


def unpacked(name: str) -> Path:
    """The folder of the set `name`, unpacked beside its zip file if need be."""
    if "OWNMARK_DATA" not in os.environ:
        sys.exit("set OWNMARK_DATA to the folder that holds the images (see docs/results.md)")
    root = Path(os.environ["OWNMARK_DATA"])
    if not (root / name).is_dir():
        with zipfile.ZipFile(root / f"{name}.zip") as archive:
            archive.extractall(root)
    return root / name

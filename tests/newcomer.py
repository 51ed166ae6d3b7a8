"""The package with one kind more, as one file and one line: the attack that `docs/add-an-attack.md` shows, or any other."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src/ownmark"


def with_newcomer(folder: Path) -> None:
    """A copy of the package below `folder` that knows the attack `Temper`."""
    code, line = guides_attack()
    copied(folder)
    added(folder, "attacks/temper.py", code, "attacks/__init__.py", line)


def guides_attack() -> tuple[str, str]:
    """The code and the line that `docs/add-an-attack.md` shows."""
    shown = re.findall(r"^```python\n(.*?)^```", (ROOT / "docs/add-an-attack.md").read_text("utf-8"), re.DOTALL | re.MULTILINE)
    return shown[0], shown[1]


def copied(folder: Path) -> None:
    """A copy of the package below `folder`, with what Python keeps of it, which takes seconds to compile."""
    shutil.copytree(SOURCE, folder / "ownmark", ignore=shutil.ignore_patterns("*.pyc.*"))  # being written


def added(folder: Path, file: str, code: str, registry: str, line: str) -> None:
    """Give the copy below `folder` the file, and the line before the registry's first import of ours."""
    package = folder / "ownmark"
    (package / file).write_text(code, "utf-8")
    before = (package / registry).read_text("utf-8")
    after = re.sub(r"^from ownmark", f"{line.strip()}\nfrom ownmark", before, count=1, flags=re.MULTILINE)
    (package / registry).write_text(after, "utf-8")


def touched(folder: Path) -> dict[str, int]:
    """How many lines each file of the copy has that the package has not; fails where one of the package's is gone."""
    found = {}
    for file in sorted((folder / "ownmark").rglob("*.py")):
        name = str(file.relative_to(folder / "ownmark"))
        old = (SOURCE / name).read_text("utf-8").splitlines() if (SOURCE / name).exists() else []
        new = file.read_text("utf-8").splitlines()
        assert not [line for line in old if line not in new]
        if len(new) != len(old):
            found[name] = len(new) - len(old)
    return found


def told(folder: Path, code: str) -> str:
    """What code prints that runs on the copy below `folder`, with the helpers of these tests."""
    paths = os.pathsep.join(map(str, (folder, ROOT / "tests")))
    clean = os.environ | {"PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1", "COLUMNS": "300"}
    call = [sys.executable, "-W", "error", "-c", code]
    ran = subprocess.run(call, cwd=folder, env=clean, capture_output=True, text=True, check=False, timeout=300)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout

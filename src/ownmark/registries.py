"""What is registered: a registry is the list of imports in a package's `__init__.py`, one line per kind. No torch."""

import ast
from collections.abc import Mapping
from dataclasses import is_dataclass
from functools import cache
from pathlib import Path
from typing import Any

SHARED = "base"  # the file of a package that holds no kind, but what all of them are


def kinds(imported: Mapping[str, object], package: str) -> tuple[type[Any], ...]:
    """The dataclasses that a registry imports from files of its `package`, in the order of its lines, `imported`."""
    found = [kind for kind in imported.values() if isinstance(kind, type) and is_dataclass(kind)]
    return tuple(kind for kind in found if _file(kind.__module__, package) not in {"", SHARED})


@cache
def homes(package: str) -> Mapping[str, str]:
    """By its name, the module of each kind that has a file of its name in `package`, such as `attacks`; nothing is loaded."""
    text = (Path(__file__).parent / package / "__init__.py").read_text("utf-8")
    lines = [node for node in ast.parse(text).body if isinstance(node, ast.ImportFrom)]
    named = [(one.name, str(line.module)) for line in lines for one in line.names]
    own = {name: module for name, module in named if _file(module, f"ownmark.{package}").replace("_", "") == name.lower()}
    return {name: module.removeprefix("ownmark.") for name, module in own.items()}


def _file(module: str, package: str) -> str:
    """The file or folder of the package that a module lies in; "": in none."""
    inside = module.removeprefix(f"{package}.")
    return "" if inside == module else inside.partition(".")[0]

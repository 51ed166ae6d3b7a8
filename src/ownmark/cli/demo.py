"""x"""

from pathlib import Path


def told(out: Path, seed: int, *, as_json: bool) -> None:
    """x"""

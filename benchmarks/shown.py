"""Formats figures for the tables in the docs."""

from collections.abc import Callable, Mapping

Figures = Mapping[str, float]


def percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def decibel(value: float) -> str:
    return f"{value:.1f} dB"


def ratios(rows: Figures) -> str:
    """A table of what is divided by what."""
    return "\n".join(["| ratio | |", "|---|---|", *(f"| {title} | {value:.2f} |" for title, value in rows.items())]) + "\n"


def shown(value: float | None, show: Callable[[float], str]) -> str:
    return "" if value is None else show(value)

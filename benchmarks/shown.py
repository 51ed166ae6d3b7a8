"""Formats figures for the tables in the docs."""

from collections.abc import Callable, Mapping

Figures = Mapping[str, float]


def percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def decibel(value: float) -> str:
    return f"{value:.1f} dB"


def pairs(rows: Mapping[str, str], head: str = "") -> str:
    """A table of two columns, what it is and how much, under a head for the first."""
    lines = [f"| {head} | |" if head else "| | |", "|---|---|", *(f"| {title} | {value} |" for title, value in rows.items())]
    return "\n".join(lines) + "\n"


def ratios(rows: Figures) -> str:
    """A table of what is divided by what."""
    return pairs({title: f"{value:.2f}" for title, value in rows.items()}, "ratio")


def shown(value: float | None, show: Callable[[float], str]) -> str:
    return "" if value is None else show(value)

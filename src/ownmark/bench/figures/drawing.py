"""Shared style of a bench's figures: colours, lines, and SVG that is legible on light and dark backgrounds."""

import io
from typing import Any

from matplotlib.figure import Figure

COPIES, OTHERS, TARGET, *_ = COLOURS = ("#1f6feb", "#c2410c", "#15803d", "#7e22ce", "#a16207")
STYLE: dict[Any, Any] = {
    "svg.hashsalt": "ownmark",
    "svg.fonttype": "path",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": "#8884",
    "grid.linewidth": 0.6,
}


def svg(figure: Figure) -> str:
    """The figure as SVG text, deterministic."""
    stream = io.StringIO()
    figure.savefig(stream, format="svg", metadata={"Date": None}, facecolor="white")
    return stream.getvalue()

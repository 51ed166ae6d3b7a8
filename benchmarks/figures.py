"""Figures of results as SVG, legible on light and dark backgrounds."""

from collections.abc import Mapping
from pathlib import Path

import matplotlib as mpl

mpl.use("svg")
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

mpl.rcParams |= {
    "svg.hashsalt": "ownmark",
    "svg.fonttype": "path",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def strips(scores: Mapping[str, Mapping[str, float]], innocents: list[str], file: Path) -> None:
    """Test -> suspect -> score, one strip per test: copies by name, independent models below."""
    figure, axes = plt.subplots(1, len(scores), figsize=(8, 3.2), sharey=True, layout="constrained")
    for axis, (test, each) in zip(axes, scores.items(), strict=True):
        names = [name for name in each if name not in innocents]
        for place, name in enumerate(reversed(names), start=1):
            axis.plot(each[name], place, "o", color="#1f6feb")
        axis.plot([each[name] for name in innocents], [0] * len(innocents), "x", color="#c2410c")
        axis.set_yticks(
            range(len(names) + 1), [f"{len(innocents)} independent", *(name.replace("_", " ") for name in reversed(names))]
        )
        axis.set(title=test.replace("_", "-"), xlabel="share of samples that match", xlim=(-0.03, 1.03))
        axis.grid(axis="x", color="#8884", linewidth=0.6)
    _written(figure, file)


COLOURS = ("#1f6feb", "#c2410c", "#15803d", "#7e22ce", "#a16207")
Curve = list[tuple[float, float]]


def curves(sets: Mapping[str, Mapping[str, Curve]], axes: tuple[str, str], file: Path) -> None:
    """Set -> scheme -> points, one panel per set; `axes`: names of x and y."""
    figure, panels = plt.subplots(1, len(sets), figsize=(3.2 * len(sets), 3), sharey=True, layout="constrained", squeeze=False)
    for panel, (title, each) in zip(panels[0], sets.items(), strict=True):
        for colour, (scheme, points) in zip(COLOURS, each.items(), strict=False):
            panel.plot(*zip(*points, strict=True), "o-", color=colour, label=scheme.replace("_", " "), markersize=4)
        panel.set(title=title, xlabel=axes[0], ylim=(-0.03, 1.03))
        panel.grid(color="#8884", linewidth=0.6)
    panels[0][0].set_ylabel(axes[1])
    panels[0][0].legend(fontsize=7)
    _written(figure, file)


def _written(figure: Figure, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, metadata={"Date": None}, facecolor="white")
    plt.close(figure)

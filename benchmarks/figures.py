"""Pictures of results, as SVG that reads well on white and on black."""

from collections.abc import Mapping
from pathlib import Path

import matplotlib as mpl

mpl.use("svg")
from matplotlib import pyplot as plt

mpl.rcParams |= {
    "svg.hashsalt": "ownmark",
    "svg.fonttype": "path",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def strips(scores: Mapping[str, Mapping[str, float]], innocents: list[str], file: Path) -> None:
    """Test -> suspect -> score as one strip a test: copies by name, innocents below them."""
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
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, metadata={"Date": None}, facecolor="white")
    plt.close(figure)

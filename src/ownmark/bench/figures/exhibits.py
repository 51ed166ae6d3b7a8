"""Figures of what a thief sees of the claims: alarm scores of samples and normal images, and the samples themselves."""

import base64
from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from ownmark.bench.figures.drawing import COPIES, OTHERS, svg
from ownmark.bench.trial import Outcome

BINS = 30


def distances(outcomes: Sequence[Outcome]) -> str:
    """One panel per scheme and detector: scores of normal images and queries, and the threshold; "" without any."""
    panels = [(scheme, name, kept) for scheme, noticed in _noticed(outcomes) for name, kept in noticed.get("alarms", {}).items()]
    if not panels:
        return ""
    names = list(dict.fromkeys(name for _, name, _ in panels))
    rows = -(-len(panels) // len(names))
    figure = Figure(figsize=(3.6 * len(names), 1.7 * rows), layout="constrained")
    axes = figure.subplots(rows, len(names), squeeze=False)
    for axis, (scheme, name, kept) in zip(np.ravel(axes), panels, strict=True):
        normal, queries = np.array(kept["normal"]), np.ravel(kept["queries"])
        edges = np.histogram_bin_edges(np.concatenate([normal, queries]), BINS)
        for values, colour, label in ((normal, COPIES, "normal"), (queries, OTHERS, "queries")):
            axis.hist(values, edges, weights=np.full(len(values), 1 / len(values)), color=colour, alpha=0.6, label=label)
        axis.axvline(kept["threshold"], color="#666", linewidth=0.8, linestyle="--")
        axis.set_title(f"{scheme}, {name}".replace("_", " "), fontsize=8)
        axis.tick_params(labelsize=7)
    axes[0, 0].legend(fontsize=7, frameon=False)
    return svg(figure)


def gallery(outcomes: Sequence[Outcome]) -> str:
    """One row of samples per scheme, as sent; "" without any."""
    rows = [(scheme, noticed["shown"]) for scheme, noticed in _noticed(outcomes) if noticed.get("shown")]
    if not rows:
        return ""
    across = max(len(shown) for _, shown in rows)
    figure = Figure(figsize=(1.1 * across, 1.25 * len(rows)), layout="constrained")
    for axes, (scheme, shown) in zip(figure.subplots(len(rows), across, squeeze=False), rows, strict=True):
        axes[0].set_title(scheme.replace("_", " "), fontsize=8, loc="left")
        for axis in axes:
            axis.set_axis_off()
        for axis, address in zip(axes, shown, strict=False):
            axis.imshow(np.asarray(Image.open(BytesIO(base64.b64decode(address.partition(",")[2]))).convert("RGB")))
    return svg(figure)


def _noticed(outcomes: Sequence[Outcome]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each scheme with the detector results of its first claim."""
    seen = set()
    for outcome in outcomes:
        noticed: Mapping[str, Any] = outcome.facts.get("stealth", {})
        if noticed and outcome.trial.scheme not in seen:
            seen.add(outcome.trial.scheme)
            yield outcome.trial.scheme, noticed

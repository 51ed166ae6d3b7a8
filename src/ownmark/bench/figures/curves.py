"""Figures of a bench as SVG."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ownmark.bench.ablations import Names, Point, ablations
from ownmark.bench.behind import BEHIND
from ownmark.bench.figures.drawing import COLOURS, COPIES, OTHERS, STYLE, TARGET, svg
from ownmark.bench.figures.exhibits import distances, gallery
from ownmark.bench.tables import Repeats, areas, by_test
from ownmark.bench.trial import Outcome, Role
from ownmark.metrics import THRESHOLDS, robust_and_unique

Pictures = dict[str, str]


def pictures(outcomes: Sequence[Outcome]) -> Pictures:
    """Name -> SVG: curves and the areas under them, scores by attack, survival of watermarks against accuracy, ablations of
    thresholds, alarm scores, and the samples; figures without data are omitted.
    """
    all_ = by_test(outcomes)
    groups = {name: repeats for name, repeats in all_.items() if BEHIND not in name[1]}
    judged = {name: repeats for name, repeats in groups.items() if any(one.positives and one.negatives for one in repeats)}
    marks = {scheme: points for scheme, points in survivals(outcomes).items() if points}
    varied = ablations(outcomes)
    made: Pictures = {}
    with rc_context(STYLE):
        if judged:
            made["curves"] = _panels(judged, _curve, "threshold", "share of suspects")
            made["areas"] = _areas(all_)
        if groups:
            made["scores"] = _panels(groups, _strip, "share of samples that match", "", width=4.2)
        if marks:
            made["survival"] = _survival(marks)
        if varied:
            made["ablations"] = _ablations(varied)
        made |= {name: drawn for name, drawn in (("distances", distances(outcomes)), ("samples", gallery(outcomes))) if drawn}
    return made


def survivals(outcomes: Sequence[Outcome]) -> dict[str, list[tuple[float, float]]]:
    """Watermark -> (accuracy, survival) of the marked model and its copies, for schemes that only use labels."""
    found: dict[str, list[tuple[float, float]]] = {}
    for outcome in outcomes:
        accuracy = outcome.worth[1]
        if set(outcome.scores) == {"label"} and outcome.trial.role is not Role.NEGATIVE and accuracy is not None:
            found.setdefault(outcome.trial.scheme, []).append((accuracy, outcome.scores["label"]))
    return found


def _panels(
    groups: Mapping[tuple[str, str], Repeats],
    draw: Callable[[Axes, Repeats], None],
    below: str,
    beside: str,
    width: float = 3.2,
) -> str:
    """One panel per scheme and test."""
    rows = max(len(_suspects(repeats)) for repeats in groups.values())
    height = 3 if draw is _curve else 1.2 + 0.17 * rows
    across = min(len(groups), 3)
    down = -(-len(groups) // across)
    figure = Figure(figsize=(width * across, height * down), layout="constrained")
    axes = np.ravel(figure.subplots(down, across, squeeze=False))
    for axis, ((scheme, test), repeats) in zip(axes, groups.items(), strict=False):
        draw(axis, repeats)
        axis.set(title=f"{scheme.replace('_', ' ')}, {test.replace('_', '-')}", xlabel=below, ylabel=beside, xlim=(-0.03, 1.03))
    for axis in axes[len(groups) :]:
        axis.set_visible(False)
    return svg(figure)


def _curve(axis: Axes, repeats: Repeats) -> None:
    """R and U of every repeat (faint), and their means."""
    both = [robust_and_unique(*one.sides) for one in repeats if one.positives and one.negatives]
    for curves in both:
        for colour, curve in zip((COPIES, OTHERS), curves, strict=True):
            axis.plot(THRESHOLDS, curve, color=colour, alpha=0.25, linewidth=0.8)
    for colour, name, curve in zip((COPIES, OTHERS), ("R", "U"), np.mean(both, axis=0), strict=True):
        axis.plot(THRESHOLDS, curve, color=colour, label=name)
    axis.set_ylim(-0.03, 1.03)
    axis.grid(visible=True)
    axis.legend(fontsize=8, frameon=False)


def _areas(groups: dict[tuple[str, str], Repeats]) -> str:
    """One bar per scheme and test, with the spread over the repeats; paler behind an alarm."""
    bars = {names: found["aruc"] for names in reversed(groups) if (found := areas(groups[names]))}
    figure = Figure(figsize=(6, 0.8 + 0.2 * len(bars)), layout="constrained")
    axis = figure.subplots()
    for place, ((_, test), values) in enumerate(bars.items()):
        pale = 0.4 if BEHIND in test else 1.0
        axis.barh(place, np.mean(values), xerr=np.std(values), color=COPIES, alpha=pale, height=0.7, error_kw={"linewidth": 0.8})
    axis.set_yticks(range(len(bars)), [f"{scheme}, {test}".replace("_", " ") for scheme, test in bars], fontsize=7)
    axis.set(xlabel="ARUC", xlim=(0, 1))
    axis.grid(visible=True, axis="x")
    return svg(figure)


def _strip(axis: Axes, repeats: Repeats) -> None:
    """The target and its copies by name, one dot per repeat, with all independent models below."""
    names = _suspects(repeats)
    others = max((len(one.negatives) for one in repeats), default=0)
    for place, name in enumerate(reversed(names), start=1):
        found = [score for one in repeats if (score := (one.positives | one.further).get(name)) is not None]
        axis.plot(found, [place] * len(found), "o", color=COPIES, markersize=4, alpha=0.7)
    for one in repeats:
        axis.plot(list(one.negatives.values()), [0] * len(one.negatives), "x", color=OTHERS, markersize=4, alpha=0.7)
        own = [] if one.target is None else [one.target]
        axis.plot(own, [len(names) + 1] * len(own), "D", color=TARGET, markersize=4)
    labels = [f"{others} independent", *(name.replace("_", " ") for name in reversed(names)), "target"]
    axis.set_yticks(range(len(labels)), labels, fontsize=7)
    axis.grid(visible=True, axis="x")


def _survival(marks: Mapping[str, Sequence[tuple[float, float]]]) -> str:
    figure = Figure(figsize=(4.5, 3.2), layout="constrained")
    axis = figure.subplots()
    for place, (scheme, points) in enumerate(marks.items()):
        colour = COLOURS[place % len(COLOURS)]
        axis.plot(*zip(*points, strict=True), "o", color=colour, label=scheme.replace("_", " "), markersize=4)
    axis.set(xlabel="accuracy", ylabel="survival", ylim=(-0.03, 1.03))
    axis.grid(visible=True)
    axis.legend(fontsize=7)
    return svg(figure)


def _ablations(varied: Mapping[Names, Sequence[Point]]) -> str:
    """One panel per test and varied quantity, one line per scheme."""
    panels = list(dict.fromkeys(names[1:] for names in varied))
    figure = Figure(figsize=(3.2 * len(panels), 2.8), layout="constrained")
    for axis, panel in zip(np.ravel(figure.subplots(1, len(panels), squeeze=False)), panels, strict=True):
        lines = {names[0]: points for names, points in varied.items() if names[1:] == panel}
        for place, (scheme, points) in enumerate(lines.items()):
            curve = [(point.value, point.aruc) for point in points]
            colour = COLOURS[place % len(COLOURS)]
            axis.plot(*zip(*curve, strict=True), "o-", color=colour, label=scheme.replace("_", " "), markersize=3)
        axis.set(title=panel[0].replace("_", "-"), xlabel=panel[1], ylabel="ARUC", ylim=(-0.03, 1.03))
        axis.grid(visible=True)
        axis.legend(fontsize=7)
    return svg(figure)


def _suspects(repeats: Repeats) -> list[str]:
    return list(dict.fromkeys(name for one in repeats for name in (*one.positives, *one.further)))

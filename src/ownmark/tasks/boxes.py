"""Rows of detections, and how they are compared: by class and by the overlap of their boxes. No torch is imported.

A detection is a row of six numbers: its label, the left, upper, right and lower edge of its box as shares of the image's width
and height, and its score in [0, 1]. Rows with the score 0 fill up an image with fewer detections.
"""

from typing import Any

import numpy as np

from ownmark.scoring.matches import Area

Array = Any  # a numpy array or a torch tensor
LABEL, BOX, SCORE = 0, slice(1, 5), 5  # the columns of a row
COLUMNS = 6
FLOOR = 0.05  # detections of a lower score are none, as in torchvision's RetinaNet and Faster R-CNN
SAME = 0.5  # overlap above which the lower of two detections of a class is suppressed
MOST = 100  # detections of one image, as in the metrics of COCO
TINY = 1e-9


def overlaps(first: Array, second: Array) -> Array:
    """(..., p, q): the area of the intersection over that of the union, of boxes (..., p, 4) and (..., q, 4)."""
    one, other = first[..., :, None, :], second[..., None, :, :]
    wide = (_least(one[..., 2], other[..., 2]) - _most(one[..., 0], other[..., 0])).clip(0)
    high = (_least(one[..., 3], other[..., 3]) - _most(one[..., 1], other[..., 1])).clip(0)
    both = wide * high
    return both / (_area(one) + _area(other) - both).clip(TINY)


def fitting(rows: Array, boxes: Array, overlap: float) -> Array:
    """(n, m, q) bool: which of the detections (n, q, 6) have the label and the place of which of `boxes` (n, m, 5 or more)."""
    alike = rows[:, None, :, LABEL] == boxes[:, :, None, LABEL]
    return alike & (overlaps(boxes[..., BOX], rows[..., BOX]) >= overlap)


def best(rows: Array, boxes: Array, overlap: float) -> Array:
    """(n, m): the highest score of a detection that fits each of the boxes, 0 if none does; differentiable in the scores."""
    fits = fitting(rows, boxes, overlap)
    scores = rows[:, None, :, SCORE]
    if isinstance(rows, np.ndarray):
        return np.where(fits, scores, 0).max(-1)
    return scores.where(fits, scores.new_zeros(())).amax(-1)


def rows_of(edges: Array, labels: Array, scores: Array, size: tuple[int, int], most: int) -> Array:
    """(most, 6), the best first, from boxes (m, 4) in pixels of an image of this height and width, differentiable in all."""
    height, width = size
    plain = isinstance(edges, np.ndarray)
    best = np.argsort(-scores, kind="stable")[:most] if plain else scores.argsort(descending=True, stable=True)[:most]
    rows = np.zeros((most, COLUMNS), edges.dtype) if plain else edges.new_zeros(most, COLUMNS)
    shares = edges / (np.asarray if plain else edges.new_tensor)([width, height, width, height])
    for place, values in ((LABEL, labels), (BOX, shares), (SCORE, scores)):
        rows[: len(best), place] = values[best] if plain else values[best].to(edges.dtype)
    return rows


def suppressed(rows: Array, least: float = FLOOR) -> Array:
    """(n, MOST, 6) numpy: of detections (n, q, 6) the best of each thing, best first: those of at least the score `least`."""
    every = rows if isinstance(rows, np.ndarray) else rows.detach().cpu().numpy()
    found = np.zeros((len(every), MOST, COLUMNS), every.dtype)
    for image, own in zip(found, every, strict=True):
        high = own[own[:, SCORE] >= max(least, TINY)]
        kept = _survivors(high[np.argsort(-high[:, SCORE], kind="stable")])[:MOST]
        image[: len(kept)] = kept
    return found


def _survivors(rows: Array) -> Array:
    """Of rows (q, 6), best first, those that overlap no better one of their class."""
    near = (overlaps(rows[:, BOX], rows[:, BOX]) > SAME) & (rows[:, None, LABEL] == rows[None, :, LABEL])
    gone = np.zeros(len(rows), dtype=bool)
    for place in range(len(rows)):
        if not gone[place]:
            gone[place + 1 :] |= near[place, place + 1 :]
    return rows[~gone]


def ranked(rows: Array, wanted: Array, overlap: float) -> Array:
    """(n,) in [0, 1]: how high detections (n, q, 6), best first, rank what is wanted (n, m, 6) among all of its class.

    The average precision of one image, of classes and boxes alike; only for comparing an image with its changed self.
    """
    found = np.zeros(len(rows))
    for place, (own, asked) in enumerate(zip(rows, wanted, strict=True)):
        known = asked[asked[:, SCORE] > 0]
        kinds = [_precision(own[own[:, LABEL] == kind], known[known[:, LABEL] == kind], overlap) for kind in set(known[:, LABEL])]
        found[place] = np.mean(kinds) if kinds else 0.0
    return found


def _precision(rows: Array, known: Array, overlap: float) -> float:
    """The same for one class of one image: each box is found by the best detection that fits no other box better."""
    near = overlaps(rows[:, BOX], known[:, BOX])
    hit = np.zeros(len(rows), dtype=bool)
    for place, row in enumerate(near):
        if row.max(initial=0) >= overlap:
            hit[place] = True
            near[:, row.argmax()] = 0
    precise = hit.cumsum() / np.arange(1, len(rows) + 1)
    return float(np.maximum.accumulate(precise[::-1])[::-1][hit].sum() / len(known))


def clear_of(rows: Array, area: Area) -> Array:
    """(n, q) bool: the boxes of rows (n, q, 6) that do not touch the area."""
    left, top, right, bottom = edges(area)
    box = rows[..., BOX]
    beside = (box[..., 0] >= right) | (box[..., 2] <= left) | (box[..., 1] >= bottom) | (box[..., 3] <= top)
    return np.asarray(beside)


def distance_to(rows: Array, area: Area) -> Array:
    """(n, q): how far the centres of the boxes of rows (n, q, 6) are from the centre of the area, in sides of the image."""
    left, top, right, bottom = edges(area)
    box = rows[..., BOX]
    return np.hypot(
        (box[..., 0] + box[..., 2]) / 2 - (left + right) / 2,
        (box[..., 1] + box[..., 3]) / 2 - (top + bottom) / 2,
    )


def edges(area: Area) -> tuple[float, float, float, float]:
    """Left, upper, right and lower edge of the smallest box around the cells of an area, as shares of the image."""
    rows, columns = zip(*area.cells, strict=True)
    high, wide = area.grid
    return min(columns) / wide, min(rows) / high, (max(columns) + 1) / wide, (max(rows) + 1) / high


def moved(rows: Array, axis: int, chosen: Array) -> Array:
    """Torch rows (n, q, 6), mirrored along an axis of the image, 0 for left and right, in the images `chosen` (n,) bool."""
    turned = rows.clone()
    low, high = 1 + axis, 3 + axis
    turned[..., low], turned[..., high] = 1 - rows[..., high], 1 - rows[..., low]
    return turned.where(chosen.to(rows.device)[:, None, None], rows)


def shifted(rows: Array, across: float, down: float) -> Array:
    """Torch rows (n, q, 6) of images moved to the left and up by shares of their sides; boxes end at the image's edge."""
    shift = rows.new_tensor([0, across, down, across, down, 0])
    turned = rows - shift
    turned[..., BOX] = turned[..., BOX].clamp(0, 1)
    return turned


def _area(boxes: Array) -> Array:
    return (boxes[..., 2] - boxes[..., 0]).clip(0) * (boxes[..., 3] - boxes[..., 1]).clip(0)


def _most(one: Array, other: Array) -> Array:
    return np.maximum(one, other) if isinstance(one, np.ndarray) else one.maximum(other)


def _least(one: Array, other: Array) -> Array:
    return np.minimum(one, other) if isinstance(one, np.ndarray) else one.minimum(other)

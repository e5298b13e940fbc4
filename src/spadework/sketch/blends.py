"""Pixels on smoothed edges: blends of classes that lie beside them, each given to one of these."""

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from spadework.sketch.palette import Palette

BLEND = 6.0
"""How far, in RGB steps, a blended pixel may lie from the line or plane through its neighbours' colours."""

RING = 12.0
"""How far from the colour of a neighbour: Lanczos and bicubic filters leave faint rings along edges."""

BEYOND = 0.2
"""So far may a weight lie beyond 0..1, as these filters overshoot."""

REACH = 8
"""A blended pixel has exact colours of its classes at most so many pixels away."""

MOST_BLENDED = 0.2
"""With a larger share of foreign pixels it is not anti-aliasing that spoilt the picture."""

MOST_LEFT = 0.1
"""Among blended pixels such a share may be unexplained: lines too thin to have an exact pixel anywhere."""

LINES, THIN, LEAST_EDGES = 48, 4, 40
"""So many rows and columns are looked at for edges that were smoothed; between them lie so few pixels."""

BETWEEN, FAIRLY, EVERYWHERE = 0.3, 2, 0.5
"""A map of ids was smoothed where so large a share of its edges pass through ids between those of both sides,
so many times as many as pass through other ids, and where edges are not everywhere."""

SMOOTHED = "its edges pass through ids in between: it was resized smoothly, and not by the nearest pixel"

Ids = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Vectors = NDArray[np.float32]


def sides(pixels: NDArray[np.uint8], ids: Ids, off: Mask, palette: Palette) -> NDArray[np.int16]:
    """Of foreign (`off`) pixels that blend exact colours beside them the id with the most weight; else -1.

    pixels (H, W, 3), the others (H, W).
    """
    result = np.full(off.shape, -1, np.int16)
    if off.mean() > MOST_BLENDED or not off.any() or off.all():
        return result
    there = np.unique(ids[~off])
    near = np.stack([_spread((ids == id) & ~off)[off] for id in there], -1)
    closest = result.copy()
    result[off], closest[off] = _by_surroundings(pixels[off].astype(np.float32), near, there, palette)
    left = off & (result < 0)
    if 0 < left.sum() <= MOST_LEFT * off.sum():
        left &= _spread(result >= 0)
        result[left] = closest[left]
    return result


def _spread(mask: Mask) -> Mask:
    """(H, W): whatever is at most REACH pixels from the mask, in rows and in columns."""
    for axis in (0, 1):
        lines = np.moveaxis(mask.copy(), axis, 0)
        source = lines.copy()
        for step in range(1, REACH + 1):
            lines[step:] |= source[:-step]
            lines[:-step] |= source[step:]
        mask = np.moveaxis(lines, 0, axis)
    return mask


def _by_surroundings(
    colors: Vectors, near: Mask, there: Ids, palette: Palette
) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
    """colors (N, 3), and which of the classes `there` (K,) are near, (N, K).

    The ids (N,) of blends, -1 for what is none, and of the near class of the closest colour, -1 without one.
    """
    table = palette.colors().astype(np.float32)
    kinds, kind = np.unique(np.packbits(near, axis=1), axis=0, return_inverse=True)
    result, closest = np.full((2, len(colors)), -1, np.int16)
    order = np.argsort(kind.reshape(-1), kind="stable")
    ends = np.cumsum(np.bincount(kind.reshape(-1), minlength=len(kinds)))
    for bits, group in zip(kinds, np.split(order, ends[:-1]), strict=True):
        classes = there[np.unpackbits(bits, count=len(there)).astype(bool)]
        if len(classes):
            away = np.linalg.norm(colors[group][:, None] - table[classes], axis=-1)
            closest[group] = classes[away.argmin(1)]
            blend = _heaviest(colors[group], classes, table)
            result[group] = np.where((blend < 0) & (away.min(1) <= RING), closest[group], blend)
    return result, closest


def _heaviest(colors: Vectors, classes: Ids, table: Vectors) -> NDArray[np.int16]:
    """Of colours (N, 3) the class with the most weight in a blend of two, or else of three; -1 without."""
    result = np.full(len(colors), -1, np.int16)
    for count in (2, 3):
        best, found = np.full(len(colors), BLEND, np.float32), result.copy()
        for blend in combinations(classes, count):
            weights, away = _weights(colors, table[list(blend)])
            fits = (np.abs(weights - 0.5).max(1) < 0.5 + BEYOND) & (away <= best) & (result < 0)
            best[fits], found[fits] = away[fits], np.array(blend)[weights.argmax(1)[fits]]
        result = found
    return result


def _weights(colors: Vectors, corners: Vectors) -> tuple[Vectors, Vectors]:
    """Weights (N, corners), of sum 1, of the blends that come nearest to colours (N, 3), and how near.

    What a blend has beyond 0..255 was cut off.
    """
    edges = corners[1:] - corners[0]
    rest = (colors - corners[0]) @ np.linalg.pinv(edges)
    blend = (corners[0] + rest @ edges).clip(0, 255)
    return np.column_stack([1 - rest.sum(1), rest]), np.linalg.norm(blend - colors, axis=1)


def smoothed(ids: Ids) -> bool:
    """Whether a map (H, W) seems to have been resized as if its ids were brightness."""
    seen = edges = between = aside = 0
    for lines in (ids, ids.T):
        lines = lines[:: max(1, len(lines) // LINES)]
        begins = np.ones(lines.shape, bool)
        begins[:, 1:] = lines[:, 1:] != lines[:, :-1]
        at = np.flatnonzero(begins)
        inside = at % lines.shape[1] > 0  # a run that another one comes before
        runs, thin = lines.reshape(-1)[at], np.diff(at, append=lines.size)[1:-1] <= THIN
        left, here, right = runs[:-2], runs[1:-1], runs[2:]
        middle = inside[1:-1] & inside[2:] & thin
        low, high = np.minimum(left, right), np.maximum(left, right)
        seen, edges = seen + lines.size, edges + int(inside.sum())
        between += int((middle & (low < here) & (here < high)).sum())
        aside += int((middle & ((here < low) | (here > high))).sum())
    few = LEAST_EDGES < edges < EVERYWHERE * seen
    return few and between > BETWEEN * edges and between > FAIRLY * aside

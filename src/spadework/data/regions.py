"""Connected regions of an id raster, how they vanish into each other, and their outlines."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

# Shapes: H W the raster, P the points of an outline, each (x, y) on the corners between pixels.

NEIGHBOURS = [
    (np.s_[1:], np.s_[:-1]),
    (np.s_[:-1], np.s_[1:]),
    (np.s_[:, 1:], np.s_[:, :-1]),
    (np.s_[:, :-1], np.s_[:, 1:]),
]


def regions(ids: np.ndarray) -> np.ndarray:
    """(H, W) 4-connected regions of equal id; each pixel gets the smallest flat index of its region."""
    roots = np.arange(ids.size).reshape(ids.shape)
    joined = [(here, there, ids[here] == ids[there]) for here, there in NEIGHBOURS]
    while True:
        low = roots.copy()
        for here, there, same in joined:
            np.minimum(low[here], low[there], out=low[here], where=same)
        low = low.reshape(-1)[low]
        if np.array_equal(low, roots):
            return roots
        roots = low


def drop_small(ids: np.ndarray, least: float) -> np.ndarray:
    """Regions that cover under the share `least` of the map vanish into what grows in from around them."""
    roots = regions(ids)
    keep = np.bincount(roots.reshape(-1))[roots] >= least * ids.size
    return grow(ids, keep) if keep.any() else ids


def grow(ids: np.ndarray, keep: np.ndarray) -> np.ndarray:
    """Where `keep` is false, the id of the nearest kept pixel in steps to the four neighbours."""
    ids, known = ids.copy(), keep.copy()
    while not known.all():
        for here, there in NEIGHBOURS:
            fill = known[there] & ~known[here]
            ids[here][fill] = ids[there][fill]
            known[here] |= fill
    return ids


def outline(mask: np.ndarray) -> np.ndarray:
    """(P, 2) closed outer outline of one region, given as an (H, W) bool mask with at least one pixel."""
    steps = _cracks(mask)
    loops = []
    while steps:
        start = point = next(iter(steps))
        loop = []
        while point in steps:
            loop.append(point)
            ends = steps[point]
            follower = ends.pop()
            if not ends:
                del steps[point]
            point = follower
        assert point == start
        loops.append(np.array(loop, np.float64))
    return max(loops, key=lambda loop: abs(signed_area(loop)))


def _cracks(mask: np.ndarray) -> dict[tuple[int, int], list[tuple[int, int]]]:
    """Every unit step along the mask's border with the mask on the right: start corner to end corners."""
    inside = np.pad(mask, 1)
    core = inside[1:-1, 1:-1]
    sides = [  # the empty neighbour, then start and end corner relative to the pixel, as (x, y)
        (inside[:-2, 1:-1], (0, 0), (1, 0)),
        (inside[1:-1, 2:], (1, 0), (1, 1)),
        (inside[2:, 1:-1], (1, 1), (0, 1)),
        (inside[1:-1, :-2], (0, 1), (0, 0)),
    ]
    steps: dict[tuple[int, int], list[tuple[int, int]]] = defaultdict(list)
    for beyond, (ax, ay), (bx, by) in sides:
        for y, x in np.argwhere(core & ~beyond).tolist():
            steps[x + ax, y + ay].append((x + bx, y + by))
    return dict(steps)


def signed_area(loop: np.ndarray) -> float:
    """Area inside a closed (P, 2) outline by the shoelace formula; the sign tells its sense of rotation."""
    x, y = loop.T
    return float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2


def simplify(loop: np.ndarray, tolerance: float) -> np.ndarray:
    """A closed (P, 2) outline with fewer corners, none of the old further than `tolerance` from it.

    Douglas and Peucker (1973), on the two halves between the first point and the one furthest from it.
    """
    middle = int(np.argmax(np.hypot(*(loop - loop[0]).T)))
    halves = np.vstack([loop, loop[:1]])
    return loop[_corners(halves, 0, middle, tolerance) + _corners(halves, middle, len(loop), tolerance)]


def _corners(line: np.ndarray, first: int, last: int, tolerance: float) -> list[int]:
    """Indices of the kept points of line[first:last]."""
    if last - first < 2:
        return [first] if last > first else []
    chord = line[last] - line[first]
    away = line[first + 1 : last] - line[first]
    along = np.clip(away @ chord / max(chord @ chord, 1e-9), 0, 1)
    distance = np.hypot(*(away - along[:, None] * chord).T)
    worst = int(np.argmax(distance))
    if distance[worst] <= tolerance:
        return [first]
    split = first + 1 + worst
    return _corners(line, first, split, tolerance) + _corners(line, split, last, tolerance)

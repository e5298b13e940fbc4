"""Sketch augmentation: from a machine's label map to what a person would draw.

People draw few, large regions with straight or gently wavering outlines. So a map is reduced to a coarse
mesh, small regions are dropped into their neighbours, the classes' shares are voted over a wide window and
interpolated back linearly (which makes the outlines polygons with about one corner per mesh cell), and
the whole wobbles a little. The map stays where the photo is on the large scale.
"""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageFilter

BILINEAR, BICUBIC = Image.Resampling.BILINEAR, Image.Resampling.BICUBIC
NEIGHBOURS = [
    (np.s_[1:], np.s_[:-1]),
    (np.s_[:-1], np.s_[1:]),
    (np.s_[:, 1:], np.s_[:, :-1]),
    (np.s_[:, :-1], np.s_[:, 1:]),
]


def sketch(labels: np.ndarray, rng: np.random.Generator, strength: float = 1.0) -> np.ndarray:
    """(H, W) uint8 ids to (H, W) uint8 ids as a person draws them; the result's ids are among the input's.

    `strength` in [0, 1] scales all lengths, which are relative to the short side: mesh cells up to a tenth,
    votes to a radius of a twentieth, wobble to a fortieth.
    """
    if not 0.0 <= strength <= 1.0:
        raise ValueError(f"sketch strength must lie in [0, 1], it is {strength}")
    height, width = labels.shape
    side = min(height, width) * strength
    step = max(1, min(height, width) // 64)
    coarse = _drop_small(labels[step // 2 :: step, step // 2 :: step], rng.uniform(0.002, 0.02) * strength)
    cell = max(step, side * rng.uniform(0.015, 0.08))
    mesh = max(2, round(height / cell)), max(2, round(width / cell))
    drawn = _vote(coarse, (height, width), mesh, side * rng.uniform(0.01, 0.05) / step)
    return _wobble(drawn, rng, side * rng.uniform(0.0, 0.02))


def _drop_small(ids: np.ndarray, least: float) -> np.ndarray:
    """Regions that cover under the share `least` of the map vanish into what grows in from around them."""
    roots = _regions(ids)
    keep = np.bincount(roots.reshape(-1))[roots] >= least * ids.size
    return _grow(ids, keep) if keep.any() else ids


def _regions(ids: np.ndarray) -> np.ndarray:
    """(H, W) connected regions of equal id; each pixel gets the smallest flat index of its region."""
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


def _grow(ids: np.ndarray, keep: np.ndarray) -> np.ndarray:
    """Where `keep` is false, the id of the nearest kept pixel in steps to the four neighbours."""
    ids, known = ids.copy(), keep.copy()
    while not known.all():
        for here, there in NEIGHBOURS:
            fill = known[there] & ~known[here]
            ids[here][fill] = ids[there][fill]
            known[here] |= fill
    return ids


def _vote(ids: np.ndarray, size: tuple[int, int], mesh: tuple[int, int], radius: float) -> np.ndarray:
    """The class that holds most of the window of `radius`, decided on `mesh` and interpolated to `size`."""
    present = np.flatnonzero(np.bincount(ids.reshape(-1)))
    winner = np.full(size, present[0], np.uint8)
    most = np.zeros(size, np.uint8)
    for label in present:
        plane = Image.fromarray((ids == label).astype(np.uint8) * 255).filter(ImageFilter.BoxBlur(radius))
        votes = np.asarray(plane.resize(mesh[::-1], BILINEAR).resize(size[::-1], BILINEAR))
        better = votes > most
        winner[better] = label
        np.maximum(most, votes, out=most)
    return winner


def _wobble(ids: np.ndarray, rng: np.random.Generator, reach: float) -> np.ndarray:
    """Move every pixel by a smooth random field of about `reach` pixels."""
    shape = ids.shape
    rows, columns = (np.arange(length, dtype=np.float32) for length in shape)
    knots = rng.normal(0.0, reach, (2, 7, 7)).astype(np.float32)
    dy, dx = (np.asarray(Image.fromarray(field).resize(shape[::-1], BICUBIC)) for field in knots)
    y = np.clip(np.rint(rows[:, None] + dy), 0, shape[0] - 1).astype(np.intp)
    x = np.clip(np.rint(columns + dx), 0, shape[1] - 1).astype(np.intp)
    return ids[y, x]

"""Sketch augmentation: from a machine's label map to what a person would draw.

People draw few, large regions, in one of two manners: flowing shapes with rounded outlines, or polygons with
sharp corners, the large ones first and the small ones over them. Both are wanted in training. Small regions
are dropped, outlines get coarse, the whole wobbles a little, and on the large scale every class stays where
the photo has it.
"""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from spadework.data.regions import drop_small, outline, regions, signed_area, simplify

# Shapes: H W the map; h w every step-th pixel of it, where the work is done (short side 64 and more).

BILINEAR, BICUBIC = Image.Resampling.BILINEAR, Image.Resampling.BICUBIC


def sketch(labels: np.ndarray, rng: np.random.Generator, strength: float = 1.0) -> np.ndarray:
    """(H, W) uint8 ids to (H, W) uint8 ids as a person draws them; no id that the input lacks.

    `strength` in [0, 1] scales all lengths, which are shares of the short side: votes in a radius up to 0.05,
    corners up to 0.05 off, wobble of 0.02; and the share of the map below which a region is dropped, 0.04.
    The unknown id is a class like any other. ValueError for another strength.
    """
    if not 0.0 <= strength <= 1.0:
        raise ValueError(f"sketch strength must lie in [0, 1], it is {strength}")
    step = max(1, min(labels.shape) // 64)
    reach = min(labels.shape) * strength
    few = drop_small(labels[step // 2 :: step, step // 2 :: step], strength * np.exp(rng.uniform(-6.2, -3.2)))
    drawn = _flowing(few, labels.shape, step, reach, rng)
    if rng.random() < 0.5:
        drawn = _polygons(few, drawn, step, reach, rng)
    return _wobble(drawn, rng, reach * rng.uniform(0.0, 0.02))


def _flowing(
    ids: np.ndarray, size: tuple[int, int], step: int, reach: float, rng: np.random.Generator
) -> np.ndarray:
    """(h, w) to (H, W): each pixel takes the id that holds most of its surroundings.

    Shares are counted in a box, kept on a mesh and interpolated, so outlines bend about once a mesh cell.
    """
    radius = reach * rng.uniform(0.01, 0.05) / step
    cell = max(step, reach * rng.uniform(0.015, 0.08))
    mesh = max(2, round(size[1] / cell)), max(2, round(size[0] / cell))
    present = np.flatnonzero(np.bincount(ids.reshape(-1)))
    winner, most = np.full(size, present[0], np.uint8), np.zeros(size, np.uint8)
    for label in present:
        share = Image.fromarray((ids == label).astype(np.uint8) * 255).filter(ImageFilter.BoxBlur(radius))
        votes = np.asarray(share.resize(mesh, BILINEAR).resize((size[1], size[0]), BILINEAR))
        winner[votes > most] = label
        np.maximum(most, votes, out=most)
    return winner


def _polygons(
    ids: np.ndarray, ground: np.ndarray, step: int, reach: float, rng: np.random.Generator
) -> np.ndarray:
    """Each region of the (h, w) map as a polygon with few corners, the widest first, over `ground` (H, W)."""
    tolerance = max(1.0, reach * rng.uniform(0.01, 0.05) / step)
    canvas = Image.fromarray(ground)
    brush = ImageDraw.Draw(canvas)
    roots = regions(ids)
    loops = [(outline(roots == root), int(ids.flat[root])) for root in np.unique(roots)]
    for loop, label in sorted(loops, key=lambda item: -abs(signed_area(item[0]))):
        corners = simplify(loop, tolerance)
        if len(corners) > 2:
            brush.polygon((corners * step).reshape(-1).tolist(), fill=label)
    return np.array(canvas)


def _wobble(ids: np.ndarray, rng: np.random.Generator, reach: float) -> np.ndarray:
    """Move every pixel by a smooth random field of about `reach` pixels."""
    height, width = ids.shape
    knots = rng.normal(0.0, reach, (2, 7, 7)).astype(np.float32)
    dy, dx = (np.asarray(Image.fromarray(field).resize((width, height), BICUBIC)) for field in knots)
    y = np.rint(np.arange(height, dtype=np.float32)[:, None] + dy).clip(0, height - 1).astype(np.intp)
    x = np.rint(np.arange(width, dtype=np.float32) + dx).clip(0, width - 1).astype(np.intp)
    return ids[y, x]

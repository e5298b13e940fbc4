"""Pieces of pictures of 512 and 1024 pixels: what the network painted, enlarged bicubically, and as they are.

Type: python examples/true_size.py docs/true-size.jpg
"""

import sys

import numpy as np
from contact_sheet import GAP, SKETCHES, beside
from PIL import Image

from spadework import Engine
from spadework.sketch.labelmap import LabelMap

PIECES = {
    "alpine-lake": (0.1, 0.45),
    "forest-road": (0.35, 0.1),
    "sea-cliff": (0.3, 0.2),
    "field-with-trees": (0.3, 0.3),
}
"""Sketch -> where the piece begins, as shares of height and width."""

SIDE = 400


def sheet(engine: Engine) -> Image.Image:
    """A row per sketch: a piece bicubic and doubled once, and a quarter of it bicubic and doubled twice."""
    rows = []
    for name, corner in PIECES.items():
        sketch = LabelMap.read(SKETCHES / f"{name}.png", engine.palette)
        scale = 256 / min(sketch.size)
        small = [round(side * scale / 64) * 64 for side in sketch.size]
        painted = engine.paint(sketch, size=(small[0], small[1]))
        row = []
        for times in (2, 4):
            size = times * small[0], times * small[1]
            top, left = (
                min(round(share * side), side - SIDE) for share, side in zip(corner, size, strict=True)
            )
            plain = Image.fromarray(painted.pixels).resize(size[::-1], Image.Resampling.BICUBIC)
            for pixels in (np.asarray(plain), engine.paint(sketch, size=size).pixels):
                row.append(pixels[top : top + SIDE, left : left + SIDE])
        rows.append(beside(row))
    gap = np.full((GAP, rows[0].shape[1], 3), 255, np.uint8)
    return Image.fromarray(np.concatenate([part for row in rows for part in (row, gap)][:-1]))


if __name__ == "__main__":
    sheet(Engine.load(sys.argv[2] if len(sys.argv) > 2 else "landscape")).save(sys.argv[1], quality=88)

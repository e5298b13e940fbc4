"""The picture at the top of the README: every example sketch beside its photograph, seed 0.

Type: python examples/contact_sheet.py docs/landscapes.jpg
"""

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from spadework import Engine
from spadework.sketch.labelmap import LabelMap

SKETCHES = Path(__file__).parent / "sketches"
GAP, WIDTH = 6, 1560


def beside(pictures: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Pictures of one height in a row with white gaps."""
    gap = np.full((pictures[0].shape[0], GAP, 3), 255, np.uint8)
    return np.concatenate([part for picture in pictures for part in (picture, gap)][:-1], axis=1)


def sheet() -> Image.Image:
    """Two pairs of wide sketches a row, four pairs of square ones."""
    engine = Engine.load("landscape")
    rows: dict[bool, list[NDArray[np.uint8]]] = {True: [], False: []}
    for path in sorted(SKETCHES.glob("*.png")):
        sketch = LabelMap.read(path, engine.palette)
        rows[sketch.size[0] == sketch.size[1]] += [sketch.colorize(), engine.paint(sketch, seed=0).pixels]
    strips = [beside(rows[False][i : i + 4]) for i in range(0, len(rows[False]), 4)]
    strips += [beside(rows[True][i : i + 8]) for i in range(0, len(rows[True]), 8)]
    images = [Image.fromarray(s).resize((WIDTH, round(s.shape[0] * WIDTH / s.shape[1]))) for s in strips]
    page = Image.new("RGB", (WIDTH, sum(i.height + GAP for i in images) - GAP), "white")
    top = 0
    for image in images:
        page.paste(image, (0, top))
        top += image.height + GAP
    return page


if __name__ == "__main__":
    sheet().save(sys.argv[1], quality=90)

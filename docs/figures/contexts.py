"""Label contexts of the example sketches: how many there are, and where the rare ones lie."""

import numpy as np
import torch
from drawing import sheet
from PIL import Image
from watching import SKETCHES, model, sketch

from spadework.fast.contexts import Level, codes_of, resized

SIDES = (32, 64, 128, 256)
NAMES = tuple(sorted(path.stem for path in SKETCHES.glob("*.png")))


def level(name: str, side: int) -> Level:
    """The contexts of an example sketch on a grid of side x side."""
    ids = torch.from_numpy(sketch(name).ids.copy())[None].long()
    nc = model().card.semantics.semantic_nc
    return Level.of(resized(ids, (side, side)), codes_of(nc, edges=False), kernel=3, padding="replicate")


def counts() -> dict[str, list[int]]:
    """Distinct 5x5 neighbourhoods of every sketch on each grid of SIDES."""
    return {name: [len(level(name, side).patches) for side in SIDES] for name in NAMES}


def figure() -> Image.Image:
    """On a grid of 64: how many pixels share each pixel's context, from white (all alone) to blue (many)."""
    chosen = ("alpine-lake", "forest-road", "sea-cliff")
    rows = []
    for name in chosen:
        row = [sketch(name).colorize()]
        for side in (32, 64, 128):
            own = level(name, side)
            share = torch.bincount(own.index)[own.index].double().log() / np.log(side * side)
            blue = 255 + share.view(side, side, 1).numpy() * (np.array([11, 72, 140]) - 255)
            row.append(blue.round().clip(0, 255).astype(np.uint8))
        rows.append(row)
    return sheet(rows, ["sketch", "32x32", "64x64", "128x128"], height=140)

"""The features of every block of the shipped generator, from 4x4 to the picture."""

from drawing import projected, sheet
from PIL import Image
from watching import sketch, steps

from spadework.nn.pixels import to_bytes

NAMES = ("alpine-lake", "sunset-coast", "forest-road")


def figure() -> Image.Image:
    """A row for each of three sketches: it, the seven blocks, the picture."""
    rows = []
    for name in NAMES:
        seen = steps(name)
        blocks = [projected(features) for features in seen.blocks.values()]
        rows.append([sketch(name).colorize(), *blocks, to_bytes(seen.picture[None])[0]])
    sides = [features.shape[2] for features in steps(NAMES[0]).blocks.values()]
    return sheet(rows, ["sketch", *(f"{side}x{side}" for side in sides), "picture"], height=104)

"""The example sketches that ship, as label maps for trials."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spadework.sketch.labelmap import LabelMap
from spadework.sketch.palette import Palette

SKETCHES = Path(__file__).parent / "sketches"


def title_of(name: str) -> str:
    """What an example sketch is called, by the name of its file."""
    return name.replace("-", " ").capitalize()


def sketches(size: tuple[int, int], palette: Palette | None = None) -> dict[str, NDArray[np.uint8]]:
    """Name -> ids (H, W) of every example sketch, in the classes of palette landscape.

    For another palette their regions get classes from all over it: a trial of a network, not of its taste.
    """
    own = Palette.load("landscape")
    maps = {f.stem: LabelMap.read(f, own).resize(size).ids for f in sorted(SKETCHES.glob("*.png"))}
    if palette is None or palette.classes == own.classes:
        return maps
    known = np.array([category.id for category in palette.classes], np.uint8)
    return {name: spread(ids, known) for name, ids in maps.items()}


def spread(ids: NDArray[np.uint8], known: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The same regions with ids from all over `known`."""
    return known[ids.astype(np.int64) * 37 % len(known)]

"""What becomes a sketch: label maps of any kind, with a report that a person can check, and photographs."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from spadework.decoding import size_of
from spadework.engine import Engine
from spadework.picture import Picture
from spadework.service.faults import Refusal
from spadework.sizes import LONGEST
from spadework.sketch import opening
from spadework.sketch.labelmap import MIN_SIDE, LabelMap
from spadework.sketch.opening import Opened, Policy
from spadework.sketch.palette import Palette

MOST_OF_A_PHOTO = 1 << 26
"""So many pixels has a photograph at most: 67 million, where the cameras of phones have 50."""


class Segmenter(Protocol):
    """What finds the classes of a photograph."""

    def label(self, image: NDArray[np.uint8]) -> LabelMap:
        """(H, W, 3) uint8 -> the map of its classes, as large."""
        ...


def open_map(data: bytes, target: Palette, source: Palette | None = None) -> Opened:
    """A label map in the classes of `target`: from `source`, or from the shipped palette that fits best.

    Raises ValueError, one line with the remedy, for what is no label map.
    """
    return opening.open_map(data, target, Policy.REPAIR, source, "The file")


def open_photo(data: bytes, engine: Engine, segmenter: Segmenter) -> Opened:
    """The label map of a photograph, as fine as the model was trained. Raises ValueError and Refusal."""
    demand_pixels(data, MOST_OF_A_PHOTO)
    photo = Picture.from_bytes(data, "The photo")
    scale = min(min(engine.card.generator.size) / min(photo.size), LONGEST / max(photo.size))
    height, width = (max(MIN_SIDE, round(side * scale)) for side in photo.size)
    sketch = segmenter.label(photo.resize((height, width)).pixels)
    seen = ", ".join(f"{name} {share:.0%}" for name, share in sketch.counts().items() if share >= 0.01)
    return Opened(sketch, sketch.palette.name, (f"found in the photograph: {seen}",))


def demand_pixels(data: bytes, most: int) -> None:
    """Raises Refusal for a picture of more pixels, before any of them is decoded."""
    size = size_of(data)
    if size is None:
        return  # whoever reads it explains
    height, width = size
    if width * height > most:
        raise Refusal(
            413,
            f"A picture of {width}x{height} pixels is too large",
            f"Use at most {most:,} pixels.",
        )

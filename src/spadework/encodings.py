"""Pictures of ids in other ways than ours: recognised by their numbers, converted, or called by name."""

from collections.abc import Sequence
from pathlib import PurePath

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from spadework.exact import class_of, colored, pack
from spadework.palette import Palette

NAMES = {"labeltrainids": "cityscapes19", "labelids": "cityscapes", "gtfine_color": "cityscapes"}
"""How the files of Cityscapes end, and the palette that each kind is of."""

MOST_COLORS = 1000
"""Maps of ids have fewer different colours."""

Colors = NDArray[np.uint8]
Ids = NDArray[np.uint8]


def palette_of_name(name: str) -> str | None:
    """The palette that a file of a published data set is of, by how its name ends."""
    stem = PurePath(name).stem.lower()
    return next((palette for end, palette in NAMES.items() if stem.endswith(end)), None)


def converted(pixels: Colors, known: Sequence[Palette]) -> tuple[Ids, Palette, str] | None:
    """Ids (H, W) of a map (H, W, 3) in another encoding that leaves no doubt, their palette, and a note."""
    return _swapped(pixels, known) or _panoptic(pixels, known)


def _swapped(pixels: Colors, known: Sequence[Palette]) -> tuple[Ids, Palette, str] | None:
    """Red and blue in the wrong order, as OpenCV writes RGB arrays."""
    for palette in (palette for palette in known if colored(palette)):
        classes = class_of(pixels[..., ::-1], palette)
        if (classes >= 0).all() and len(np.unique(classes)) > 1:
            return classes.astype(np.uint8), palette, "red and blue were swapped: turned round"
    return None


def _panoptic(pixels: Colors, known: Sequence[Palette]) -> tuple[Ids, Palette, str] | None:
    """Panoptic maps of Cityscapes: class, or 1000 class + instance, as R + 256 G + 65536 B."""
    palette = next((palette for palette in known if palette.name == "cityscapes"), None)
    numbers = _numbers(pixels)
    classes = np.where(numbers >= 1000, numbers // 1000, numbers)
    if palette is None or numbers.max() < 1000 or not np.isin(classes, palette.ids()).all():
        return None
    return classes.astype(np.uint8), palette, "panoptic ids of Cityscapes: instances were left out"


def _numbers(pixels: Colors) -> NDArray[np.uint32]:
    """R + 256 G + 65536 B."""
    return pack(pixels[..., ::-1])


def looks_like(pixels: Colors, known: Sequence[Palette]) -> str:
    """What a map (H, W, 3) may be whose colours are no palette's."""
    grey = (pixels == pixels[..., :1]).all()
    if grey and (palette := _greyed(pixels[..., 0], known)):
        return f"the colours of palette {palette.name} turned to greys, from which no class can be told"
    if not grey and not (pixels[..., 0] % 10).any() and 0 < pixels[..., 0].max() <= 140:
        return "the full annotation of ADE20K (class = R / 10 * 256 + G, instance = B), with 3,000 classes"
    if grey:
        return "greys that are neither ids nor colours"
    if len(np.unique(pack(pixels))) <= MOST_COLORS:
        return (
            "ids as R + 256 G + 65536 B (COCO panoptic, whose classes stand in the JSON beside it), or the "
            "palette of another program"
        )
    return "a picture of colours that are no classes"


def _greyed(greys: NDArray[np.uint8], known: Sequence[Palette]) -> Palette | None:
    """The palette whose colours have these greys (H, W)."""
    for palette in known:
        shades = np.asarray(Image.fromarray(palette.colors()[palette.ids()][None]).convert("L"))
        if np.isin(greys, shades).all():
            return palette
    return None

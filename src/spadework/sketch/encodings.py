"""Pictures of ids in other ways than ours: recognised by their numbers, converted, or called by name."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePath

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from spadework.files import some
from spadework.sketch import segments
from spadework.sketch.exact import class_of, colored, pack
from spadework.sketch.palette import Palette
from spadework.sketch.raster import Raster
from spadework.sketch.translate import partner

NAMES = {"labeltrainids": "cityscapes19", "labelids": "cityscapes", "gtfine_color": "cityscapes"}
"""How the files of Cityscapes end, and the palette that each kind is of."""

FULL_ADE20K = Path(__file__).parent / "ade20k_full.json"
"""Which class a number of the full annotation of ADE20K is; its own words say more."""

MOST_COLORS = 1000
"""Maps of ids have fewer different colours."""

MOST_LOST = 0.5
"""Where a larger share of the pixels would become unknown, an encoding is not taken for granted."""

SHOWN = 5

Colors = NDArray[np.uint8]
Ids = NDArray[np.uint8]


@dataclass(frozen=True)
class Conversion:
    """Ids (H, W) of a map in another encoding, their palette, what was done, and the share that was lost."""

    ids: Ids
    palette: Palette
    note: str
    lost: float = 0.0


def palette_of_name(name: str) -> str | None:
    """The palette that a file of a published data set is of, by how its name ends."""
    stem = PurePath(name).stem.lower()
    return next((palette for end, palette in NAMES.items() if stem.endswith(end)), None)


def converted(raster: Raster, known: Sequence[Palette]) -> Conversion | None:
    """A map in another encoding that leaves no doubt; None for anything else."""
    pixels = raster.rgb()
    found = _swapped(pixels, known) or _panoptic(pixels, known)
    return found or _full_ade20k(pixels, known) or _coco(pixels, known, raster.path)


def _swapped(pixels: Colors, known: Sequence[Palette]) -> Conversion | None:
    """Red and blue in the wrong order, as OpenCV writes RGB arrays."""
    for palette in (palette for palette in known if colored(palette)):
        classes = class_of(pixels[..., ::-1], palette)
        if (classes >= 0).all() and len(np.unique(classes)) > 1:
            return Conversion(classes.astype(np.uint8), palette, "red and blue were swapped: turned round")
    return None


def _panoptic(pixels: Colors, known: Sequence[Palette]) -> Conversion | None:
    """Panoptic maps of Cityscapes: class, or 1000 class + instance, as R + 256 G + 65536 B."""
    palette = next((palette for palette in known if palette.name == "cityscapes"), None)
    numbers = _numbers(pixels)
    classes = np.where(numbers >= 1000, numbers // 1000, numbers)
    if palette is None or numbers.max() < 1000 or not np.isin(classes, palette.ids()).all():
        return None
    note = "panoptic ids of Cityscapes: instances were left out"
    return Conversion(classes.astype(np.uint8), palette, note)


def _numbers(pixels: Colors) -> NDArray[np.uint32]:
    """R + 256 G + 65536 B."""
    return pack(pixels[..., ::-1])


def _full_ade20k(pixels: Colors, known: Sequence[Palette]) -> Conversion | None:
    """The _seg files of ADE20K: class = R / 10 * 256 + G, 0 for none, and the instance in B."""
    if not _like_full_ade20k(pixels):
        return None
    numbers = pixels[..., 0].astype(np.int32) // 10 * 256 + pixels[..., 1]
    if len(set(np.unique(numbers).tolist()) & _classes_of_ade20k().keys()) < 2:
        return None
    palette = _chosen("ade20k", known)

    def class_of_number(number: int) -> tuple[str, int | None]:
        names, id = _classes_of_ade20k().get(number, ((f"number {number}",), None))
        by_name = (partner(name, (), palette) for name in names)
        return names[0], id if palette.name == "ade20k" else next((i for i in by_name if i is not None), None)

    what = "the full annotation of ADE20K, in the numbers of its release of 2021"
    return _by_numbers(numbers, palette, class_of_number, what)


@cache
def _classes_of_ade20k() -> dict[int, tuple[tuple[str, ...], int | None]]:
    """Number -> names, and the id in palette ade20k where the class is one of those 150."""
    numbers = json.loads(FULL_ADE20K.read_text())["numbers"]
    return {int(number): (tuple(about["names"]), about.get("ade20k")) for number, about in numbers.items()}


def _coco(pixels: Colors, known: Sequence[Palette], path: Path | None) -> Conversion | None:
    """Segments as R + 256 G + 65536 B, whose categories stand in the JSON beside the file."""
    if path is None or (names := segments.names_of(path)) is None:
        return None
    palette = _chosen("coco_stuff", known)

    def class_of_number(number: int) -> tuple[str, int | None]:
        name = names.get(number)
        return name or f"segment {number}", None if name is None else partner(name, (), palette)

    what = f"panoptic segments, by the names of their categories in {segments.beside(path).name}"
    return _by_numbers(_numbers(pixels).astype(np.int32), palette, class_of_number, what)


def _chosen(name: str, known: Sequence[Palette]) -> Palette:
    """The one palette asked for, or of several the encoding's own."""
    return next((palette for palette in known if palette.name == name), known[0])


def _by_numbers(
    numbers: NDArray[np.int32],
    palette: Palette,
    class_of_number: Callable[[int], tuple[str, int | None]],
    what: str,
) -> Conversion | None:
    """Numbers (H, W), 0 for none, to ids by what each is called and its id, None for none in the palette."""
    values, index = np.unique(numbers, return_inverse=True)
    found = [("no class", None) if value == 0 else class_of_number(int(value)) for value in values]
    absent = np.array([id is None for _, id in found])
    lost = absent[index].reshape(numbers.shape)
    if lost.mean() > MOST_LOST or (lost.any() and palette.unknown is None):
        return None
    ids = np.array([palette.unknown or 0 if id is None else id for _, id in found], np.uint8)
    note = what
    if lost.any():
        told = some([name for name, id in found if id is None], SHOWN)
        note += f"; {lost.sum():,} px that palette {palette.name} has no class for ({told}) became unknown"
    return Conversion(ids[index].reshape(numbers.shape), palette, note, float(lost.mean()))


def _like_full_ade20k(pixels: Colors) -> bool:
    red = pixels[..., 0]
    grey = bool((pixels == pixels[..., :1]).all())
    return not grey and not (red % 10).any() and 0 < red.max() <= 140


def looks_like(raster: Raster, known: Sequence[Palette]) -> tuple[str, str]:
    """What a map may be whose colours are no palette's, and what to do about it."""
    pixels, name = raster.rgb(), PurePath(raster.name).stem
    save = "save class ids as 8-bit greyscale, or state its own palette with --palette"
    grey = (pixels == pixels[..., :1]).all()
    if grey and (palette := _greyed(pixels[..., 0], known)):
        return f"the colours of palette {palette.name} turned to greys, from which no class can be told", save
    if grey:
        return "greys that are neither ids nor colours", save
    lacking = f", most of whose classes palette {known[0].name} lacks" if len(known) == 1 else ""
    if _like_full_ade20k(pixels):
        return f"the full annotation of ADE20K (class = R / 10 * 256 + G, instance = B){lacking}", save
    if raster.path and segments.names_of(raster.path):
        return f"the panoptic segments of {segments.beside(raster.path).name}{lacking}", save
    if of_full_channels(pixels):
        return "a mask for each class in its own channel, or the palette of another program", save
    if len(np.unique(pack(pixels))) > MOST_COLORS:
        return "a picture of colours that are no classes", save
    where = f"put that JSON ({name}.json or panoptic_*.json, with segments_info and categories) beside it"
    if raster.path is None:
        where = "make ids of it with `spadework label`, where that JSON lies beside it"
    ids = "ids as R + 256 G + 65536 B (COCO panoptic, whose classes stand in a JSON that is not here)"
    return f"{ids}, or the palette of another program", f"{where}, or {save}"


def of_full_channels(pixels: Colors) -> bool:
    """Whether each channel is a mask of 0 and 255: red, green and blue may be three classes then."""
    return bool(np.isin(pixels, (0, 255)).all())


def _greyed(greys: NDArray[np.uint8], known: Sequence[Palette]) -> Palette | None:
    """The palette whose colours have these greys (H, W)."""
    for palette in known:
        shades = np.asarray(Image.fromarray(palette.colors()[palette.ids()][None]).convert("L"))
        if np.isin(greys, shades).all():
            return palette
    return None

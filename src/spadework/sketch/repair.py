"""Any picture of a label map into ids, with a report in plain language of what was done, what is unsure."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from spadework.files import Fault, read_bytes
from spadework.sketch.blends import SMOOTHED, sides, smoothed
from spadework.sketch.demands import demand_one_page, without_data
from spadework.sketch.encodings import Conversion, converted, looks_like, of_full_channels, palette_of_name
from spadework.sketch.exact import (
    PHOTO_COLORS,
    class_of,
    colored,
    hexed,
    looks_like_photo,
    other_greys,
    pack,
    shifted,
    shipped,
)
from spadework.sketch.labelmap import LabelMap, demand_side
from spadework.sketch.layered import flattened
from spadework.sketch.nearest import distance_to, nearest, right_gamma
from spadework.sketch.palette import Palette
from spadework.sketch.raster import Raster, read_raster

NEAR = 12.0
"""A colour that lies further from every class, in RGB steps, is foreign: it was not meant for one of them."""

LEAST_NEAR = 0.5
"""Where fewer pixels have colours that are not foreign, nothing fits."""

FOREIGN = 0.01
"""A larger share of foreign pixels makes the answer unsure."""

AREA = 9
"""A lossy file has foreign colours along edges; what counts are areas of more pixels across."""

FAR = 90.0
"""A colour further than this from every class is reported as unsure, on however few pixels."""

PHOTO_SHARE, PHOTO_DISTANCE = 0.5, 20.0
"""More than this share of colours beyond the palette, at this mean distance, is a photograph."""

INDICES = "whether its indices are ids, or the colours that they stand for mean classes"

Ids = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Colors = NDArray[np.uint8]


@dataclass
class Reading:
    """A label map and how it came about. `edges_only`: nothing but blended edges was repaired."""

    map: LabelMap
    why: str
    repaired: list[str] = field(default_factory=list)
    unsure: list[str] = field(default_factory=list)
    edges_only: bool = True

    def report(self) -> list[str]:
        """Sentences: the palette and why, what was repaired, what is unsure."""
        return [
            f"palette {self.map.palette.name}: {self.why}",
            *(f"repaired: {line}" for line in self.repaired),
            *(f"unsure: {line}" for line in self.unsure),
        ]


def read(path: str | os.PathLike[str], palette: Palette | None = None, strict: bool = False) -> Reading:
    """The label map in a picture file; see `from_bytes`. A JSON beside a panoptic map says its classes."""
    raster = read_raster(flattened(read_bytes(path)), str(path), demand_side(str(path)), Path(path))
    return of_raster(raster, palette, strict)


def from_bytes(
    data: bytes, palette: Palette | None = None, name: str = "sketch", strict: bool = False
) -> Reading:
    """The label map in a picture: of `palette`, or of the shipped palette that fits best.

    Repaired, unless `strict`: alpha, ids scaled to 16 bits, grey ids saved as RGB, blended edges, colours
    off by JPEG or a wrong gamma, ids beyond the palette on few pixels, other encodings. Raises ValueError,
    one line with the remedy, for what cannot be repaired, such as a photograph or colours of another palette.
    """
    return of_raster(read_raster(data, name, demand_side(name)), palette, strict)


def of_raster(raster: Raster, palette: Palette | None = None, strict: bool = False) -> Reading:
    """As `from_bytes`, of a file that is decoded already."""
    named = palette_of_name(raster.name) if palette is None else None
    wanted = Palette.load(named) if named else palette
    exact = _exact(raster, [wanted] if wanted else shipped())
    if isinstance(exact, Reading):
        return exact
    if strict:
        raise exact
    return _repaired(raster, [palette] if palette else shipped(), exact)


def _exact(raster: Raster, known: Sequence[Palette]) -> Reading | ValueError:
    """The smallest palette that needs no repair, by colours before ids, or the error of the first."""
    if len(known) > 1:
        known = _fitting(raster, known)
    maps: list[LabelMap] = []
    errors: list[ValueError] = []
    for palette in known:
        try:
            maps.append(LabelMap.of_raster(raster, palette))
        except ValueError as error:
            errors.append(error)
    if not maps:
        return errors[0]
    by_color = [sketch for sketch in maps if colored(sketch.palette) and in_its_colors(raster, sketch)]
    maps = by_color or maps
    smallest = min(maps, key=lambda sketch: len(sketch.palette.classes))
    others = [sketch.palette.name for sketch in maps if sketch is not smallest]
    reading = Reading(smallest, "every pixel is one of its classes", list(raster.notes))
    if others and raster.table is not None and not by_color:
        reading.unsure.append(INDICES)
    if others:
        reading.unsure.append(f"{', '.join(others)} would do as well: choose the palette")
    if greys_smoothed(raster, smallest.ids):
        reading.unsure.append(SMOOTHED)
    ids = set(np.unique(smallest.ids).tolist())
    if ids == {0, 255} or (raster.bits == 1 and ids <= {0, 1}):
        top = max(ids)
        what = "255 is a class, not unknown" if top == 255 else "1 is one class"
        reading.unsure.append(f"only ids 0 and {top}: it looks like a mask, where {what}")
    return reading


def _fitting(raster: Raster, known: Sequence[Palette]) -> Sequence[Palette]:
    """Of indices those palettes in whose colours, or else greys, they stand; all where there are none."""
    if raster.table is None:
        return known
    used = raster.table[np.unique(np.asarray(raster.samples))]
    ours = [p for p in known if colored(p) and (class_of(used, p) >= 0).all()]
    greys = other_greys(raster)
    return ours or [p for p in known if greys is not None and np.isin(greys, p.ids()).all()] or known


def greys_smoothed(raster: Raster, ids: Ids) -> bool:
    """Whether greys that are ids seem to have been resized as if they were brightness."""
    return raster.samples is not None and raster.table is None and smoothed(ids)


def in_its_colors(raster: Raster, sketch: LabelMap) -> bool:
    """Whether a viewer shows the map in its palette's colours."""
    if raster.samples is not None and raster.table is None:
        return False
    return bool((class_of(raster.rgb(), sketch.palette) == sketch.ids).all()) or raster.stored is not None


def _repaired(raster: Raster, known: Sequence[Palette], fault: ValueError) -> Reading:
    demand_one_page(raster)
    greys = other_greys(raster)
    if greys is not None and any(np.isin(greys, palette.ids()).all() for palette in known):
        raise fault  # its indices and its greys may both be ids, and are not the same
    notes = list(raster.notes)
    gentle = not raster.lossy
    if raster.lossy:
        notes.append(f"a {raster.form} file, which blurs edges: better save sketches as PNG")
    if raster.alpha is not None:
        notes.append("the alpha channel was dropped")
    if _has_ids(raster, known):
        reading = _of_samples(raster, known, notes, fault)
        gentle = False
    else:
        reading = _of_colors(raster, known, notes, fault)
    empty = without_data(raster, reading.map.palette) & (reading.map.ids != reading.map.palette.unknown)
    if empty.any():
        _mark_unknown(reading, empty, f"px of {raster.no_data:g}, which the file says is no data,", fault)
    if raster.alpha is not None and (raster.alpha < 128).any():
        _mark_unknown(reading, raster.alpha < 128, "transparent pixels", fault)
    if raster.bits > 8 and raster.colors is not None:
        notes.append("16 bits reduced to 8")
        gentle = False
    reading.edges_only &= gentle
    return reading


def _has_ids(raster: Raster, known: Sequence[Palette]) -> bool:
    """Whether nine in ten numbers are ids of a palette: of greys, or of indices into foreign colours."""
    pixels = raster.rgb()
    if raster.table is not None and other_greys(raster) is None:
        used = raster.table[np.unique(np.asarray(raster.samples))]
        if any((class_of(used, palette) >= 0).any() for palette in known if colored(palette)):
            return False
    elif not (pixels == pixels[..., :1]).all():
        return False
    ids, whole = _whole(raster)
    return bool(whole.any()) and any(_legal(ids[whole], palette).mean() > 0.9 for palette in known)


def _whole(raster: Raster) -> tuple[Ids, Mask]:
    """(H, W) ids, and where they are whole numbers of 0..255; ids scaled to 16 bits are scaled back."""
    values = raster.rgb()[..., 0] if raster.samples is None else raster.samples
    if values.dtype == np.uint8:
        return values, np.ones(values.shape, bool)
    whole = np.isfinite(values) & (values >= 0) & (values == np.rint(values))
    if whole.any() and values[whole].max() > 255 and not (values[whole] % 257).any():
        values = values / 257
    whole &= values <= 255
    return np.where(whole, values, 0).astype(np.uint8), whole


def _legal(ids: Ids, palette: Palette) -> Mask:
    return np.isin(ids, palette.ids())


def _of_samples(raster: Raster, known: Sequence[Palette], notes: list[str], fault: ValueError) -> Reading:
    """Numbers as ids; a few beyond the palette become unknown."""
    ids, whole = _whole(raster)
    palette = max(known, key=lambda palette: (_legal(ids[whole], palette).mean(), -len(palette.classes)))
    foreign = ~_legal(ids, palette) & whole
    if shifted(np.unique(ids[whole]), palette):
        raise fault
    told = f"{1 - foreign.mean():.1%} of the {'greys' if raster.table is None else 'indices'} are its ids"
    safe = np.where(foreign, palette.ids()[0], ids).astype(np.uint8)
    reading = Reading(LabelMap(safe, palette), told, notes, edges_only=False)
    if raster.table is not None:
        reading.unsure.append(INDICES)
    if raster.samples is None:
        notes.append("greys in an RGB file were taken as ids")
    if raster.samples is not None and (raster.samples[whole] != ids[whole]).any():
        notes.append("16 bits reduced to 8")
    if foreign.any():
        few = ", ".join(str(i) for i in np.unique(ids[foreign])[:5])
        _mark_unknown(reading, foreign, f"px of ids {few}, which are not the palette's,", fault)
    if not whole.all():
        values = np.unique(np.asarray(raster.samples)[~whole])[:3]
        few = ", ".join(f"{value:,}" for value in values.tolist())
        _mark_unknown(reading, ~whole, f"px of values that are no ids ({few})", fault)
    if raster.lossy:
        reading.unsure.append(f"{raster.form} blurs ids: between two classes lie the ids of others")
    return reading


def _mark_unknown(reading: Reading, where: Mask, what: str, fault: ValueError) -> None:
    """Less than half of the pixels become unknown. Raises the fault where that cannot be."""
    palette = reading.map.palette
    if palette.unknown is None or where.mean() >= 0.5:
        raise fault
    reading.map = LabelMap(np.where(where, np.uint8(palette.unknown), reading.map.ids), palette)
    reading.repaired.append(f"{where.sum():,} {what} became unknown")
    reading.edges_only = False


def _of_colors(raster: Raster, known: Sequence[Palette], notes: list[str], fault: ValueError) -> Reading:
    """Every pixel the nearest class of the palette that lies nearest."""
    pixels = raster.rgb()
    if found := converted(raster, known):
        return _of_another_encoding(found, notes)
    fits = [
        (distance_to(pixels, palette), palette) for palette in known if colored(palette) or len(known) == 1
    ]
    distance, palette = min(fits, key=lambda fit: fit[0])
    pixels, distance = right_gamma(pixels, palette, distance, notes)
    ids, far = nearest(pixels, palette)
    _demand_no_photo(pixels, far, distance, raster.name)
    off = far > 0
    given = sides(pixels, ids, off, palette)
    blended = given >= 0
    ids = np.where(blended, given, ids).astype(np.uint8)
    near = 0.0 if raster.samples is not None and raster.table is None else NEAR
    foreign = ((far > near) & ~blended) | (ids == palette.unknown).all()
    _demand_fit(raster, foreign, off, palette, known)
    reading = Reading(LabelMap(ids, palette), f"{1 - off.mean():.1%} of the pixels have its colours", notes)
    reading.edges_only = not any("gamma" in note for note in notes)
    if blended.any():
        notes.append(f"{blended.sum():,} px on blended (anti-aliased) edges were snapped to the nearer side")
    rest = off & ~blended
    if rest.any():
        notes.append(_snapped(pixels[rest], ids[rest], palette))
        reading.edges_only = False
    count = int(_areas(foreign).sum() if raster.lossy else foreign.sum())
    if (far > FAR).any() or count > FOREIGN * foreign.size:
        count = max(count, int((far > FAR).sum()))
        reading.unsure.append(
            f"{count:,} px ({count / foreign.size:.1%}) are far from every class: look at them"
        )
    return reading


def _of_another_encoding(found: Conversion, notes: list[str]) -> Reading:
    share = "every pixel is" if found.lost == 0 else f"{1 - found.lost:.1%} of the pixels are"
    told = f"{share} one of its classes, in another encoding"
    reading = Reading(LabelMap(found.ids, found.palette), told, [*notes, found.note], edges_only=False)
    if found.lost > FOREIGN:
        reading.unsure.append(f"{found.lost:.1%} of the pixels became unknown: look at them")
    return reading


def _areas(mask: Mask) -> Mask:
    """What is left of a mask (H, W) where all within AREA / 2 pixels is in it."""
    return np.asarray(Image.fromarray(mask.astype(np.uint8)).filter(ImageFilter.MinFilter(AREA))) > 0


def _demand_fit(raster: Raster, foreign: Mask, off: Mask, palette: Palette, known: Sequence[Palette]) -> None:
    other = of_full_channels(raster.rgb()) and off.mean() > FOREIGN
    if 1 - foreign.mean() >= LEAST_NEAR and not other:
        return
    asked = f"palette {palette.name}" if len(known) == 1 else "any palette"
    what, remedy = looks_like(raster, known)
    share = f"{1 - foreign.mean():.1%} of the pixels have colours of {asked}"
    raise Fault(f"{raster.name}: {share}; it looks like {what}", remedy)


def _demand_no_photo(pixels: Colors, far: NDArray[np.float32], distance: float, name: str) -> None:
    if distance <= PHOTO_DISTANCE or (far > 8).mean() <= PHOTO_SHARE:
        return
    colors = len(np.unique(pack(pixels)))
    if colors > PHOTO_COLORS:
        raise looks_like_photo(name, f"{colors:,} colours")


def _snapped(colors: Colors, ids: Ids, palette: Palette) -> str:
    """colors (N, 3) that are not the palette's and the classes (N,) that they were given."""
    values, first, counts = np.unique(colors, axis=0, return_index=True, return_counts=True)
    top = np.argsort(-counts)[:3]
    told = [f"{hexed(values[i])} on {counts[i]:,} px -> {palette.name_of(int(ids[first[i]]))}" for i in top]
    more = f" and {len(values) - 3:,} more" if len(values) > 3 else ""
    return f"{len(colors):,} px of colours not in the palette took the nearest class: {', '.join(told)}{more}"

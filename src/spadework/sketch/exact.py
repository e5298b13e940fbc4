"""Ids of a raster that needs no repair: samples are ids, colours are exactly a palette's; else a refusal."""

from functools import lru_cache
from pathlib import PurePath
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from spadework.files import Fault
from spadework.sketch.demands import demand_data, demand_lossless, demand_one_page, demand_opaque
from spadework.sketch.palette import Palette
from spadework.sketch.raster import Raster

PHOTO_IDS, PHOTO_COLORS = 64, 1000
"""So many different foreign ids or colours, on most of the pixels, are a photograph and no sketch."""

SHIFTED = "every id seems one too large: subtract 1"

SNAP = 2
"""So many steps per channel may a colour be off that a colour profile has changed."""

SEARCHED = 1 << 18
"""So many colours are looked up one by one; for more a table of all colours is quicker."""

Ids = NDArray[np.uint8]
Colors = NDArray[np.uint8]


def exact_ids(raster: Raster, palette: Palette | None) -> Ids:
    """(H, W) uint8 of what a file says without doubt.

    Greys of any bit depth are ids. Colours must be the palette's, exactly. Indices: if the colour table has
    one of the palette's colours (looking at the entries in use), the colours decide, whatever their order,
    as drawing programs number colours as they come; otherwise, and where each index has just its own
    class's colour, the indices are ids. Of a colour that several classes have, the first of them.

    Without a palette colours have no meaning, and neither have indices into the colours of a shipped
    palette in another order. Raises ValueError for all that is lossy, transparent, or no whole number of 0
    to 255. Ids are not yet checked against the palette.
    """
    demand_lossless(raster)
    demand_one_page(raster)
    if raster.samples is None:
        return _of_colors(raster, palette)
    demand_data(raster, palette)
    if raster.table is not None:
        return _of_indices(raster, raster.table, palette)
    demand_opaque(raster, palette)
    return as_bytes(raster.samples, raster.name)


def data_ids(raster: Raster, palette: Palette | None) -> Ids:
    """As `exact_ids`, of a map of a data set: colours mean something where a palette has its own for them."""
    return exact_ids(raster, palette if palette is not None and colored(palette) else None)


def whole_numbers(raster: Raster) -> NDArray[np.int32]:
    """(H, W) int32 of a map of numbers that are no class ids, such as instances. Raises ValueError."""
    demand_lossless(raster)
    if raster.samples is None or raster.samples.dtype.kind == "f":
        raise Fault(
            f"{raster.name} is a picture of colours or fractions, expected one whole number per pixel",
            "save it as greyscale of 8, 16 or 32 bits",
        )
    return raster.samples.astype(np.int32)


def as_bytes(samples: NDArray[Any], name: str) -> Ids:
    """Samples of any type as uint8. Raises ValueError for what does not fit."""
    if samples.dtype == np.uint8:
        return samples
    if samples.dtype.kind == "f" and not (np.isfinite(samples) & (samples == np.rint(samples))).all():
        raise Fault(f"{name} has values that are no whole numbers", "expected ids of 0 to 255 as integers")
    low, high = samples.min(), samples.max()
    if low < 0:
        raise Fault(
            f"{name} has values below 0, down to {low:,.0f} on {(samples == low).sum():,} px (no data, in "
            "maps of GIS programs)",
            "give those pixels the id of unknown, often 255",
        )
    if high > 255:
        scaled = not (samples % 257).any()
        hint = "; they are ids times 257: 8 bits, scaled to 16" if scaled else ""
        raise Fault(f"{name} has values up to {high:,.0f}{hint}", "expected ids of 0 to 255")
    return samples.astype(np.uint8)


def demand_ids(ids: Ids, palette: Palette, name: str) -> None:
    """Raises ValueError for ids (H, W) that the palette lacks."""
    legal = np.zeros(256, bool)
    legal[palette.ids()] = True
    foreign = ids[~legal[ids]]
    if foreign.size:
        _refuse_ids(foreign, ids.size, palette, name, shifted(np.unique(ids), palette))


def shifted(present: NDArray[np.integer], palette: Palette) -> bool:
    """Whether the ids that occur are a palette's counted from 1 on, as some are foreign and none is 0."""
    present = present[present != palette.unknown]
    legal = palette.ids()
    foreign = present.size > 0 and not np.isin(present, legal).all()
    return bool(foreign and 0 not in present and np.isin(present.astype(int) - 1, legal).all())


def class_of(colors: Colors, palette: Palette) -> NDArray[np.int16]:
    """(..., 3) colours -> (...) ids, -1 where the colour is not the palette's."""
    packed = pack(colors)
    keys, ids = _keys(palette)
    if packed.size > SEARCHED:
        table = np.full(1 << 24, -1, np.int16)
        table[keys] = ids
        return table[packed]
    at = np.searchsorted(keys, packed).clip(max=len(keys) - 1)
    return np.where(keys[at] == packed, ids[at], np.int16(-1))


def pack(colors: Colors) -> NDArray[np.uint32]:
    """(..., 3) uint8 -> (...) 0xRRGGBB."""
    packed = colors[..., 0].astype(np.uint32)
    for channel in (1, 2):
        packed <<= 8
        packed |= colors[..., channel]
    return packed


def shipped() -> tuple[Palette, ...]:
    """Every shipped palette."""
    return _shipped(tuple(Palette.names()))


@lru_cache(maxsize=1)
def _shipped(names: tuple[str, ...]) -> tuple[Palette, ...]:
    return tuple(Palette.load(name) for name in names)


def colored(palette: Palette) -> bool:
    """Whether its classes have colours that people use, not only those made up for the screen."""
    return all(c.color for c in palette.classes)


def _keys(palette: Palette) -> tuple[NDArray[np.uint32], NDArray[np.int16]]:
    """Packed colours, rising, each once, and the first class that has it; unknown comes last."""
    ids = np.array(
        [*(c.id for c in palette.classes), *([] if palette.unknown is None else [palette.unknown])]
    )
    keys, first = np.unique(pack(palette.colors()[ids]), return_index=True)
    return keys, ids[first].astype(np.int16)


def _of_indices(raster: Raster, table: Colors, palette: Palette | None) -> Ids:
    indices = raster.samples
    assert indices is not None
    used = np.unique(indices)
    colors = table[used]
    if palette is None:
        _demand_own_order(colors, used, raster.name)
        _demand_no_greys(raster, palette)
        return indices
    if _numbers_itself(table, used, palette):
        demand_opaque(raster, palette)
        return indices
    ours = class_of(colors, palette) >= 0
    if ours.all() or raster.stored is not None or (ours.any() and not is_generic(table)):
        return _through_table(raster, table, used, palette)
    _demand_no_greys(raster, palette)
    return indices


def other_greys(raster: Raster) -> Ids | None:
    """The greys that indices stand for, where each index in use does for one, and not all for their own.

    Programs that make files smaller turn greys of ids into indices of those greys that occur.
    """
    if raster.table is None or raster.samples is None:
        return None
    used = np.unique(raster.samples)
    colors = raster.table[used]
    if (colors != colors[:, :1]).any() or np.array_equal(colors[:, 0], used):
        return None
    return colors[:, 0]


def _demand_no_greys(raster: Raster, palette: Palette | None) -> None:
    """Raises ValueError where indices and the greys that they stand for may both be ids."""
    greys = other_greys(raster)
    if greys is None or not (palette is None or np.isin(greys, palette.ids()).all()):
        return
    raise Fault(
        f"{raster.name}: its indices stand for the greys {', '.join(map(str, greys[:5]))}, and either may be "
        "the ids",
        "save it as 8-bit greyscale",
    )


def _through_table(raster: Raster, table: Colors, used: NDArray[np.uint8], palette: Palette) -> Ids:
    """The colours of the entries in use decide."""
    demand_opaque(raster, palette)
    classes = np.zeros(256, np.int16)
    stored = None if raster.stored is None else raster.stored[used]
    classes[used] = _classes(table[used], stored, palette)
    indices = raster.samples
    assert indices is not None
    foreign = classes[indices] < 0
    if foreign.all():
        return indices
    if foreign.any():
        _refuse_colors(table[indices[foreign]], indices.size, palette, raster.name)
    return classes[indices].astype(np.uint8)


def _numbers_itself(table: Colors, used: NDArray[np.uint8], palette: Palette) -> bool:
    """Whether each index in use is the id of a class and has just its colour."""
    return np.array_equal(table[used], palette.colors()[used]) and bool(np.isin(used, palette.ids()).all())


def is_generic(table: Colors) -> bool:
    """Whether a colour table is one that programs give to any ids: a ramp of greys, or that of PASCAL VOC."""
    count = int(np.flatnonzero(table.any(-1)).max(initial=0)) + 1
    if count < 3:
        return False
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, -1)
    return any(np.array_equal(table[:count], known[:count]) for known in (ramp, voc_table()))


def voc_table() -> Colors:
    """The colour table of PASCAL VOC: bits of the index dealt to red, green and blue; (256, 3) uint8."""
    numbers, table = np.arange(256), np.zeros((256, 3), np.uint8)
    for turn in range(8):
        for channel in range(3):
            table[:, channel] |= ((numbers >> (3 * turn + channel) & 1) << (7 - turn)).astype(np.uint8)
    return table


def _demand_own_order(colors: Colors, used: NDArray[np.uint8], name: str) -> None:
    """Without a palette: indices whose colours are a shipped palette's in another order may be anything."""
    if len(np.unique(colors, axis=0)) < 2:
        return
    fitting = [p for p in shipped() if colored(p) and (class_of(colors, p) >= 0).all()]
    if fitting and not any(np.array_equal(colors, p.colors()[used]) for p in fitting):
        palette = fitting[0].name
        raise Fault(
            f"{name}: its colour table has the colours of palette {palette} in another order, so that its "
            f"indices are not that palette's ids",
            f"state palette {palette}, or make ids of it with "
            f"`spadework label {PurePath(name).name} --palette {palette} -o ids.png`",
        )


def _of_colors(raster: Raster, palette: Palette | None) -> Ids:
    assert raster.colors is not None
    if palette is None:
        raise Fault(
            f"{raster.name} is a picture of colours, expected one id per pixel",
            f"make ids of it with "
            f"`spadework label {PurePath(raster.name).name} -o ids.png`, or check that photos and label maps "
            "are not swapped",
        )
    if raster.bits > 8:
        raise Fault(f"{raster.name} is a 16-bit picture of colours", "save it with 8 bits per channel")
    demand_opaque(raster, palette)
    classes = _classes(raster.colors, raster.stored, palette)
    foreign = classes < 0
    if foreign.any():
        _refuse_colors(raster.colors[foreign], foreign.size, palette, raster.name)
    return classes.astype(np.uint8)


def _classes(colors: Colors, stored: Colors | None, palette: Palette) -> NDArray[np.int16]:
    """Ids, -1 for foreign colours. What a profile changed may be off by SNAP; or the stored numbers count."""
    classes = class_of(colors, palette)
    if stored is None or (classes >= 0).all():
        return classes
    snapped = _snapped(colors, palette)
    plain = class_of(stored, palette)
    return plain if (plain >= 0).all() and (snapped < 0).any() else snapped


def _snapped(colors: Colors, palette: Palette) -> NDArray[np.int16]:
    values, index = np.unique(pack(colors), return_inverse=True)
    unpacked = np.stack([values >> 16, values >> 8 & 255, values & 255], -1).astype(np.int16)
    keys, ids = _keys(palette)
    known = np.stack([keys >> 16, keys >> 8 & 255, keys & 255], -1).astype(np.int16)
    classes = np.full(len(values), -1, np.int16)
    for key, id in zip(known, ids, strict=True):
        classes[np.abs(unpacked - key).max(-1) <= SNAP] = id
    return classes[index].reshape(colors.shape[:-1])


def _refuse_colors(foreign: Colors, pixels: int, palette: Palette, name: str) -> NoReturn:
    """foreign: (N, 3) of all `pixels` have a colour that is not the palette's."""
    packed, counts = np.unique(pack(foreign), return_counts=True)
    if len(packed) > PHOTO_COLORS and 2 * len(foreign) > pixels:
        raise looks_like_photo(name, f"{len(packed):,} different colours")
    worst = int(packed[counts.argmax()])
    color = np.array([worst >> 16, worst >> 8 & 255, worst & 255], np.uint8)
    others = f" (and {len(packed) - 1:,} more such colours)" if len(packed) > 1 else ""
    raise Fault(
        f"{name}: colour {hexed(color)} on {counts.max():,} px{others} is not in palette {palette.name}; "
        f"the nearest class is {_nearest(color, palette)}",
        "paint with exactly the palette's colours, "
        "without anti-aliasing, or save class ids as 8-bit greyscale",
    )


def _nearest(color: Colors, palette: Palette) -> str:
    ids = palette.ids()
    colors = palette.colors()[ids]
    nearest = ((colors.astype(int) - color) ** 2).sum(1).argmin()
    return f"{palette.name_of(int(ids[nearest]))} {hexed(colors[nearest])}"


def hexed(color: Colors) -> str:
    """(3,) uint8 -> "#rrggbb"."""
    return f"#{bytes(color).hex()}"


def _refuse_ids(foreign: Ids, pixels: int, palette: Palette, name: str, counted_from_1: bool) -> NoReturn:
    """foreign: (N,) of all `pixels` have an id that is not the palette's."""
    ids, counts = np.unique(foreign, return_counts=True)
    if len(ids) > PHOTO_IDS and 2 * len(foreign) > pixels:
        raise looks_like_photo(name, f"{len(ids)} different values")
    others = f" (and {len(ids) - 1} more such ids)" if len(ids) > 1 else ""
    raise Fault(
        f"{name}: id {ids[counts.argmax()]} on {counts.max():,} px{others} is not in palette {palette.name}",
        f"allowed are {palette.describe_ids()}; "
        + (SHIFTED if counted_from_1 else "give those pixels one of these ids"),
    )


def looks_like_photo(name: str, evidence: str) -> Fault:
    """What to say of a photograph where a sketch was expected."""
    return Fault(
        f"{name} looks like a photograph ({evidence}), not a sketch",
        "to borrow its light and colours pass it with --style, beside a sketch",
    )

"""A palette of label maps as they are: which ids or colours occur, under which names."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spadework.files import read_bytes, some
from spadework.sketch.exact import as_bytes, pack
from spadework.sketch.naming import VOID, Named, names_beside
from spadework.sketch.palette import Category, Palette
from spadework.sketch.raster import Raster, read_raster

KINDS = (".png", ".bmp", ".tif", ".tiff", ".gif", ".webp", ".pgm")
LOOKED_AT = 300
"""So many maps, spread evenly over the folder, are counted."""

RARE = 2e-4
"""Colours without a name that take a smaller share of the pixels are blends of edges."""

SHOWN = 10
"""Classes without a name that are listed."""

MOST = 255
UNKNOWN = 255
VOC_VOID = "#e0e0c0"
"""The outlines of VOC, which belong to no class."""


@dataclass
class Census:
    """Pixels by id, or by colour as 0xRRGGBB; and the colours that indexed pictures give their ids."""

    ids: Counter[int] = field(default_factory=Counter)
    colors: Counter[int] = field(default_factory=Counter)
    table: dict[int, str] = field(default_factory=dict)
    maps: int = 0

    def add(self, raster: Raster) -> None:
        """Counts one map. Raises ValueError for values that are no ids."""
        self.maps += 1
        if raster.samples is None:
            assert raster.colors is not None
            self.colors.update(_counted(pack(raster.colors)))
            return
        ids = as_bytes(raster.samples, raster.name)
        seen = _counted(ids)
        self.ids.update(seen)
        if raster.table is not None:
            self.table.update({id: f"#{bytes(raster.table[id]).hex()}" for id in seen})


def _counted(values: NDArray) -> dict[int, int]:
    found, counts = np.unique(values, return_counts=True)
    return dict(zip(found.tolist(), counts.tolist(), strict=True))


def palette_of_maps(folder: Path, name: str) -> tuple[Palette, list[str]]:
    """A palette of the label maps in a folder, and sentences on what was found and what was guessed.

    Raises ValueError where there are no maps, ids mix with colours, or there are too many of either.
    """
    census, told = _counted_maps(folder)
    found = names_beside(folder)
    named: Sequence[Named] = ()
    if found is None:
        told.append(f"no names beside them ({', '.join(('labelmap.txt', 'classes.txt'))}, ...): numbered")
    else:
        told.append(f"names: {found[0]}, {len(found[1])} classes")
        named = found[1]
    if census.ids and census.colors:
        raise ValueError(f"{folder} holds maps of ids and maps of colours: keep one kind in a folder")
    make = _of_ids if census.ids else _of_colors
    classes, unknown, unknown_color = make(census, named, told)
    if not classes:
        raise ValueError(f"{folder}: its maps hold nothing but unknown pixels")
    source = f"made from {census.maps} label maps in {folder.name}"
    fields = {"name": name, "unknown": unknown, "unknown_color": unknown_color, "source": source}
    return Palette.model_validate(fields | {"classes": classes}), told


def _counted_maps(folder: Path) -> tuple[Census, list[str]]:
    if not folder.is_dir():
        raise ValueError(f"{folder} is no folder: give the one that holds the label maps")
    files = sorted(file for file in folder.rglob("*") if file.suffix.lower() in KINDS)
    if not files:
        raise ValueError(f"no label maps in {folder}: expected pictures such as .png there")
    census = Census()
    places = np.unique(np.linspace(0, len(files) - 1, min(LOOKED_AT, len(files))).astype(int))
    for place in places:
        file = files[place]
        raster = read_raster(read_bytes(file), str(file))
        if raster.lossy:
            raise ValueError(f"{file} is {raster.form}, which changes ids and colours: export PNG")
        census.add(raster)
    kind = "ids" if census.ids else "colours"
    looked = "all" if len(places) == len(files) else f"{len(places)} of"
    return census, [f"{looked} {len(files)} maps hold {len(census.ids or census.colors)} {kind}"]


def _of_ids(
    census: Census, named: Sequence[Named], told: list[str]
) -> tuple[list[Category], int | None, str | None]:
    names = {entry.id: entry.name for entry in named if entry.id is not None}
    colors = {entry.id: entry.color for entry in named if entry.id is not None}
    by_color = {entry.color: entry.name for entry in named if entry.color is not None}
    names |= {id: by_color[color] for id, color in census.table.items() if color in by_color}
    for id in sorted(set(names) - set(census.ids)):
        told.append(f"id {id} ({names[id]}) occurs in no map: kept")
    unknown = _unknown_id(names, census, told)
    ids = sorted((set(names) | set(census.ids)) - {unknown, UNKNOWN})
    if nameless := [id for id in ids if id not in names] if names else []:
        called = [f"class {id}" for id in nameless]
        told.append(f"{len(nameless)} ids have no name there: {some(called, SHOWN)}")
    classes = [
        Category(id=id, name=names.get(id, f"class {id}"), color=census.table.get(id) or colors.get(id))
        for id in ids
    ]
    color = census.table.get(unknown) if unknown is not None else None
    return _distinct(classes, told), unknown, color


def _unknown_id(names: Mapping[int, str], census: Census, told: list[str]) -> int | None:
    """The id of pixels without a class. Raises ValueError where 255 has the name of a class."""
    void = [id for id, name in names.items() if VOID.fullmatch(name)]
    if UNKNOWN in names and UNKNOWN not in void:
        raise ValueError(
            f"id {UNKNOWN} is named {names[UNKNOWN]}, classes have ids of 0 to 254: choose another"
        )
    unknown = UNKNOWN if UNKNOWN in census.ids else min(void, default=None)
    for id in void:
        if id not in (unknown, UNKNOWN):
            told.append(f"id {id} ({names[id]}) stays a class: a palette has one unknown id, here {unknown}")
    if unknown is not None:
        share = census.ids[unknown] / census.ids.total()
        why = names.get(unknown, "as usual for what has no class")
        told.append(f"id {unknown} is taken as unknown ({why}), {share:.1%} of the pixels")
    return unknown


def _of_colors(
    census: Census, named: Sequence[Named], told: list[str]
) -> tuple[list[Category], int | None, str | None]:
    total = census.colors.total()
    shares = {f"#{value:06x}": count / total for value, count in census.colors.most_common()}
    names = {entry.color: entry.name for entry in named if entry.color is not None}
    if named and not names:
        told.append("the names have no colours, and these maps have no ids: the names were not used")
    unnamed = [color for color in shares if color not in names]
    blends = [color for color in unnamed if shares[color] < RARE]
    if blends:
        share = sum(shares[color] for color in blends)
        told.append(
            f"{len(blends)} colours on {share:.2%} of the pixels are no classes but blends "
            f"(such as {blends[0]}): mend those maps with `spadework label`"
        )
    kept = [*names, *(color for color in unnamed if color not in blends)]
    void = [color for color in kept if VOID.fullmatch(names.get(color, "")) or color == VOC_VOID]
    unknown = UNKNOWN if void or blends else None
    if void:
        told.append(f"colour {void[0]} is taken as unknown ({names.get(void[0], 'the outlines of VOC')})")
    classes = [color for color in kept if color not in void]
    if len(classes) > MOST:
        raise ValueError(
            f"{len(classes)} colours are more than the {MOST} classes that a palette may have: these are "
            "photos, or blended edges; export label maps without smoothing"
        )
    named_classes = [
        Category(id=id, name=names.get(color, f"class {id}"), color=color) for id, color in enumerate(classes)
    ]
    return _distinct(named_classes, told), unknown, void[0] if void else None


def _distinct(classes: list[Category], told: list[str]) -> list[Category]:
    """Black that nobody named is background; names that two classes have get their ids."""
    seen = Counter(category.name for category in classes)
    out = []
    for category in classes:
        name = category.name
        if name == f"class {category.id}" and category.color == "#000000" and "background" not in seen:
            name = "background"
            told.append(f"black, id {category.id}, is called background: a guess")
        elif seen[name] > 1:
            name = f"{name} {category.id}"
        out.append(category.model_copy(update={"name": name}))
    return out

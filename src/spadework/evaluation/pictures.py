"""Where the pictures that are measured come from: a model that paints them, or a folder. (H, W) pixels."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from spadework.candidates import ordered
from spadework.data.listing import PHOTO_TYPES
from spadework.data.sample import Sample
from spadework.data.walking import SHOWN, Aside, by_key, key_of, lonely, walk
from spadework.decoding import size_of
from spadework.engine import Engine
from spadework.files import Fault, read_bytes, some
from spadework.picture import Picture
from spadework.segmenter.segmenter import Segmenter
from spadework.sketch.labelmap import LabelMap
from spadework.sketch.palette import Palette

Pixels = NDArray[np.uint8]


class Pictures(Protocol):
    """What is measured of every map."""

    @property
    def palette(self) -> Palette:
        """The classes of the maps."""
        ...

    def of(self, sketch: LabelMap, pair: Sample) -> tuple[list[Pixels], dict[str, Pixels]]:
        """Pictures of a map in order, (H, W, 3) as the map, and those with a role.

        Roles: first, own (painted in the style of the map's own photo), best (of several candidates).
        """
        ...


class PaintedPictures:
    """`seeds` pictures of every map by an engine, and of `candidates` the one that the reader puts first."""

    def __init__(
        self, engine: Engine, seeds: int, candidates: int = 1, reader: Segmenter | None = None
    ) -> None:
        self.engine, self.seeds, self.candidates, self.reader = engine, seeds, candidates, reader
        self.palette = engine.palette

    def of(self, sketch: LabelMap, pair: Sample) -> tuple[list[Pixels], dict[str, Pixels]]:
        """By seed, and with a role: see `Pictures.of`."""
        painted = {seed: self.engine.paint(sketch, seed) for seed in range(max(self.seeds, self.candidates))}
        roles = {"first": painted[0].pixels}
        if self.engine.card.encoder is not None:
            roles["own"] = self.engine.paint(sketch, style=self.engine.style_of(pair.image)).pixels
        if self.candidates > 1 and self.reader is not None:
            rivals = {seed: painted[seed] for seed in range(self.candidates)}
            roles["best"] = ordered(sketch, rivals, self.reader)[0].picture.pixels
        return [painted[seed].pixels for seed in range(self.seeds)], roles


class GivenPictures:
    """One picture of every map, from a folder, and if there is one of those in their photos' styles another.

    `names`: of the maps. Pictures have these names, with any ending that photos have, and one size. Raises
    ValueError where some are missing, where their sizes differ, and for folders that hold none.
    """

    def __init__(
        self, folder: Path, names: Sequence[str], palette: Palette, own_style: Path | None = None
    ) -> None:
        self.palette, self.notes, self.roles = palette, [], {}
        for role, place in {"first": folder, "own": own_style}.items():
            if place is not None:
                self.roles[role], notes = _listed(place, names)
                self.notes += notes
        self.size = _one_size(self.roles)

    def of(self, sketch: LabelMap, pair: Sample) -> tuple[list[Pixels], dict[str, Pixels]]:
        """As `Pictures.of`; ValueError for a file that cannot be read."""
        roles = {role: self._read(files[pair.name]) for role, files in self.roles.items()}
        return [roles["first"]], roles

    def _read(self, path: Path) -> Pixels:
        picture = Picture.from_bytes(read_bytes(path), str(path))
        if picture.size != self.size:
            raise Fault(f"{path} is {_words(picture.size)}", f"make it {_words(self.size)}")
        return picture.pixels


def _listed(folder: Path, names: Sequence[str]) -> tuple[dict[str, Path], list[str]]:
    """The files of pictures of these names, and sentences on what was passed over."""
    if not folder.is_dir():
        raise Fault(f"{folder}: no such folder", "give the one that holds the pictures")
    aside, found = Aside(), []
    for path in walk(folder, aside):
        key = key_of(path.relative_to(folder).as_posix())
        if path.suffix.lower() in PHOTO_TYPES:
            found.append((key, path))
        else:
            aside.of_type(key, path.name)
    files = by_key("file", found, str)
    types = ", ".join(sorted(PHOTO_TYPES))
    if missing := sorted(set(names) - files.keys()):
        told = lonely("map", f"picture in {folder}", missing, files, aside, types)
        raise Fault(told, "every map needs one, of the same path and name but for the ending")
    more = sorted(files.keys() - set(names))
    notes = [f"passed over: {len(more)} pictures of no map: {some(more, SHOWN)}"] if more else []
    return {name: files[name] for name in names}, [*aside.report(), *notes]


def _one_size(roles: Mapping[str, Mapping[str, Path]]) -> tuple[int, int]:
    """(H, W) of all pictures, by their headers."""
    sizes = {path: size_of(read_bytes(path)) for files in roles.values() for path in files.values()}
    if unread := [path for path, size in sizes.items() if size is None]:
        raise Fault(
            f"{len(unread)} files cannot be read as pictures: {some(unread, SHOWN)}", "write them anew"
        )
    size = Counter(size for size in sizes.values() if size).most_common(1)[0][0]
    others = [f"{path} {_words(other)}" for path, other in sizes.items() if other and other != size]
    if others:
        raise Fault(
            f"{len(others)} of {len(sizes)} pictures are not {_words(size)} as most are: "
            f"{some(others, SHOWN)}",
            "make all of one size",
        )
    return size


def _words(size: tuple[int, int]) -> str:
    return f"{size[1]}x{size[0]}"

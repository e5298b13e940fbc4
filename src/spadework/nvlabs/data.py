"""What the data sets of the published code share: entries paired by name, and how a picture gets its size."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from spadework.data.cache import present_ids
from spadework.data.sample import Sample
from spadework.data.walking import Aside, by_key, key_of, lonely, walk
from spadework.files import Fault, read_bytes
from spadework.picture import open_photo
from spadework.sketch.exact import data_ids, whole_numbers
from spadework.sketch.palette import Palette
from spadework.sketch.raster import read_raster

PHOTO_TYPES = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".webp")


@dataclass(frozen=True)
class Entry:
    """One label map, and the photo and instance map where there are any."""

    name: str
    labels: Path
    photo: Path | None = None
    instances: Path | None = None


class Entries(list[Entry]):
    """Entries in order; `notes` are sentences on what was passed over."""

    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Files:
    """Files of one kind below a folder."""

    folder: Path
    paths: Sequence[Path] = ()
    aside: Aside = field(default_factory=Aside)

    def __bool__(self) -> bool:
        return bool(self.paths)


Key = Callable[[Path], str]


def files_in(folder: Path, endings: Sequence[str], aloud: bool = True) -> Files:
    """Files below a folder whose names end so, sorted; none where there is no folder.

    `aloud`: others are noted, as they may have been meant.
    """
    aside, found = Aside(), []
    for path in walk(folder, aside):
        if path.name.lower().endswith(tuple(end.lower() for end in endings)):
            found.append(path)
        elif aloud:
            aside.of_type(key_of(path.relative_to(folder)), str(path))
    return Files(folder, sorted(found), aside)


class NoLabels(Fault):
    """A layout without a single label map."""


def pair_up(labels: Files, photos: Files, instances: Files, where: str, key: Key | None = None) -> Entries:
    """Entries of the label maps, in order. Photos and instance maps may be missing, all of them or none.

    Partners have the same path below their folders, but for the ending, or the same `key`. Raises
    ValueError when there is no label map, when two files share a key, or when some have a partner and others
    lack it.
    """
    if not labels:
        seen = "".join(f"; {line}" for line in labels.aside.report())
        raise NoLabels("no label maps", f"expected {where}{seen}")
    table = _table("label map", labels, key)
    partners = [
        _partners(kind, files, table, key) for kind, files in (("photo", photos), ("instance map", instances))
    ]
    names = _names(table)
    found = Entries(
        Entry(names[label], path, *(files.get(label) for files in partners)) for label, path in table.items()
    )
    found.notes = [line for files in (labels, photos, instances) for line in files.aside.report()]
    return found


def _table(kind: str, files: Files, key: Key | None) -> dict[str, Path]:
    keyed = ((key(path) if key else key_of(path.relative_to(files.folder)), path) for path in files.paths)
    return by_key(kind, keyed, str)


def _partners(kind: str, files: Files, labels: Mapping[str, Path], key: Key | None) -> dict[str, Path]:
    table = _table(kind, files, key)
    lacking = [label for label in labels if label not in table]
    if files and lacking:
        told = lonely("label map", kind, lacking, table.keys() - labels.keys(), files.aside, "PNG or JPEG")
        raise Fault(
            f"of {len(labels)} label maps {told}: {files.folder} must have a file of the same path and name "
            f"for each",
            f"add the missing files, or remove all {kind}s",
        )
    return table


def _names(labels: Mapping[str, Path]) -> dict[str, str]:
    """What the pictures of the maps are called, by key: the stem, or the whole path where stems repeat."""
    stems = Counter(path.stem for path in labels.values())
    unique = len(stems) == len(labels)
    return {key: path.stem if unique else key for key, path in labels.items()}


@dataclass(frozen=True)
class Sizing:
    """How a picture gets its size: `mode` is a published preprocess_mode, sizes are widths in pixels."""

    mode: str
    load_size: int
    crop_size: int
    aspect_ratio: float = 1.0

    def __call__(self, image: Image.Image, filter: Image.Resampling) -> Image.Image:
        """The picture at its size. A crop is taken from the middle, so that a run can be repeated."""
        image = self.load(image, filter)
        if not self.crops:
            return image
        left, top = (max(0, (side - self.crop_size) // 2) for side in image.size)
        right, bottom = (
            min(start + self.crop_size, side) for start, side in zip((left, top), image.size, strict=True)
        )
        return image.crop((left, top, right, bottom))

    @property
    def crops(self) -> bool:
        """Whether a crop follows the scaling."""
        return "crop" in self.mode

    def load(self, image: Image.Image, filter: Image.Resampling) -> Image.Image:
        """The picture scaled and not yet cropped, for training, which crops at random."""
        size = self.scaled(image.size)
        return image if size == image.size else image.resize(size, filter)

    def scaled(self, size: tuple[int, int]) -> tuple[int, int]:
        """(width, height) before the crop."""
        width, height = size
        if self.mode.startswith("resize"):
            return self.load_size, self.load_size
        if self.mode.startswith("scale_width"):
            return self.load_size, self.load_size * height // width
        if self.mode.startswith("scale_shortside"):
            short = min(size)
            return self.load_size * width // short, self.load_size * height // short
        if self.mode == "fixed":
            return self.crop_size, round(self.crop_size / self.aspect_ratio)
        if self.mode == "none":
            return max(1, round(width / 32)) * 32, max(1, round(height / 32)) * 32
        return size


Sizer = Callable[[Image.Image, Image.Resampling], Image.Image]
"""What gives a picture its size: a `Sizing`, or the `load` of one."""


def read_ids(path: Path, palette: Palette | None = None) -> np.ndarray:
    """(H, W) uint8 ids of a map, upright. Raises ValueError for what is not exactly ids; see `data_ids`."""
    return data_ids(read_raster(read_bytes(path), str(path)), palette)


def read_labels(entry: Entry, sizing: Sizer, palette: Palette | None = None) -> np.ndarray:
    """(H, W) uint8 ids at their size. `palette`: of colours, where the map has them in place of ids."""
    return np.array(sizing(Image.fromarray(read_ids(entry.labels, palette)), Image.Resampling.NEAREST))


def read_instances(entry: Entry, sizing: Sizer) -> np.ndarray | None:
    """(H, W) int32 instance ids at their size, or None."""
    if entry.instances is None:
        return None
    numbers = whole_numbers(read_raster(read_bytes(entry.instances), str(entry.instances)))
    return np.array(sizing(Image.fromarray(numbers), Image.Resampling.NEAREST))


def read_photo(entry: Entry, sizing: Sizer) -> np.ndarray | None:
    """(H, W, 3) uint8 at its size, or None."""
    if entry.photo is None:
        return None
    return np.array(sizing(open_photo(read_bytes(entry.photo), str(entry.photo)), Image.Resampling.BICUBIC))


class Published(Sequence[Sample]):
    """Entries as samples for training. `edges` False leaves instance maps alone.

    `size` (H, W) is what every sample must have where no crop follows; `palette` says what colours in
    label maps mean. Raises ValueError for entries without a photo; reading raises it for unreadable files and
    other sizes.
    """

    def __init__(
        self,
        entries: Sequence[Entry],
        sizing: Sizer,
        edges: bool = True,
        size: tuple[int, int] | None = None,
        palette: Palette | None = None,
    ) -> None:
        lacking = [entry.labels.name for entry in entries if entry.photo is None]
        if lacking:
            raise ValueError(
                f"{len(lacking)} label maps have no photo to train on, the first is {lacking[0]}"
            )
        self.entries, self.sizing, self.edges, self.size = entries, sizing, edges, size
        self.palette, self.notes = palette, getattr(entries, "notes", ())

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, index: int) -> Sample:  # type: ignore[override]
        entry = self.entries[index]
        instances = read_instances(entry, self.sizing) if self.edges else None
        labels = read_labels(entry, self.sizing, self.palette)
        photo = read_photo(entry, self.sizing)
        assert photo is not None
        if photo.shape[:2] != labels.shape:
            raise ValueError(
                f"{entry.name}: the photo is {photo.shape[1]}x{photo.shape[0]} and the label map "
                f"{labels.shape[1]}x{labels.shape[0]} (width x height): they must be of one size"
            )
        if self.size not in (None, labels.shape):
            raise Fault(
                f"{entry.name} comes as {labels.shape[1]}x{labels.shape[0]} (width x height), the generator "
                f"paints {self.size[1]}x{self.size[0]}",
                "choose a --preprocess_mode that ends in _crop, or fixed",
            )
        return Sample(labels, photo, instances, entry.name)

    def check_ids(self, allowed: set[int]) -> None:
        """ValueError that names the first files with ids beyond `allowed`."""
        bad: Mapping[str, list[int]] = {
            entry.labels.name: sorted(beyond)
            for entry in self.entries
            if (beyond := set(present_ids(read_ids(entry.labels, self.palette))) - allowed)
        }
        if bad:
            told = "; ".join(f"{name}: {', '.join(map(str, ids[:5]))}" for name, ids in list(bad.items())[:5])
            raise Fault(
                f"{len(bad)} of {len(self)} label maps have ids that the model has no channel for ({told})",
                "raise --label_nc, or state --contain_dontcare_label if 255 means unknown",
            )

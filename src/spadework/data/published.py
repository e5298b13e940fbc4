"""What the data sets of the published code share: entries paired by name, and how a picture gets its size."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from spadework.data.sample import Sample

PHOTO_TYPES = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".webp")


@dataclass(frozen=True)
class Entry:
    """One label map, and the photo and instance map where there are any."""

    name: str
    labels: Path
    photo: Path | None = None
    instances: Path | None = None


Key = Callable[[Path], str]


def stem(path: Path) -> str:
    """The part of a file's name that its partners share."""
    return path.stem


def files_in(folder: Path, endings: Sequence[str]) -> list[Path]:
    """Files below a folder whose names end so, sorted; none where there is no folder."""
    found = folder.rglob("*") if folder.is_dir() else ()
    return sorted(
        f
        for f in found
        if f.name.lower().endswith(tuple(end.lower() for end in endings)) and f.is_file() and f.name[0] != "."
    )


def pair_up(
    labels: Sequence[Path],
    photos: Sequence[Path],
    instances: Sequence[Path],
    where: str,
    key: Key = stem,
) -> list[Entry]:
    """Entries of the label maps, in order. Photos and instance maps may be missing, all of them or none.

    Raises ValueError when there is no label map, or when some have a partner and others lack it.
    """
    if not labels:
        raise ValueError(f"no label maps: expected {where}")
    partners = [_table("photo", photos, labels, key), _table("instance map", instances, labels, key)]
    return [Entry(label.stem, label, *(table.get(key(label)) for table in partners)) for label in labels]


def _table(kind: str, files: Sequence[Path], labels: Sequence[Path], key: Key) -> dict[str, Path]:
    table = {key(file): file for file in files}
    lacking = [label.name for label in labels if key(label) not in table]
    if files and lacking:
        few = ", ".join(lacking[:3]) + (", ..." if len(lacking) > 3 else "")
        raise ValueError(
            f"{len(lacking)} of {len(labels)} label maps have no {kind} of their name ({few}), as in "
            f"{files[0].parent}: add the missing files, or remove all {kind}s"
        )
    return table


@dataclass(frozen=True)
class Sizing:
    """How a picture gets its size: ``mode`` is a published preprocess_mode, sizes are widths in pixels."""

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


def open_ids(path: Path) -> Image.Image:
    """A map of ids. Raises ValueError for an unreadable file and for colours in place of ids."""
    image = _open(path)
    if image.mode not in ("L", "P", "1", "I", "I;16"):
        raise ValueError(
            f"{path} is a picture of colours ({image.mode}), expected one id per pixel: make ids of it with "
            f"`spadework label {path.name}`, or check that photos and label maps are not swapped"
        )
    return image.convert("L") if image.mode == "1" else image


def open_photo(path: Path) -> Image.Image:
    """A photo in RGB, upright. Raises ValueError for an unreadable file."""
    return ImageOps.exif_transpose(_open(path)).convert("RGB")


def _open(path: Path) -> Image.Image:
    try:
        with Image.open(path) as image:
            image.load()
            return image
    except Exception as error:  # pillow raises many kinds, SyntaxError among them
        raise ValueError(f"{path} cannot be read as a picture ({error}): save or copy it again") from error


def read_labels(entry: Entry, sizing: Sizer) -> np.ndarray:
    """(H, W) uint8 ids at their size."""
    ids = np.array(sizing(open_ids(entry.labels), Image.Resampling.NEAREST))
    if ids.max(initial=0) > 255:
        raise ValueError(
            f"{entry.labels} has id {ids.max()}, at most 255 fits: it looks like an instance map"
        )
    return ids.astype(np.uint8)


def read_instances(entry: Entry, sizing: Sizer) -> np.ndarray | None:
    """(H, W) int32 instance ids at their size, or None."""
    if entry.instances is None:
        return None
    return np.array(sizing(open_ids(entry.instances), Image.Resampling.NEAREST)).astype(np.int32)


def read_photo(entry: Entry, sizing: Sizer) -> np.ndarray | None:
    """(H, W, 3) uint8 at its size, or None."""
    if entry.photo is None:
        return None
    return np.array(sizing(open_photo(entry.photo), Image.Resampling.BICUBIC))


class Published(Sequence[Sample]):
    """Entries as samples for training. ``edges`` False leaves instance maps alone.

    ``size`` (H, W) is what every sample must have where no crop follows. Raises ValueError for entries
    without a photo; reading raises it for unreadable files and other sizes.
    """

    def __init__(
        self,
        entries: Sequence[Entry],
        sizing: Sizer,
        edges: bool = True,
        size: tuple[int, int] | None = None,
    ) -> None:
        lacking = [entry.labels.name for entry in entries if entry.photo is None]
        if lacking:
            raise ValueError(
                f"{len(lacking)} label maps have no photo to train on, the first is {lacking[0]}"
            )
        self.entries, self.sizing, self.edges, self.size = entries, sizing, edges, size

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, index: int) -> Sample:  # type: ignore[override]
        entry = self.entries[index]
        instances = read_instances(entry, self.sizing) if self.edges else None
        labels, photo = read_labels(entry, self.sizing), read_photo(entry, self.sizing)
        assert photo is not None
        if photo.shape[:2] != labels.shape:
            raise ValueError(
                f"{entry.name}: the photo is {photo.shape[1]}x{photo.shape[0]} and the label map "
                f"{labels.shape[1]}x{labels.shape[0]} (width x height): they must be of one size"
            )
        if self.size not in (None, labels.shape):
            raise ValueError(
                f"{entry.name} comes as {labels.shape[1]}x{labels.shape[0]} (width x height), the generator "
                f"paints {self.size[1]}x{self.size[0]}: choose a --preprocess_mode that ends in _crop, or "
                "fixed"
            )
        return Sample(labels, photo, instances, entry.name)

    def check_ids(self, allowed: set[int]) -> None:
        """ValueError that names the first files with ids beyond ``allowed``."""
        bad: Mapping[str, list[int]] = {
            entry.labels.name: sorted(beyond)
            for entry in self.entries
            if (beyond := {int(i) for i in np.unique(np.array(open_ids(entry.labels)))} - allowed)
        }
        if bad:
            told = "; ".join(f"{name}: {', '.join(map(str, ids[:5]))}" for name, ids in list(bad.items())[:5])
            raise ValueError(
                f"{len(bad)} of {len(self)} label maps have ids that the model has no channel for ({told}): "
                "raise --label_nc, or state --contain_dontcare_label if 255 means unknown"
            )

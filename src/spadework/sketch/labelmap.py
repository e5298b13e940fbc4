"""A sketch: one class id per pixel. Reads the pictures that people have and says plainly what is wrong."""

import io
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from spadework.files import Fault, atomic_write, read_bytes
from spadework.picture import demand_png_name
from spadework.sketch.exact import demand_ids, exact_ids
from spadework.sketch.palette import Palette
from spadework.sketch.raster import Raster, read_raster

MIN_SIDE, MAX_SIDE = 4, 8192
"""Sketches have 4 to 8192 pixels a side."""


@dataclass(frozen=True, eq=False)
class LabelMap:
    """`ids`: (H, W) uint8, each a class or the unknown id of `palette`.

    `instances`: (H, W) integers that tell apart objects of one class, or None. Arrays are kept, not
    copied. Raises ValueError for another shape or dtype, a side outside 4..8192, or a foreign id.
    """

    ids: NDArray[np.uint8]
    palette: Palette
    instances: NDArray[np.integer] | None = None

    def __post_init__(self) -> None:
        if self.ids.dtype != np.uint8 or self.ids.ndim != 2:
            raise Fault(
                f"ids are {self.ids.shape} {self.ids.dtype}, expected (H, W) uint8",
                "one class id per pixel, as by ids.astype(np.uint8)",
            )
        _demand_size(self.size, "the label map")
        demand_ids(self.ids, self.palette, "the label map")
        if self.instances is not None:
            _demand_instances(self.instances, self.size)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, LabelMap):
            return NotImplemented
        same = np.array_equal(self.ids, other.ids) and self.palette == other.palette
        if self.instances is None or other.instances is None:
            return same and self.instances is other.instances
        return same and np.array_equal(self.instances, other.instances)

    @property
    def size(self) -> tuple[int, int]:
        """(H, W)."""
        return self.ids.shape[0], self.ids.shape[1]

    @classmethod
    def read(cls, path: str | os.PathLike[str], palette: Palette) -> Self:
        """A label map from a picture file; see `from_bytes`. Raises ValueError, one line with the remedy."""
        return cls.from_bytes(read_bytes(path), palette, name=str(path))

    @classmethod
    def from_bytes(cls, data: bytes, palette: Palette, name: str = "sketch") -> Self:
        """A label map from the content of a picture file without loss, such as PNG; errors call it `name`.

        See `exact.exact_ids` for what samples, indices and colours mean. EXIF orientation and colour
        profiles are heeded. Of an animation the first frame counts. Nothing is repaired: raises ValueError,
        one line with the remedy, for anything else.
        """
        return cls.of_raster(read_raster(data, name, demand_side(name)), palette)

    @classmethod
    def of_raster(cls, raster: Raster, palette: Palette) -> Self:
        """As `from_bytes`, of a file that is decoded already."""
        ids = exact_ids(raster, palette)
        demand_ids(ids, palette, raster.name)
        return cls(ids, palette)

    def to_bytes(self) -> bytes:
        """The ids as an indexed PNG file in the palette's colours (instances are not kept)."""
        image = Image.fromarray(self.ids)
        image.putpalette(self.palette.colors().tobytes())
        out = io.BytesIO()
        image.save(out, format="PNG")
        return out.getvalue()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write `to_bytes`, whole or not at all. Raises ValueError if it is no .png name or not writable."""
        demand_png_name(path)
        atomic_write(path, self.to_bytes())

    def colorize(self) -> NDArray[np.uint8]:
        """The map in the palette's colours: (H, W, 3) uint8."""
        return self.palette.colorize(self.ids)

    def counts(self) -> dict[str, float]:
        """Share of the pixels of each class that occurs (0..1, sum 1), the largest first."""
        ids, pixels = np.unique(self.ids, return_counts=True)
        shares: dict[str, float] = {}
        for i in np.argsort(-pixels, kind="stable"):
            name = self.palette.name_of(int(ids[i]))  # two classes may have one name
            shares[name] = shares.get(name, 0.0) + float(pixels[i] / self.ids.size)
        return shares

    def resize(self, size: tuple[int, int]) -> Self:
        """The map at (H, W): each pixel takes the id under its centre, so no new id appears."""
        _demand_size(size, "the new size")
        rows, columns = (centres(new, old) for new, old in zip(size, self.size, strict=True))
        at = np.ix_(rows, columns)
        instances = None if self.instances is None else self.instances[at]
        return replace(self, ids=self.ids[at], instances=instances)


def centres(new: int, old: int) -> NDArray[np.int64]:
    """For each of `new` cells, which of `old` cells holds its centre."""
    return (2 * np.arange(new) + 1) * old // (2 * new)


def demand_side(name: str) -> Callable[[tuple[int, int]], None]:
    """What refuses (H, W) that no sketch has: raises ValueError in which the file has that name."""
    return lambda size: _demand_size(size, name)


def _demand_size(size: tuple[int, int], name: str) -> None:
    if not all(MIN_SIDE <= side <= MAX_SIDE for side in size):
        height, width = size
        raise Fault(
            f"{name} is {width}x{height} pixels (width x height)",
            f"resize it to {MIN_SIDE}..{MAX_SIDE} pixels a side",
        )


def _demand_instances(instances: NDArray[np.integer], size: tuple[int, int]) -> None:
    if instances.shape != size or not np.issubdtype(instances.dtype, np.integer):
        raise Fault(
            f"instances are {instances.shape} {instances.dtype}, expected {size} integers",
            "one per pixel",
        )

"""One geometry for photo and labels."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from spadework.data.sample import Sample

# Shapes: (h, w) source, (H, W) target; H before W everywhere.


@dataclass(frozen=True)
class Geometry:
    """A box of the source, brought to `size` (H, W) and perhaps mirrored.

    `top, left, height, width` in source pixels. A box of exactly `size` is a plain slice; else the photo is
    resampled bicubically and the ids by nearest neighbour, on the same pixel centres.
    """

    top: int
    left: int
    height: int
    width: int
    size: tuple[int, int]
    flip: bool = False

    @classmethod
    def draw(
        cls,
        rng: np.random.Generator,
        source_hw: tuple[int, int],
        size_hw: tuple[int, int],
        scale: tuple[float, float] | None = (1.0, 1.2),
        flip: bool = True,
    ) -> Geometry:
        """A random box and flip.

        Scale 1 is the largest box of the target's aspect that the source holds, scale s one s times smaller
        on each side; drawn uniformly from `scale`. None: a box of the target's own pixels, nothing is
        resized. ValueError for a scale below 1, and for a source that does not hold such a box.
        """
        height, width = size_hw
        if scale is not None:
            if not 1.0 <= scale[0] <= scale[1]:
                raise ValueError(f"scale must be (low, high) with 1 <= low <= high, it is {scale}")
            height, width = _box(source_hw, size_hw, rng.uniform(*scale))
        elif source_hw[0] < height or source_hw[1] < width:
            raise ValueError(
                f"a crop of {width}x{height} (width x height) does not fit into "
                f"{source_hw[1]}x{source_hw[0]} pixels: load the pictures larger, or crop less"
            )
        top = int(rng.integers(source_hw[0] - height + 1))
        left = int(rng.integers(source_hw[1] - width + 1))
        return cls(top, left, height, width, size_hw, bool(rng.random() < 0.5) and flip)

    @classmethod
    def center(cls, source_hw: tuple[int, int], size_hw: tuple[int, int]) -> Geometry:
        """For evaluation: the largest box of the target's aspect, in the middle, not mirrored."""
        height, width = _box(source_hw, size_hw, 1.0)
        return cls((source_hw[0] - height) // 2, (source_hw[1] - width) // 2, height, width, size_hw)

    def __call__(self, sample: Sample) -> Sample:
        """The sample seen through this geometry; photo, labels and instances stay pixel on pixel."""
        instances = None if sample.instances is None else self.ids(sample.instances)
        return replace(
            sample, labels=self.ids(sample.labels), image=self.photo(sample.image), instances=instances
        )

    def ids(self, raster: np.ndarray) -> np.ndarray:
        """(h, w) ids of any integer type to (H, W), by nearest neighbour."""
        rows = self.top + _centres(self.height, self.size[0])
        columns = self.left + _centres(self.width, self.size[1])
        return raster[rows[:, None], columns[:: -1 if self.flip else 1]]

    def photo(self, image: np.ndarray) -> np.ndarray:
        """(h, w, 3) uint8 to (H, W, 3) uint8."""
        crop = image[self.top : self.top + self.height, self.left : self.left + self.width]
        if (self.height, self.width) != self.size:
            crop = np.asarray(
                Image.fromarray(crop).resize((self.size[1], self.size[0]), Image.Resampling.BICUBIC)
            )
        return np.ascontiguousarray(crop[:, ::-1] if self.flip else crop)


def _box(source_hw: tuple[int, int], size_hw: tuple[int, int], scale: float) -> tuple[int, int]:
    factor = min(source_hw[0] / size_hw[0], source_hw[1] / size_hw[1]) / scale
    return max(1, round(size_hw[0] * factor)), max(1, round(size_hw[1] * factor))


def _centres(source: int, target: int) -> np.ndarray:
    """For each target pixel the source pixel under its centre."""
    return (2 * np.arange(target) + 1) * source // (2 * target)

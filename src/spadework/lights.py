"""Styles, which are the light of a picture, and other lights for parts of one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from spadework.files import Fault
from spadework.sketch.labelmap import centres


@dataclass(frozen=True, eq=False)
class Style:
    """`z`: (Z,) float32, read-only. `origin`: where it comes from, such as "seed 7" or "photo sunset.jpg"."""

    z: NDArray[np.float32]
    origin: str

    def __post_init__(self) -> None:
        if self.z.dtype != np.float32 or self.z.ndim != 1 or not np.isfinite(self.z).all():
            raise ValueError(f"a style is (Z,) finite float32 values, this is {self.z.shape} {self.z.dtype}")
        own = self.z.copy()
        own.flags.writeable = False
        object.__setattr__(self, "z", own)

    def blend(self, other: "Style", t: float) -> "Style":
        """The style at t on the straight way from this one (t = 0) to the other (t = 1)."""
        if self.z.shape != other.z.shape:
            raise Fault(
                f"styles of {self.z.size} and {other.z.size} values do not blend",
                "use one model's",
            )
        if not 0 <= t <= 1:
            raise ValueError(f"blend position {t} is outside 0..1")
        z = ((1 - t) * self.z + t * other.z).astype(np.float32)
        return Style(z, f"{1 - t:.2f} {self.origin} + {t:.2f} {other.origin}")


WIDE = 20 / 256
"""How wide two lights flow into each other inside a class: the radius, of the picture's short side, of each
of three means."""


@dataclass(frozen=True, eq=False)
class Lights:
    """`numbers` (H, W) uint8: 0 where a picture keeps its style, n where it has the n-th of `styles`."""

    numbers: NDArray[np.uint8]
    styles: tuple[Style, ...]

    def __post_init__(self) -> None:
        if self.numbers.dtype != np.uint8 or self.numbers.ndim != 2:
            raise ValueError(f"lights are (H, W) uint8, these are {self.numbers.shape} {self.numbers.dtype}")
        if self.numbers.max(initial=0) > len(self.styles):
            raise Fault(
                f"there is light {self.numbers.max()} of {len(self.styles)}",
                "give a style for it",
            )

    def resize(self, size: tuple[int, int]) -> Self:
        """On a sheet of (H, W); every pixel takes the light that is at its middle."""
        rows, columns = (centres(new, old) for new, old in zip(size, self.numbers.shape, strict=True))
        return type(self)(self.numbers[np.ix_(rows, columns)], self.styles)

    def used(self) -> "Self | None":
        """Without the lights that no pixel has; None if there is none."""
        there = [n for n in range(1, 1 + len(self.styles)) if (self.numbers == n).any()]
        numbers = np.zeros(256, np.uint8)
        numbers[there] = range(1, 1 + len(there))
        return type(self)(numbers[self.numbers], tuple(self.styles[n - 1] for n in there)) if there else None

    def laid(
        self, pixels: NDArray[np.uint8], others: "Sequence[NDArray[np.uint8]]", ids: NDArray[np.uint8]
    ) -> NDArray[np.uint8]:
        """The picture (H, W, 3), and where other lights are those (H, W, 3) that were painted in them.

        `ids` (H, W) are its classes. Where a class ends a light ends too, within three pixels, since a
        photograph has an edge there; inside a class one light becomes another over a longer way. A byte that
        lies farther from all other lights than that is the picture's own.
        """
        radius = max(1, round(WIDE * min(ids.shape)))
        weights = np.zeros((len(others), *ids.shape))
        for id in np.unique(ids[self.numbers > 0]):
            here = ids == id
            whole = _sums(here, radius)[here]
            for n in range(len(others)):
                weights[n, here] = _sums(here & (self.numbers == n + 1), radius)[here] / whole
        weights = _meant(weights)[..., None]
        laid = pixels * np.maximum(1 - weights.sum(0), 0)
        for other, weight in zip(others, weights, strict=True):
            laid += other * weight
        return laid.round().clip(0, 255).astype(np.uint8)


def _sums(mask: NDArray[np.bool_], radius: int) -> NDArray[np.int64]:
    """Sums over a square window, three times: in the shape of a bell, and exactly 0 out of its reach."""
    sums = mask.astype(np.int64)
    for axis in (0, 1) * 3:
        width = [(radius + 1, radius) if a == axis else (0, 0) for a in (0, 1)]
        run = np.pad(sums, width, "edge").cumsum(axis)
        size = sums.shape[axis]
        low, high = (np.arange(size) + shift for shift in (0, 2 * radius + 1))
        sums = run.take(high, axis) - run.take(low, axis)
    return sums


def _meant(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Means of three by three pixels, three times; where all are 0, or all 1, they stay so exactly."""
    for axis in (1, 2) * 3:
        padded = np.pad(weights, [(0, 0), *((1, 1) if a == axis else (0, 0) for a in (1, 2))], "edge")
        size = weights.shape[axis]
        first, second, third = (padded.take(np.arange(size) + shift, axis) for shift in range(3))
        weights = (first + second + third) / 3
    return weights

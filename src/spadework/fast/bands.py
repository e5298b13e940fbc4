"""Bands of rows of pixels, so that features stay in cache, and memory that is used again and again.

Shapes: C features, (h, w) a grid.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

BAND = 512 * 1024
"""Bytes of features in a band."""


@dataclass
class Band:
    """Rows of pixels from `top` to `bottom` and the numbers of their pixels."""

    top: int
    bottom: int
    pixels: slice


def bands(size: tuple[int, int], channels: int, item: int) -> list[Band]:
    """Bands of an even number of rows, BAND bytes each."""
    h, w = size
    step = max(2, BAND // (w * channels * item) // 2 * 2)
    tops = range(0, h, step)
    return [Band(t, min(t + step, h), slice(t * w, min(t + step, h) * w)) for t in tops]


class Scratch:
    """Memory that one block after another uses: to get fresh pages takes longer than to fill them."""

    def __init__(self, dtype: torch.dtype):
        self._values = torch.empty(0, dtype=dtype)

    def take(self, rows: int, columns: int) -> Tensor:
        """(rows, columns) of anything, until the next call."""
        if rows * columns > len(self._values):
            self._values = self._values.new_empty(rows * columns)
        return self._values[: rows * columns].view(rows, columns)

"""Doubling large pictures takes seconds: it ends as soon as nobody waits for the picture any more."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from spadework.enlarger import Enlarger


class Interruptible(Enlarger):
    """An enlarger that calls `check` before every tile, which may raise."""

    def __init__(self, enlarger: Enlarger, check: Callable[[], None]) -> None:
        self.__dict__.update(vars(enlarger))
        self._check = check

    def _tile(
        self, pixels: NDArray[np.uint8], ids: NDArray[np.uint8], seed: int, rows: slice, columns: slice
    ) -> NDArray[np.uint8]:
        self._check()
        return super()._tile(pixels, ids, seed, rows, columns)

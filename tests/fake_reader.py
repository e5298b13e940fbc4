"""A segmenter without weights, for tests of everything around one."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from spadework.sketch.labelmap import LabelMap
from spadework.sketch.palette import Palette


@dataclass(frozen=True)
class NearestColor:
    """Reads every pixel as the class whose colour is nearest; bright pictures are realistic."""

    palette: Palette = field(default_factory=lambda: Palette.load("landscape"))

    def label(self, image: NDArray[np.uint8]) -> LabelMap:
        """(H, W, 3) -> its map."""
        ids = self.palette.ids()
        gaps = ((image[:, :, None].astype(int) - self.palette.colors()[ids]) ** 2).sum(-1)
        return LabelMap(ids[gaps.argmin(-1)], self.palette)

    def realism(self, image: NDArray[np.uint8]) -> float:
        """The mean brightness, 0 to 1."""
        return float(image.mean()) / 255

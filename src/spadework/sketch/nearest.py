"""The class of the colour that is nearest to one that is no class's, and how far away it is."""

import numpy as np
from numpy.typing import NDArray

from spadework.sketch.palette import Palette

GAMMAS = (1 / 2.2, 1 / 1.8, 1.8, 2.2)
"""Wrong gammas that files are saved with."""

Ids = NDArray[np.uint8]
Colors = NDArray[np.uint8]


def distance_to(pixels: Colors, palette: Palette) -> float:
    """Mean distance of a sample of pixels to the palette, in RGB steps."""
    sample = pixels.reshape(-1, 3)[:: max(1, pixels.size // 3 // 4000)][None]
    return float(nearest(sample, palette)[1].mean())


def nearest(pixels: Colors, palette: Palette) -> tuple[Ids, NDArray[np.float32]]:
    """The nearest class of each pixel, (H, W) ids, and how far it is in RGB steps, (H, W)."""
    ids = np.array([c.id for c in palette.classes] + ([] if palette.unknown is None else [palette.unknown]))
    packed = pixels.astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32)
    colors, index = np.unique(packed, return_inverse=True)
    unpacked = np.stack([colors >> 16, colors >> 8 & 255, colors & 255], -1).astype(np.float32)
    best, far = np.empty(len(colors), np.uint8), np.empty(len(colors), np.float32)
    table = palette.colors()[ids].astype(np.float32)
    for start in range(0, len(colors), 4096):
        part = slice(start, start + 4096)
        away = np.linalg.norm(unpacked[part, None] - table, axis=-1)
        best[part], far[part] = ids[away.argmin(1)], away.min(1)
    return best[index].reshape(packed.shape), far[index].reshape(packed.shape)


def right_gamma(pixels: Colors, palette: Palette, distance: float, notes: list[str]) -> tuple[Colors, float]:
    """The pixels as they were before a wrong gamma, if that explains them far better."""
    for gamma in GAMMAS:
        turned = (255 * (np.arange(256) / 255) ** gamma).round().astype(np.uint8)[pixels]
        new = distance_to(turned, palette)
        if distance > 8 and new < distance / 3:
            notes.append(f"colours were saved with a wrong gamma: undone with exponent {gamma:.2f}")
            return turned, new
    return pixels, distance

"""Texture: what lives inside regions, at which scales, and whether the network's own grid shows.

H, W pictures; K classes, in the palette's order. Luminance is the mean of red, green and blue, in [-1, 1].
"""

from collections.abc import Mapping

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from spadework.sketch.palette import Palette

Pixels = NDArray[np.uint8]
Plane = NDArray[np.float64]

WINDOW = 9
"""Local deviation is of the luminance in squares of so many pixels a side."""

QUIET = 2
"""Pixels nearer than this to an outline belong to the outline."""

BANDS = ((16, 32), (32, 64), (64, 80), (80, 96), (96, 112), (112, 128))
"""Of frequencies, in cycles per 256 px: 128 is the finest that there is."""

PERIODS = (4, 16)
"""Of the lattices, in pixels, that doublings print."""

ROUNDING = 1e-10
"""Smaller variances are blank: one byte that differs by 1 in a window makes about 1e-7."""

CELL = 16
"""Structure is what the means of squares of so many pixels a side show."""


def luminance(image: Pixels) -> Plane:
    """(H, W, 3) bytes -> (H, W) in [-1, 1]."""
    return image.mean(2) / 127.5 - 1


def local_deviation(grey: Plane) -> Plane:
    """(H, W) -> (H - 8, W - 8): the deviation in every window that lies inside the picture."""
    x = torch.from_numpy(np.stack([grey, grey**2]))[:, None]
    mean, square = F.avg_pool2d(F.avg_pool2d(x, (WINDOW, 1), 1), (1, WINDOW), 1)[:, 0].numpy()
    variance = square - mean**2
    return np.sqrt(np.where(variance > ROUNDING, variance, 0))


def outlines(ids: Pixels) -> NDArray[np.bool_]:
    """(H, W): the pixels whose class differs from that of a pixel above, below or beside them."""
    found = np.zeros(ids.shape, bool)
    for axis in (0, 1):
        apart = np.diff(ids, axis=axis) != 0
        found |= np.insert(apart, 0, False, axis) | np.insert(apart, apart.shape[axis], False, axis)
    return found


def windows(ids: Pixels) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Of the windows of `local_deviation`, which lie inside a region and which stand on an outline.

    Inside: no pixel is within QUIET of an outline; on it: the middle is.
    """
    edges = torch.from_numpy(outlines(ids))[None, None].float()

    def near(reach: int) -> NDArray[np.bool_]:
        """Whether an outline pixel lies in the square that goes so far to each side."""
        found = F.max_pool2d(edges, 2 * reach + 1, 1, reach)[0, 0].numpy() > 0
        margin = WINDOW // 2
        return found[margin : found.shape[0] - margin, margin : found.shape[1] - margin]

    return ~near(WINDOW // 2 + QUIET - 1), near(QUIET - 1)


def band_power(grey: Plane) -> Plane:
    """(H, W) -> the mean power of every band, under a Hann window: (6,)."""
    height, width = grey.shape
    hann = torch.hann_window(height).double()[:, None] * torch.hann_window(width).double()
    level = grey.flat[0] + (grey - grey.flat[0]).mean()  # of a blank picture exactly its own
    power = np.abs(np.fft.fft2((grey - level) * hann.numpy())) ** 2
    cycles = 256 * np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width))
    return np.array([power[(low <= cycles) & (cycles < high)].mean() for low, high in BANDS])


def steps(grey: Plane) -> tuple[Plane, Plane]:
    """The mean absolute difference of every row to the next one (H - 1,), and of every column (W - 1,)."""
    return np.abs(np.diff(grey, axis=0)).mean(1), np.abs(np.diff(grey, axis=1)).mean(0)


def border(image: Pixels) -> Plane:
    """How far top, bottom, left and right step off as a whole from the row or column beside them: (4,).

    The absolute mean step along the side, of each color, in [0, 2]; mean of the colors. What is painted
    there cancels along a side, a frame does not, and it may be colored: luminance would miss it.
    """
    x = image / 127.5 - 1
    sides = (x[0] - x[1], x[-1] - x[-2], x[:, 0] - x[:, 1], x[:, -1] - x[:, -2])
    return np.array([np.abs(side.mean(0)).mean() for side in sides])


def phases(profile: Plane, period: int) -> Plane:
    """Steps (L,) by their place in a lattice, over their mean: (period,); without the two at the border."""
    inner = profile[1:-1]
    means = np.array([inner[place::period].mean() for place in range(period)])
    return quotient(means, means.mean())


def structure(apart: Plane, spread: Plane) -> Plane:
    """How independent two draws are: 0 for the same place, 1 for another one. Sums over axis 0.

    `apart`: the variance of the difference of their cells, `spread`: the sum of the variances of both.
    Two blank draws are the same place.
    """
    return np.sqrt(quotient(apart.sum(0), spread.sum(0), 0))


def quotient(a: NDArray, b: NDArray, of_nothing: float = np.nan) -> NDArray:
    """a / b, and `of_nothing` where b is 0."""
    nothing = np.full(np.broadcast(a, b).shape, of_nothing, float)
    return np.divide(a, b, out=nothing, where=np.asarray(b) != 0)


def cells(grey: Plane) -> Plane:
    """Means of squares of CELL pixels: (H // 16, W // 16)."""
    height, width = (side // CELL for side in grey.shape)
    return grey[: height * CELL, : width * CELL].reshape(height, CELL, width, CELL).mean((1, 3))


def observe(painted: Pixels, photo: Pixels, ids: Pixels, palette: Palette) -> Mapping[str, NDArray]:
    """What a report needs of one map, by key and role (painted, photo).

    "inside" (K,) and "outline" (): sums of local deviation; "power" (6,); "rows" (H - 1,) and
    "columns" (W - 1,): steps; "border" (4,). "windows" (K,): how many lie inside;
    "pixels" (K,): share of the map.
    """
    inside, outline = windows(ids)
    margin = WINDOW // 2
    middle = ids[margin : ids.shape[0] - margin, margin : ids.shape[1] - margin]
    classes = [c.id for c in palette.classes]
    known = np.isin(middle, classes)
    row = {
        "windows": np.bincount(middle[inside], minlength=256)[classes],
        "pixels": np.bincount(ids.ravel(), minlength=256)[classes] / ids.size,
    }
    for role, image in (("painted", painted), ("photo", photo)):
        grey = luminance(image)
        deviation = local_deviation(grey)
        row[f"inside/{role}"] = np.bincount(middle[inside], deviation[inside], minlength=256)[classes]
        row[f"outline/{role}"] = deviation[outline & known].sum()
        row[f"power/{role}"] = band_power(grey)
        row[f"rows/{role}"], row[f"columns/{role}"] = steps(grey)
        row[f"border/{role}"] = border(image)
    return row

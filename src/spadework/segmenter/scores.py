"""How well a segmenter finds in a picture what was sketched. K classes, N pictures."""

import numpy as np
from numpy.typing import NDArray

from spadework.sketch.palette import Palette

Counts = NDArray[np.int64]


def confusion(sketch: NDArray[np.uint8], read: NDArray[np.uint8], palette: Palette) -> Counts:
    """Pixels by class sketched and class read, in the palette's order: (K, K + 1).

    The last column counts pixels read as no class; pixels that are sketched as none do not count.
    """
    classes = [c.id for c in palette.classes]
    place = np.full(256, len(classes))
    place[classes] = np.arange(len(classes))
    rows, columns = place[sketch].ravel(), place[read].ravel()
    known, width = rows < len(classes), len(classes) + 1
    counted = np.bincount(rows[known] * width + columns[known], minlength=len(classes) * width)
    return counted.reshape(len(classes), width)


def accuracy(counts: Counts) -> float:
    """Share of the sketched pixels that are read as what was sketched; nan without any."""
    return float(np.diagonal(counts).sum() / counts.sum()) if counts.sum() else float("nan")


def class_ious(counts: Counts) -> NDArray[np.float64]:
    """Intersection over union of every class (K,); nan for classes that are in no sketch."""
    hit, sketched = np.diagonal(counts), counts.sum(1)
    union = sketched + counts[:, :-1].sum(0) - hit
    return np.where(sketched > 0, hit / np.maximum(union, 1), np.nan)


def mean_iou(counts: Counts) -> float:
    """Mean over the classes that are in some sketch; nan without any."""
    ious = class_ious(counts)
    return float(np.nanmean(ious)) if counts.sum() else float("nan")

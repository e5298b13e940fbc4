"""How well a segmenter reads photos whose label maps are known."""

from collections.abc import Iterable

import numpy as np

from spadework.data.sample import Sample
from spadework.segmenter.scores import accuracy, class_ious, confusion, mean_iou
from spadework.segmenter.segmenter import Segmenter


def measure_segmenter(segmenter: Segmenter, pairs: Iterable[Sample]) -> dict[str, float | str]:
    """Figures for the card, over all pixels of the pairs together: pixels without a class do not count.

    `miou` is the mean over the classes that occur; `iou CLASS` is that of each of them.
    """
    palette, images = segmenter.palette, 0
    counts = np.zeros((len(palette.classes), len(palette.classes) + 1), np.int64)
    for pair in pairs:
        counts += confusion(pair.labels, segmenter.label(pair.image).ids, palette)
        images += 1
    figures: dict[str, float | str] = {
        "val_images": images,
        "val_miou": round(mean_iou(counts), 4),
        "val_accuracy": round(accuracy(counts), 4),
    }
    ious = zip(palette.classes, class_ious(counts), strict=True)
    return figures | {f"val_iou {c.name}": round(float(iou), 4) for c, iou in ious if np.isfinite(iou)}

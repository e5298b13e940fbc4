"""Small galleries for the tests of the page."""

from pathlib import Path

import numpy as np

from spadework.evaluation.gallery import Gallery
from spadework.evaluation.observing import Shown
from spadework.evaluation.report import Figure, Report, Terms
from spadework.sketch.labelmap import LabelMap
from spadework.sketch.palette import Palette

LANDSCAPE = Palette.load("landscape")
SKY, SEA = LANDSCAPE.id_of("sky"), LANDSCAPE.id_of("sea")


def shown(name: str, obeyed: int, *ids: int) -> Shown:
    """A map of 10 rows, of which the segmenter reads `obeyed` as they were sketched."""
    sketch = LabelMap(np.resize(np.array(ids or (SKY,), np.uint8), 10)[:, None].repeat(8, 1), LANDSCAPE)
    read = sketch.ids.copy()
    read[obeyed:] = LANDSCAPE.id_of("road")
    grey = np.full((10, 8, 3), 100, np.uint8)
    scores = {"distance": 0.5, "obedience": obeyed / 10, "realism": -obeyed}
    return Shown(name, sketch, grey + 99, [grey, grey + 1], None, LabelMap(read, LANDSCAPE), scores)


def report() -> Report:
    """Whatever, with something to escape."""
    terms = Terms(
        protocol="spadework",
        reference="toy <pairs>",
        reference_hash="0",
        images=9,
        size=(10, 8),
        shape="centre",
        seeds=2,
        resize={},
        inception=None,
        segmenter="fake",
        referee=None,
        candidates=1,
    )
    figures = {"fd": Figure(value=12.5, low=11, high=14, real=13)}
    return Report(
        model="tiny",
        images_seen=0,
        terms=terms,
        departs="nothing",
        figures=figures,
        classes={},
        statistics_gap=None,
        warnings=("pictures differ",),
        made_with={},
    )


def written(folder: Path, count: int = 9, every: int = 1, photos: bool = True) -> str:
    """The page of `count` maps, of which every further one is obeyed better; map 2 alone has sea."""
    gallery = Gallery(folder, every, photos)
    for i in range(count):
        gallery.add(shown(f"map {i}", i % 10, *((SKY, SEA) if i == 2 else ())))
    return gallery.write(report()).read_text()

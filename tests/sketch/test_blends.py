"""Sketches that were resized smoothly come back, by every filter and to every size; other colours do not."""

from pathlib import Path

import numpy as np
import pytest
from misread import file_of
from PIL import Image

from spadework.sketch.labelmap import LabelMap
from spadework.sketch.opening import Policy, open_map
from spadework.sketch.palette import Palette

LANDSCAPE = Palette.load("landscape")
SKETCHES = Path(__file__).parents[2] / "examples" / "sketches"
FILTERS = [
    Image.Resampling.BOX,
    Image.Resampling.BILINEAR,
    Image.Resampling.HAMMING,
    Image.Resampling.BICUBIC,
    Image.Resampling.LANCZOS,
]


@pytest.mark.parametrize("filter", FILTERS, ids=lambda filter: filter.name.lower())
@pytest.mark.parametrize("scale", [0.6, 1.17, 2.0])
@pytest.mark.parametrize("name", ["alpine-lake", "beach"])
def test_resized_sketches_are_painted(name: str, scale: float, filter: Image.Resampling) -> None:
    sketch = LabelMap.read(SKETCHES / f"{name}.png", LANDSCAPE)
    size = round(sketch.size[1] * scale), round(sketch.size[0] * scale)
    smooth = Image.fromarray(sketch.colorize()).resize(size, filter)
    hard = np.asarray(Image.fromarray(sketch.ids).resize(size, Image.Resampling.NEAREST))
    opened = open_map(file_of(smooth), LANDSCAPE, Policy.EDGES)
    assert (opened.sketch.ids == hard).mean() > 0.99
    assert set(np.unique(opened.sketch.ids)) <= set(np.unique(sketch.ids)) | {255}


def three_corners() -> np.ndarray:
    """(30, 30, 3): sky, tree and sand meet in the middle, smoothly."""
    ids = np.zeros((120, 120), np.uint8)
    ids[60:, :60], ids[60:, 60:] = 4, 10
    return np.asarray(Image.fromarray(LANDSCAPE.colorize(ids)).resize((31, 31), Image.Resampling.BILINEAR))


def test_where_three_classes_meet_is_an_edge() -> None:
    opened = open_map(file_of(three_corners()), LANDSCAPE, Policy.EDGES)
    assert "blended (anti-aliased) edges" in opened.report[0]
    ids = opened.sketch.ids
    assert (ids[0, 0], ids[-1, 0], ids[-1, -1]) == (0, 4, 10)


@pytest.mark.parametrize("color", [(200, 30, 30), (0, 0, 0), (255, 0, 255)])
@pytest.mark.parametrize("place", [(2, 2), (15, 15), (14, 3)])
def test_spots_of_other_colours_are_no_edges(color: tuple[int, int, int], place: tuple[int, int]) -> None:
    spotted = three_corners().copy()
    row, column = place
    spotted[row : row + 4, column : column + 4] = color
    with pytest.raises(ValueError, match="is not in palette landscape"):
        open_map(file_of(spotted), LANDSCAPE, Policy.EDGES)


def test_outlines_in_black_are_no_edges() -> None:
    outlined = three_corners().copy()
    outlined[15] = 0
    with pytest.raises(ValueError, match="is not in palette landscape"):
        open_map(file_of(outlined), LANDSCAPE, Policy.EDGES)

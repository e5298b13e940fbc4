"""Scores of a segmenter against loops over pixels."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spadework.segmenter.scores import accuracy, class_ious, confusion, mean_iou
from spadework.sketch.palette import Category, Palette

PALETTE = Palette(name="four", unknown=255, classes=tuple(Category(id=i, name=f"c{i}") for i in (0, 2, 3, 9)))
maps = st.lists(st.sampled_from([0, 2, 3, 9, 255]), min_size=12, max_size=12)


def as_map(ids: list[int]) -> np.ndarray:
    return np.array(ids, np.uint8).reshape(3, 4)


@given(st.lists(st.tuples(maps, maps), min_size=1, max_size=3))
def test_scores_by_loops(pairs: list[tuple[list[int], list[int]]]):
    counts = sum(confusion(as_map(sketch), as_map(read), PALETTE) for sketch, read in pairs)
    pixels = [(s, r) for sketch, read in pairs for s, r in zip(sketch, read, strict=True) if s != 255]
    ious = {}
    for id in (0, 2, 3, 9):
        either = [(s, r) for s, r in pixels if id in (s, r)]
        if any(s == id for s, _ in pixels):
            ious[id] = sum(s == r for s, r in either) / len(either)
    assert isinstance(counts, np.ndarray)
    assert counts.sum() == len(pixels)
    found = dict(zip((0, 2, 3, 9), class_ious(counts), strict=True))
    assert {id: iou for id, iou in found.items() if not math.isnan(iou)} == pytest.approx(ious)
    if pixels:
        assert accuracy(counts) == pytest.approx(sum(s == r for s, r in pixels) / len(pixels))
        assert mean_iou(counts) == pytest.approx(sum(ious.values()) / len(ious))
    else:
        assert math.isnan(accuracy(counts))
        assert math.isnan(mean_iou(counts))


def test_unknown_is_never_right_and_never_asked_for():
    sketch, read = as_map([0] * 6 + [255] * 6), as_map([255] * 3 + [0] * 9)
    counts = confusion(sketch, read, PALETTE)
    assert accuracy(counts) == 0.5
    assert class_ious(counts)[0] == 0.5  # what is read where nothing was sketched does not count

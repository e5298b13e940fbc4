"""Sketches to start from: whole, various, the same for a seed, in other palettes where these have classes."""

import numpy as np
import pytest

from spadework.service.composing import SCENES, compose, scenes
from spadework.sketch.palette import Palette

NAMED = {"Mountain lake": "water", "Coast": "sea", "Desert": "sand", "Forest road": "road", "Winter": "snow"}


@pytest.mark.parametrize("title", SCENES)
@pytest.mark.parametrize("size", [(256, 384), (384, 256), (64, 64), (40, 500)])
def test_scenes_are_whole_and_various(title: str, size: tuple[int, int]) -> None:
    maps = [compose(title, seed, size) for seed in range(8)]
    for sketch in maps:
        shares = sketch.counts()
        assert sketch.size == size
        assert 0.1 < shares["sky"] < 0.75
        assert len(shares) >= 4
        assert shares[NAMED.get(title, "grass")] > 0.05
    assert all((a.ids != b.ids).mean() > 0.02 for n, a in enumerate(maps) for b in maps[:n])
    np.testing.assert_array_equal(maps[3].ids, compose(title, 3, size).ids)


def test_other_palettes_get_what_they_have_classes_for() -> None:
    def titles(name: str) -> list[str]:
        return [title for title, _ in scenes(Palette.load(name), 5, (128, 192))]

    assert titles("landscape") == list(SCENES)
    for name in ("coco_stuff", "ade20k", "cityscapes"):
        assert set(titles(name)) <= set(SCENES)
    assert titles("facades") == []

"""Candidates: their scores, their order, and what they remember."""

from pathlib import Path

import numpy as np
import pytest
import tiny_model
from fake_reader import NearestColor

from spadework.candidates import candidates, obedience, ordered
from spadework.engine import Engine
from spadework.model import load_checkpoint
from spadework.picture import Picture
from spadework.sketch.labelmap import LabelMap
from spadework.sketch.palette import Palette

LANDSCAPE = Palette.load("landscape")


def flat(*ids: int) -> LabelMap:
    """A map of equal stripes."""
    return LabelMap(np.repeat(np.array(ids, np.uint8), 4)[:, None].repeat(8, 1), LANDSCAPE)


def test_obedience_counts_known_pixels():
    assert obedience(flat(0, 1, 255), flat(0, 2, 2)) == 0.5
    assert obedience(flat(255), flat(3)) == 1
    with pytest.raises(ValueError, match="make them equal"):
        obedience(flat(0), flat(0, 1))


def order(obeyed: dict[int, int], likeness: dict[int, float]) -> list[int]:
    """Seeds in order, of pictures that are obeyed on so many of 4 rows."""

    class Rows(NearestColor):
        def label(self, image: np.ndarray) -> LabelMap:
            ids = np.ones((4, 4), np.uint8)
            ids[: obeyed[int(image[0, 0, 0])]] = 0
            return LabelMap(ids, LANDSCAPE)

        def realism(self, image: np.ndarray) -> float:
            return likeness[int(image[0, 0, 0])]

    sketch = LabelMap(np.zeros((4, 4), np.uint8), LANDSCAPE)
    pictures = {seed: Picture(np.full((4, 4, 3), seed, np.uint8)) for seed in obeyed}
    found = ordered(sketch, pictures, Rows())
    assert [c.rank for c in found] == list(range(1, len(found) + 1))
    for candidate in found:
        assert candidate.obedience == obeyed[candidate.seed] / 4
        assert candidate.realism == likeness[candidate.seed]
    return [candidate.seed for candidate in found]


def test_the_order_is_that_of_the_sum_of_ranks():
    assert order({5: 4, 6: 3, 7: 2}, {5: -100, 6: -1, 7: -2}) == [6, 5, 7]  # sums 4, 3, 5
    assert order({5: 1, 6: 2}, {5: 3, 6: 2}) == [6, 5]  # equal sums: obedience decides
    assert order({9: 2, 4: 2}, {9: 1, 4: 1}) == [4, 9]  # all equal: the smaller seed


def test_candidates_are_the_engines_pictures_and_remember_their_scores(tmp_path: Path):
    engine = Engine(load_checkpoint(tiny_model.write(tmp_path / "m.safetensors")))
    sketch = flat(0, 1, 2, 3, 4, 5, 6, 7)
    found = candidates(engine, sketch, range(3, 7), NearestColor())
    assert sorted(c.seed for c in found) == [3, 4, 5, 6]
    for candidate in found:
        painted = engine.paint(sketch, candidate.seed)
        assert np.array_equal(candidate.picture.pixels, painted.pixels)
        assert candidate.obedience == obedience(sketch, NearestColor().label(painted.pixels))
        assert candidate.picture.provenance == {
            **painted.provenance,
            "candidates": 4,
            "rank": candidate.rank,
            "obedience": round(candidate.obedience, 4),
            "realism": round(candidate.realism, 4),
        }


def test_a_larger_picture_is_read_against_the_enlarged_sketch():
    sketch = flat(0, 1)
    picture = Picture(sketch.resize((16, 16)).colorize())
    assert ordered(sketch, {0: picture}, NearestColor())[0].obedience == 1


def test_a_segmenter_of_other_classes_is_refused():
    with pytest.raises(ValueError, match=r"reads the classes of palette cityscapes.* give one for landscape"):
        ordered(flat(0), {0: Picture(flat(0).colorize())}, NearestColor(Palette.load("cityscapes")))

"""Moods bear their names by measurement."""

from itertools import pairwise

import numpy as np
import pytest

from spadework.engine import Engine
from spadework.service.moods import MOODS, NEAR_BLACK, SHOWN, Look, Search, bright_enough, named
from spadework.sketch.examples import sketches
from spadework.sketch.labelmap import LabelMap


def test_looks_are_measured() -> None:
    pixels = np.zeros((2, 2, 3), np.uint8)
    pixels[0] = (200, 100, 0)
    look = Look.of(pixels)
    bright = 200 * 0.299 + 100 * 0.587
    assert look == Look(pytest.approx(bright / 2), 100, pytest.approx(bright / 2), 100)


MIDDLE = Look(100, 10, 40, 60)
"""Of five looks; one is like another mood each."""


def test_moods_are_found_where_there_are_any() -> None:
    same = [MIDDLE] * 9
    night, sunset, noon = Look(40, 5, 30, 40), Look(90, 60, 40, 80), Look(115, -20, 45, 100)
    assert named(same) == {"soft day": 0}
    found = named([*same, night, sunset, noon])
    assert found == {"clear noon": 11, "soft day": 0, "sunset": 10, "night": 9}
    assert list(found) == [name for name in SHOWN if name in found]
    assert {mood.name for mood in MOODS} == set(SHOWN)


def test_a_blue_picture_is_no_sunset() -> None:
    """Warmer than the others is not warm."""
    blue = [Look(100, -60, 40, 60)] * 9
    assert "sunset" not in named([*blue, Look(100, -20, 40, 60)])
    assert "sunset" in named([*blue, Look(90, 20, 40, 60)])


def test_what_is_dark_has_no_name_of_the_day() -> None:
    dark = Look(60, 10, 40, 60)
    assert {"soft day", "golden hour"}.isdisjoint(named([dark] * 9 + [Look(62, 40, 40, 60)] * 2))
    assert "golden hour" in named([MIDDLE] * 9 + [Look(102, 29, 40, 60)])


def test_near_black_is_no_beginning() -> None:
    assert bright_enough([Look(NEAR_BLACK, 0, 0, 0), MIDDLE]) == 0
    assert bright_enough([Look(NEAR_BLACK - 1, 0, 0, 0), Look(180, 0, 0, 0), MIDDLE]) == 2


@pytest.mark.parametrize(
    ("name", "there"),
    [
        ("beach", {"clear noon", "sunset"}),  # photos of beaches by night are not among those it knows
        pytest.param("sunset-coast", {"clear noon", "sunset", "night"}, marks=pytest.mark.soak),
    ],
)
def test_the_shipped_models_moods_are_what_they_say(name: str, there: set[str]) -> None:
    engine = Engine.load("landscape", "cpu", "auto")
    sketch = LabelMap(sketches((128, 192))[name], engine.palette)
    search = Search(engine, sketch, 0)
    while not search.done:
        search.step()
    found = {mood.name: mood for mood in search.found().moods}
    assert there <= set(found)
    looks, strayed = {}, []
    for mood in found.values():
        np.testing.assert_array_equal(mood.style.z, engine.sample_style(mood.seed, sketch).z)
        looks[mood.name] = Look.of(engine.paint(sketch, mood.seed, mood.style).pixels)
        strayed.append(abs(looks[mood.name].light - Look.of(mood.picture.pixels).light))
    assert np.mean(strayed) < 9  # with faces of 64 pixels 13 and 16
    brighter = [name for name in ("clear noon", "storm", "night") if name in looks]
    assert all(looks[a].light > looks[b].light + 10 for a, b in pairwise(brighter))
    assert looks["sunset"].warmth > looks["clear noon"].warmth + 20
    assert looks["clear noon"].color > min(look.color for look in looks.values()) + 10

"""Other lights in parts of a picture: they are there, their edges are soft, and the rest stays as it was."""

import numpy as np
import pytest
from tiny_model import write

from spadework.engine import Engine
from spadework.lights import WIDE, Lights, Style

SHORT = 64
REACH = 3 * round(WIDE * SHORT) + 3
"""Pixels from a light, inside its class, where its picture is still seen."""


def pictures(*greys: int) -> list[np.ndarray]:
    return [np.full((SHORT, 160, 3), grey, np.uint8) for grey in greys]


def light(numbers: np.ndarray, count: int = 1) -> Lights:
    return Lights(numbers, tuple(Style(np.zeros(4, np.float32), f"seed {n}") for n in range(count)))


def test_inside_a_class_one_light_flows_into_the_other() -> None:
    numbers = np.zeros((SHORT, 160), np.uint8)
    numbers[:, :80] = 1
    dark, bright = pictures(0, 200)
    laid = light(numbers).laid(dark, [bright], np.zeros_like(numbers))[SHORT // 2, :, 0].astype(int)
    assert (laid[: 80 - REACH] == 200).all()
    assert (laid[80 + REACH :] == 0).all()
    assert (np.diff(laid) <= 0).all()
    assert np.diff(laid).min() > -2 * 200 / REACH
    assert abs(laid[79:81].mean() - 100) < 2


def test_where_a_class_ends_a_light_ends_too() -> None:
    ids = np.zeros((SHORT, 160), np.uint8)
    ids[20:40, 50:90] = 7
    dark, bright = pictures(0, 200)
    laid = light((ids == 7).astype(np.uint8)).laid(dark, [bright], ids)[..., 0]
    assert (laid[23:37, 53:87] == 200).all()
    outside = np.ones_like(ids, bool)
    outside[17:43, 47:93] = False
    assert (laid[outside] == 0).all()


def test_lights_of_one_brightness_meet_without_a_seam() -> None:
    numbers = np.zeros((SHORT, 160), np.uint8)
    numbers[:, 50:100], numbers[:, 100:] = 1, 2
    grey, *others = pictures(120, 120, 120)
    assert (light(numbers, 2).laid(grey, others, np.zeros_like(numbers)) == 120).all()


def test_only_what_is_used_is_painted() -> None:
    numbers = np.array([[0, 3, 3]], np.uint8)
    used = light(numbers, 3).used()
    assert used is not None
    assert used.numbers.tolist() == [[0, 1, 1]]
    assert [style.origin for style in used.styles] == ["seed 2"]
    assert light(np.zeros((2, 2), np.uint8)).used() is None


def test_a_number_without_a_style_is_refused() -> None:
    with pytest.raises(ValueError, match="light 2 of 1: give a style for it"):
        light(np.full((2, 2), 2, np.uint8))


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    return Engine.load(write(tmp_path_factory.mktemp("model") / "tiny.safetensors"), device="cpu")


def test_the_engine_paints_a_light_in_its_part_and_leaves_the_rest(engine: Engine) -> None:
    ids = np.zeros((32, 96), np.uint8)
    ids[:, 48:] = 3
    mine, theirs = engine.sample_style(1), engine.sample_style(2)
    alone, other = engine.paint(ids, 5, mine), engine.paint(ids, 5, theirs)
    assert alone.provenance["painted_size"] == [32, 96]
    both = engine.paint(ids, 5, mine, lights=Lights((ids == 3).astype(np.uint8), (theirs,)))
    assert (both.pixels[:, :45] == alone.pixels[:, :45]).all()
    assert (both.pixels[:, 51:] == other.pixels[:, 51:]).all()
    assert (both.pixels[:, 51:] != alone.pixels[:, 51:]).mean() > 0.5
    assert both.provenance == {**alone.provenance, "lights": ["seed 2"]}

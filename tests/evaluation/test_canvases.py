"""Canvases of one class: whose style and which seed every picture has, and where it is on the sheet."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import tiny_model
from PIL import Image

from spadework.engine import Engine
from spadework.evaluation import canvases
from spadework.evaluation.canvases import (
    FONT,
    GAP,
    HEAD,
    MOODS,
    SHOWN,
    SIDE,
    Canvas,
    canvas_table,
    frequent,
    paint_canvas,
    sheet,
    write_sheet,
)
from spadework.evaluation.texture import local_deviation, luminance
from spadework.model import Checkpoint, load_checkpoint
from spadework.sketch.palette import Palette

LANDSCAPE = Palette.load("landscape")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    return load_checkpoint(tiny_model.write(tmp_path_factory.mktemp("model") / "tiny.safetensors"))


@pytest.fixture(scope="module")
def sea(checkpoint: Checkpoint) -> Canvas:
    return paint_canvas(Engine(checkpoint), "sea")


def flat(value: int, size: tuple[int, int] = (32, 32)) -> np.ndarray:
    return np.full((*size, 3), value, np.uint8)


def numbered(name: str, size: tuple[int, int] = (32, 32)) -> Canvas:
    """Draws of 10, 20, ..., moods of 110, 120, ..., again one level more than these."""
    moods = [flat(110 + 10 * i, size) for i in range(SHOWN)]
    return Canvas(
        name, (1, 2, 3), [flat(10 + 10 * i, size) for i in range(SHOWN)], moods, [m + 1 for m in moods]
    )


def test_draws_share_a_style_and_moods_have_that_of_their_seed(checkpoint: Checkpoint, sea: Canvas):
    engine = Engine(checkpoint)
    ids = np.full((32, 32), LANDSCAPE.id_of("sea"), np.uint8)
    styles = [engine.sample_style(seed, ids) for seed in range(MOODS)]
    for seed in range(SHOWN):
        assert np.array_equal(sea.draws[seed], engine.paint(ids, seed, styles[0]).pixels)
    for seed in range(MOODS):
        assert np.array_equal(sea.moods[seed], engine.paint(ids, seed).pixels)
        assert np.array_equal(sea.again[seed], engine.paint(ids, MOODS + seed, styles[seed]).pixels)
    assert (sea.name, sea.color) == ("sea", tuple(LANDSCAPE.colors()[LANDSCAPE.id_of("sea")]))
    assert (
        len({picture.tobytes() for picture in (*sea.draws, *sea.moods, *sea.again)}) == 2 * MOODS + SHOWN - 1
    )


def test_rows_tell_of_moods_and_the_same_once_more(sea: Canvas):
    rows = sea.rows()
    assert {len(row) for row in rows.values()} == {MOODS}
    a, b = sea.moods[3], sea.again[3]
    assert rows["detail"][3] == pytest.approx(np.abs(a / 127.5 - b / 127.5).mean())
    assert rows["alone"][3] == pytest.approx(local_deviation(luminance(a)).mean())
    coarse = [luminance(image).reshape(2, 16, 2, 16).mean((1, 3)) for image in (a, b)]
    assert rows["apart"][3] == pytest.approx((coarse[0] - coarse[1]).var())
    assert rows["spread"][3] == pytest.approx(coarse[0].var() + coarse[1].var())


def test_a_model_without_noise_and_styles_paints_one_picture(checkpoint: Checkpoint):
    config = tiny_model.GENERATOR.model_copy(update={"z_dim": None, "noise": False})
    generator = tiny_model.networks(config=config)[0]
    card = tiny_model.card(generator=config, encoder=None)
    plain = dataclasses.replace(checkpoint, card=card, generator=generator, encoder=None, prior=None)
    canvas = paint_canvas(Engine(plain), "sky")
    assert len({picture.tobytes() for picture in (*canvas.draws, *canvas.moods, *canvas.again)}) == 1
    rows = canvas.rows()
    assert rows["apart"].max() == rows["detail"].max() == 0


def test_the_most_frequent_classes_get_a_canvas(monkeypatch: pytest.MonkeyPatch):
    pixels = np.zeros((2, len(LANDSCAPE.classes)))
    pixels[0, [0, 3, 5]] = 1, 5, 2
    pixels[1, 7] = 4
    names = [c.name for c in LANDSCAPE.classes]
    assert frequent(pixels, LANDSCAPE) == [names[i] for i in (0, 3, 5, 7)]
    monkeypatch.setattr(canvases, "MOST", 2)
    assert frequent(pixels, LANDSCAPE) == [names[i] for i in (3, 7)]


def test_structure_is_of_classes_that_have_places_if_there_are_any():
    three = [numbered(name) for name in ("sky", "sea", "rock")]
    assert canvas_table(three)["detail"].shape == (SHOWN, 2)
    assert canvas_table(three[:1])["detail"].shape == (SHOWN, 1)
    assert canvas_table(three)["detail"] == pytest.approx(1 / 127.5)
    assert canvas_table([]) == {}


@pytest.mark.parametrize("size", [(32, 32), (32, 64), (512, 256)])
def test_the_sheet_shows_draws_and_then_moods_of_every_class(size: tuple[int, int], tmp_path: Path):
    both = [numbered("sky", size), numbered("a rather long name of a class", size)]
    page = np.asarray(sheet(both)).astype(int)
    scale = SIDE / min(size)
    height, width = round(size[0] * scale), round(size[1] * scale)
    assert page.shape[0] == HEAD + 2 * (height + GAP)
    middle = page.shape[1] - SHOWN * (width + GAP)
    left = middle - SHOWN * (width + GAP) - 3 * GAP
    for row in range(2):
        line = page[HEAD + row * (height + GAP) :][:height]
        centers = np.arange(SHOWN) * (width + GAP) + width // 2
        assert line[height // 2, left + centers, 0].tolist() == [10, 20, 30, 40]
        assert line[height // 2, middle + centers, 0].tolist() == [110, 120, 130, 140]
        assert tuple(line[height // 2, 2 * GAP]) == (1, 2, 3)
        assert line[: 2 * FONT, 5 * GAP : left - GAP].min() < 100  # the name
        assert line[:, left - GAP : left].min() == 255  # and all of it
    with Image.open(write_sheet(tmp_path / "flood.jpg", both)) as written:
        assert (written.format, written.size) == ("JPEG", (page.shape[1], page.shape[0]))

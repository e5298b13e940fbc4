"""An artist's day, from end to end: what was made can be gone on with, tomorrow and elsewhere."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("playwright", reason="browser tests: playwright is not installed")
from driving import Studio
from PIL import Image
from playwright.sync_api import BrowserContext, expect
from pyora import Project as Ora
from typer.testing import CliRunner

from spadework.cli import app
from spadework.picture import Picture
from spadework.sketch.palette import Palette

OpenStudio = Callable[..., Studio]
NewContext = Callable[..., BrowserContext]


@pytest.mark.photographs
def test_a_saved_picture_is_the_drawing(open_studio: OpenStudio, tmp_path: Path) -> None:
    first = open_studio()
    first.choose("brush", "tree")
    first.drag((60, 60), (120, 90))
    first.choose("ellipse", "field")
    first.drag((200, 150), (260, 200))
    first.seed(7)
    saved = first.saved("save-photo")
    (tmp_path / "lake.png").write_bytes(saved)
    assert (Picture.from_bytes(saved).pixels == first.photo).all()

    second = open_studio()
    second.page.set_input_files("#file", tmp_path / "lake.png")
    second.settle()
    assert (second.ids == first.ids).all()
    assert (second.photo == first.photo).all()
    assert second.saved("save-photo") == saved
    second.page.keyboard.press("Control+z")
    assert second.js("studio.sheet.strokes.length") == 1

    result = CliRunner().invoke(
        app, ["paint", str(tmp_path / "lake.png"), "-o", str(tmp_path / "out"), "--precision", "auto"]
    )
    assert result.exit_code == 0, result.output
    painted = Picture.read(tmp_path / "out" / "lake.png").pixels.astype(int)
    assert np.abs(painted - first.photo).mean() < 0.5  # other threads round otherwise


@pytest.mark.photographs
def test_a_day(new_context: NewContext, address: str, tmp_path: Path) -> None:
    """Paint from outside, undo, layers, a mood, close the tab, reopen, export, reopen: the same picture."""
    context = new_context(viewport={"width": 1366, "height": 768})
    studio = Studio(context.new_page(), address)
    studio.choose("brush", "tree")
    studio.drag((-5, 150), (90, 160))
    studio.drag((120, 40), (200, 60))
    studio.page.keyboard.press("Control+z")
    assert studio.js("studio.sheet.strokes.length") == 1
    assert studio.ids[151, 2] == studio.id_of("tree")
    below = studio.ids
    studio.page.click("#layer-add")
    studio.choose("ellipse", "rock")
    studio.drag((200, 170), (260, 210))
    studio.choose("shift")
    for _ in range(2):
        studio.page.keyboard.press("Shift+ArrowRight")
    studio.page.keyboard.press("Control+z")  # both steps: they were one move
    studio.page.keyboard.press("Control+Shift+z")
    studio.page.click("#layer-copy")
    studio.page.click("#layer-flip")
    studio.page.get_by_label("Lock Background").click()
    rocks = studio.ids == studio.id_of("rock")
    assert rocks[190, 262]
    assert rocks[190, 384 - 1 - 262]
    assert (studio.ids[~rocks] == below[~rocks]).all()
    studio.seed(5)
    assert "night" in studio.moods()
    studio.page.locator(".mood", has_text="night").click()
    studio.settle()
    assert studio.js("studio.style.seed") == 5
    ids, photo = studio.ids, studio.photo
    history = studio.js("studio.sheet.strokes.length")
    studio.page.close(run_before_unload=True)

    again = Studio(context.new_page(), address)
    assert (again.ids == ids).all()
    assert (again.photo == photo).all()
    assert again.js("studio.sheet.strokes.length") == history
    (tmp_path / "day.png").write_bytes(again.saved("save-photo"))
    assert (Picture.read(tmp_path / "day.png").pixels == photo).all()
    again.page.click("#new")
    again.page.click("#new-create")
    again.settle()
    again.page.set_input_files("#file", tmp_path / "day.png")
    again.settle()
    assert (again.ids == ids).all()
    assert (again.photo == photo).all()
    names = again.page.locator("#layer-list .name").all_inner_texts()
    assert names == ["Middle 2", "Middle", "Background"]
    for _ in range(history):
        again.page.keyboard.press("Control+z")
    assert again.page.locator("#undo").is_disabled()
    for _ in range(history):
        again.page.keyboard.press("Control+Shift+z")
    assert (again.ids == ids).all()
    again.settle()
    assert [*studio.trouble, *again.trouble] == []


@pytest.mark.soak
@pytest.mark.needs_server
def test_a_time_lapse_plays_the_strokes_again(studio: Studio) -> None:
    studio.page.click("#save")
    studio.page.click("#save-film")
    expect(studio.page.locator("#toast")).to_contain_text("no stroke to play again")
    studio.js("studio.style.choose({mood: {seed: 3}})")  # else the light may follow the sketch meanwhile
    studio.choose("brush", "tree")
    for n in range(64):
        studio.js("studio.tools.down({x: 10 + 5.6 * a, y: 60})", n)
        studio.js("studio.tools.up()")
    studio.page.click("#layer-add")
    studio.settle()
    film = Image.open(io.BytesIO(studio.saved("save-film")))
    assert film.format == "GIF"
    assert 50 <= film.n_frames <= 61
    film.seek(film.n_frames - 1)
    last = np.asarray(film.convert("RGB"))
    side = (last.shape[1] - 6) // 2
    tree = Palette.load("landscape").colors()[studio.id_of("tree")]
    row = last[round(60 / 256 * last.shape[0]), 10 : side - 10].astype(int)
    assert (np.abs(row - tree).max(1) < 12).mean() > 0.9
    photo = np.asarray(Image.fromarray(studio.photo).resize((side, last.shape[0])))
    assert np.abs(last[:, -side:].astype(int) - photo).mean() < 12  # in 255 colours


@pytest.mark.needs_server
def test_layers_go_to_another_program_and_come_back(open_studio: OpenStudio, tmp_path: Path) -> None:
    studio = open_studio()
    studio.choose("brush", "tree")
    studio.drag((60, 60), (120, 90))
    studio.settle()
    ids, photo = studio.ids, studio.photo
    (tmp_path / "lake.ora").write_bytes(studio.saved("save-layers"))
    opened = Ora.load(str(tmp_path / "lake.ora"))
    shown = np.asarray(opened.get_image_data().convert("RGB"))
    assert (shown == photo).all()
    stone = Image.new("RGBA", (40, 30), (*map(int, Palette.load("landscape").colors()[9]), 255))
    opened.add_layer(stone, path="stone", offsets=(200, 100))
    opened.save(str(tmp_path / "edited.ora"))

    studio.blank()
    studio.page.set_input_files("#file", tmp_path / "lake.ora")
    studio.settle()
    assert (studio.ids == ids).all()
    assert studio.js("studio.sheet.strokes.length") == 1
    studio.page.set_input_files("#file", tmp_path / "edited.ora")
    studio.settle()
    expected = ids.copy()
    expected[100:130, 200:240] = studio.id_of("rock")
    assert (studio.ids == expected).all()
    assert studio.js("studio.files.name") == "edited"

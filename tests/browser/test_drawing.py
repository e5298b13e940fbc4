"""From the hand to the ids: nothing is blended, nothing leaks, everything can be undone."""

from collections.abc import Callable

import numpy as np
import pytest

pytest.importorskip("playwright", reason="browser tests: playwright is not installed")
from driving import LIVE, Studio, ids_in


@pytest.mark.both_painters
def test_a_stroke_becomes_ids_a_request_and_a_new_picture(studio: Studio) -> None:
    before, ids = studio.photo, studio.ids
    studio.slide("size", 40)
    studio.choose("brush", "tree")
    asked = studio.hear(LIVE)
    studio.drag((120, 40), (200, 60))
    studio.settle()
    tree, after = studio.id_of("tree"), studio.ids
    assert {after[40, 120], after[50, 160], after[60, 200]} == {tree}
    assert (after[200:] == ids[200:]).all()
    assert set(np.unique(after)) <= {*np.unique(ids), tree}
    assert (ids_in(asked.bodies[-1]["runs"]) == after).all()
    change = np.abs(studio.photo.astype(int) - before).mean(2)
    assert change[30:70, 120:200].mean() > 8
    assert change[30:70, 120:200].mean() > 2 * change[200:].mean()


def test_fill_stops_at_diagonals_and_closes_small_gaps(studio: Studio) -> None:
    width, height = 96, 64
    rows = np.zeros((height, width), int)
    rows[np.arange(height), np.arange(height)] = 2  # a diagonal wall: its pixels touch at corners only
    studio.blank(["".join(map(str, row)) for row in rows])
    studio.slide("gap", 0)
    studio.choose("fill", "sea")
    studio.click(70, 10)
    sea = studio.id_of("sea")
    above = np.triu(np.ones((height, width), bool), 1)
    assert (studio.ids[above] == sea).all()
    assert (studio.ids[np.tril(np.ones((height, width), bool), -1)] == 0).all()

    rows[:] = 0
    rows[:, 48] = 2
    rows[30:34, 48] = 0  # a gap of four pixels
    studio.blank(["".join(map(str, row)) for row in rows])
    studio.slide("gap", 4)
    studio.click(20, 20)
    assert (studio.ids[:, :48] == sea).all()
    assert (studio.ids[:, 52:] == 0).all()
    studio.page.click("#undo")
    studio.slide("gap", 2)
    studio.click(20, 20)
    assert (studio.ids[rows == 0] == sea).all()


def test_fill_reaches_into_sharp_corners(studio: Studio) -> None:
    wedge = np.fromfunction(lambda y, x: np.abs(y - 32) > x / 4, (64, 96)).astype(int) * 2
    studio.blank(["".join(map(str, row)) for row in wedge])
    studio.slide("gap", 8)
    studio.choose("fill", "sand")
    studio.click(80, 32)
    assert (studio.ids[wedge == 0] == studio.id_of("sand")).all()


def test_undo_and_redo_have_no_end(studio: Studio) -> None:
    studio.blank()
    studio.slide("size", 4)
    studio.choose("brush", "rock")
    states = [studio.ids]
    for n in range(40):
        studio.click(5 + 2 * n, 10 + n)
        states.append(studio.ids)
    for state in reversed(states[:-1]):
        studio.page.keyboard.press("Control+z")
        assert (studio.ids == state).all()
    assert studio.page.locator("#undo").is_disabled()
    for state in states[1:]:
        studio.page.keyboard.press("Control+Shift+z")
        assert (studio.ids == state).all()
    assert studio.page.locator("#redo").is_disabled()


def test_shapes(studio: Studio) -> None:
    studio.blank()
    studio.choose("rectangle", "road")
    studio.drag((4, 4), (20, 14))
    expected = np.zeros((64, 96), bool)
    expected[4:14, 4:20] = True
    assert ((studio.ids == studio.id_of("road")) == expected).all()
    studio.choose("ellipse", "water")
    studio.drag((40, 10), (80, 50))
    water = (studio.ids == studio.id_of("water")).sum()
    assert abs(water - np.pi * 400) < 20
    studio.choose("polygon", "snow")
    for point in ((5, 30), (25, 30), (5, 50)):
        studio.click(*point)
    studio.page.keyboard.press("Enter")
    assert abs(int((studio.ids == studio.id_of("snow")).sum()) - 200) < 25
    studio.choose("line", "sand")
    studio.page.click("#tip-square")
    studio.slide("size", 3)
    studio.drag((30, 60), (90, 60))
    assert (studio.ids[59:61, 31:89] == studio.id_of("sand")).all()


def test_painting_only_over_one_class(studio: Studio) -> None:
    studio.page.select_option("#only", label="sky")
    before = studio.ids
    studio.slide("size", 60)
    studio.choose("brush", "clouds")
    studio.drag((100, 60), (260, 80))
    changed = before != studio.ids
    assert changed.any()
    assert (before[changed] == studio.id_of("sky")).all()


def test_eyedropper_and_eraser(studio: Studio) -> None:
    studio.choose("pick")
    studio.click(190, 200)
    assert studio.js("studio.palette.chosen") == studio.ids[200, 190]
    assert studio.js("studio.tools.tool") == "brush"
    studio.choose("eraser")
    studio.click(190, 200)
    assert studio.ids[200, 190] == studio.js("studio.sheet.base.background")


def test_a_pen_presses(studio: Studio) -> None:
    studio.blank()
    studio.slide("size", 20)
    studio.choose("brush", "earth")
    studio.press(48, 32, 0.25)
    assert abs(int((studio.ids == studio.id_of("earth")).sum()) - np.pi * 25) < 15


def test_one_finger_draws_and_two_zoom(open_studio: Callable[..., Studio]) -> None:
    studio = open_studio(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    studio.blank()
    studio.slide("size", 6)
    studio.choose("brush", "earth")
    fingers, (x, y) = studio.fingers, studio.screen(30, 32)
    fingers.at((x, y))
    fingers.at((x + 60, y))
    fingers.at()
    studio.until("studio.sheet.strokes.length === 1")
    studio.settle()
    right = int(30 + 60 / studio.js("studio.view.scale"))
    assert (studio.ids[32, 30:right] == studio.id_of("earth")).all()
    scale = studio.js("studio.view.scale")
    fingers.at((x, y))
    fingers.at((x, y), (x + 50, y))
    fingers.at((x, y), (x + 75, y))
    fingers.at((x, y), (x + 100, y))
    fingers.at()
    studio.until("studio.tools.sheet.current === null")
    assert studio.js("studio.sheet.strokes.length") == 1
    assert studio.js("studio.view.scale") > 1.5 * scale


def test_fast_strokes_ask_for_one_picture_at_a_time(studio: Studio) -> None:
    asked = studio.hear(LIVE)
    studio.choose("brush", "tree")
    studio.js("studio.seen = 0, studio.sheet.addEventListener('change', () => (studio.seen += 1))")
    for n in range(6):
        studio.drag((40, 40 + 20 * n), (200, 60 + 20 * n), (330, 40 + 20 * n))
    studio.settle()
    assert asked.most == 1
    bodies = asked.bodies
    assert len(bodies) < studio.js("studio.seen")
    assert (ids_in(bodies[-1]["runs"]) == studio.ids).all()


def test_drawing_hits_its_place_at_any_zoom_and_in_both_panes(studio: Studio) -> None:
    studio.blank()
    studio.slide("size", 2)
    studio.choose("brush", "rock")
    studio.page.mouse.move(*studio.screen(30, 30))
    studio.page.mouse.wheel(0, -600)
    studio.until("studio.view.scale > 6")
    studio.click(30.5, 30.5)
    assert studio.ids[30, 30] == studio.id_of("rock")
    studio.page.keyboard.press("f")
    box = studio.page.locator("#photo").bounding_box()
    assert box
    studio.page.mouse.click(box["x"] + 60.5 / 96 * box["width"], box["y"] + 20.5 / 64 * box["height"])
    assert studio.ids[20, 60] == studio.id_of("rock")


def test_by_keyboard_alone(studio: Studio) -> None:
    page = studio.page
    studio.blank()
    page.keyboard.press("/")
    page.keyboard.type("mount")
    page.keyboard.press("Enter")
    assert studio.js("studio.palette.chosen") == studio.id_of("mountain")
    assert studio.js("document.activeElement.id") == "sketch"
    for key in ("b", "[", "[", "Space", *["ArrowRight"] * 5, "Space"):
        page.keyboard.press(key)
    studio.settle()
    mountain = studio.id_of("mountain")
    assert (studio.ids[32, 48:68] == mountain).all()
    assert "mountain" in (page.locator("#spot").text_content() or "")
    for key in ("3", "r", "Shift+ArrowLeft", "Space", "Shift+ArrowDown", "Shift+ArrowLeft", "Space"):
        page.keyboard.press(key)
    assert studio.js("studio.sheet.strokes.map((stroke) => stroke.tool)") == ["brush", "rectangle"]
    page.keyboard.press("Control+z")
    assert studio.js("studio.sheet.strokes.length") == 1

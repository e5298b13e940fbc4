"""Mouse, pen and fingers: strokes begin anywhere, go on, and can be taken back."""

from collections.abc import Callable

import numpy as np
import pytest

pytest.importorskip("playwright", reason="browser tests: playwright is not installed")
from driving import Studio
from playwright.sync_api import expect

OpenStudio = Callable[..., Studio]


def row(studio: Studio, y: int, name: str) -> np.ndarray:
    """Where a row of the sheet has a class."""
    return np.flatnonzero(studio.ids[y] == studio.id_of(name))


def test_a_stroke_from_outside_reaches_in(studio: Studio) -> None:
    for start in (-2, 96 + 2):
        studio.blank()
        studio.slide("size", 6)
        studio.choose("brush", "rock")
        studio.drag((start, 32), (48, 32))
        studio.drag((start, 32), (48, 50))  # now something else has had the focus before
        assert studio.js("studio.sheet.strokes.length") == 2
        edge = slice(0, 48) if start < 0 else slice(48, 96)
        assert (studio.ids[32, edge] == studio.id_of("rock")).all()


def test_a_stroke_on_the_photograph_goes_on(studio: Studio) -> None:
    studio.blank()
    studio.slide("size", 6)
    studio.choose("brush", "rock")
    box = studio.page.locator("#photo").bounding_box()
    assert box
    for y in (16, 48):
        at = box["y"] + y / 64 * box["height"]
        studio.page.mouse.move(box["x"] + box["width"] / 4, at)
        studio.page.mouse.down()
        studio.page.mouse.move(box["x"] + 3 * box["width"] / 4, at, steps=8)
        studio.page.mouse.up()
        assert (studio.ids[y, 24:72] == studio.id_of("rock")).all()


def test_a_pen_draws_on_the_photograph_too(studio: Studio) -> None:
    studio.blank()
    studio.slide("size", 10)
    studio.choose("brush", "rock")
    box = studio.page.locator("#photo").bounding_box()
    assert box
    y = box["y"] + box["height"] / 2
    session = studio.page.context.new_cdp_session(studio.page)
    pen = {"pointerType": "pen", "button": "left", "buttons": 1, "clickCount": 1, "force": 0.5, "y": y}
    for n in range(12):
        type = "mousePressed" if n == 0 else "mouseReleased" if n == 11 else "mouseMoved"
        x = box["x"] + box["width"] * (0.2 + 0.05 * n)
        session.send("Input.dispatchMouseEvent", {"type": type, "x": x, **pen})
    assert (studio.ids[32, 24:66] == studio.id_of("rock")).all()


def test_every_place_is_stored_once(studio: Studio) -> None:
    studio.blank()
    studio.choose("brush", "rock")
    studio.drag((10, 10), (40, 30), (40, 30), (80, 50))
    points = np.array(studio.js("studio.sheet.strokes[0].points")).reshape(-1, 3)
    assert len(points) > 4
    assert (np.abs(np.diff(points, axis=0)).sum(1) > 0).all()


def test_space_lends_the_hand(studio: Studio) -> None:
    studio.blank()
    studio.choose("brush", "rock")
    studio.page.mouse.move(*studio.screen(30, 30))
    studio.page.mouse.move(*studio.screen(32, 30))
    before = studio.js("studio.view.origin.x")
    studio.page.keyboard.down("Space")
    assert studio.js("document.getElementById('panes').dataset.tool") == "hand"
    studio.page.mouse.down()
    studio.page.mouse.move(*studio.screen(52, 30), steps=3)
    studio.page.mouse.up()
    studio.page.keyboard.up("Space")
    assert studio.js("studio.view.origin.x") > before + 40
    assert studio.js("studio.sheet.strokes.length") == 0
    assert studio.js("studio.tools.tool") == "brush"
    studio.click(40, 30)
    assert studio.js("studio.sheet.strokes.length") == 1


def test_alt_picks_and_the_right_button_offers_the_classes(studio: Studio) -> None:
    studio.blank(["0" * 40 + "2" * 40] * 60)
    studio.choose("brush", "rock")
    studio.page.keyboard.down("Alt")
    studio.click(60, 30)
    studio.page.keyboard.up("Alt")
    assert studio.js("studio.palette.chosen") == 2
    assert studio.js("studio.tools.tool") == "brush"
    studio.page.mouse.click(*studio.screen(20, 30), button="right")
    picker = studio.page.locator("#picker")
    expect(picker).to_be_visible()
    box = picker.bounding_box()
    assert box
    assert abs(box["x"] - studio.screen(20, 30)[0]) < 3
    studio.page.keyboard.type("lake")
    picker.get_by_role("button", name="water").click()
    expect(picker).to_be_hidden()
    assert studio.js("studio.palette.chosen") == studio.id_of("water")
    assert studio.js("studio.sheet.strokes.length") == 0


def test_shift_draws_straight(studio: Studio) -> None:
    studio.blank()
    studio.slide("size", 4)
    studio.choose("brush", "rock")
    studio.click(10, 10)
    studio.page.keyboard.down("Shift")
    studio.click(80, 10)
    studio.page.keyboard.up("Shift")
    assert (studio.ids[10, 10:80] == studio.id_of("rock")).all()
    assert studio.js("studio.sheet.strokes.map((stroke) => stroke.tool)") == ["brush", "line"]
    for tool, name in (("rectangle", "sand"), ("ellipse", "snow")):
        studio.blank()
        studio.choose(tool, name)
        studio.page.keyboard.down("Shift")
        studio.drag((20, 20), (50, 34))
        studio.page.keyboard.up("Shift")
        rows, columns = np.nonzero(studio.ids == studio.id_of(name))
        assert abs(np.ptp(rows) - np.ptp(columns)) <= 1
        assert np.ptp(columns) == 29
    studio.blank()
    studio.choose("line", "road")
    studio.page.keyboard.down("Shift")
    studio.drag((10, 30), (80, 36))
    studio.page.keyboard.up("Shift")
    ys = studio.js("studio.sheet.strokes[0].points.filter((_, i) => i % 3 === 1)")
    assert ys[0] == ys[1]


def test_undo_in_mid_stroke_takes_back_that_stroke_only(studio: Studio) -> None:
    studio.blank()
    studio.choose("brush", "rock")
    studio.drag((10, 10), (40, 10))
    ids = studio.ids
    studio.page.mouse.move(*studio.screen(10, 50))
    studio.page.mouse.down()
    studio.page.mouse.move(*studio.screen(50, 50), steps=4)
    assert (studio.ids != ids).any()
    studio.page.keyboard.press("Control+z")
    studio.page.mouse.move(*studio.screen(80, 50), steps=4)
    studio.page.mouse.up()
    assert (studio.ids == ids).all()
    assert studio.js("studio.sheet.strokes.length") == 1


def test_undo_forgets_the_corners_of_a_polygon(studio: Studio) -> None:
    studio.blank()
    studio.choose("polygon", "rock")
    studio.click(5, 5)
    studio.click(90, 5)
    studio.page.keyboard.press("Control+z")
    assert (studio.ids == 0).all()
    for point in ((40, 40), (60, 40), (40, 60)):
        studio.click(*point)
    studio.page.keyboard.press("Enter")
    rows, columns = np.nonzero(studio.ids)
    assert rows.min() >= 39
    assert columns.min() >= 39


def test_no_pixels_without_a_stroke(studio: Studio) -> None:
    """A second stroke that begins while one grows, by keyboard and pointer at once."""
    studio.blank()
    studio.choose("brush", "rock")
    studio.js("studio.tools.down({x: 20, y: 20})")
    studio.js("studio.tools.move({x: 60, y: 20})")
    studio.click(40, 50)
    assert studio.js("studio.sheet.strokes.length") == 2
    studio.page.keyboard.press("Control+z")
    studio.page.keyboard.press("Control+z")
    assert (studio.ids == 0).all()


@pytest.mark.parametrize(
    ("width", "height"), [(96, 64), (300, 500), pytest.param(1200, 1000, marks=pytest.mark.soak)]
)
def test_a_brush_is_up_to_half_the_short_side(studio: Studio, width: int, height: int) -> None:
    studio.blank(width=width, height=height)
    assert studio.js("Number(document.getElementById('size').max)") == min(width, height) // 2
    studio.slide("size", min(width, height) // 2)
    studio.choose("brush", "rock")
    studio.click(width / 2, height / 2)
    assert abs(len(row(studio, height // 2, "rock")) - min(width, height) // 2) <= 2


def test_a_mirrored_stroke_is_on_both_sides(studio: Studio) -> None:
    studio.page.keyboard.press("m")
    for tool in ("brush", "line", "rectangle", "ellipse", "polygon", "fill"):
        studio.blank(["0" * 45 + "2" * 6 + "0" * 45] * 64)
        studio.slide("size", 7)
        studio.choose(tool, "rock")
        if tool == "polygon":
            for point in ((8, 10), (30, 14), (12, 40)):
                studio.click(*point)
            studio.page.keyboard.press("Enter")
        elif tool == "fill":
            studio.click(10, 10)
        else:
            studio.drag((8, 10), (20, 30), (33, 41))
        ids = studio.ids
        left, right = ids[:, :45] == studio.id_of("rock"), ids[:, 51:] == studio.id_of("rock")
        assert left.any(), tool
        assert (left != right[:, ::-1]).mean() < 0.02, tool  # a centre on an edge may fall to either side
        studio.kept()
        studio.page.reload()
        studio.ready()
        assert (studio.ids == ids).all(), tool
        assert studio.page.locator("#mirror-on").get_attribute("aria-pressed") == "true"
        studio.page.keyboard.press("Control+z")
        assert not (studio.ids == studio.id_of("rock")).any(), tool

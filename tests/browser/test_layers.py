"""Layers: the uppermost that has something is seen, all of it can be undone, and every file keeps it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("playwright", reason="browser tests: playwright is not installed")
from driving import Studio
from playwright.sync_api import expect
from pyora import Project as Ora

from spadework.project import Project
from spadework.sketch.palette import Palette

OpenStudio = Callable[..., Studio]
NAMES = "studio.sheet.layers.map(({name}) => name)"
REPLAYED = """(() => {
  const { sheet } = studio, before = sheet.ids.slice();
  sheet.replace(sheet.base, sheet.strokes, sheet.undone);
  return sheet.ids.every((id, at) => id === before[at]);
})()"""
"""Whether the history alone gives what the hand has made."""


def rectangle(studio: Studio, name: str, *corners: tuple[float, float]) -> None:
    studio.choose("rectangle", name)
    studio.drag(*corners)


def middle(studio: Studio) -> tuple[np.ndarray, np.ndarray]:
    """A blank sheet with a layer, on which is a rectangle of trees; the ids without and with it."""
    studio.blank()
    expect(studio.page.locator("#layers")).to_be_hidden()
    studio.reach("#layer-add").click()
    before = studio.ids
    rectangle(studio, "tree", (20, 20), (40, 40))
    return before, studio.ids


def test_layers_lie_over_each_other(studio: Studio) -> None:
    page = studio.page
    before, both = middle(studio)
    tree, sea = studio.id_of("tree"), studio.id_of("sea")
    assert page.locator("#layer-list .name").all_inner_texts() == ["Middle", "Background"]
    assert (both[20:40, 20:40] == tree).all()
    states = [before, both]

    def done(expected: np.ndarray | None = None) -> None:
        states.append(studio.ids)
        if expected is not None:
            assert (states[-1] == expected).all()

    page.get_by_label("Show Middle").click()
    done(before)
    studio.click(30, 30)
    expect(page.locator("#toast")).to_contain_text("“Middle” is hidden")
    page.get_by_label("Show Middle").click()
    done(both)
    page.click("#layer-list .name >> text=Background")
    rectangle(studio, "sea", (0, 10), (96, 30))
    under = both.copy()
    under[10:30] = np.where(both[10:30] == tree, tree, sea)
    done(under)  # below the trees
    page.get_by_label("Lock Background").click()
    done(under)
    studio.click(80, 60)
    expect(page.locator("#toast")).to_contain_text("“Background” is locked")
    assert (studio.ids == under).all()
    page.click("#layer-list .name >> text=Middle")
    studio.choose("eraser")
    studio.slide("size", 6)
    studio.click(25, 25)
    hole = under.copy()
    hole[25, 25] = sea
    done()
    assert studio.ids[25, 25] == sea  # what is below
    page.click("#layer-flip")
    done()
    assert studio.ids[25, 96 - 26] == sea
    assert (studio.ids[35, 56:76] == tree).all()
    page.click("#layer-down")
    done()
    assert (studio.ids[:10] == 0).all()
    assert (studio.ids[10:30] == sea).all()
    page.click("#layer-copy")
    page.click("#layer-up")
    assert studio.js(NAMES) == ["Middle", "Background", "Middle 2"]
    page.click("#layer-list .name >> text=Middle 2")
    page.locator(".layer input").fill("Wood")
    page.keyboard.press("Enter")
    assert studio.js(NAMES) == ["Middle", "Background", "Wood"]
    page.click("#layer-remove")
    assert studio.js(NAMES) == ["Middle", "Background"]
    assert studio.js(REPLAYED)

    for _ in range(4):
        page.keyboard.press("Control+z")
    for state in reversed(states):
        assert (studio.ids == state).all()
        page.keyboard.press("Control+z")
    expect(page.locator("#layers")).to_be_hidden()
    assert page.locator("#undo").is_disabled()
    for state in states:
        page.keyboard.press("Control+Shift+z")
        assert (studio.ids == state).all()
    studio.settle()


def test_a_layer_is_moved_by_hand_and_by_keys(studio: Studio) -> None:
    before, both = middle(studio)
    tree = studio.id_of("tree")
    studio.choose("shift")
    studio.drag((30, 30), (80, 10))
    moved = before.copy()
    moved[0:20, 70:90] = tree
    assert (studio.ids == moved).all()
    for _ in range(3):
        studio.page.keyboard.press("Shift+ArrowRight")  # over the edge
    assert (studio.ids == before).all()
    assert studio.js("studio.sheet.strokes.length") == 3
    for _ in range(3):
        studio.page.keyboard.press("Shift+ArrowLeft")
    studio.page.keyboard.press("ArrowDown")
    assert (studio.ids == np.roll(moved, 1, 0)).all()  # nothing was lost
    studio.page.keyboard.press("Control+z")
    assert (studio.ids == both).all()
    studio.page.mouse.move(*studio.screen(30, 30))
    studio.page.mouse.down()
    studio.page.mouse.move(*studio.screen(50, 50), steps=3)
    studio.page.keyboard.press("Escape")
    studio.page.mouse.up()
    assert (studio.ids == both).all()
    assert studio.js(REPLAYED)


def test_bucket_and_only_on_see_all_layers(studio: Studio) -> None:
    _, both = middle(studio)
    sea, tree = studio.id_of("sea"), studio.id_of("tree")
    studio.page.click("#layer-add")
    assert studio.js(NAMES) == ["Background", "Middle", "Foreground"]
    studio.choose("fill", "sea")
    studio.click(5, 5)  # around the trees, though this layer is empty
    assert (studio.ids == np.where(both == tree, tree, sea)).all()
    studio.page.keyboard.press("Control+z")
    studio.page.select_option("#only", label="tree")
    rectangle(studio, "rock", (0, 0), (96, 64))
    assert (studio.ids == np.where(both == tree, studio.id_of("rock"), 0)).all()
    assert studio.js(REPLAYED)


def test_projects_keep_layers_and_others_read_them(open_studio: OpenStudio, tmp_path: Path) -> None:
    first = open_studio()
    first.blank()
    rectangle(first, "sand", (0, 40), (96, 64))
    flat = json.loads(first.saved("save-project"))
    assert "layers" not in flat
    assert len(flat["strokes"]) == 1  # as every studio knows it
    first.page.click("#layer-add")
    rectangle(first, "tree", (20, 20), (40, 60))
    first.choose("shift")
    first.drag((30, 30), (40, 30))
    first.page.keyboard.press("Control+z")
    first.page.get_by_label("Lock Background").click()
    first.settle()
    saved = first.saved("save-project")
    data = json.loads(saved)
    assert data["strokes"] == []  # who knows no layers sees the ids
    palette = Palette.load("landscape")
    project = Project.from_text(saved.decode())
    assert (project.sketch(palette).ids == first.ids).all()
    drawn = project.drawn(palette)
    assert [(each.name, each.hidden, each.locked) for each in drawn] == [
        ("Background", False, True),
        ("Middle", False, False),
    ]
    assert drawn[1].there.sum() == 20 * 40
    (tmp_path / "mine.spadework.json").write_bytes(saved)
    (tmp_path / "old.json").write_text(
        json.dumps({key: value for key, value in data.items() if key != "layers"})
    )

    second = open_studio()
    second.page.set_input_files("#file", tmp_path / "mine.spadework.json")
    second.settle()
    assert second.saved("save-project") == saved
    assert (second.ids == first.ids).all()
    expect(second.page.locator("#layers")).to_be_visible()
    second.page.keyboard.press("Control+z")  # the lock
    second.page.keyboard.press("Control+z")
    assert (second.ids != first.ids).any()
    second.kept()
    ids = second.ids
    second.page.reload()
    second.ready()
    assert (second.ids == ids).all()
    assert second.js(NAMES) == ["Background", "Middle"]
    second.page.set_input_files("#file", tmp_path / "old.json")
    second.settle()
    assert (second.ids == first.ids).all()
    expect(second.page.locator("#layers")).to_be_hidden()


def test_a_damaged_layer_is_a_sentence(studio: Studio, tmp_path: Path) -> None:
    middle(studio)
    saved = studio.saved("save-project")
    for fault in ("nothing", "stack", "op", "id"):
        (tmp_path / "bad.json").write_text(json.dumps(damaged(json.loads(saved), fault)))
        studio.page.set_input_files("#file", tmp_path / "bad.json")
        expect(studio.page.locator("#toast")).to_contain_text("This project is damaged")
        studio.page.get_by_label("Dismiss").click()
        expect(studio.page.locator("#toast")).to_be_hidden()


def damaged(data: dict[str, Any], fault: str) -> dict[str, Any]:
    """A project with one fault in its layers."""
    layers = data["layers"]
    if fault == "nothing":
        layers["nothing"] = 3
    elif fault == "stack":
        layers["base"] = {"layers": [{"key": "x"}]}
    elif fault == "id":
        layers["base"]["ids"] = layers["base"]["ids"].replace("0*", "256*", 1)  # in a byte that would be 0
    else:
        layers["strokes"][0]["op"] = "burn"
    return data


@pytest.mark.needs_server
def test_layers_go_to_other_programs_as_groups(open_studio: OpenStudio, tmp_path: Path) -> None:
    """And come back as layers, with what was done to them there."""
    studio = open_studio()
    _, both = middle(studio)
    studio.page.click("#layer-add")
    rectangle(studio, "rock", (60, 0), (70, 64))
    studio.page.get_by_label("Show Foreground").click()
    studio.page.get_by_label("Lock Middle").click()
    studio.settle()
    photo = studio.photo
    (tmp_path / "mine.ora").write_bytes(studio.saved("save-layers"))
    opened = Ora.load(str(tmp_path / "mine.ora"))
    assert [each.name for each in opened.children] == ["Photograph", "Foreground", "Middle", "Background"]
    shown = np.asarray(opened.get_image_data(use_original=False).convert("RGB"))
    assert (shown == photo).all()
    groups = {each.name: each for each in opened.children}
    assert [each.name for each in groups["Middle"].children] == ["tree"]
    assert not groups["Foreground"].visible
    groups["Foreground"].visible = True
    opened.save(str(tmp_path / "edited.ora"))
    (tmp_path / "mine.psd").write_bytes(studio.saved("save-psd"))

    studio.blank()
    studio.page.set_input_files("#file", tmp_path / "mine.ora")
    studio.settle()
    assert (studio.ids == both).all()
    assert studio.js("studio.sheet.strokes.length") == 6  # the drawing itself
    studio.page.set_input_files("#file", tmp_path / "edited.ora")
    studio.settle()
    assert studio.js("studio.sheet.strokes.length") == 0
    assert studio.js(NAMES) == ["Background", "Middle", "Foreground"]
    rock = both.copy()
    rock[:, 60:70] = studio.id_of("rock")
    assert (studio.ids == rock).all()
    studio.page.set_input_files("#file", tmp_path / "mine.psd")
    studio.settle()
    assert studio.js(NAMES) == ["Background", "Middle", "Foreground"]
    assert (studio.ids == both).all()
    studio.page.get_by_label("Show Foreground").click()
    assert (studio.ids == rock).all()
    studio.page.get_by_label("Show Foreground").click()
    studio.page.click("#layer-list .name >> text=Foreground")  # which is drawn on: a new name
    studio.page.get_by_label("Show Foreground").click()
    studio.page.click("#layer-remove")
    saved = studio.saved("save-project")
    (tmp_path / "again.json").write_bytes(saved)
    studio.page.set_input_files("#file", tmp_path / "again.json")
    studio.settle()
    assert studio.saved("save-project") == saved
    studio.page.keyboard.press("Control+z")
    assert (studio.ids == rock).all()
    studio.settle()


def test_the_panel_is_in_reach(studio: Studio) -> None:
    for width, height in ((1366, 768), (844, 390), (390, 844)):
        studio.page.set_viewport_size({"width": width, "height": height})
        studio.blank()
        for _ in range(3):
            studio.reach("#layer-add").click()
        for id in ("layer-up", "layer-down", "layer-copy", "layer-flip", "layer-remove", "layer-name-1"):
            found = studio.reach(f"#{id}")
            found.scroll_into_view_if_needed()
            box = found.bounding_box()
            assert box
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= width
            assert box["y"] + box["height"] <= height
        studio.page.click("#layer-name-1")
        studio.page.click("#layer-name-1")
        expect(studio.page.get_by_label("Name of Background")).to_be_focused()
        studio.page.keyboard.press("Escape")
        studio.settle()

"""Nothing is lost: every drawing stays on the shelf, whatever happens to the page."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("playwright", reason="browser tests: playwright is not installed")
from driving import Server, Studio
from playwright.sync_api import Browser, BrowserContext, expect

from spadework.sketch.labelmap import LabelMap
from spadework.sketch.palette import Palette

NewContext = Callable[..., BrowserContext]
TITLES = "[...document.querySelectorAll('#drawing-list input')].map((field) => field.value)"


def draw(studio: Studio) -> np.ndarray:
    """A stroke; the ids with it."""
    studio.choose("brush", "road")
    studio.drag((40, 30), (60, 40))
    studio.settle()
    return studio.ids


def replaced_by_new(studio: Studio, folder: Path) -> None:
    studio.page.click("#new")
    studio.page.click("#new-create")


def replaced_by_example(studio: Studio, folder: Path) -> None:
    studio.page.click("#examples")
    studio.page.locator("#example-list .card", has_text="Desert").click()


def replaced_by_file(studio: Studio, folder: Path) -> None:
    LabelMap(np.full((64, 96), 3, np.uint8), Palette.load("landscape")).save(folder / "hills.png")
    studio.page.set_input_files("#file", folder / "hills.png")


@pytest.mark.parametrize("replace", [replaced_by_new, replaced_by_example, replaced_by_file])
def test_another_drawing_only_turns_the_page(
    studio: Studio, tmp_path: Path, replace: Callable[[Studio, Path], None]
) -> None:
    ids = draw(studio)
    replace(studio, tmp_path)
    studio.settle()
    assert studio.ids.shape != ids.shape or (studio.ids != ids).any()
    toast = studio.page.locator("#toast")
    expect(toast).to_contain_text("“Alpine lake” is kept under Drawings")
    studio.page.click("#drawings")
    studio.page.locator(".drawing", has=studio.page.get_by_label("Open Alpine lake")).wait_for()
    studio.page.get_by_label("Open Alpine lake").click()
    studio.settle()
    assert (studio.ids == ids).all()
    studio.page.keyboard.press("Control+z")
    assert (studio.ids != ids).any()


def test_going_back_is_one_click(studio: Studio, tmp_path: Path) -> None:
    ids = draw(studio)
    replaced_by_new(studio, tmp_path)
    studio.settle()
    studio.page.click("#toast-act")
    studio.settle()
    assert (studio.ids == ids).all()


def test_the_shelf_names_deletes_and_takes_back(studio: Studio, tmp_path: Path) -> None:
    draw(studio)
    replaced_by_new(studio, tmp_path)
    studio.settle()
    draw(studio)
    studio.page.click("#drawings")
    studio.until(f"{TITLES}.length === 2")
    assert studio.js(TITLES) == ["Sketch", "Alpine lake"]
    faces = studio.js("[...document.querySelectorAll('#drawing-list img')].map((face) => face.naturalWidth)")
    assert faces == [192, 192]
    field = studio.page.locator("#drawing-list input").nth(1)
    field.fill("My lake")
    field.press("Tab")
    studio.settle()
    studio.page.get_by_label("Delete My lake").click()
    studio.until(f"{TITLES}.length === 1")
    expect(studio.page.locator("#toast")).to_contain_text("“My lake” is deleted")
    studio.page.click("#toast-act")
    studio.until(f"{TITLES}.length === 2")
    assert studio.js(TITLES) == ["Sketch", "My lake"]


def test_what_nobody_drew_on_does_not_fill_the_shelf(studio: Studio, tmp_path: Path) -> None:
    draw(studio)
    for _ in range(3):
        replaced_by_example(studio, tmp_path)
        studio.settle()
    replaced_by_new(studio, tmp_path)
    studio.settle()
    studio.page.click("#drawings")
    studio.until(f"{TITLES}.length > 0")
    assert studio.js(TITLES) == ["Sketch", "Alpine lake"]


@pytest.mark.parametrize("finished", [True, False])
def test_the_last_stroke_survives_a_reload(studio: Studio, finished: bool) -> None:
    studio.blank(width=200, height=120)
    studio.kept()
    studio.choose("ellipse" if finished else "brush", "sand")
    studio.slide("size", 17)
    studio.page.mouse.move(*studio.screen(40, 40))
    studio.page.mouse.down()
    studio.page.mouse.move(*studio.screen(90, 80), steps=6)
    if finished:
        studio.page.mouse.up()
    ids = studio.ids
    assert (ids == studio.id_of("sand")).any()
    studio.page.reload()
    studio.ready()
    assert (studio.ids == ids).all()
    assert studio.js("studio.sheet.strokes.length") == 1
    assert studio.js("studio.tools.tool") == ("ellipse" if finished else "brush")
    assert studio.js("studio.palette.chosen") == studio.id_of("sand")
    expect(studio.page.locator("#size")).to_have_value("17")
    expect(studio.page.locator("#size-text")).to_have_text("17")


def test_the_last_stroke_survives_a_closed_tab(new_context: NewContext, address: str) -> None:
    context = new_context()
    one = Studio(context.new_page(), address)
    one.blank()
    one.kept()
    one.choose("brush", "road")
    one.drag((10, 10), (60, 40))
    ids = one.ids
    one.page.close(run_before_unload=True)
    two = Studio(context.new_page(), address)
    two.until("studio.sheet.strokes.length === 1")
    assert (two.ids == ids).all()


def test_a_drawing_of_another_model_is_left_alone(studio: Studio) -> None:
    draw(studio)
    studio.kept()
    other = studio.js(
        """(async () => {
          const kept = await studio.drawings.cupboard.get(studio.drawings.name);
          const text = kept.text.replace('"landscape"', '"coco_stuff"');
          await studio.drawings.cupboard.put("other", { ...kept, text, time: 9e12, title: "Kitchen" });
          sessionStorage.clear();
          studio.drawings.name = "gone";
        })()"""
    )
    assert other is None
    studio.page.goto(studio.page.url)
    studio.ready()
    text = studio.js("studio.drawings.cupboard.get('other').then(({ text }) => text)")
    assert '"coco_stuff"' in text
    studio.page.click("#drawings")
    studio.page.get_by_label("Open Kitchen").click()
    expect(studio.page.locator("#toast")).to_contain_text("was drawn for coco_stuff")


FAR = "http://studio.test"
"""This machine, by a name that browsers do not trust."""

BUSY = "setTimeout(() => { for (const end = Date.now() + 1000; Date.now() < end;); }, 100)"
"""A tab at work for a second."""

TAKEN = "localStorage.setItem('spadework-has:' + studio.drawings.name, 'another page')"
"""Another tab has taken this one's drawing."""


@pytest.fixture
def far(browser: Browser) -> Iterator[Callable[[], Studio]]:
    """Opens tabs over plain http, where there is no crypto.randomUUID, no lock and no clipboard."""
    remote = Server(host="0.0.0.0")
    port, token = remote.url.rsplit(":", 1)[1].split("/")[0], remote.url.split("token=")[1]
    context = browser.new_context()
    try:
        yield lambda: Studio(context.new_page(), f"{FAR}:{port}/?token={token}")
    finally:
        context.close()
        remote.kill()


def test_another_machine_paints_too(far: Callable[[], Studio]) -> None:
    one, two = far(), far()
    assert one.js("[isSecureContext, 'locks' in navigator]") == [False, False]
    for tab, x in ((one, 60), (two, 200)):
        tab.choose("brush", "road")
        tab.click(x, 60)
        tab.settle()
        tab.kept()
    assert one.js("studio.drawings.name") != two.js("studio.drawings.name")
    ids = one.ids
    one.page.reload()
    one.ready()
    one.kept()
    assert (one.ids == ids).all()
    assert (two.ids != ids).any()
    two.page.click("#save")
    two.page.click("#copy-photo")
    expect(two.page.locator("#toast")).to_contain_text("clipboard only to https and to this machine")
    assert [*one.trouble, *two.trouble] == []
    one.js(BUSY)  # it cannot answer at once, and has its drawing all the same
    two.page.click("#drawings")
    two.page.get_by_label("Open Alpine lake").last.click()
    expect(two.page.locator("#toast")).to_contain_text("Another tab has this drawing")
    one.js(TAKEN)  # while it slept
    before = one.js("studio.drawings.name")
    one.click(120, 90)
    one.settle()
    one.kept()
    assert one.js("studio.drawings.name") != before
    assert (
        one.js("studio.drawings.cupboard.all().then((all) => all.map(({ name }) => name))").count(before) == 1
    )


def test_what_cannot_be_kept_is_not_replaced(studio: Studio, tmp_path: Path) -> None:
    ids = draw(studio)
    studio.kept()
    studio.js(
        "studio.drawings.cupboard.put = () => Promise.reject(new DOMException('full', 'QuotaExceededError'))"
    )
    replaced_by_new(studio, tmp_path)
    expect(studio.page.locator("#toast")).to_contain_text("no room to keep this drawing")
    studio.settle()
    assert (studio.ids == ids).all()


def test_a_drawing_that_could_not_be_opened_can_be_later(studio: Studio, tmp_path: Path) -> None:
    ids = draw(studio)
    studio.kept()
    first = studio.js("studio.drawings.name")
    replaced_by_new(studio, tmp_path)
    studio.settle()
    studio.js("studio.drawings.cupboard.put = () => Promise.reject(new DOMException('full'))")
    take = "studio.drawings.take(a).then(() => '', (problem) => problem.sentence)"
    for _ in range(2):
        assert studio.js(take, first) == "The browser has no room to keep this drawing"
    studio.js("delete studio.drawings.cupboard.put")
    assert studio.js(take, first) == ""
    assert (studio.ids == ids).all()
    studio.settle()


def test_a_damaged_last_word_is_passed_over(studio: Studio) -> None:
    ids = draw(studio)
    studio.kept()
    for said in ("{", "null", '{"time": 9e15}', "[]"):
        studio.js(
            """addEventListener('pagehide', () =>
              localStorage.setItem('spadework-last:' + studio.drawings.name, a))""",
            said,
        )
        studio.page.reload()
        studio.ready()
        assert (studio.ids == ids).all()
        assert studio.js("Object.keys(localStorage)") == []


def test_without_any_store_it_still_paints(new_context: NewContext, address: str) -> None:
    """As with site data blocked: it says so, and New turns the page for as long as the tab lives."""
    context = new_context()
    context.add_init_script(
        """for (const name of ["localStorage", "sessionStorage", "indexedDB"])
             Object.defineProperty(globalThis, name, {
               get() { throw new DOMException("no", "SecurityError"); }
             });"""
    )
    studio = Studio(context.new_page(), address)
    ids = draw(studio)
    expect(studio.page.locator("#toast")).to_contain_text("does not keep this drawing")
    replaced_by_new(studio, Path())
    studio.settle()
    studio.page.click("#drawings")
    studio.page.get_by_label("Open Alpine lake").click()
    studio.settle()
    assert (studio.ids == ids).all()
    studio.page.click("#theme")
    assert studio.trouble == []

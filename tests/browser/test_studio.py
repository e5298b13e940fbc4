"""The photograph, its style, files, tabs, crashes, screens and everybody's access."""

import json
import re
import urllib.request
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("playwright", reason="browser tests: playwright is not installed")
from driving import LIVE, Server, Studio
from playwright.sync_api import BrowserContext, expect

from spadework.engine import Engine
from spadework.picture import Picture
from spadework.segmenter.segmenter import Segmenter
from spadework.service.opening import open_photo
from spadework.sketch.labelmap import LabelMap
from spadework.sketch.palette import Palette
from spadework.studio import PAGE

OpenStudio = Callable[..., Studio]
NewContext = Callable[..., BrowserContext]
NAMELESS, PALE = (Path(__file__).parent / "access.js").read_text().split("// ----\n")


REACHABLE = """[...document.querySelectorAll("header [id], aside [id], #shelf [id]")].filter(
  (e) => e.matches("button, input, select, #palette, #tools") && !e.closest(":disabled, [hidden]")
).map((e) => e.id)"""
"""What a person works with."""


FULL = """(async () => {
  const { service } = await import(new URL("js/api.js", location.href).href);
  const ask = service.ask;
  [studio.refused, studio.most] = [0, a];
  service.ask = async (path, options) => {
    const full = ["/v1/paint", "/v1/labels/write"].includes(path) && studio.refused < studio.most;
    if (!full) return ask(path, options);
    studio.refused += 1;
    const told = { sentence: "Too many requests wait", remedy: "Try again in 1 s." };
    return Response.json(told, { status: 429, headers: { "Retry-After": "1" } });
  };
})()"""
"""The painter refuses so many times."""


def photo_file(path: Path) -> Path:
    """Warm, and grainy as photographs are."""
    rows = np.linspace(0, 1, 80)[:, None, None] * np.array([40, 110, 160]) + np.array([200, 90, 40])
    grain = np.random.default_rng(0).normal(0, 25, (80, 120, 3))
    Image.fromarray((rows + grain).clip(0, 255).astype(np.uint8)).save(path)
    return path


@pytest.mark.both_painters
def test_the_first_minute(studio: Studio) -> None:
    hint = studio.page.locator("#hint")
    expect(hint).to_be_visible()
    assert "photograph follows" in hint.inner_text()
    assert studio.photo.std() > 20
    panes = studio.page.locator("#panes").bounding_box()
    studio.drag((100, 50), (140, 60))
    studio.settle()
    expect(hint).to_be_hidden()
    assert studio.page.locator("#panes").bounding_box() == panes
    assert studio.page.locator("#state-text").inner_text().endswith(" ms")


def test_a_slow_painter_sends_a_preview_first(studio: Studio) -> None:
    asked = studio.hear(LIVE)
    studio.js("studio.painter.paces = Array(5).fill(1)")
    studio.click(100, 50)
    studio.settle()
    assert asked.bodies[0]["short"] == 128
    assert "short" not in asked.bodies[-1]
    assert studio.js("document.getElementById('photo').dataset.preview") == "false"


@pytest.mark.both_painters
def test_a_seed_is_a_picture(studio: Studio) -> None:
    first = studio.photo
    studio.page.fill("#seed", "7")
    studio.page.keyboard.press("Enter")
    studio.settle()
    seventh = studio.photo
    assert np.abs(seventh.astype(int) - first).mean() > 1
    studio.page.click("#dice")
    studio.settle()
    studio.page.fill("#seed", "7")
    studio.page.keyboard.press("Enter")
    studio.settle()
    assert (studio.photo == seventh).all()


@pytest.mark.photographs
def test_painting_on_keeps_the_style(open_studio: OpenStudio, tmp_path: Path) -> None:
    studio = open_studio()
    studio.blank()
    studio.seed(3)
    sky = studio.js("studio.style.mood.z")
    assert sky
    studio.choose("fill", "snow")
    studio.click(30, 30)
    studio.settle()
    assert studio.js("studio.style.mood.z") == sky
    picture = Picture.from_bytes(studio.saved("save-photo"))
    assert picture.provenance["z"] == sky
    file = tmp_path / "mine.spadework.json"
    file.write_bytes(studio.saved("save-project"))
    studio.seed(4)
    studio.seed(3)  # asks for what suits the sketch as it is now
    assert studio.js("studio.style.mood.z") != sky
    assert (studio.photo != picture.pixels).any()

    other = open_studio()
    other.page.set_input_files("#file", file)
    other.settle()
    assert (other.photo == picture.pixels).all()


def test_a_photo_gives_its_style_and_two_blend(studio: Studio, tmp_path: Path) -> None:
    first = studio.photo
    studio.page.set_input_files("#photo-file", photo_file(tmp_path / "dusk.png"))
    studio.settle()
    assert studio.js("studio.style.mood.origin") == "photo dusk.png"
    assert studio.page.locator("#slot-a").inner_text().endswith("photo dusk.png")
    dusk = studio.photo
    assert (dusk != first).any()
    studio.page.click("#slot-b")
    assert "clear noon" in studio.moods()
    studio.page.locator(".mood", has_text="clear noon").click()
    studio.slide("blend", 100)
    studio.settle()
    assert studio.page.locator("#slot-b").inner_text().endswith("clear noon")
    assert studio.js("studio.style.asked().other.z") == studio.js("studio.style.other.z")
    assert (studio.photo != dusk).any()
    studio.page.click("#lock")
    studio.page.click("#dice")
    assert studio.js("studio.style.mood.origin") == "photo dusk.png"
    assert studio.page.locator(".mood").first.is_disabled()


def drop(studio: Studio, photo: Path) -> None:
    """Drops the file on the page, which asks what to do with it."""
    studio.js(
        """((data) => {
          const transfer = new DataTransfer();
          transfer.items.add(new File([Uint8Array.from(data)], 'dropped.jpg', {type: 'image/jpeg'}));
          dispatchEvent(new DragEvent('drop', {dataTransfer: transfer, cancelable: true}));
        })(a)""",
        list(photo.read_bytes()),
    )
    studio.page.locator("#photo-dialog").wait_for()
    studio.settle()


def test_a_photo_dropped_on_the_page_is_a_style(studio: Studio, tmp_path: Path) -> None:
    ids = studio.ids
    drop(studio, photo_file(tmp_path / "dusk.png"))
    studio.page.click("#photo-light")
    studio.settle()
    assert studio.js("studio.style.mood.origin") == "photo dropped.jpg"
    assert (studio.ids == ids).all()


@pytest.mark.both_painters
def test_a_photo_dropped_on_the_page_is_a_sketch(studio: Studio, painter: str, tmp_path: Path) -> None:
    photo = photo_file(tmp_path / "dusk.png")
    drop(studio, photo)
    studio.page.click("#photo-labels")
    studio.page.locator("#map-dialog").wait_for()
    assert "found in the photograph" in studio.page.locator("#map-report").inner_text()
    studio.page.click("#map-open")
    studio.until("!document.getElementById('map-dialog').open")
    studio.settle()
    read = open_photo(photo.read_bytes(), Engine.load("landscape", "cpu"), Segmenter.load()).sketch
    assert (studio.ids == read.ids).mean() >= {"server": 1, "site": 0.995}[painter]


@pytest.mark.photographs
def test_four_variations_at_once(studio: Studio) -> None:
    studio.page.click("#variations")
    cards = studio.page.locator("#variation-list .card canvas[data-painted]")
    cards.nth(3).wait_for()
    studio.settle()
    assert len({cards.nth(n).evaluate("(face) => face.toDataURL()") for n in range(4)}) == 4
    obeyed = studio.page.locator("#variation-list .card small").all_inner_texts()
    shares = [int(text.removesuffix("% as drawn")) for text in obeyed]
    assert len(shares) == 4
    assert shares == sorted(shares, reverse=True)
    seed = studio.page.locator("#variation-list .card span").nth(1).inner_text().split()[-1]
    studio.page.locator("#variation-list .card").nth(1).click()
    expect(studio.page.locator("#seed")).to_have_value(seed)
    studio.settle()


def test_a_project_reopens_byte_for_byte(open_studio: OpenStudio, tmp_path: Path) -> None:
    first = open_studio()
    first.page.set_input_files("#photo-file", photo_file(tmp_path / "dusk.png"))
    for tool in ("brush", "ellipse", "fill"):
        first.choose(tool, "field")
        first.drag((60, 60), (120.3, 90.7), (150, 200))
    first.page.keyboard.press("Control+z")
    first.settle()
    saved = first.saved("save-project")
    assert json.loads(saved)["undone"][0]["tool"] == "fill"
    file = tmp_path / "mine.spadework.json"
    file.write_bytes(saved)

    second = open_studio()
    second.page.set_input_files("#file", file)
    second.settle()
    assert second.saved("save-project") == saved
    assert (second.ids == first.ids).all()
    assert (second.photo == first.photo).all()
    second.page.keyboard.press("Control+Shift+z")
    assert second.js("studio.sheet.strokes.length") == 3


def test_label_maps_and_photographs_go_in_and_out(studio: Studio, tmp_path: Path) -> None:
    studio.drag((60, 60), (120, 90))
    studio.settle()
    labels = studio.saved("save-labels")
    palette = Palette.load("landscape")
    assert (LabelMap.from_bytes(labels, palette).ids == studio.ids).all()
    picture = Picture.from_bytes(studio.saved("save-photo"))
    assert (picture.pixels == studio.photo).all()
    assert picture.provenance["style"] == "seed 0"
    ids, file = studio.ids, tmp_path / "labels.png"
    file.write_bytes(labels)
    studio.blank()
    studio.page.set_input_files("#file", file)
    studio.settle()
    assert (studio.ids == ids).all()


@pytest.mark.needs_server
def test_a_map_of_another_palette_is_checked_first(studio: Studio, tmp_path: Path) -> None:
    other = Palette.load("gaugan2")
    ids = np.full((64, 96), other.id_of("river"), np.uint8)
    ids[:20] = other.id_of("sky")
    Image.fromarray(other.colors()[ids]).save(tmp_path / "river.png")
    before = studio.ids
    studio.page.set_input_files("#file", tmp_path / "river.png")
    studio.settle()
    report = studio.page.locator("#map-report")
    assert "river -> water" in report.inner_text()
    expect(studio.page.locator("#map-palette")).to_have_value("gaugan2")
    assert "water" in studio.page.locator("#map-classes").inner_text()
    assert (studio.ids == before).all()
    assert studio.js(PALE) == []
    studio.page.click("#map-open")
    studio.settle()
    assert (studio.ids[20:] == studio.id_of("water")).all()
    assert (studio.ids[:20] == studio.id_of("sky")).all()
    expect(studio.page.locator("#map-dialog")).to_be_hidden()


def test_an_opened_photograph_may_be_a_style(studio: Studio, tmp_path: Path) -> None:
    studio.page.set_input_files("#file", photo_file(tmp_path / "dusk.png"))
    studio.settle()
    expect(studio.page.locator("#photo-dialog")).to_be_visible()
    studio.page.click("#photo-light")
    studio.settle()
    assert studio.js("studio.style.mood.origin") == "photo dusk.png"


def test_the_photograph_is_copied_to_the_clipboard(open_studio: OpenStudio) -> None:
    studio = open_studio(permissions=["clipboard-read", "clipboard-write"])
    studio.page.click("#save")
    studio.page.click("#copy-photo")
    studio.settle()
    data = studio.js(
        """navigator.clipboard.read()
             .then(([item]) => item.getType('image/png')).then((blob) => blob.arrayBuffer())
             .then((buffer) => Array.from(new Uint8Array(buffer)))"""
    )
    assert (Picture.from_bytes(bytes(data)).pixels == studio.photo).all()


def test_several_pictures_in_one_tab(studio: Studio) -> None:
    seen = [studio.photo]
    for title in ("Beach", "Desert"):
        studio.drag((60, 60), (120, 90))
        studio.page.click("#examples")
        studio.page.locator("#example-list .card", has_text=title).click()
        studio.settle()
        assert studio.page.locator("#undo").is_disabled()
        assert all(studio.photo.shape != old.shape or (studio.photo != old).any() for old in seen)
        seen.append(studio.photo)
    studio.kept()
    ids = studio.ids
    studio.page.reload()
    studio.ready()
    assert (studio.ids == ids).all()
    assert (studio.photo == seen[-1]).all()


def test_a_new_sheet_and_an_example(studio: Studio) -> None:
    studio.page.click("#new")
    studio.page.locator("#sizes button", has_text="2:1").click()
    studio.page.select_option("#new-background", label="sea")
    studio.page.click("#new-create")
    studio.settle()
    expect(studio.page.locator("#new-dialog")).to_be_hidden()
    assert (studio.ids == np.full((256, 512), studio.id_of("sea"))).all()
    studio.page.click("#examples")
    studio.page.locator("#example-list .card", has_text="Desert").click()
    studio.settle()
    assert (studio.ids == studio.id_of("sand")).any()


def test_a_bad_project_is_a_sentence(studio: Studio, tmp_path: Path) -> None:
    ids = studio.ids
    file, toast = tmp_path / "bad.json", studio.page.locator("#toast p")
    for content in (b'{"format": "other"}', b'{"format', b'{"format":"spadework-project"}'):
        file.write_bytes(content)
        studio.page.set_input_files("#file", file)
        toast.wait_for()
        assert toast.inner_text().count(".") >= 2
        assert (studio.ids == ids).all()
        studio.page.get_by_label("Dismiss").click()
        toast.wait_for(state="hidden")


def test_a_bad_file_is_a_sentence(studio: Studio, tmp_path: Path) -> None:
    file = tmp_path / "letter.png"
    file.write_text("Dear studio")
    studio.page.set_input_files("#file", file)
    toast = studio.page.locator("#toast p")
    toast.wait_for()
    assert "not a picture" in toast.inner_text()


def test_a_reload_restores_everything(studio: Studio) -> None:
    studio.choose("brush", "road")
    studio.drag((60, 60), (120, 90))
    studio.page.fill("#seed", "42")
    studio.page.keyboard.press("Enter")
    studio.kept()
    ids = studio.ids
    studio.page.reload()
    studio.ready()
    assert (studio.ids == ids).all()
    expect(studio.page.locator("#seed")).to_have_value("42")
    studio.page.keyboard.press("Control+z")
    assert (studio.ids != ids).any()


def test_two_tabs_keep_apart_and_a_closed_one_comes_back(new_context: NewContext, address: str) -> None:
    context = new_context()
    one, two = Studio(context.new_page(), address), Studio(context.new_page(), address)
    for tab, x in ((one, 60), (two, 200)):
        tab.choose("brush", "road")
        tab.click(x, 60)
    for tab in (one, two):
        tab.settle()
        tab.kept()
    assert one.ids[60, 60] == two.ids[60, 200] != one.ids[60, 200]
    ids = two.ids
    two.page.close()
    one.until(
        "navigator.locks.query().then(({held}) => held.length === 1)"
    )  # it leaves its place a moment later
    three = Studio(context.new_page(), address)
    assert (three.ids == ids).all()
    assert not [*one.trouble, *two.trouble, *three.trouble]


@pytest.mark.needs_server
def test_the_server_may_die_while_one_paints(open_studio: OpenStudio, tiny: Path, tmp_path: Path) -> None:
    server = Server(model=str(tiny))
    studio = open_studio(server.url)
    studio.page.set_input_files("#photo-file", photo_file(tmp_path / "dusk.png"))
    studio.settle()
    z = studio.js("studio.style.mood.z")
    server.kill()
    studio.choose("brush", "tree")
    studio.slide("size", 50)
    studio.drag((60, 60), (120, 90))
    studio.until("document.getElementById('state').dataset.state === 'away'")
    assert "does not answer" in studio.page.locator("#toast").inner_text()
    studio.drag((200, 60), (220, 90))
    assert studio.ids[90, 220] == studio.ids[90, 120] == studio.id_of("tree")
    before = studio.js("document.getElementById('photo').dataset.painted")
    again = Server(server.port, str(tiny))
    try:
        studio.settle()
        assert studio.js("document.getElementById('photo').dataset.painted") != before
        studio.until("document.getElementById('state').dataset.state === 'done'")
        expect(studio.page.locator("#toast")).to_be_hidden()
        saved = Picture.from_bytes(studio.saved("save-photo"))  # in the light of the photo, still
        assert saved.provenance["z"] == z
        assert (saved.pixels == studio.photo).all()
    finally:
        again.kill()
    own = "Failed to load resource"  # the browser's note of a request that failed
    studio.trouble[:] = [line for line in studio.trouble if own not in line]


@pytest.mark.needs_server
def test_the_page_is_a_client_of_the_api(studio: Studio, tmp_path: Path) -> None:
    """It asks for what the API's document has, in the words that it has, and for its own files."""
    sent: list[tuple[str, str]] = []
    studio.page.on("request", lambda one: sent.append((one.method, urlsplit(one.url).path)))
    studio.page.reload()
    studio.ready()
    page, dusk = studio.page, photo_file(tmp_path / "dusk.png")
    studio.drag((100, 50), (140, 60))
    studio.moods()
    studio.seed(5)
    page.click("#variations")
    page.locator("#variation-list .card canvas[data-painted]").nth(3).wait_for()
    page.keyboard.press("Escape")
    page.set_input_files("#photo-file", dusk)
    studio.settle()
    for button in ("save-photo", "save-labels", "save-layers", "save-psd", "save-film"):
        assert studio.saved(button)
    page.set_input_files("#file", dusk)
    page.click("#photo-labels")
    page.click("#map-open")
    studio.settle()
    page.click("#examples")
    page.locator("#start-list .card").first.wait_for()
    page.locator("#example-list .card").first.click()
    studio.settle()
    page.click("#new")
    expect(page.locator("#new-made")).not_to_be_empty()
    page.keyboard.press("Escape")
    with urllib.request.urlopen(studio.page.url + "v1/openapi.json") as answer:
        paths = json.load(answer)["paths"]
    offered = {(method.upper(), path) for path, of in paths.items() for method in of}
    asked = {(method, re.sub(r"^(/v1/sketches/)(?!composed).+", r"\1{name}", path)) for method, path in sent}
    files = {path for method, path in asked - offered if method == "GET"}
    assert all((PAGE / path.lstrip("/")).exists() for path in files)
    assert asked - offered == {("GET", path) for path in files}
    posts = {path for method, path in offered if method == "POST"}
    assert posts <= {path for _, path in asked}


def test_a_painter_that_is_full_is_asked_again(studio: Studio) -> None:
    studio.js(FULL, 2)
    before = studio.photo
    studio.choose("brush", "tree")
    studio.slide("size", 50)
    studio.drag((60, 60), (120, 90))
    studio.settle()
    assert (studio.photo != before).any()
    assert studio.js("studio.refused") == 2
    assert studio.js("studio.painter.state") == "done"
    studio.js("[studio.refused, studio.most] = [0, 1]")  # what is saved waits too
    assert studio.saved("save-labels").startswith(b"\x89PNG")
    assert studio.js("studio.refused") == 1
    expect(studio.page.locator("#toast")).to_be_hidden()


SCREENS = [(1920, 1080), (1366, 768), (1024, 768), (820, 1180), (844, 390), (390, 844)]
SIDEWAYS = """[...document.querySelectorAll("*")].filter(
  (e) => e.checkVisibility() && e.scrollWidth > e.clientWidth + 1
    && ["auto", "scroll"].includes(getComputedStyle(e).overflowX)
).map((e) => e.outerHTML.slice(0, 90))"""
"""What must be scrolled sideways."""


def test_screens(studio: Studio) -> None:
    for width, height in SCREENS:
        studio.page.set_viewport_size({"width": width, "height": height})
        studio.page.reload()
        studio.ready()
        demand_fits(studio, width, height)


def demand_fits(studio: Studio, width: int, height: int) -> None:
    """Nothing is cut off, and everything is in reach and works."""
    assert studio.js(
        "document.documentElement.scrollWidth <= innerWidth && document.body.scrollHeight <= innerHeight"
    )
    reachable = ["sketch", "photo", *(studio.js(REACHABLE))]
    assert {"size", "palette", "zoom-in", "seed", "drawings", "variations", "photo-style"} <= set(reachable)
    for id in reachable:
        found = studio.reach(f"#{id}")
        found.scroll_into_view_if_needed()
        box = found.bounding_box()
        assert box, id
        assert box["x"] >= 0
        assert box["y"] >= 0
        assert box["y"] + min(box["height"], 30) <= height
        assert box["x"] + box["width"] <= width
        assert studio.js(SIDEWAYS) == []
    sketch, panes = (studio.page.locator(id).bounding_box() for id in ("#sketch", "#panes"))
    assert sketch
    assert panes
    assert sketch["width"] > 0.85 * panes["width"] / 2
    if width < height:
        assert sketch["width"] > 0.75 * panes["width"]  # the photograph stands above it
    studio.page.click("#view-over")
    assert studio.js("document.getElementById('panes').dataset.view") == "over"
    studio.choose("brush", "clouds")
    studio.click(190, 120)
    assert studio.ids[120, 190] == studio.id_of("clouds")
    studio.page.keyboard.press("Control+z")
    assert studio.ids[120, 190] != studio.id_of("clouds")
    studio.page.click("#view-side")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_access_for_everybody(open_studio: OpenStudio, scheme: str) -> None:
    studio = open_studio(color_scheme=scheme)
    assert studio.js("document.documentElement.dataset.theme") == scheme
    assert studio.js(NAMELESS) == []
    studio.until(f"{PALE}.length === 0")  # colours take a moment to change
    seen = set()
    for _ in range(60):
        studio.page.keyboard.press("Tab")
        seen.add(
            studio.js(
                "document.activeElement.id || document.activeElement.name || document.activeElement.className"
            )
        )
        ring = "((e) => getComputedStyle(a ? e.closest('label') : e).outlineStyle)(document.activeElement)"
        radio = studio.js("document.activeElement.type === 'radio'")
        if studio.js("document.activeElement !== document.body"):
            assert studio.js(ring, radio) != "none", studio.js("document.activeElement.outerHTML")
    assert {"new", "view-side", "tool-brush", "size", "only", "search", "class", "sketch", "seed"} <= seen
    studio.page.click("#help")
    expect(studio.page.locator("#help-dialog")).to_be_visible()
    studio.until(f"{PALE}.length === 0")
    studio.page.keyboard.press("Escape")
    studio.page.click("#theme")
    assert studio.js("document.documentElement.dataset.theme") != scheme
    studio.until(f"{PALE}.length === 0")

"""Light and detail: what follows the sketch, what is chosen, what the dice changes."""

import json
import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("playwright", reason="browser tests: playwright is not installed")
from driving import LIVE, Studio, wait
from playwright.sync_api import expect

from spadework.engine import Engine
from spadework.picture import Picture

VISIBLE = 6.0
"""Grey levels by which the dice must change a picture: a model with noise of its own changes 18 to 22."""


OTHER_LIGHT = """(async () => {
  const { service } = await import(new URL("js/api.js", location.href).href);
  const ask = service.ask;
  service.ask = async (path, options) => {
    const answer = await ask(path, options);
    if (!path.startsWith("/v1/moods") || answer.status !== 200) return answer;
    return Response.json({ ...(await answer.json()), light: 17 });
  };
})()"""
"""The painter names another light to begin with."""


@cache
def shipped() -> Engine:
    """The model that the studio paints with."""
    return Engine.load("landscape", "cpu", "auto")


def grain(pixels: np.ndarray) -> np.ndarray:
    """What is finer than eight pixels, of (H, W, 3) uint8."""
    light = pixels.astype(np.float32).mean(2)
    image = Image.fromarray(light)
    small = image.resize((light.shape[1] // 8, light.shape[0] // 8), Image.Resampling.BOX)
    return light - np.asarray(small.resize(image.size, Image.Resampling.BICUBIC))


def likeness(a: np.ndarray, b: np.ndarray) -> float:
    """The correlation of two pictures in their detail."""
    return float(np.corrcoef(grain(a).ravel(), grain(b).ravel())[0, 1])


def has_noise() -> bool:
    """Whether the shipped model uses its noise at all."""
    ids = np.zeros((64, 96), np.uint8)
    ids[40:] = 4
    style = shipped().sample_style(0, ids)
    a, b = (shipped().paint(ids, seed, style).pixels.astype(int) for seed in (0, 1))
    return bool(np.abs(a - b).mean() > 1)


def test_the_dice_of_a_lock_sends_another_seed_and_keeps_the_style(studio: Studio) -> None:
    studio.page.click("#lock")
    studio.settle()
    z, asked = studio.js("studio.style.mood.z"), studio.hear(LIVE)
    assert z
    before = studio.js("studio.style.asked()")
    studio.page.click("#dice")
    studio.settle()
    after = studio.js("studio.style.asked()")
    assert after["style"] == before["style"]
    assert after["seed"] != before["seed"]
    assert (asked.bodies[-1]["seed"], asked.bodies[-1]["style"]) == (after["seed"], before["style"])
    assert studio.js("studio.style.mood.z") == z


def test_variations_have_seeds_and_styles_of_their_own(studio: Studio) -> None:
    asked = studio.hear("-moods-4")
    assert studio.page.locator("#variations").get_attribute("title").endswith("each in a light of its own")
    studio.page.click("#variations")
    studio.page.locator("#variation-list .card canvas[data-painted]").nth(3).wait_for()
    told = asked.bodies
    assert len({one["seed"] for one in told}) == 4
    assert len({json.dumps(one["style"]) for one in told}) == 4
    studio.page.keyboard.press("Escape")
    studio.page.click("#lock")
    studio.settle()
    assert studio.page.locator("#variations").get_attribute("title").endswith("in the same light")
    studio.page.click("#variations")
    studio.until("document.querySelectorAll('#variation-list .card.waiting').length === 0")
    studio.page.locator("#variation-list .card canvas[data-painted]").nth(3).wait_for()
    told = asked.bodies[4:]
    assert len({one["seed"] for one in told}) == 4
    assert len({json.dumps(one["style"]) for one in told}) == 1


@pytest.mark.photographs
def test_a_mood_changes_the_light_and_not_the_place(studio: Studio) -> None:
    """A mood, typed seeds, the dice: what each sends, and what the page says of it."""
    dice = studio.page.locator("#dice")
    assert dice.get_attribute("title") == "Another place and another light (D)"
    studio.seed(5)
    assert studio.js("studio.style.mood.seed") == 5
    studio.page.wait_for_timeout(1000)
    studio.until("document.getElementById('moods').dataset.shown === 'true'")
    studio.moods()
    studio.page.locator(".mood", has_text="night").click()
    studio.settle()
    assert studio.js("studio.style.seed") == 5
    assert studio.js("studio.style.mood.name") == "night"
    studio.page.locator(".mood", has_text="clear noon").click()
    studio.settle()
    noon = studio.js("studio.style.asked()")
    assert noon["seed"] == 5
    studio.page.click("#lock")
    assert dice.get_attribute("title") == "Another place in the same light (D)"
    faces = studio.hear("/v1/moods")
    dice.click()
    studio.settle()
    wait(lambda: faces.paths, "faces of the new place are asked for")
    rolled = studio.js("studio.style.asked()")
    assert rolled["seed"] != 5
    assert rolled["style"] == noon["style"]
    assert faces.bodies[0]["seed"] == rolled["seed"]
    studio.page.click("#lock")
    dice.click()
    studio.settle()
    assert studio.js("studio.style.seed === studio.style.mood.seed && !studio.style.mood.name")


def test_a_photos_light_stays_where_it_is(studio: Studio, tmp_path: Path) -> None:
    studio.seed(5)
    Image.new("RGB", (60, 40), (250, 120, 40)).save(tmp_path / "dusk.png")
    studio.page.set_input_files("#photo-file", tmp_path / "dusk.png")
    studio.settle()
    assert studio.js("studio.style.seed") == 5
    assert studio.page.locator("#dice").get_attribute("title") == "Another place in the same light (D)"
    studio.page.click("#dice")
    studio.settle()
    assert studio.js("studio.style.seed") != 5
    assert studio.js("studio.style.mood.origin") == "photo dusk.png"


@pytest.mark.skipif("not has_noise()", reason="the shipped model was trained before its noise was used")
@pytest.mark.photographs
def test_the_dice_changes_the_detail_and_variations_the_structure(studio: Studio) -> None:
    studio.page.click("#lock")
    studio.settle()
    first = studio.photo
    studio.page.click("#dice")
    studio.settle()
    second = studio.photo
    assert np.abs(first.astype(int) - second).mean() > VISIBLE
    assert likeness(first, second) < 0.7
    studio.page.click("#lock")
    studio.page.click("#variations")
    studio.page.locator("#variation-list .card canvas[data-painted]").nth(3).wait_for()
    pictures = studio.faces("#variation-list .card canvas")
    pairs = [(a, b) for n, a in enumerate(pictures) for b in pictures[:n]]
    assert max(likeness(a, b) for a, b in pairs) < 0.75
    light = [np.abs(a.mean((0, 1)) - b.mean((0, 1))).max() for a, b in pairs]
    assert min(light) > 4


@pytest.mark.photographs
def test_the_mood_follows_the_sketch_until_it_is_chosen(studio: Studio) -> None:
    """A drawing that began on the blank sheet looks as if it had been opened whole."""
    width, height = 96, 64
    studio.blank(width=width, height=height)
    studio.choose("rectangle", "snow")
    studio.drag((-1, 24), (97, 65))
    studio.settle()
    ids, sky = studio.ids.copy(), shipped().sample_style(0, np.zeros((height, width), np.uint8))
    whole = shipped().paint(ids, 0).pixels.astype(int)
    empty = shipped().paint(ids, 0, sky).pixels
    assert np.abs(whole - empty).mean() > 3  # it matters
    assert np.abs(whole - studio.photo).mean() < 1
    studio.seed(7)
    chosen = studio.js("studio.style.mood.z")
    assert chosen
    studio.choose("rectangle", "sea")
    studio.drag((10, 30), (97, 65))
    studio.settle()
    assert studio.js("studio.style.mood.z") == chosen


@pytest.mark.soak
@pytest.mark.photographs
def test_moods_have_names_and_faces_of_the_sketch(studio: Studio) -> None:
    names = studio.moods()
    assert {"clear noon", "night"} <= set(names)
    faces = dict(zip(names, studio.faces(".mood canvas"), strict=True))
    assert faces["night"].mean() < faces["clear noon"].mean() - 20
    studio.page.locator(".mood", has_text="clear noon").click()
    studio.settle()
    before = studio.photo.mean()
    studio.page.locator(".mood", has_text="night").click()
    studio.settle()
    assert studio.page.locator("#slot-a").inner_text().endswith("night")
    assert studio.page.locator(".mood", has_text="night").get_attribute("aria-pressed") == "true"
    assert studio.photo.mean() < before - 15
    z = studio.js("studio.style.mood.z")
    studio.js("document.getElementById('moods').dataset.shown = ''")
    studio.choose("brush", "snow")
    studio.drag((40, 200), (300, 210))
    studio.settle()
    studio.moods()  # those of the new sketch
    assert studio.js("studio.style.mood.z") == z
    studio.kept()
    studio.page.reload()
    studio.ready()
    assert studio.page.locator("#slot-a").inner_text().endswith("night")
    assert studio.js("studio.style.mood.z") == z


def test_nobody_begins_in_the_dark(studio: Studio) -> None:
    """A light that is near black gives way to the one that the painter names, unless it was chosen."""

    def look_again() -> None:
        studio.js("document.getElementById('moods').dataset.shown = ''")
        studio.js("studio.sheet.dispatchEvent(new CustomEvent('change', {detail: null}))")
        studio.moods()
        studio.settle()

    studio.moods()
    studio.js(OTHER_LIGHT)
    first = studio.photo
    look_again()
    assert studio.js("studio.style.asked()") == {"seed": 0, "style": {"seed": 17}}
    assert (studio.photo != first).any()
    studio.seed(3)
    look_again()
    assert studio.js("studio.style.seed") == 3


def test_a_layer_has_a_light_of_its_own(studio: Studio) -> None:
    """The rest of the picture stays to the byte; it can be undone, is kept, and is saved."""
    studio.moods()
    expect(studio.page.locator("#slot-c")).to_be_hidden()
    studio.reach("#layer-add").click()
    studio.choose("rectangle", "building")
    studio.drag((200, 180), (330, 250))
    studio.settle()
    before = studio.photo
    studio.page.click("#slot-c")
    name = studio.moods()[-1]
    studio.page.locator(".mood", has_text=name).click()
    studio.settle()
    expect(studio.page.locator("#slot-c")).to_have_text(re.compile(f"Only Middle\\s*{name}"))
    lit = studio.photo
    changed = (lit != before).any(-1)
    assert changed[184:246, 204:326].mean() > 0.95
    changed[176:254, 196:334] = False
    assert not changed.any()

    saved = Picture.from_bytes(studio.saved("save-photo"))
    assert (saved.pixels == lit).all()
    studio.kept()
    studio.page.reload()
    studio.ready()
    assert (studio.photo == lit).all()
    studio.page.keyboard.press("Control+z")
    studio.settle()
    assert (studio.photo == before).all()
    expect(studio.page.locator("#slot-c")).to_contain_text("as the rest")
    studio.page.keyboard.press("Control+Shift+z")
    studio.settle()
    assert (studio.photo == lit).all()
    studio.page.click("#slot-c")
    studio.page.click("#slot-c")
    studio.settle()
    assert (studio.photo == before).all()

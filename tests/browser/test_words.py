"""What the studio says: sizes, classes by any word, messages where one looks, little for the ears."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("playwright", reason="browser tests: playwright is not installed")
from driving import Server, Studio
from playwright.sync_api import expect

OpenStudio = Callable[..., Studio]


@pytest.mark.parametrize(
    ("size", "words"),
    [
        ((384, 256), "384 x 256: every pixel is painted"),
        pytest.param((1536, 1024), "1536 x 1024: painted 384 x 256, doubled twice", marks=pytest.mark.soak),
        ((768, 512), "768 x 512: painted 384 x 256, doubled"),
        pytest.param((512, 512), "512 x 512: painted 256 x 256, doubled", marks=pytest.mark.soak),
        ((192, 128), "192 x 128: painted 384 x 256, made smaller"),
    ],
)
def test_it_is_said_what_is_painted_and_what_is_enlarged(
    studio: Studio, size: tuple[int, int], words: str
) -> None:
    words = words.replace(" x ", " \u00d7 ")
    studio.page.click("#new")
    studio.page.fill("#new-width", str(size[0]))
    studio.page.fill("#new-height", str(size[1]))
    expect(studio.page.locator("#new-made")).to_have_text(words)
    studio.page.click("#new-create")
    studio.settle()
    expect(studio.page.locator("#made")).to_have_text(words)


WORDS = {
    "water": ["lake", "Rivers", "pond"],
    "sea": ["ocean", "seas"],
    "tree": ["forest", "woods", "pine"],
    "mountain": ["hill", "mountains"],
    "building": ["house", "houses", "church"],
    "sand": ["beach", "beaches", "dunes"],
    "plant": ["bush", "bushes"],
    "road": ["street", "path"],
    "rock": ["stone", "stones", "cliff"],
    "clouds": ["cloud", "fog"],
    "snow": ["snow", "ice"],
    "grass": ["meadow", "gras"],
}


def test_classes_are_found_by_other_words(studio: Studio) -> None:
    for name, words in WORDS.items():
        for word in words:
            studio.page.keyboard.press("/")
            studio.page.keyboard.type(word)
            studio.page.keyboard.press("Enter")
            assert studio.js("studio.palette.nameOf(studio.palette.chosen)") == name, word


def test_a_word_that_no_class_has_is_told(studio: Studio) -> None:
    chosen = studio.js("studio.palette.chosen")
    studio.page.keyboard.press("/")
    studio.page.keyboard.type("giraffe")
    expect(studio.page.locator("#no-class")).to_have_text("No class is called “giraffe”")
    studio.page.keyboard.press("Enter")
    expect(studio.page.locator("#toast")).to_contain_text("No class is called “giraffe”")
    assert studio.js("studio.palette.chosen") == chosen
    studio.page.fill("#search", "")
    expect(studio.page.locator("#no-class")).to_be_hidden()


@pytest.mark.needs_server
def test_a_dead_server_is_told_in_the_dialog(open_studio: OpenStudio) -> None:
    server = Server()
    studio = open_studio(server.url)
    server.kill()
    studio.page.click("#variations")
    toast = studio.page.locator("#variations-dialog #toast")
    expect(toast).to_be_visible()
    expect(toast).to_contain_text("The painter does not answer")
    studio.page.click("#toast-close")  # nothing lies over it
    studio.page.keyboard.press("Escape")
    studio.click(100, 50)
    studio.until("document.getElementById('state').dataset.state === 'away'")
    expect(studio.page.locator("#photo-pane #away")).to_be_visible()
    studio.trouble.clear()  # the browser's notes of requests that failed


def night(noise: float, grey: bool) -> bytes:
    """A dark photograph."""
    rng = np.random.default_rng(0)
    slope = np.linspace(12, 46, 120)[:, None, None] * np.array([0.8, 0.9, 1.2])
    pixels = (slope + rng.normal(0, noise, (120, 180, 3))).clip(0, 255).astype(np.uint8)
    image = Image.fromarray(pixels)
    out = io.BytesIO()
    (image.convert("L") if grey else image).save(out, format="JPEG", quality=92)
    return out.getvalue()


def test_a_dark_photo_is_taken_for_a_photo(studio: Studio, tmp_path: Path) -> None:
    for noise, grey in ((6, False), (14, False), (12, True)):
        (tmp_path / "night.jpg").write_bytes(night(noise, grey))
        studio.page.set_input_files("#file", tmp_path / "night.jpg")
        studio.page.locator("#photo-dialog").wait_for()
        assert studio.js("document.activeElement.id") == "photo-light"  # the default answer
        expect(studio.page.locator("#map-dialog")).to_be_hidden()
        studio.page.keyboard.press("Escape")
        studio.page.locator("#photo-dialog").wait_for(state="hidden")


def test_light_is_borrowed_without_a_question(studio: Studio, tmp_path: Path) -> None:
    studio.js(
        """((data) => {
          const transfer = new DataTransfer();
          transfer.items.add(new File([Uint8Array.from(data)], 'night.jpg', {type: 'image/jpeg'}));
          const drop = new DragEvent('drop', {dataTransfer: transfer, cancelable: true, bubbles: true});
          document.querySelector('#photo-style span').dispatchEvent(drop);
        })(a)""",
        list(night(10, False)),
    )
    studio.until("studio.style.mood.origin === 'photo night.jpg'")
    assert studio.js("document.querySelector('dialog[open]')") is None
    studio.settle()


def test_screen_readers_hear_little(studio: Studio) -> None:
    live = studio.js(
        "[...document.querySelectorAll('[aria-live], [role=status], [role=alert]')].map(e => e.id)"
    )
    assert sorted(live) == ["announce", "spot", "toast"]
    assert studio.js("document.querySelector('[role=alert], [aria-live=assertive]')") is None
    studio.js(
        """(() => {
          studio.heard = [];
          for (const e of document.querySelectorAll('[aria-live], [role=status]'))
            new MutationObserver(() => studio.heard.push(e.textContent)).observe(e, {childList: true});
        })()"""
    )
    studio.choose("brush", "tree")
    for n in range(4):
        studio.drag((60, 60 + 20 * n), (120, 80 + 20 * n))
        studio.settle()
    studio.page.wait_for_timeout(2300)
    assert studio.js("studio.heard") == ["The photograph is painted"]

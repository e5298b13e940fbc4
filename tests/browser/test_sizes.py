"""Large sheets: strokes are answered at once, pictures have their true size, and files are what they say."""

import io

import pytest
from PIL import Image

pytest.importorskip("playwright", reason="browser tests: playwright is not installed")
from driving import LIVE, Studio
from playwright.sync_api import expect

from spadework.picture import Picture


@pytest.mark.parametrize(
    ("width", "height", "words"),
    [(768, 512, "doubled"), pytest.param(1536, 1024, "doubled twice", marks=pytest.mark.soak)],
)
def test_strokes_on_a_large_sheet_are_answered_at_once(
    studio: Studio, width: int, height: int, words: str
) -> None:
    """A small picture at first, then one as the model paints, then the whole, which a stroke ends."""
    studio.blank(width=width, height=height)
    expect(studio.page.locator("#made")).to_contain_text(f"384 \u00d7 256, {words}")
    assert studio.photo.shape == (height, width, 3)
    studio.js("studio.painter.paces = Array(5).fill(1)")
    asked = studio.hear(LIVE)
    studio.choose("brush", "tree")
    studio.click(100, 300)
    whole = (
        "studio.painter.previewed.short === 256 && studio.painter.previewed.version === studio.painter.wanted"
    )
    studio.until(whole)
    studio.page.wait_for_timeout(450)  # the whole is begun
    studio.click(300, 300)
    studio.settle()
    shorts = [body.get("short") for body in asked.bodies]
    assert shorts[:2] == [128, 256]
    assert shorts[-3:] == [128, 256, None]
    assert studio.photo.shape == (height, width, 3)
    assert studio.js("document.getElementById('photo').dataset.preview") == "false"


@pytest.mark.photographs
def test_a_photograph_is_saved_as_one_likes(studio: Studio) -> None:
    for button, form in (("save-webp", "WEBP"), ("save-jpeg", "JPEG")):
        image = Image.open(io.BytesIO(studio.saved(button)))
        assert (image.format, image.size) == (form, (384, 256))
    studio.page.click("#save")
    expect(studio.page.locator("#twice-size")).to_have_text("768 \u00d7 512")
    studio.page.check("#twice")
    studio.page.keyboard.press("Escape")
    picture = Picture.from_bytes(studio.saved("save-photo"))
    assert picture.size == (512, 768)
    assert picture.provenance["painted_size"] == [256, 384]
    assert picture.provenance["enlarged"] == 2
    assert picture.provenance["project"]["base"]["width"] == 384  # it still carries the drawing
    small = picture.resize((256, 384)).pixels.astype(int)
    assert abs(small - studio.photo).mean() < 4  # the picture on the page, finer


def test_twice_the_size_has_a_limit(studio: Studio) -> None:
    studio.js(
        "studio.sheet.replace({ids: new Uint8Array(1100 * 64), width: 1100, height: 64, background: 0})"
    )
    studio.page.click("#save")
    expect(studio.page.locator("#twice")).to_be_disabled()
    expect(studio.page.locator("#twice-size")).to_have_text("a side has at most 2048 pixels")
    studio.settle()

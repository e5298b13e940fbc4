"""The gallery as people use it: from the disk, sorted, filtered, enlarged, by keys alone if they like."""

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("playwright", reason="browser tests: playwright is not installed")
from galleries import written
from playwright.sync_api import Browser, Page, expect


@pytest.fixture
def page(browser: Browser, tmp_path: Path) -> Iterator[Page]:
    written(tmp_path)
    context = browser.new_context(viewport={"width": 1000, "height": 700}, color_scheme="dark")
    page, trouble = context.new_page(), []
    page.on("console", lambda message: trouble.append(message.text))
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.goto((tmp_path / "index.html").as_uri())
    yield page
    context.close()
    assert not trouble


def names(page: Page) -> list[str]:
    return page.locator("article:not([hidden]) h2").all_inner_texts()


def test_maps_are_sorted_and_filtered(page: Page) -> None:
    assert names(page) == [f"map {i}" for i in range(9)]
    page.select_option("#sort", label="obedience, best first")
    assert names(page) == [f"map {i}" for i in range(8, -1, -1)]
    page.select_option("#sort", label="realism, best first")
    assert names(page)[0] == "map 0"
    page.select_option("#class", "sea")
    assert names(page) == ["map 2"]
    assert page.inner_text("#count") == "1 of 9 maps"


def test_a_picture_is_enlarged_and_its_neighbours_follow_the_arrows(page: Page) -> None:
    first = page.locator("figure button").first
    first.focus()
    page.keyboard.press("Enter")
    large = page.locator("dialog")
    expect(large).to_be_visible()
    expect(large.locator("span")).to_have_text("map 0: sketch")
    page.keyboard.press("ArrowRight")
    expect(large.locator("span")).to_have_text("map 0: seed 0")
    expect(large.locator("img")).to_have_js_property("naturalWidth", 8)
    page.keyboard.press("Escape")
    expect(large).not_to_be_visible()
    page.wait_for_function("document.activeElement.querySelector('img')?.alt === 'map 0: seed 0'")

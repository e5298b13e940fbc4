"""The page of a test run, opened from the disk: pictures large by mouse and keyboard, Escape closes."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip("playwright", reason="browser tests: playwright is not installed")
from playwright.sync_api import expect

from spadework.nvlabs.page import write_page
from spadework.nvlabs.testing import Row
from spadework.picture import Picture

if TYPE_CHECKING:
    from playwright.sync_api import Browser


def test_pictures_open_large_and_close(browser: "Browser", tmp_path: Path) -> None:
    kinds = {"input_label": "map.png", "synthesized_image": "painted.png"}
    for name in kinds.values():
        Picture(np.full((32, 48, 3), 90, np.uint8)).save(tmp_path / name)
    rows = [Row("one", "sky", {kind: Path(name) for kind, name in kinds.items()})]
    page = browser.new_page(viewport={"width": 1366, "height": 768})
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto(write_page(tmp_path, "a run", [], rows).as_uri())
    page.locator(".row a").first.focus()
    page.keyboard.press("Enter")
    shown = page.locator("dialog p")
    expect(shown).to_have_text("one: label map")
    page.keyboard.press("ArrowRight")
    expect(shown).to_have_text("one: painted")
    assert page.locator("dialog img").bounding_box()["width"] > 1000  # type: ignore[index]
    page.keyboard.press("Escape")
    expect(page.locator("dialog")).not_to_be_visible()
    page.wait_for_function("document.activeElement.href?.endsWith('painted.png')")
    page.locator(".row a").first.click()
    page.locator("dialog").click()
    expect(page.locator("dialog")).not_to_be_visible()
    assert faults == []
    page.close()

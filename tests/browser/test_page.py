"""The page of a test run, opened from the disk: pictures large by mouse and keyboard, Escape closes."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from spadework.evaluation.page import write_page
from spadework.evaluation.testrun import Row
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
    assert shown.inner_text() == "one: label map"
    page.keyboard.press("ArrowRight")
    assert shown.inner_text() == "one: painted"
    assert page.locator("dialog img").bounding_box()["width"] > 1000  # type: ignore[index]
    page.keyboard.press("Escape")
    assert not page.locator("dialog").is_visible()
    assert page.evaluate("document.activeElement.href").endswith("painted.png")
    page.locator(".row a").first.click()
    page.locator("dialog").click()
    assert not page.locator("dialog").is_visible()
    assert faults == []
    page.close()

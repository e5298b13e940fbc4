"""The studio as it opens, and how evenly a large sheet moves: what `bench studio` measures beside strokes."""

import time
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel

from spadework.bench.studio import Server, launched, opened

if TYPE_CHECKING:
    from playwright.sync_api import Page

LARGE = 2048
"""The side of the largest sheet."""

MOVES = 90
"""Of the pointer, for each way to move."""

BRUSH = 120
"""Pixels across."""

FIRST = """addEventListener("DOMContentLoaded", () => {
  const photo = document.getElementById("photo");
  new MutationObserver(() => (globalThis.firstPicture ??= performance.now()))
    .observe(photo, { attributeFilter: ["data-painted"] });
})"""
"""Remembers when the first picture was on the page."""

FRAMES = """() => {
  const times = (globalThis.frames = []);
  const next = (time) => { times.push(time); if (globalThis.frames === times) requestAnimationFrame(next); };
  requestAnimationFrame(next);
}"""
"""Writes down the time of every frame until told to stop."""


ENLARGE = """(side) => {
  const { ids, width, height } = studio.sheet;
  const large = new Uint8Array(side * side);
  for (let y = 0, i = 0; y < side; y++) {
    const row = Math.floor((y * height) / side) * width;
    for (let x = 0; x < side; x++) large[i++] = ids[row + Math.floor((x * width) / side)];
  }
  return studio.files.start({ ids: large, width: side, height: side }, "Large", true);
}"""
"""Puts the sketch on a sheet of its own, as large as is asked for."""


class FirstCase(BaseModel):
    """Milliseconds of the first visit to a server that has just begun, in a browser without a cache.

    `load`: until the page is loaded. `picture`: from then until the first picture is on it.
    """

    name: str
    load: float
    picture: float

    def lines(self) -> list[str]:
        """The figures for people."""
        return [
            f"{self.name}: loaded after {self.load:.0f} ms, the first picture {self.picture:.0f} ms later"
        ]


class FramesCase(BaseModel):
    """Milliseconds from frame to frame while a pointer pans, or draws on, a sheet of (H, W) pixels."""

    name: str
    size: tuple[int, int]
    pan_median: float
    pan_p95: float
    draw_median: float
    draw_p95: float

    def lines(self) -> list[str]:
        """The figures for people."""
        h, w = self.size
        return [
            f"{self.name}: a sheet of {h}x{w}, milliseconds a frame",
            f"  pan {self.pan_median:.0f} (p95 {self.pan_p95:.0f})",
            f"  draw {self.draw_median:.0f} (p95 {self.draw_p95:.0f})",
        ]


def first_picture(page: "Page", url: str) -> FirstCase:
    """Of the studio at an address, in a page that has been nowhere yet."""
    page.add_init_script(FIRST)
    page.goto(url)
    page.wait_for_function("globalThis.firstPicture !== undefined")
    load = page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd")
    shown = page.evaluate("firstPicture")
    return FirstCase(name="first-picture", load=load, picture=shown - load)


def frames(page: "Page", side: int = LARGE) -> FramesCase:
    """On a sheet of `side` by `side` pixels: what the page shows, enlarged. The painter paints meanwhile."""
    page.evaluate(ENLARGE, side)
    page.evaluate("(size) => studio.tools.take({ ...studio.tools.hand, size: String(size) })", BRUSH)
    pan = _moved(page, "h")
    draw = _moved(page, "b")
    figures = {
        f"{way}_{word}": float(np.percentile(values, share))
        for way, values in (("pan", pan), ("draw", draw))
        for word, share in (("median", 50), ("p95", 95))
    }
    return FramesCase(name="large-sheet", size=(side, side), **figures)


def _moved(page: "Page", key: str) -> Any:
    """Milliseconds from frame to frame while the pointer goes around with the tool of a key."""
    box = page.locator("#sketch-pane").bounding_box()
    assert box
    page.keyboard.press(key)
    turn = np.linspace(0, 4 * np.pi, MOVES)
    xs = box["x"] + box["width"] * (0.5 + 0.3 * np.cos(turn))
    ys = box["y"] + box["height"] * (0.5 + 0.3 * np.sin(turn))
    page.mouse.move(xs[0], ys[0])
    page.mouse.down()
    page.evaluate(FRAMES)
    for x, y in zip(xs, ys, strict=True):
        page.mouse.move(x, y)
        time.sleep(1 / 60)
    times = page.evaluate("() => { const told = frames; globalThis.frames = null; return told; }")
    page.mouse.up()
    return np.diff(times)


def measure_first(model: str = "landscape") -> FirstCase:
    """A server and a browser that have just begun. Raises ValueError without a browser or playwright."""
    from playwright.sync_api import sync_playwright

    with Server(model=model) as server, sync_playwright() as playwright:
        page = launched(playwright).new_page(viewport={"width": 1366, "height": 768}, bypass_csp=True)
        return first_picture(page, server.url)


def measure_frames(model: str = "landscape") -> FramesCase:
    """A studio of its own. Raises ValueError without a browser or playwright."""
    with Server(model=model) as server, opened(server.url) as page:
        return frames(page)

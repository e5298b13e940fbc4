"""The studio: from a stroke to its picture in a real browser, beside the engine's own time for the map."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from pydantic import BaseModel

from spadework.engine import Engine
from spadework.lights import Style

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Playwright

WARM_UP = 5
"""Strokes before those that count."""

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

STROKE = """() => new Promise((done) => {
  const { painter, sheet, style } = studio;
  const pane = document.getElementById("sketch-pane");
  let began, first;
  pane.addEventListener("pointerdown", (event) => (began = event.timeStamp), { capture: true, once: true });
  painter.addEventListener("photograph", function shown({ detail }) {
    if (began === undefined) return;
    first ??= performance.now() - began;
    if (detail.preview || painter.painted < painter.wanted) return;
    painter.removeEventListener("photograph", shown);
    const ms = performance.now() - began;
    const ids = Array.from(sheet.ids, (id) => String.fromCharCode(id)).join("");
    done({ first, ms, stages: detail.stages, ids, seed: style.seed, z: style.mood.z ?? null });
  });
})"""
"""Answers when the picture of the next stroke is on the page: ms since the pointer came down, and stages."""


CHOOSE = """([n, x, y]) => {
  const { ids, width, height } = studio.sheet;
  const there = ids[Math.floor(y * height) * width + Math.floor(x * width)];
  const classes = studio.palette.classes.slice(0, 10).map(({ id }) => id);
  const place = classes[n % 10] === there ? (n + 1) % 10 : n % 10;
  studio.palette.chooseDigit(String((place + 1) % 10));
}"""
"""Chooses the n-th class, or the next where that one is there already: such a stroke would change nothing."""


class StudioCase(BaseModel):
    """Milliseconds over all strokes.

    `first`: from pointer down to a picture on the page, which is a small one where the whole takes long.
    `latency`: from pointer down to the whole picture on the page. `engine`: what the engine alone takes for
    the same map. `overhead`: their difference, stroke by stroke. `stages`: the median of each: waiting for
    the painter, painting, packing the picture, and showing it in the page.
    """

    name: str
    strokes: int
    size: tuple[int, int]
    first_median: float
    first_p95: float
    latency_median: float
    latency_p95: float
    engine_median: float
    engine_p95: float
    overhead_median: float
    overhead_p95: float
    stages: dict[str, float]

    def lines(self) -> list[str]:
        """The figures for people."""
        h, w = self.size
        figures = (
            ("first picture after", self.first_median, self.first_p95),
            ("whole picture after", self.latency_median, self.latency_p95),
            ("the engine alone", self.engine_median, self.engine_p95),
            ("beside it", self.overhead_median, self.overhead_p95),
        )
        stages = ", ".join(f"{name} {value:.0f}" for name, value in self.stages.items())
        return [
            f"{self.name}: {self.strokes} strokes at {h}x{w}, milliseconds",
            *(f"  {what} {median:.0f} (p95 {p95:.0f})" for what, median, p95 in figures),
            f"  medians of the stages: {stages}",
        ]


class Server:
    """`spadework studio` in a process of its own, on a port of this machine."""

    def __init__(self, port: int = 0, model: str = "landscape", host: str = "127.0.0.1") -> None:
        command = [sys.executable, "-m", "spadework", "studio", "--no-browser", "--device", "cpu"]
        self.process = subprocess.Popen(
            [*command, "--model", model, "--port", str(port), "--host", host],
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )
        assert self.process.stdout
        line = self.process.stdout.readline()
        if "the studio is at " not in line:
            self.kill()
            raise ValueError(f"no studio starts with model {model}: try spadework studio --model {model}")
        self.url = line.split("the studio is at ")[1].split()[0]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def kill(self) -> None:
        """At once, as a crash would."""
        self.process.kill()
        self.process.wait()
        if self.process.stdout:
            self.process.stdout.close()


def browser_file() -> Path:
    """The Chromium of this machine. Raises ValueError without one, or without playwright to drive it."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        raise ValueError(f"no browser is there ({', '.join(BROWSERS)}): on Debian type apt install chromium")
    if find_spec("playwright") is None:
        raise ValueError("playwright is not installed, which drives it: pip install 'spadework[dev]'")
    return Path(found)


def launched(playwright: "Playwright", *more: str) -> "Browser":
    """This machine's Chromium, without a window; `more`: further arguments for it."""
    return playwright.chromium.launch(executable_path=browser_file(), args=[*ARGUMENTS, *more])


@contextmanager
def opened(url: str) -> "Iterator[Page]":
    """The studio in a fresh profile, its first photograph painted."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = launched(playwright)
        page = browser.new_page(viewport={"width": 1366, "height": 768}, bypass_csp=True)  # to wait in it
        page.goto(url)
        page.wait_for_function("document.body.dataset.ready === 'true' && !studio.painter.running")
        page.wait_for_function("document.getElementById('moods').dataset.shown === 'true'")
        yield page
        browser.close()


def _stroke(page: "Page", n: int) -> dict[str, Any]:
    """A dab at the n-th place of the sketch, of the n-th class; what STROKE tells of its picture."""
    box = page.locator("#sketch").bounding_box()
    assert box
    x, y = (0.1 + 0.8 * (n * step % 1) for step in (0.618034, 0.414214))  # spread evenly, never twice
    page.evaluate(CHOOSE, [n, x, y])
    page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
    page.evaluate(f"() => {{ globalThis.shown = ({STROKE})(); }}")
    page.mouse.down()
    page.mouse.up()
    return page.evaluate("shown")


def _engine_alone(engine: Engine, told: dict[str, Any], size: tuple[int, int]) -> float:
    """Milliseconds in which the engine paints the map of a stroke in the stroke's style.

    A mood that nobody has chosen follows the map: there the engine finds its style too.
    """
    ids = np.frombuffer(told["ids"].encode("latin1"), np.uint8).reshape(size).copy()
    style = Style(np.array(told["z"], np.float32), "the page's") if told["z"] else None
    began = time.perf_counter()
    engine.paint(ids, told["seed"], style)
    return 1000 * (time.perf_counter() - began)


def timed(page: "Page", engine: Engine, strokes: int) -> StudioCase:
    """Strokes on what the page shows; after each, the engine paints the same map in this process."""
    size = tuple(page.evaluate("[studio.sheet.height, studio.sheet.width]"))
    rows, alone = [], []
    for n in range(WARM_UP + strokes):
        rows.append(_stroke(page, n))
        alone.append(_engine_alone(engine, rows[-1], size))
    rows, alone = rows[WARM_UP:], alone[WARM_UP:]
    first, latency = [told["first"] for told in rows], [told["ms"] for told in rows]
    overhead = [whole - part for whole, part in zip(latency, alone, strict=True)]
    figures = {
        f"{name}_{word}": float(np.percentile(values, share))
        for name, values in (
            ("first", first),
            ("latency", latency),
            ("engine", alone),
            ("overhead", overhead),
        )
        for word, share in (("median", 50), ("p95", 95))
    }
    stages = {name: median(told["stages"][name] for told in rows) for name in rows[0]["stages"]}
    return StudioCase(name="studio", strokes=strokes, size=size, stages=stages, **figures)


def measure(strokes: int = 100, model: str = "landscape") -> StudioCase:
    """A studio of its own and its first example. Raises ValueError without a browser or playwright."""
    browser_file()
    engine = Engine.load(model, "cpu", "auto")
    with Server(model=model) as server, opened(server.url) as page:
        return timed(page, engine, strokes)

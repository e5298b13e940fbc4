"""A studio in a real browser, driven as a hand would."""

import io
import json
import time
import urllib.request
from base64 import b64decode
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.error import URLError

import numpy as np
from PIL import Image
from playwright.sync_api import CDPSession, ConsoleMessage, Error, JSHandle, Locator, Page

from spadework.api.wire import Runs
from spadework.bench import studio as bench

PATIENCE = 180.0
"""Seconds until a condition that does not come is a failure; the machine may be busy."""

BLOCKED = "Service Worker registration blocked by Playwright"
"""Its note of what a test has asked for."""

LISTEN = """async (part) => {
  const { service } = await import(new URL("js/api.js", location.href).href);
  const ask = service.ask;
  const heard = { paths: [], bodies: [], open: 0, most: 0 };
  service.ask = async (path, options = {}) => {
    const body = options.body ?? "{}";
    if (!`${path} ${body}`.includes(part)) return ask(path, options);
    heard.paths.push(path);
    heard.bodies.push(body);
    heard.most = Math.max(heard.most, (heard.open += 1));
    try {
      return await ask(path, options);
    } finally {
      heard.open -= 1;
    }
  };
  return heard;
}"""
"""Hears what the page asks its painter, whoever that is."""

LIVE = '"live":true'
"""Stands in requests for the photograph that follows the brush."""


class Server(bench.Server):
    """`spadework studio` in a process of its own, which answers."""

    def __init__(self, port: int = 0, model: str = "landscape", host: str = "127.0.0.1") -> None:
        super().__init__(port, model, host)
        if host == "127.0.0.1":
            wait(self._answers, "the server answers")

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.url.rstrip("/").rpartition(":")[2])

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}health", timeout=5) as answer:
                return answer.status == 200
        except (URLError, OSError):
            return False


def ids_in(runs: dict[str, Any]) -> np.ndarray:
    """(H, W) uint8 of a sketch as it travels."""
    return Runs.model_validate(runs).ids()


def wait(condition: Callable[[], Any], what: str) -> None:
    """Until the condition holds."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.02)


class Studio:
    """One tab. Points are in pixels of the sheet."""

    def __init__(self, page: Page, url: str, ready: bool = True) -> None:
        self.page = page
        self.trouble: list[str] = []
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.trouble.append(str(error)))
        page.set_default_timeout(1000 * PATIENCE)
        page.goto(url)
        if ready:
            self.ready()

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and message.text != BLOCKED:
            self.trouble.append(message.text)

    def ready(self) -> None:
        """The page is up and the photograph is there."""
        self.until("document.body?.dataset.ready === 'true'")
        self.settle()

    def js(self, expression: str, argument: Any = None) -> Any:
        """The value of an expression in the page; `a` is the argument."""
        return self.page.evaluate(f"(a) => ({expression})", argument)

    def until(self, expression: str) -> None:
        """Wait until an expression is true."""
        deadline = time.monotonic() + PATIENCE
        while not self._holds(expression):
            assert time.monotonic() < deadline, f"never: {expression}; {self.trouble}"
            self.page.wait_for_timeout(20)

    def _holds(self, expression: str) -> bool:
        try:
            return bool(self.js(expression))
        except Error as error:
            if "context was destroyed" in error.message:  # the page is loaded again
                return False
            raise

    def settle(self) -> None:
        """Until all that was asked for is done, and the photograph is the one of the drawing.

        Every action begins in the handler of its event, which has run when the action returns, and the page
        counts it until it ends; so nothing can still be on its way.
        """
        self.until("!document.body.dataset.working && !studio.painter.running")

    def kept(self) -> None:
        """Until the browser has kept the drawing as it is."""
        self.until("document.body.dataset.kept === document.body.dataset.version")

    def screen(self, x: float, y: float) -> tuple[float, float]:
        """Where a pixel of the sheet is on the screen."""
        box = self.page.locator("#sketch").bounding_box()
        assert box
        width, height = self.js("[studio.sheet.width, studio.sheet.height]")
        return box["x"] + x * box["width"] / width, box["y"] + y * box["height"] / height

    def drag(self, *points: tuple[float, float]) -> None:
        """Press at the first point, move over the others, let go."""
        mouse = self.page.mouse
        mouse.move(*self.screen(*points[0]))
        mouse.down()
        for point in points[1:]:
            mouse.move(*self.screen(*point), steps=4)
        mouse.up()

    def click(self, x: float, y: float) -> None:
        """One click on the sheet."""
        self.page.mouse.click(*self.screen(x, y))

    @property
    def fingers(self) -> "Fingers":
        """A touch screen under the page."""
        return Fingers(self.page.context.new_cdp_session(self.page))

    def press(self, x: float, y: float, force: float) -> None:
        """A dab of a pen, on a pixel of the sheet."""
        at = dict(zip("xy", self.screen(x, y), strict=True))
        pen = {"pointerType": "pen", "button": "left", "buttons": 1, "clickCount": 1, "force": force, **at}
        session = self.page.context.new_cdp_session(self.page)
        for type in ("mousePressed", "mouseReleased"):
            session.send("Input.dispatchMouseEvent", {"type": type, **pen})

    def reach(self, selector: str) -> Locator:
        """Something on the page; in a small window its panel is opened first."""
        found = self.page.locator(selector)
        for panel in ("draw", "classes", "style"):
            if not found.is_visible():
                self.page.click(f"#tab-{panel}")
        return found

    def choose(self, tool: str, name: str | None = None) -> None:
        """A tool, and a class by its name."""
        self.reach(f"#tool-{tool}").click()
        if name:
            self.reach("#palette")
            self.page.locator("#palette label", has_text=name).first.click()

    def slide(self, id: str, value: int) -> None:
        """Set a slider."""
        self.reach(f"#{id}").fill(str(value))

    @property
    def ids(self) -> np.ndarray:
        """(H, W) uint8."""
        height, width = self.js("[studio.sheet.height, studio.sheet.width]")
        text = self.js("Array.from(studio.sheet.ids, (id) => String.fromCharCode(id)).join('')")
        return np.frombuffer(text.encode("latin1"), np.uint8).reshape(height, width)

    def id_of(self, name: str) -> int:
        """The id of a class."""
        return self.js("studio.palette.classes.find((info) => info.name === a).id", name)

    def seed(self, seed: int) -> None:
        """Types a seed."""
        self.reach("#seed").fill(str(seed))
        self.page.keyboard.press("Enter")
        self.settle()

    def hear(self, part: str) -> "Heard":
        """What the page asks its painter from now on, where path or body have a part."""
        return Heard(self.page.evaluate_handle(LISTEN, part))

    def moods(self) -> list[str]:
        """The names on the shelf, once they are there."""
        self.until("document.getElementById('moods').dataset.shown === 'true'")
        return self.js("[...document.querySelectorAll('.mood span')].map((name) => name.textContent)")

    def blank(self, rows: Sequence[str] | None = None, width: int = 96, height: int = 64) -> None:
        """Start from a sheet of class 0, or from rows of digits."""
        ids = [int(digit) for row in rows for digit in row] if rows else [0] * (width * height)
        size = {"width": len(rows[0]), "height": len(rows)} if rows else {"width": width, "height": height}
        self.js("studio.files.start({ids: Uint8Array.from(a.ids), ...a.size})", {"ids": ids, "size": size})
        self.settle()

    @property
    def photo(self) -> np.ndarray:
        """(H, W, 3) uint8 of the photograph on the page."""
        return self.faces("#photo")[0]

    def faces(self, selector: str) -> list[np.ndarray]:
        """(H, W, 3) uint8 of every canvas of a selector."""
        urls = self.js("[...document.querySelectorAll(a)].map((face) => face.toDataURL())", selector)
        data = (b64decode(url.partition(",")[2]) for url in urls)
        return [np.asarray(Image.open(io.BytesIO(png)).convert("RGB")) for png in data]

    def image(self, selector: str) -> np.ndarray:
        """(H, W, 3) uint8 of an img whose source is a data URL."""
        url = self.js("document.querySelector(a).src", selector)
        return np.asarray(Image.open(io.BytesIO(b64decode(url.partition(",")[2]))).convert("RGB"))

    def saved(self, button: str) -> bytes:
        """What an entry of the save menu downloads."""
        self.page.click("#save")
        with self.page.expect_download() as download:
            self.page.click(f"#{button}")
        return Path(download.value.path()).read_bytes()


class Heard:
    """What a page has asked its painter."""

    def __init__(self, heard: JSHandle) -> None:
        self._heard = heard

    @property
    def paths(self) -> list[str]:
        """With their queries, the first one first."""
        return self._heard.evaluate("({ paths }) => paths")

    @property
    def bodies(self) -> list[dict[str, Any]]:
        """What was sent with them."""
        return [json.loads(body) for body in self._heard.evaluate("({ bodies }) => bodies")]

    @property
    def most(self) -> int:
        """So many were open at once."""
        return self._heard.evaluate("({ most }) => most")


class Fingers:
    """Puts fingers on the screen as the hardware does, so that the browser makes the pointer events."""

    def __init__(self, session: CDPSession) -> None:
        self._session = session
        self._down = 0

    def at(self, *points: tuple[float, float]) -> None:
        """The fingers that are down now, on the screen; none lifts them all."""
        down = [{"x": x, "y": y, "id": n} for n, (x, y) in enumerate(points)]
        type = "touchMove" if len(points) == self._down else "touchStart" if points else "touchEnd"
        self._session.send("Input.dispatchTouchEvent", {"type": type, "touchPoints": down})
        self._down = len(points)

"""Takes docs/studio-*.png anew: `python tests/browser/screenshots.py`."""

import io
from pathlib import Path

from driving import Server, Studio
from PIL import Image
from playwright.sync_api import sync_playwright

from spadework.bench.studio import launched
from spadework.sketch.palette import Palette

DOCS = Path(__file__).parents[2] / "docs"
SCREENS = [(1366, 768), (1920, 1080), (1024, 768), (820, 1180), (844, 390), (390, 844)]


def small(png: bytes) -> Image.Image:
    """In 256 colours, those of the classes among them."""
    image = Image.open(io.BytesIO(png)).convert("RGB")
    colors = image.quantize(236).getpalette() or []
    classes = Palette.load("landscape").colors()[:15].ravel().tolist()
    table = Image.new("P", (1, 1))
    table.putpalette((colors[: 236 * 3] + classes + [255] * 768)[:768])
    return image.quantize(palette=table, dither=Image.Dither.FLOYDSTEINBERG)


def main() -> None:
    """Every screen, light and dark, as the page opens."""
    server = Server()
    with sync_playwright() as playwright:
        browser = launched(playwright)
        for width, height in SCREENS:
            for scheme in ("light", "dark"):
                page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
                studio = Studio(page, server.url)
                studio.moods()
                studio.settle()  # nobody begins in the dark
                small(page.screenshot()).save(DOCS / f"studio-{width}-{scheme}.png", optimize=True)
                page.context.close()
        browser.close()
    server.kill()


if __name__ == "__main__":
    main()

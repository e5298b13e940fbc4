"""Four sketches in three places and one light, then in one place and three lights. Nothing is selected.

Type: python examples/place_and_light.py docs/places.jpg
"""

import sys

from contact_sheet import GAP, SKETCHES, beside
from PIL import Image

from spadework import Engine
from spadework.sketch.labelmap import LabelMap

CHOSEN = ("alpine-lake", "desert", "river-valley", "sunset-coast")
WIDTH = 1800


def sheet(engine: Engine) -> Image.Image:
    """A row per sketch: it, seeds 0 to 2 in the light of seed 0, seed 0 in the lights of seeds 1 to 3."""
    strips = []
    for name in CHOSEN:
        sketch = LabelMap.read(SKETCHES / f"{name}.png", engine.palette).resize((256, 384))
        light = engine.sample_style(0, sketch)
        places = [engine.paint(sketch, seed, light).pixels for seed in range(3)]
        lights = [engine.paint(sketch, 0, engine.sample_style(seed, sketch)).pixels for seed in range(1, 4)]
        strips.append(Image.fromarray(beside([sketch.colorize(), *places, *lights])))
    height = round(strips[0].height * WIDTH / strips[0].width)
    page = Image.new("RGB", (WIDTH, len(strips) * (height + GAP) - GAP), "white")
    for row, strip in enumerate(strips):
        page.paste(strip.resize((WIDTH, height), Image.Resampling.LANCZOS), (0, row * (height + GAP)))
    return page


if __name__ == "__main__":
    sheet(Engine.load(sys.argv[2] if len(sys.argv) > 2 else "landscape")).save(sys.argv[1], quality=88)

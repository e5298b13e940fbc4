"""The tutorial's pictures: its own program draws the sketch, and its commands are done as functions."""

import re
import tempfile
from pathlib import Path

from drawing import sheet
from PIL import Image

from spadework import Engine, LabelMap, Segmenter

TUTORIAL = Path(__file__).parents[1] / "tutorial.md"


def drawn() -> LabelMap:
    """The sketch of the first program of the tutorial."""
    program = re.findall(r"^```python\n(.*?)^```", TUTORIAL.read_text(), re.MULTILINE | re.DOTALL)[0]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sketch.png"
        names: dict[str, object] = {}
        exec(program.replace('"sketch.png"', repr(str(path))), names)
        return LabelMap.read(path, Engine.load("landscape", "cpu").palette)


def figure() -> Image.Image:
    """The sketch, three paintings of it, and the first of them read again."""
    engine, ids = Engine.load("landscape", "cpu"), drawn()
    paintings = [
        engine.paint(ids, 0),
        engine.paint(ids, 7),
        engine.paint(ids, 7, engine.sample_style(2, ids)),
    ]
    read = Segmenter.load("segmenter_landscape").label(paintings[0].pixels)
    row = [ids.colorize(), *(painting.pixels for painting in paintings), read.colorize()]
    return sheet([row], ["sketch", "seed 0", "seed 7", "7, light of 2", "read from seed 0"], height=150)

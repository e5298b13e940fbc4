"""Every class alone on its canvas: what the model makes of it without an outline, in several draws and moods.

(H, W) pixels, S moods.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from spadework.engine import Engine
from spadework.evaluation.measures import Table
from spadework.evaluation.texture import cells, local_deviation, luminance
from spadework.files import atomic_write
from spadework.sketch.labelmap import LabelMap
from spadework.sketch.palette import Palette

Pixels = NDArray[np.uint8]

MOODS = 8
"""In so many styles, those of seeds 0, 1, ..., every canvas is painted twice."""

SHOWN = 4
"""So many draws and so many moods are on the sheet."""

MOST = 24
"""Of a palette with more classes than this, the most frequent ones get a canvas."""

STRUCTURED = ("mountain", "snow", "tree", "grass", "rock", "sand", "sea", "water")
"""Classes in which another draw should be another place; where a palette has none of them, all count."""

SIDE, GAP, HEAD, FONT = 160, 4, 40, 15
"""Of the sheet, in pixels: the short side of a picture, what parts two, the space of the titles, letters."""


@dataclass(frozen=True, eq=False)
class Canvas:
    """One class alone. `again`: the moods' styles once more, with other seeds."""

    name: str
    color: tuple[int, ...]  # of the palette, RGB
    draws: list[Pixels]  # seeds 0, 1, ... in the style of seed 0
    moods: list[Pixels]  # seeds 0, 1, ..., each in its own style
    again: list[Pixels]

    def rows(self) -> dict[str, NDArray]:
        """By key a value per mood, (S,): what `texture.structure` takes, "detail" and local deviation."""
        pairs = [(luminance(a), luminance(b)) for a, b in zip(self.moods, self.again, strict=True)]
        coarse = [(cells(a), cells(b)) for a, b in pairs]
        bytes_apart = [np.abs(a.astype(int) - b) for a, b in zip(self.moods, self.again, strict=True)]
        return {
            "apart": np.array([(a - b).var() for a, b in coarse]),
            "spread": np.array([a.var() + b.var() for a, b in coarse]),
            "detail": np.array([apart.mean() / 127.5 for apart in bytes_apart]),
            "alone": np.array([local_deviation(a).mean() for a, _ in pairs]),
        }


def paint_canvas(engine: Engine, name: str) -> Canvas:
    """Paints a class of the engine's palette, at the model's size. Raises ValueError for an unknown class."""
    ids = np.full(engine.card.generator.size, engine.palette.id_of(name), np.uint8)
    sketch = LabelMap(ids, engine.palette)
    styled = engine.card.generator.z_dim is not None
    styles = [engine.sample_style(seed, sketch) if styled else None for seed in range(MOODS)]
    moods = [engine.paint(sketch, seed, style).pixels for seed, style in enumerate(styles)]
    again = [engine.paint(sketch, seed, style).pixels for seed, style in enumerate(styles, MOODS)]
    draws = [engine.paint(sketch, seed, styles[0]).pixels for seed in range(1, SHOWN)]
    color = tuple(engine.palette.colors()[ids[0, 0]].tolist())
    return Canvas(name, color, [moods[0], *draws], moods, again)


def frequent(pixels: NDArray, palette: Palette) -> list[str]:
    """The names of the classes that have pixels (N, K), at most MOST of them, in the palette's order."""
    counts = pixels.sum(0)
    places = [place for place in np.argsort(-counts, kind="stable")[:MOST] if counts[place] > 0]
    return [palette.classes[place].name for place in sorted(places)]


def canvas_table(canvases: Sequence[Canvas]) -> Table:
    """What draws of the STRUCTURED classes show, by key a row per mood: (S, K)."""
    chosen = [canvas for canvas in canvases if canvas.name in STRUCTURED] or canvases
    rows = [canvas.rows() for canvas in chosen]
    return {key: np.stack([row[key] for row in rows], 1) for key in (rows[0] if rows else ())}


def sheet(canvases: Sequence[Canvas]) -> Image.Image:
    """The flood-fill sheet: a row per class, SHOWN draws of one style and then SHOWN moods."""
    lines = [[*canvas.draws[:SHOWN], *canvas.moods[:SHOWN]] for canvas in canvases]
    height, width = lines[0][0].shape[:2]
    scale = SIDE / min(height, width)
    height, width = round(height * scale), round(width * scale)
    font = ImageFont.load_default(FONT)
    names = 6 * GAP + round(max(font.getlength(canvas.name) for canvas in canvases))
    middle = names + SHOWN * (width + GAP) + 3 * GAP
    page = Image.new("RGB", (middle + SHOWN * (width + GAP), HEAD + len(lines) * (height + GAP)), "white")
    brush = ImageDraw.Draw(page)
    brush.text((names, HEAD // 3), f"one style, {SHOWN} draws", "black", font)
    brush.text((middle, HEAD // 3), f"{SHOWN} moods", "black", font)
    for number, (canvas, line) in enumerate(zip(canvases, lines, strict=True)):
        y = HEAD + number * (height + GAP)
        brush.rectangle((GAP, y, 3 * GAP, y + height - 1), fill=canvas.color)
        brush.text((5 * GAP, y), canvas.name, "black", font)
        for place, pixels in enumerate(line):
            left = (names if place < SHOWN else middle) + place % SHOWN * (width + GAP)
            page.paste(Image.fromarray(pixels).resize((width, height), Image.Resampling.LANCZOS), (left, y))
    return page


def write_sheet(path: Path, canvases: Sequence[Canvas]) -> Path:
    """Writes `sheet` as a JPEG file."""
    buffer = io.BytesIO()
    sheet(canvases).save(buffer, "jpeg", quality=85)
    atomic_write(path, buffer.getvalue())
    return path

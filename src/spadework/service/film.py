"""Time-lapse: how a drawing came about, sketch and photograph beside each other, as an animated GIF."""

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image

from spadework.engine import Engine
from spadework.lights import Style
from spadework.sketch.labelmap import LabelMap

SHORT = 256
"""The short side of a picture, in pixels, at most."""

GAP = 6
"""Pixels between sketch and photograph."""

LENGTH, LAST = 8000, 2500
"""Milliseconds of a film, about, and of its last picture."""


class Film:
    """Paints the sketches of a film, one a step, all in one place and in the light of one style.

    The network paints each as it does for a photograph, so that the last is that of the drawing.
    """

    def __init__(self, engine: Engine, sketches: Sequence[LabelMap], seed: int, style: Style | None) -> None:
        self._engine, self._waiting, self._seed, self._style = engine, list(sketches), seed, style
        self._shown: list[Image.Image] = []

    @property
    def done(self) -> bool:
        """Whether every sketch has been painted."""
        return not self._waiting

    def step(self) -> None:
        """Paint the next sketch."""
        sketch = self._waiting.pop(0)
        painted, _ = self._engine.plan(sketch.size)
        photo = self._engine.paint(sketch.resize(painted), self._seed, self._style, painted)
        height, width = (round(side * min(1.0, SHORT / min(painted))) for side in painted)
        photo = photo.resize((height, width))
        labels = sketch.resize((height, width)).ids
        gap = np.full((height, GAP, 3), 255, np.uint8)
        pixels = np.hstack([self._engine.palette.colorize(labels), gap, photo.pixels])
        self._shown.append(Image.fromarray(pixels).quantize(255))

    def gif(self) -> bytes:
        """The film, which begins anew when it has ended."""
        first, *rest = self._shown
        each = min(600, max(60, LENGTH // len(self._shown)))
        out = io.BytesIO()
        times = [each] * len(rest) + [LAST]
        first.save(out, "GIF", save_all=True, append_images=rest, duration=times, loop=0)
        return out.getvalue()

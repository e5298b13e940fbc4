"""Time-lapse: how a drawing came about, sketch and photograph beside each other, as an animated GIF."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from spadework.engine import Engine
from spadework.lights import Style
from spadework.service.limits import Refusal
from spadework.service.moods import small_picture
from spadework.sketch.labelmap import LabelMap

MOST = 100
"""A film has at most so many pictures."""

SHORT = 192
"""The short side of a picture, in pixels."""

GAP = 6
"""Pixels between sketch and photograph."""

LENGTH, LAST = 8000, 2500
"""Milliseconds of a film, about, and of its last picture."""


class Film:
    """Paints the sketches of a film, one a step, all in one place and one light."""

    def __init__(self, engine: Engine, sketches: list[LabelMap], seed: int) -> None:
        self._engine, self._waiting, self._seed = engine, list(sketches), seed
        self._shown: list[Image.Image] = []

    @property
    def done(self) -> bool:
        """Whether every sketch has been painted."""
        return not self._waiting

    def step(self, style: Style | None) -> None:
        """Paint the next sketch."""
        sketch = self._waiting.pop(0)
        photo = small_picture(self._engine, sketch, self._seed, style, SHORT)
        height, width = photo.size
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


def sketches_of(data: bytes, size: tuple[int, int], engine: Engine) -> list[LabelMap]:
    """Raw ids of sketches (H, W), one after the other. Raises ValueError or Refusal."""
    count, rest = divmod(len(data), size[0] * size[1])
    if rest or not 0 < count <= MOST:
        sentence = f"{len(data):,} ids came for sketches of {size[1]}x{size[0]} pixels"
        raise Refusal(422, sentence, f"Send 1 to {MOST} sketches, one byte per pixel.")
    frames: NDArray[np.uint8] = np.frombuffer(data, np.uint8).reshape(count, *size)
    return [LabelMap(ids.copy(), engine.palette) for ids in frames]

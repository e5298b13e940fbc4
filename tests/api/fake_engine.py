"""An engine that paints at once, or when it is told to, and remembers what it was asked for."""

import threading
from typing import Any

import numpy as np
from tiny_model import card

from spadework.engine import Engine
from spadework.lights import Lights, Style
from spadework.picture import Picture
from spadework.sketch.labelmap import LabelMap


class FakeEngine(Engine):
    """Paints the seed as a grey."""

    def __init__(self) -> None:
        self.card = card()
        self._prior = self.enlarger = None
        self.asked: list[tuple[tuple[int, int], int, Style | None]] = []
        self.lights: list[Lights | None] = []
        self.started, self.go = threading.Event(), threading.Event()
        self.go.set()

    def paint(self, ids: Any, seed: int = 0, style: Style | None = None, *_: Any, **more: Any) -> Picture:
        assert isinstance(ids, LabelMap)
        self.asked.append((ids.size, seed, style))
        self.lights.append(more.get("lights"))
        self.started.set()
        assert self.go.wait(20)
        if seed == 666:
            raise RuntimeError("broken")
        told = {
            "seed": seed,
            "style": style.origin if style else "none",
            "z": style.z.tolist() if style else [],
        }
        return Picture(np.full((*ids.size, 3), seed % 256, np.uint8), told)

    def style_of(self, photo: Any, origin: str = "photo") -> Style:
        return Style(np.full(8, photo.pixels.mean(), np.float32), origin)

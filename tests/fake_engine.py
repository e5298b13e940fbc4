"""An engine that paints at once, or when it is told to, and remembers what it was asked for."""

import threading
import time
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

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
        self.together: list[int] = []
        self.stopped: list[int] = []
        self.started, self.go = threading.Event(), threading.Event()
        self.go.set()

    def forget(self) -> None:
        """What was asked."""
        for kept in (self.asked, self.lights, self.together, self.stopped):
            kept.clear()
        self.started.clear()

    def enlarge(self) -> None:
        """From its next loading on it asks between its steps whether somebody waits, as an enlarger does."""
        self.enlarger = cast(Any, SimpleNamespace(check=lambda: None))

    def paint(self, ids: Any, seed: int = 0, style: Style | None = None, *_: Any, **more: Any) -> Picture:
        [picture] = self.paint_many([ids], [seed], [style], lights=[more.get("lights")])
        return picture

    def paint_many(
        self, sketches: Sequence[Any], seeds: Sequence[int], styles: Any = None, *_: Any, **more: Any
    ) -> list[Picture]:
        styles, lights = styles or [None] * len(seeds), more.get("lights") or [None] * len(seeds)
        self.together.append(len(seeds))
        for ids, seed, style in zip(sketches, seeds, styles, strict=True):
            assert isinstance(ids, LabelMap)
            self.asked.append((ids.size, seed, style))
        self.lights += lights
        self._wait(seeds[0])
        if 666 in seeds:
            raise RuntimeError("broken")
        return [_grey(*each) for each in zip(sketches, seeds, styles, strict=True)]

    def style_of(self, photo: Any, origin: str = "photo") -> Style:
        return Style(np.full(8, photo.pixels.mean(), np.float32), origin)

    def _wait(self, seed: int) -> None:
        self.started.set()
        until = time.monotonic() + 20
        while not self.go.wait(0.005):
            assert time.monotonic() < until
            if self.enlarger is not None:
                try:
                    self.enlarger.check()
                except Exception:
                    self.stopped.append(seed)
                    raise


def _grey(ids: LabelMap, seed: int, style: Style | None) -> Picture:
    told = {"seed": seed, "style": style.origin if style else "none", "z": style.z.tolist() if style else []}
    return Picture(np.full((*ids.size, 3), seed % 256, np.uint8), told)

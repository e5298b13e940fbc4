"""Sketches to start from, composed anew for every seed: horizon off the middle, one side the heavier."""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from spadework.sketch.labelmap import LabelMap
from spadework.sketch.palette import Palette
from spadework.sketch.translate import Translation

Ids = NDArray[np.uint8]
Line = NDArray[np.float64]

PALETTE = "landscape"
"""The palette that scenes are composed in."""


class Scene:
    """A sketch (H, W) that grows from the back to the front. Heights and places are shares of its sides."""

    def __init__(self, size: tuple[int, int], rng: np.random.Generator) -> None:
        self.rng, self.palette = rng, Palette.load(PALETTE)
        self.y, self.x = np.mgrid[: size[0], : size[1]] + 0.5
        self.y, self.x = self.y / size[0], self.x / size[1]
        self.ids = np.full(size, self.palette.id_of("sky"), np.uint8)
        self.side = rng.choice([-1.0, 1.0])

    def paint(self, name: str, where: NDArray[np.bool_]) -> None:
        """A class on some pixels."""
        self.ids[where] = self.palette.id_of(name)

    def line(self, level: float, swing: float, detail: int = 3) -> Line:
        """Heights (W,) that swing about a level: the finer, the less."""
        width, heights = self.ids.shape[1], np.full(self.ids.shape[1], float(level))
        for octave in range(detail):
            count = 3 * 2**octave + 2
            knots = self.rng.uniform(-1, 1, count)
            heights += swing / 2**octave * np.interp(np.linspace(0, count - 1, width), range(count), knots)
        return heights

    def ground(self, name: str, heights: Line) -> None:
        """A class on all that lies below a line."""
        self.paint(name, self.y > heights)

    def slope(self, level: float, rise: float) -> Line:
        """A line that rises towards the heavier side."""
        return level - rise * (self.side * (self.x[0] - 0.5) + 0.5) ** 2

    def blob(self, name: str, at: tuple[float, float], size: tuple[float, float]) -> None:
        """A cloud, a tree, a stone: some ellipses around a place (x, y)."""
        for _ in range(5):
            dx, dy = self.rng.uniform(-0.6, 0.6, 2) * size
            w, h = self.rng.uniform(0.4, 0.8, 2) * size
            self.paint(name, ((self.x - at[0] - dx) / w) ** 2 + ((self.y - at[1] - dy) / h) ** 2 < 1)

    def clouds(self, most: int = 3) -> None:
        """Some, in the upper sky."""
        for _ in range(int(self.rng.integers(0, most + 1))):
            self.blob("clouds", tuple(self.rng.uniform((0.1, 0.06), (0.9, 0.24))), (0.1, 0.035))

    def mountains(self, level: float, swing: float, snow: float) -> None:
        """A range; snow on what rises above the share `snow` of its heights."""
        heights = self.line(level, swing, 5) - 0.1 * (1 - np.abs(self.x[0] - 0.5 - 0.17 * self.side) * 2)
        self.ground("mountain", heights)
        edge = np.quantile(heights, snow) + self.line(0.0, 0.02, 5)
        self.paint("snow", (self.y > heights) & (self.y < edge))

    def trees(self, base: float, count: int) -> None:
        """Single ones along a base line, most of them on the heavier side."""
        for _ in range(count):
            x = 0.5 + self.side * self.rng.triangular(-0.45, 0.4, 0.5)
            size = self.rng.uniform(0.03, 0.06)
            self.paint("tree", (np.abs(self.x - x) < size / 7) & (np.abs(self.y - base + size) < size))
            self.blob("tree", (x, base - 2.2 * size), (size, 1.4 * size))


def mountain_lake(scene: Scene) -> None:
    shore = scene.rng.uniform(0.56, 0.64)
    scene.clouds()
    scene.mountains(shore - 0.2, 0.14, 0.3)
    scene.ground("tree", scene.line(shore - 0.03, 0.03, 5) - 0.12 * np.abs(scene.x[0] - 0.5))
    scene.ground("water", np.full(scene.x.shape[1], shore))
    scene.ground("grass", scene.slope(1.02, 0.22) + scene.line(0, 0.02))
    scene.blob("rock", (0.5 - 0.2 * scene.side, 0.95), (0.07, 0.05))


def coast(scene: Scene) -> None:
    horizon = scene.rng.uniform(0.36, 0.46)
    scene.clouds()
    away = -scene.side * (scene.x[0] - 0.5)
    scene.ground("mountain", horizon + 0.02 - 0.3 * away + scene.line(0, 0.025, 5))
    scene.ground("sea", np.full(scene.x.shape[1], horizon))
    scene.ground("sand", scene.slope(1.0, 0.42) + scene.line(0, 0.02))
    scene.ground("rock", scene.slope(1.35, 1.0) + scene.line(0, 0.05, 5))
    scene.ground("plant", scene.slope(1.5, 1.0) + scene.line(0, 0.04, 5))


def meadow(scene: Scene) -> None:
    horizon = scene.rng.uniform(0.42, 0.52)
    scene.clouds(4)
    scene.mountains(horizon - 0.06, 0.05, 0.0)
    scene.ground("tree", scene.line(horizon - 0.01, 0.025, 5))
    scene.ground("field", scene.line(horizon + 0.05, 0.015))
    scene.ground("grass", scene.slope(horizon + 0.26, 0.14) + scene.line(0, 0.02))
    scene.trees(scene.rng.uniform(0.72, 0.82), int(scene.rng.integers(1, 4)))
    scene.ground("plant", scene.slope(1.06, 0.12) + scene.line(0, 0.03, 5))


def desert(scene: Scene) -> None:
    horizon = scene.rng.uniform(0.44, 0.56)
    scene.clouds(1)
    for at in (0.5 + 0.26 * scene.side, 0.5 - 0.3 * scene.side):
        width, rise = scene.rng.uniform((0.06, 0.08), (0.14, 0.2))
        foot = width * (1 + 1.4 * np.clip((scene.y - horizon + rise) / rise, 0, 1) ** 3)
        scene.paint("rock", (np.abs(scene.x - at) < foot) & (scene.y > horizon - rise))
    scene.ground("sand", scene.line(horizon, 0.02))
    scene.ground("earth", scene.slope(0.98, 0.3) + scene.line(0, 0.03))
    scene.blob("plant", (0.5 - 0.25 * scene.side, 0.9), (0.05, 0.03))


def forest_road(scene: Scene) -> None:
    horizon, bend = scene.rng.uniform(0.46, 0.54), 0.1 * scene.side
    depth = np.clip((scene.y - horizon) / (1 - horizon), 0, 1)
    middle = 0.5 - bend + 2 * bend * (1 - depth) ** 2
    scene.clouds(2)
    for side in (-1, 1):
        away = side * (scene.x[0] - (0.5 + bend))
        crowns = horizon - np.clip(away, 0, 1) * scene.rng.uniform(0.7, 1.0) + scene.line(0, 0.06, 5)
        scene.paint("tree", (side * (scene.x - 0.5 - bend) > 0.02) & (scene.y > crowns))
    scene.ground("grass", np.full(scene.x.shape[1], horizon) + scene.line(0.03, 0.02, 5))
    scene.paint("road", (np.abs(scene.x - middle) < 0.015 + 0.26 * depth) & (scene.y > horizon + 0.02))


def winter(scene: Scene) -> None:
    horizon = scene.rng.uniform(0.5, 0.6)
    scene.clouds()
    scene.mountains(horizon - 0.16, 0.12, 0.7)
    scene.ground("tree", scene.line(horizon - 0.02, 0.05, 5))
    scene.ground("snow", scene.line(horizon + 0.03, 0.02))
    scene.blob("water", (0.5 - 0.2 * scene.side, 0.76), (0.2, 0.05))
    scene.trees(scene.rng.uniform(0.74, 0.84), 2)


SCENES: dict[str, Callable[[Scene], None]] = {
    "Mountain lake": mountain_lake,
    "Coast": coast,
    "Meadow": meadow,
    "Desert": desert,
    "Forest road": forest_road,
    "Winter": winter,
}


def compose(title: str, seed: int, size: tuple[int, int]) -> LabelMap:
    """A sketch (H, W) of one of SCENES in palette landscape; the same seed gives the same sketch."""
    scene = Scene(size, np.random.default_rng([seed, list(SCENES).index(title)]))
    SCENES[title](scene)
    return LabelMap(scene.ids, scene.palette)


def scenes(palette: Palette, seed: int, size: tuple[int, int] = (256, 384)) -> Iterator[tuple[str, LabelMap]]:
    """Title and sketch (H, W) of every scene that a palette has classes for."""
    source = Palette.load(PALETTE)
    for title in SCENES:
        sketch = compose(title, seed, size)
        if source.classes != palette.classes:
            try:
                sketch = Translation.between(source, palette)(sketch)
            except ValueError:
                continue
        yield title, sketch

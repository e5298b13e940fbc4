"""`ToyLandscapes`: procedural photos with exact label maps, for the toy recipe and for tests."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from spadework.data.sample import Sample

# Ids and names are those of the landscape palette.
SKY, CLOUDS, MOUNTAIN, SNOW, TREE, PLANT, GRASS, FIELD, EARTH, ROCK, SAND, SEA, WATER, ROAD, BUILDING = range(
    15
)
UNKNOWN = 255

COLORS = {  # RGB, and how rough the texture is
    SKY: ((110, 160, 225), 2),
    CLOUDS: ((225, 228, 235), 10),
    MOUNTAIN: ((120, 112, 128), 22),
    SNOW: ((240, 243, 250), 6),
    TREE: ((38, 78, 42), 26),
    PLANT: ((72, 120, 60), 24),
    GRASS: ((112, 160, 70), 14),
    FIELD: ((190, 172, 90), 12),
    EARTH: ((128, 92, 60), 16),
    ROCK: ((98, 94, 90), 26),
    SAND: ((222, 200, 150), 6),
    SEA: ((30, 80, 130), 12),
    WATER: ((70, 125, 165), 8),
    ROAD: ((80, 80, 84), 4),
    BUILDING: ((170, 110, 90), 8),
    UNKNOWN: ((128, 128, 128), 8),
}
DAYTIMES = {  # red, green, blue gains: the style that tints a whole picture
    "noon": (1.0, 1.0, 1.0),
    "dawn": (1.05, 0.85, 0.8),
    "sunset": (1.1, 0.7, 0.5),
    "dusk": (0.65, 0.65, 0.85),
    "night": (0.4, 0.45, 0.65),
}


class ToyLandscapes(Sequence[Sample]):
    """`length` pictures of `size` (H, W); number i depends on (seed, i) alone.

    Sky and clouds over a mountain range (some with snow), then ground, water, trees and a road or a house.
    A class has a color and a texture, a picture has a time of day that tints all of it.
    """

    def __init__(self, length: int = 512, size: tuple[int, int] = (64, 64), seed: int = 0) -> None:
        if length < 1 or min(size) < 8 or seed < 0:
            raise ValueError(f"need length >= 1, sides >= 8, seed >= 0; got {length}, {size}, {seed}")
        self.length, self.size, self.seed = length, size, seed

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> Sample:  # type: ignore[override]
        """Picture `index`; IndexError beyond the end."""
        if not -self.length <= index < self.length:
            raise IndexError(f"picture {index} of {self.length}")
        index %= self.length
        rng = np.random.default_rng((self.seed, index))
        labels = _draw(self.size, rng)
        time = str(rng.choice(list(DAYTIMES)))
        image = _photograph(labels, np.array(DAYTIMES[time]) * rng.uniform(0.9, 1.1), rng)
        return Sample(labels, image, None, f"toy-{index:05d}-{time}")


def _draw(size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """(H, W) ids, painted from far to near."""
    y, x = np.linspace(0, 1, size[0])[:, None], np.linspace(0, 1, size[1])
    labels = np.full(size, SKY, np.uint8)
    labels[_noise(size, 5, rng) > rng.uniform(0.2, 1.2)] = CLOUDS
    horizon = rng.uniform(0.4, 0.6)
    ridge = horizon - rng.uniform(0.1, 0.25) * (1 + 0.5 * _line(size[1], 7, rng))
    labels[y > ridge] = MOUNTAIN
    if rng.random() < 0.5:
        labels[
            (y > ridge) & (y < ridge + 0.25 * (horizon - ridge.min()) * (1 + 0.3 * _noise(size, 9, rng)))
        ] = SNOW
    labels[(y > horizon) & (x >= 0)] = rng.choice([GRASS, FIELD, EARTH, SAND, ROCK])
    shore = horizon + rng.uniform(0.1, 0.5) + 0.04 * _line(size[1], 5, rng)
    if rng.random() < 0.6:
        labels[(y > horizon) & (y < shore)] = rng.choice([SEA, WATER])
    if rng.random() < 0.6:
        labels[
            (y > horizon - 0.1 - 0.05 * _line(size[1], 8, rng))
            & (y < horizon + 0.05)
            & _half(x + 0.1 * _noise(size, 6, rng), rng)
        ] = TREE
    _foreground(labels, y, x, horizon, rng)
    return labels


def _foreground(
    labels: np.ndarray, y: np.ndarray, x: np.ndarray, horizon: float, rng: np.random.Generator
) -> None:
    """What stands in front: plants, a road, a house, now and then a spot that nobody labelled."""
    left, top = rng.uniform(0.1, 0.8), rng.uniform(0.7, 0.85)
    near = y > 0.85 + 0.05 * _line(labels.shape[1], 6, rng)
    spot = (y > top) & (y < top + 0.12) & (x > left) & (x < left + 0.15)
    house = (y > horizon - 0.08) & (y < horizon + 0.06) & (x > left) & (x < left + 0.15)
    road = (y > horizon) & (np.abs(x - left) < 0.02 + 0.2 * (y - horizon))
    for place, label, share in [
        (near, PLANT, 0.4),
        (road, ROAD, 0.2),
        (house, BUILDING, 0.2),
        (spot, UNKNOWN, 0.1),
    ]:
        if rng.random() < share:
            labels[place] = label


def _photograph(labels: np.ndarray, gains: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(H, W) ids to (H, W, 3) uint8: color and texture by class, shading by height, tint by time of day."""
    colors, roughness = np.zeros((256, 3), np.float32), np.zeros(256, np.float32)
    for label, (color, rough) in COLORS.items():
        colors[label], roughness[label] = color, rough
    fine = rng.normal(size=labels.shape) * 0.5 + _noise(labels.shape, max(labels.shape) // 4, rng)
    light = np.linspace(0.85, 1.1, labels.shape[0])[:, None]
    pixels = (colors[labels] + (roughness[labels] * fine)[..., None]) * light[..., None] * gains
    return np.rint(pixels).clip(0, 255).astype(np.uint8)


def _half(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A random side of the picture, at least a third of it."""
    edge = rng.uniform(0.33, 1.0)
    return x < edge if rng.random() < 0.5 else x > 1 - edge


def _noise(size: tuple[int, int], knots: int, rng: np.random.Generator) -> np.ndarray:
    """(H, W) smooth noise of about unit variance, `knots` bumps to a side."""
    field = Image.fromarray(rng.normal(size=(knots, knots)).astype(np.float32))
    return np.asarray(field.resize((size[1], size[0]), Image.Resampling.BICUBIC))


def _line(width: int, knots: int, rng: np.random.Generator) -> np.ndarray:
    """(W,) smooth noise."""
    return _noise((1, width), knots, rng)[0]

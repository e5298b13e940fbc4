"""Measures a model on held-out pairs: one candidate, seed 0, every map, nothing selected."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from ..data.sample import Sample
from ..data.transforms import Geometry
from ..engine import Engine
from .metrics import FrechetDistance, Lite0Features, lab_mean

STYLE_PHOTOS = 100
BATCH = 50


class Report(BaseModel):
    """What was measured, against what. Distances are of EfficientNet-Lite0 features; smaller is better."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    images: int = Field(description="held-out pairs, each painted once")
    size: tuple[int, int] = Field(description="H, W of photos (centre crops) and paintings")
    seed: int = 0
    fd: float = Field(description="Fréchet distance of paintings to photos, all painted with one seed")
    fd_own_style: float | None = Field(description="the same, every map painted in its own photo's style")
    fd_real_halves: float = Field(description="the floor: one half of the photos to the other")
    style_followed: float | None = Field(
        description="share of photos whose painting's mean Lab colour is nearer to them than to another photo"
    )
    seed_difference: float = Field(description="mean absolute difference of two seeds' paintings, 0 to 1")


def evaluate(
    engine: Engine, pairs: Sequence[Sample], progress: Callable[[int, int], None] = lambda done, total: None
) -> Report:
    """Paints every map of ``pairs`` at the model's own size and compares with the photos.

    Raises ValueError for fewer than 2 pairs.
    """
    if len(pairs) < 2:
        raise ValueError(f"{len(pairs)} pairs are too few to measure a distance: give at least 2, better 500")
    size = engine.card.generator.size
    has_style = engine.card.encoder is not None
    photos, first, second, own = [], [], [], []
    for i in range(len(pairs)):
        sample = Geometry.center(pairs[i].labels.shape, size)(pairs[i])
        photos.append(sample.image)
        first.append(engine.paint(sample.labels, seed=0).pixels)
        if i < STYLE_PHOTOS:
            second.append(engine.paint(sample.labels, seed=1).pixels)
        if has_style:
            own.append(engine.paint(sample.labels, seed=0, style=engine.style_of(sample.image)).pixels)
        progress(i + 1, len(pairs))
    features = Lite0Features()
    shuffled = np.random.default_rng(0).permutation(len(photos))
    halves = [[photos[i] for i in half] for half in np.array_split(shuffled, 2)]
    return Report(
        model=engine.card.name,
        images=len(photos),
        size=size,
        fd=_distance(features, photos, first),
        fd_own_style=_distance(features, photos, own) if has_style else None,
        fd_real_halves=_distance(features, *halves),
        style_followed=style_followed(photos[:STYLE_PHOTOS], own[:STYLE_PHOTOS]) if has_style else None,
        seed_difference=_difference(first, second),
    )


def _distance(features: Lite0Features, real: Sequence[NDArray], fake: Sequence[NDArray]) -> float:
    metric = FrechetDistance(features)
    for images, are_real in ((real, True), (fake, False)):
        for start in range(0, len(images), BATCH):
            metric.add(np.stack(images[start : start + BATCH]), are_real)
    return round(metric.value(), 2)


def style_followed(photos: Sequence[NDArray[np.uint8]], paintings: Sequence[NDArray[np.uint8]]) -> float:
    """Share of paintings whose mean Lab colour is nearer to their own style photo than to the next one."""
    of_photos, of_paintings = (
        np.stack([lab_mean(image) for image in images]) for images in (photos, paintings)
    )
    own = np.linalg.norm(of_paintings - of_photos, axis=1)
    other = np.linalg.norm(of_paintings - np.roll(of_photos, 1, axis=0), axis=1)
    return round(float((own < other).mean()), 3)


def _difference(first: Sequence[NDArray], second: Sequence[NDArray]) -> float:
    """Over as many pictures as both have."""
    pairs = [np.abs(a.astype(float) - b).mean() for a, b in zip(first, second, strict=False)]
    return round(float(np.mean(pairs)) / 255, 4)

"""Moods with names: the lights that seeds have for a sketch, told apart by measuring what they paint."""

from base64 import b64encode
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spadework.engine import Engine
from spadework.lights import Lights, Style
from spadework.picture import Picture
from spadework.service.schemas import FoundMoods, NamedMood
from spadework.service.styles import Styles
from spadework.sizes import painting_size
from spadework.sketch.labelmap import LabelMap

TRIED = 24
"""So many seeds are painted, small, to find the moods among them."""

SHORT = 128
"""The short side, in pixels, of the pictures that are measured, and shown.

Half of that is too far from what the network was trained at: its light is another than that of the whole.
"""

NEAR_BLACK = 45.0
"""No picture darker than this, in grey levels of 255, is shown to somebody who has not asked for it."""

DAY = 70.0
"""In grey levels: what is darker is not called by a name of the day."""

BRIGHTNESS = np.array([0.299, 0.587, 0.114])


@dataclass(frozen=True)
class Look:
    """In grey levels: mean brightness, mean red minus blue, spread of brightness, colourfulness."""

    light: float
    warmth: float
    contrast: float
    color: float

    @classmethod
    def of(cls, pixels: NDArray[np.uint8]) -> "Look":
        """Of a picture (H, W, 3)."""
        values = pixels.astype(np.float64)
        light = values @ BRIGHTNESS
        return cls(
            light=float(light.mean()),
            warmth=float((values[..., 0] - values[..., 2]).mean()),
            contrast=float(light.std()),
            color=float(np.ptp(values, axis=-1).mean()),
        )

    def __sub__(self, other: "Look") -> "Look":
        return Look(
            self.light - other.light,
            self.warmth - other.warmth,
            self.contrast - other.contrast,
            self.color - other.color,
        )


@dataclass(frozen=True)
class Mood:
    """A name, and which look bears it.

    `fits` takes the difference from the middle of all looks, and the look itself; of those that fit, the one
    whose difference has the largest `best`.
    """

    name: str
    fits: Callable[[Look, Look], bool]
    best: Callable[[Look], float]


MOODS = (
    Mood("night", lambda d, look: d.light < -25 and look.light < 75, lambda d: -d.light),
    Mood(
        "sunset",
        lambda d, look: d.warmth > 20 and look.warmth > 5,
        lambda d: d.warmth - abs(d.light + 15) / 3,
    ),
    Mood(
        "golden hour",
        lambda d, look: d.warmth > 8 and look.warmth > 0 and d.light > -15 and look.light > DAY,
        lambda d: d.warmth + d.light / 2,
    ),
    Mood(
        "snow light",
        lambda d, look: d.light > 12 and look.light > 110 and d.color < 15,
        lambda d: d.light - d.color / 2,
    ),
    Mood(
        "clear noon",
        lambda d, look: d.light > -5 and d.color > 0,
        lambda d: d.color + d.light / 2 - d.warmth / 2,
    ),
    Mood(
        "mist",
        lambda d, look: d.contrast < -2 and d.light > -20,
        lambda d: -d.contrast - d.color / 4 - abs(d.light) / 8,
    ),
    Mood(
        "storm",
        lambda d, look: d.light < -15 and d.color < 0 and look.warmth < 15,
        lambda d: -d.color - abs(d.light + 20) / 2,
    ),
    Mood(
        "soft day",
        lambda d, look: look.light > DAY,
        lambda d: -abs(d.light) - abs(d.warmth) - abs(d.contrast),
    ),
)
"""The rarest first, which choose first."""

SHOWN = ("clear noon", "soft day", "golden hour", "sunset", "snow light", "mist", "storm", "night")
"""As the day goes."""


def small_picture(
    engine: Engine,
    sketch: LabelMap,
    seed: int,
    style: Style | None,
    short: int = SHORT,
    lights: Lights | None = None,
) -> Picture:
    """The sketch in a seed's place and a style, about `short` pixels on its short side."""
    height, width = (max(4, round(side * short / min(sketch.size))) for side in sketch.size)
    size = painting_size(sketch.size, engine.card.generator, (height, width))
    return engine.paint(sketch.resize(size), seed, style, size, lights=lights and lights.resize(size))


def named(looks: Sequence[Look]) -> dict[str, int]:
    """The moods that there are among some looks, as the day goes: name -> index."""
    middle = middle_of(looks)
    free = dict(enumerate(look - middle for look in looks))
    found: dict[str, int] = {}
    for mood in MOODS:
        fitting = [index for index, difference in free.items() if mood.fits(difference, looks[index])]
        if fitting:
            found[mood.name] = max(fitting, key=lambda index: mood.best(free[index]))
            del free[found[mood.name]]
    return {name: found[name] for name in SHOWN if name in found}


def middle_of(looks: Iterable[Look]) -> Look:
    """The median of every measure."""
    values = np.array([(look.light, look.warmth, look.contrast, look.color) for look in looks])
    return Look(*map(float, np.median(values, axis=0)))


def bright_enough(looks: Sequence[Look]) -> int:
    """The index of the first look, unless it is near black: then of the one nearest to the middle."""
    if looks[0].light >= NEAR_BLACK:
        return 0
    middle = middle_of(looks).light
    return min(range(len(looks)), key=lambda index: abs(looks[index].light - middle))


class Search:
    """Looks for the moods of a sketch, a light a step, all in one place.

    `place`: the seed of what lies where. `light`: the seed of the light that is tried first, the one that is
    used now; by default the place's own.
    """

    def __init__(self, engine: Engine, sketch: LabelMap, place: int, light: int | None = None) -> None:
        self._engine, self._sketch, self._place = engine, sketch, place
        first = place if light is None else light
        self._waiting = [first, *(other for other in range(TRIED) if other != first)]
        self._tried: dict[bytes, tuple[int, Style, Picture]] = {}

    @property
    def done(self) -> bool:
        """Whether every seed has been tried."""
        return not self._waiting

    def step(self) -> None:
        """Try a seed's light, unless an earlier one is the same."""
        seed = self._waiting.pop(0)
        style = self._engine.sample_style(seed, self._sketch)
        if style.z.tobytes() not in self._tried:
            picture = small_picture(self._engine, self._sketch, self._place, style)
            self._tried[style.z.tobytes()] = seed, style, picture

    def found(self, styles: Styles) -> FoundMoods:
        """The moods among what was tried; their styles are held."""
        tried = list(self._tried.values())
        looks = [Look.of(picture.pixels) for _, _, picture in tried]
        moods = []
        for name, index in named(looks).items():
            seed, style, picture = tried[index]
            face = b64encode(picture.to_bytes(1)).decode()
            moods.append(NamedMood(name=name, face=face, seed=seed, **styles.hold(style).model_dump()))
        return FoundMoods(moods=tuple(moods), light=tried[bright_enough(looks)][0])

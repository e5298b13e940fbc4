"""Moods with names: the lights that seeds have for a sketch, told apart by measuring what they paint."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from spadework.engine import Engine
from spadework.lights import Style
from spadework.picture import Picture
from spadework.sizes import painting_size
from spadework.sketch.labelmap import MIN_SIDE, LabelMap

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


Bounds = Mapping[str, tuple[float, float]]
"""Of measures of a look: more than the first number, and less than the second."""


@dataclass(frozen=True)
class Mood:
    """A name, and which look bears it. Data, so that a page without a server finds the same.

    `apart` bounds the difference from the middle of all looks, `itself` the look. Of those that fit, the one
    is taken that has the most of `wanted`, a weight for measures of the difference, after what `near` takes
    off: a weight for how far a measure of the difference lies from a number.
    """

    name: str
    apart: Bounds = field(default_factory=dict)
    itself: Bounds = field(default_factory=dict)
    wanted: Mapping[str, float] = field(default_factory=dict)
    near: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def fits(self, difference: Look, look: Look) -> bool:
        """Whether a look may bear the name."""
        return _within(difference, self.apart) and _within(look, self.itself)

    def best(self, difference: Look) -> float:
        """How well; of those that fit the largest is taken."""
        gained = sum(weight * getattr(difference, name) for name, weight in self.wanted.items())
        lost = (weight * abs(getattr(difference, name) - to) for name, (to, weight) in self.near.items())
        return gained - sum(lost)


def _within(look: Look, bounds: Bounds) -> bool:
    return all(low < getattr(look, name) < high for name, (low, high) in bounds.items())


def _above(low: float) -> tuple[float, float]:
    return low, math.inf


def _below(high: float) -> tuple[float, float]:
    return -math.inf, high


MOODS = (
    Mood("night", {"light": _below(-25)}, {"light": _below(75)}, {"light": -1}),
    Mood(
        "sunset", {"warmth": _above(20)}, {"warmth": _above(5)}, {"warmth": 1}, near={"light": (-15, 1 / 3)}
    ),
    Mood(
        "golden hour",
        {"warmth": _above(8), "light": _above(-15)},
        {"warmth": _above(0), "light": _above(DAY)},
        {"warmth": 1, "light": 1 / 2},
    ),
    Mood(
        "snow light",
        {"light": _above(12), "color": _below(15)},
        {"light": _above(110)},
        {"light": 1, "color": -1 / 2},
    ),
    Mood(
        "clear noon",
        {"light": _above(-5), "color": _above(0)},
        wanted={"color": 1, "light": 1 / 2, "warmth": -1 / 2},
    ),
    Mood(
        "mist",
        {"contrast": _below(-2), "light": _above(-20)},
        wanted={"contrast": -1, "color": -1 / 4},
        near={"light": (0, 1 / 8)},
    ),
    Mood(
        "storm",
        {"light": _below(-15), "color": _below(0)},
        {"warmth": _below(15)},
        {"color": -1},
        {"light": (-20, 1 / 2)},
    ),
    Mood(
        "soft day",
        itself={"light": _above(DAY)},
        near={"light": (0, 1), "warmth": (0, 1), "contrast": (0, 1)},
    ),
)
"""The rarest first, which choose first."""

SHOWN = ("clear noon", "soft day", "golden hour", "sunset", "snow light", "mist", "storm", "night")
"""As the day goes."""


def small_size(engine: Engine, sketch: LabelMap, short: int) -> tuple[int, int]:
    """(H, W) that the network paints of a sketch for a preview of about `short` pixels on its short side."""
    height, width = (max(MIN_SIDE, round(side * short / min(sketch.size))) for side in sketch.size)
    return painting_size(sketch.size, engine.card.generator, (height, width))


def small_picture(engine: Engine, sketch: LabelMap, seed: int, style: Style | None) -> Picture:
    """The sketch in a seed's place and a style, about SHORT pixels on its short side."""
    size = small_size(engine, sketch, SHORT)
    return engine.paint(sketch.resize(size), seed, style, size)


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


@dataclass(frozen=True, eq=False)
class FoundMood:
    """A mood that a sketch has: the style of `seed` for it, and the sketch in it, small."""

    name: str
    seed: int
    style: Style
    picture: Picture


@dataclass(frozen=True, eq=False)
class Found:
    """The moods of a sketch, as the day goes. `light`: a seed to begin with, which is not near black."""

    moods: tuple[FoundMood, ...]
    light: int


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

    def found(self) -> Found:
        """The moods among what was tried."""
        tried = list(self._tried.values())
        looks = [Look.of(picture.pixels) for _, _, picture in tried]
        moods = tuple(FoundMood(name, *tried[index]) for name, index in named(looks).items())
        return Found(moods, tried[bright_enough(looks)][0])

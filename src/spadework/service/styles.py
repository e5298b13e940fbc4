"""Styles that pages have brought, held under ids that depend on their values only."""

import threading
from collections import OrderedDict

import numpy as np
from numpy.typing import NDArray

from spadework.engine import Engine
from spadework.executor import MAX_SEED
from spadework.files import Fault
from spadework.lights import Lights, Style
from spadework.project import style_id
from spadework.service.limits import Refusal
from spadework.service.schemas import HeldStyle, PaintQuery, StyleValues
from spadework.sketch.labelmap import LabelMap


class Styles:
    """The `most` styles used last."""

    def __init__(self, most: int = 256) -> None:
        self._most = most
        self._held: OrderedDict[str, Style] = OrderedDict()
        self._lock = threading.Lock()

    def hold(self, style: Style) -> HeldStyle:
        """Keep a style; the same values and origin get the same id, in any process."""
        id = style_id(style.z, style.origin)
        with self._lock:
            self._held[id] = style
            self._held.move_to_end(id)
            while len(self._held) > self._most:
                self._held.popitem(last=False)
        return HeldStyle.of(id, style)

    def named(self, name: str, engine: Engine, sketch: LabelMap) -> Style:
        """What `seed:7` means for a sketch, or a held style. Raises Refusal 410 for one not held any more."""
        if name.startswith("seed:"):
            return engine.sample_style(int(name.removeprefix("seed:")), sketch)
        with self._lock:
            if name not in self._held:
                raise Refusal(410, "The painter has forgotten this style", "Drop the photo again.")
            self._held.move_to_end(name)
            return self._held[name]

    def wanted(self, query: PaintQuery, engine: Engine, sketch: LabelMap) -> Style | None:
        """What a request asks for, for a preview as for the whole; None if the model has no styles."""
        if engine.card.generator.z_dim is None:
            return None
        style = self.named(query.style or f"seed:{query.seed}", engine, sketch)
        if query.other is None or query.blend == 0:
            return style
        return style.blend(self.named(query.other, engine, sketch), query.blend)

    def lights(
        self, names: str | None, numbers: NDArray[np.uint8] | None, engine: Engine, sketch: LabelMap
    ) -> Lights | None:
        """Other styles for parts of a sketch, by their names. Raises ValueError, and Refusal 410."""
        if names is None or numbers is None or engine.card.generator.z_dim is None:
            return None
        return Lights(numbers, tuple(self.named(name, engine, sketch) for name in names.split(",")))


TRIED = 6
"""So many seeds are tried for every style that is to be unlike the others."""


def varied(engine: Engine, sketch: LabelMap, first: int, count: int) -> dict[int, Style]:
    """Seeds from `first` on whose styles for a sketch lie far from each other, with those styles.

    Raises ValueError if the model has no styles.
    """
    tried = {
        seed: engine.sample_style(seed, sketch)
        for seed in ((first + n) % (MAX_SEED + 1) for n in range(TRIED * count))
    }
    rest = dict(tried)
    chosen = {first: rest.pop(first)}
    away = dict.fromkeys(rest, np.inf)
    while len(chosen) < count:
        last = chosen[next(reversed(chosen))].z
        away = {seed: min(away[seed], float(np.linalg.norm(rest[seed].z - last))) for seed in rest}
        furthest = max(away, key=lambda seed: away[seed])
        chosen[furthest] = rest.pop(furthest)
    return chosen


def style_from(values: StyleValues, engine: Engine) -> Style:
    """The style of a page's values. Raises ValueError if they do not fit the model."""
    if len(values.z) != engine.card.generator.z_dim:
        raise Fault(f"the style {values.origin} belongs to another model", "drop its photo again")
    return Style(np.array(values.z, np.float32), values.origin)

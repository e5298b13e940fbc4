"""Styles of seeds that are unlike each other."""

import numpy as np

from spadework.engine import Engine
from spadework.executor import MAX_SEED
from spadework.lights import Style
from spadework.sketch.labelmap import LabelMap

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

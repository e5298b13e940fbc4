"""Several pictures of one sketch, ordered in the open: by obedience and by realism, every score kept.

(H, W) pixels, K classes.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from spadework.engine import Engine
from spadework.files import Fault
from spadework.picture import Picture
from spadework.segmenter.segmenter import Segmenter
from spadework.sketch.labelmap import LabelMap
from spadework.sketch.palette import Palette

ORDER = "sum of the ranks by obedience and by realism, then obedience, then the smaller seed"
"""How candidates are ordered, for people. Ranks need no scale on which one score weighs against the other."""


@dataclass(frozen=True)
class Candidate:
    """A picture and how it scored. `rank` counts from 1."""

    seed: int
    rank: int
    obedience: float
    realism: float
    picture: Picture

    def scores(self) -> dict[str, Any]:
        """For JSON: all but the picture."""
        return {
            "seed": self.seed,
            "rank": self.rank,
            "obedience": round(self.obedience, 4),
            "realism": round(self.realism, 4),
        }


def obedience(sketch: LabelMap, read: LabelMap) -> float:
    """Share of the sketch's pixels that are read as what was sketched; unknown pixels do not count.

    1 where nothing is known. Raises ValueError for maps of two sizes.
    """
    if sketch.size != read.size:
        raise Fault(f"the sketch is {sketch.size} (H, W), the map read {read.size}", "make them equal")
    known = np.isin(sketch.ids, [c.id for c in sketch.palette.classes])
    return float((sketch.ids == read.ids)[known].mean()) if known.any() else 1.0


def candidates(
    engine: Engine, sketch: LabelMap, seeds: Iterable[int], segmenter: Segmenter
) -> list[Candidate]:
    """A picture of the sketch for every seed, the best first; see `ordered`.

    Raises ValueError where the segmenter knows other classes than the sketch has.
    """
    return ordered(sketch, {seed: engine.paint(sketch, seed) for seed in seeds}, segmenter)


def ordered(sketch: LabelMap, pictures: dict[int, Picture], segmenter: Segmenter) -> list[Candidate]:
    """Pictures by seed, scored and in ORDER; each remembers its scores. They may be larger than the sketch.

    Raises ValueError where the segmenter knows other classes than the sketch has.
    """
    demand_classes(segmenter, sketch.palette)
    scores = {seed: scores_of(sketch, picture, segmenter) for seed, picture in pictures.items()}
    obeyed, likeness = (_ranks({seed: score[at] for seed, score in scores.items()}) for at in (0, 1))
    order = sorted(scores, key=lambda seed: (obeyed[seed] + likeness[seed], -scores[seed][0], seed))
    rivals = [Candidate(seed, rank, *scores[seed], pictures[seed]) for rank, seed in enumerate(order, 1)]
    return [_remembering(rival, len(rivals)) for rival in rivals]


def demand_classes(segmenter: Segmenter, palette: Palette) -> None:
    """Raises ValueError unless the segmenter reads the palette's classes."""
    if segmenter.palette.classes != palette.classes:
        raise Fault(
            f"the segmenter reads the classes of palette {segmenter.palette.name}, the sketch has those of "
            f"{palette.name}",
            f"give one for {palette.name}",
        )


def scores_of(sketch: LabelMap, picture: Picture, segmenter: Segmenter) -> tuple[float, float]:
    """Obedience and realism of a picture, which may be larger than its sketch."""
    read = segmenter.label(picture.pixels)
    return obedience(sketch.resize(read.size), read), segmenter.realism(picture.pixels)


def _ranks(scores: dict[int, float]) -> dict[int, int]:
    """1 for the highest; equal scores share the better rank."""
    return {seed: 1 + sum(other > score for other in scores.values()) for seed, score in scores.items()}


def _remembering(rival: Candidate, of: int) -> Candidate:
    """The same with its scores in the picture's provenance."""
    told = {"candidates": of, **{key: value for key, value in rival.scores().items() if key != "seed"}}
    return replace(rival, picture=replace(rival.picture, provenance={**rival.picture.provenance, **told}))

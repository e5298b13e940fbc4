"""Looks at the pictures of the maps one by one and keeps what the instruments say. F features, K classes."""

import hashlib
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from spadework.candidates import obedience
from spadework.data.sample import Sample
from spadework.evaluation import texture
from spadework.evaluation.measures import Table
from spadework.evaluation.metrics import (
    InceptionFeatures,
    Lite0Features,
    diversity,
    lab_mean,
    perceptual_distance,
    style_followed,
)
from spadework.evaluation.pictures import Pictures, Pixels
from spadework.segmenter.scores import confusion
from spadework.segmenter.segmenter import Segmenter
from spadework.sketch.labelmap import LabelMap


@dataclass(frozen=True)
class Instruments:
    """What measures. `referee`: a second segmenter, for pictures that `reader` has ordered."""

    lite0: Lite0Features = field(default_factory=Lite0Features)
    inception: InceptionFeatures | None = None
    reader: Segmenter | None = None
    referee: Segmenter | None = None


@dataclass(frozen=True, eq=False)
class Shown:
    """One map and all that is to be seen of it.

    `own`: its picture in the photo's style; `read`: what the segmenter finds in the first picture.
    """

    name: str
    sketch: LabelMap
    photo: Pixels
    pictures: list[Pixels]
    own: Pixels | None
    read: LabelMap | None
    scores: dict[str, float]


class Observer:
    """Measures the pictures of map after map.

    The keys of its table: "lite0/ROLE" and "inception/ROLE" (N, F), "lab/ROLE" (N, 3), "read/ROLE" and
    "referee/ROLE" (N, K, K + 1), "realism/ROLE", "to_photo", "to_other", "diversity" and "followed" (N,).
    Roles are photo, first (seed 0), own (in the photo's style) and best. And what `texture.observe` finds in
    the picture in the photo's style, or in the first where there is none.
    """

    def __init__(self, pictures: Pictures, instruments: Instruments) -> None:
        self.pictures, self.instruments = pictures, instruments
        self._rows: list[dict[str, NDArray]] = []
        self._photos: list[list[Tensor]] = []  # unit features of the first and of the latest
        self._hash = hashlib.sha256()

    def observe(self, pair: Sample) -> Shown:
        """Measures the pictures of one map of their size."""
        palette = self.pictures.palette
        sketch = LabelMap(pair.labels, palette, pair.instances)
        self._hash.update(pair.labels.tobytes() + pair.image.tobytes())
        pictures, painted = self.pictures.of(sketch, pair)
        roles = {"photo": pair.image} | painted
        row = self._features(roles, pictures[1:])
        row |= {f"lab/{role}": lab_mean(roles[role]) for role in ("photo", "own") if role in roles}
        own = roles.get("own")
        row |= texture.observe(painted["first"] if own is None else own, pair.image, pair.labels, palette)
        read = self._read(sketch, roles, row)
        self._rows.append(row)
        scores = {"distance": float(row["to_photo"])}
        if read is not None:
            scores |= {"obedience": obedience(sketch, read), "realism": float(row["realism/first"])}
        return Shown(pair.name, sketch, pair.image, pictures, own, read, scores)

    def table(self) -> Table:
        """All maps' rows. A photo is compared with the photo before it, the first one with the last."""
        self._rows[0]["to_other"] = np.array(perceptual_distance(self._photos[0], self._photos[-1]))
        table = {key: np.stack([row[key] for row in self._rows]) for key in self._rows[0]}
        if "lab/own" in table:
            table["followed"] = style_followed(table["lab/photo"], table["lab/own"])
        return table

    def reference_hash(self) -> str:
        """Of all maps and photos seen, as they were compared."""
        return self._hash.hexdigest()[:16]

    def _features(self, roles: dict[str, Pixels], others: list[Pixels]) -> dict[str, NDArray]:
        """Of the pictures with a role; `others` are those of further seeds."""
        names = list(roles)
        images = np.stack([*roles.values(), *others])
        pooled, stages = self.instruments.lite0(images)
        photo, first, *more = [[stage[i] for stage in stages] for i in range(len(images))]
        row = {f"lite0/{name}": pooled[i] for i, name in enumerate(names)}
        if self.instruments.inception is not None:
            standard = self.instruments.inception(images[: len(names)])
            row |= {f"inception/{name}": standard[i] for i, name in enumerate(names)}
        row["to_photo"] = np.array(perceptual_distance(first, photo))
        row["to_other"] = np.array(perceptual_distance(photo, self._photos[-1]) if self._photos else 0)
        self._photos = [*self._photos[:1], photo]
        if others:
            row["diversity"] = np.array(diversity([first, *more[len(names) - 2 :]]))
        return row

    def _read(self, sketch: LabelMap, roles: dict[str, Pixels], row: dict[str, NDArray]) -> LabelMap | None:
        """Adds what the segmenters say to the row; returns the reader's map of the first picture."""
        reader, referee = self.instruments.reader, self.instruments.referee
        maps: dict[str, LabelMap] = {}
        for key, judge in (("read", reader), ("referee", referee)):
            for role in ("photo", "first", "best") if judge else ():
                if judge is None or role not in roles:
                    continue
                maps[f"{key}/{role}"] = judge.label(roles[role])
        row |= {key: confusion(sketch.ids, read.ids, sketch.palette) for key, read in maps.items()}
        if reader is not None:
            row |= {f"realism/{role}": np.array(reader.realism(roles[role])) for role in ("photo", "first")}
        return maps.get("read/first")

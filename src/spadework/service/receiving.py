"""Any file that people bring: what it is, before anything is done with it."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from spadework.decoding import UNREADABLE
from spadework.project import Project, project_in
from spadework.service.faults import Refusal, told
from spadework.service.opening import demand_pixels, open_map
from spadework.sketch.exact import PHOTO_COLORS
from spadework.sketch.layered import flattened, groups_of
from spadework.sketch.opening import Opened
from spadework.sketch.openraster import Drawn, Group, Rgba
from spadework.sketch.palette import Palette

FEW_COLORS = 64
"""A picture of no more colours is no photograph."""

STILL = 0.5
"""In a label map more pixels than this are like the pixel beside them; in a photograph fewer."""

MOST_LAYERS = 64
"""A file of more groups is opened as one layer."""

FAR = 8.0
"""A colour further than this from every class, in RGB steps, is not one that JPEG has spoilt."""


@dataclass(frozen=True)
class Received:
    """What a file is. A photograph may come with the map that it could be, or with why it is none.

    `layers`: what the map is made of, the lowest first, if that is told. `problem`: sentence and remedy.
    """

    kind: Literal["drawing", "labels", "photo", "nothing"]
    project: Project | None = None
    opened: Opened | None = None
    layers: tuple[Drawn, ...] = ()
    problem: tuple[str, str] | None = None


def receive(data: bytes, target: Palette, most: int) -> Received:
    """A drawing, a label map in the classes of `target`, a photograph, or nothing that the studio knows.

    A picture of more than `most` pixels is a photograph. One that is like a photograph is told to be one even
    where it could be read as a label map, which then comes with it.
    """
    pixels, layers = None, []
    try:
        project = project_in(data, "The drawing")
        if project is not None:
            return Received("drawing", project)
        groups, data = groups_of(data), flattened(data)
        pixels = _pixels(data)
        demand_pixels(data, most)
        opened = open_map(data, target)
        layers = _drawn(groups, opened, target)
    except Refusal as refusal:
        return Received("photo", problem=(refusal.sentence, refusal.remedy))
    except ValueError as error:
        return Received("nothing" if pixels is None else "photo", problem=told(error))
    seems = pixels is not None and bool(opened.report) and like_photo(pixels, Palette.load(opened.palette))
    return Received("photo" if seems else "labels", opened=opened, layers=tuple(layers))


def _drawn(groups: Sequence[tuple[Group, Rgba]], opened: Opened, target: Palette) -> list[Drawn]:
    """Groups of a file as layers of a drawing, read as the whole was; none if they are too many."""
    if not groups or len(groups) > MOST_LAYERS:
        return []
    source, drawn = Palette.load(opened.palette), []
    whole = source.colors()[source.ids()[0]]
    for group, sheet in groups:
        there = sheet[..., 3] > 0
        pixels = np.where(there[..., None], sheet[..., :3], whole)
        out = io.BytesIO()
        Image.fromarray(pixels).save(out, "PNG", compress_level=1)
        ids = open_map(out.getvalue(), target, source).sketch.ids
        drawn.append(Drawn(group.name, ids, there, group.hidden, group.locked))
    return drawn


def like_photo(pixels: NDArray[np.uint8], palette: Palette) -> bool:
    """Whether (H, W, 3) uint8 are a photograph rather than a label map of the palette."""
    colors = len(np.unique(pixels.reshape(-1, 3) @ np.array([1 << 16, 1 << 8, 1])))
    if colors <= FEW_COLORS:
        return False
    still = (pixels[:, 1:] == pixels[:, :-1]).all(-1).mean() if pixels.shape[1] > 1 else 1.0
    return bool(still < STILL) or (colors > PHOTO_COLORS and _far_share(pixels, palette) > 0.5)


def _far_share(pixels: NDArray[np.uint8], palette: Palette) -> float:
    """The share of pixels, of some thousands, that are like no class."""
    every = pixels.reshape(-1, 3)
    sample = every[:: max(1, len(every) // 4000)].astype(np.float32)
    table = palette.colors()[palette.ids()].astype(np.float32)
    return float((np.linalg.norm(sample[:, None] - table, axis=-1).min(1) > FAR).mean())


def _pixels(data: bytes) -> NDArray[np.uint8] | None:
    """(H, W, 3), made smaller where a file is large; None for what is no picture."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            image.draft("RGB", (1024, 1024))
            step = max(1, max(image.size) // 1024)
            return np.asarray(image.convert("RGB"))[::step, ::step]
    except UNREADABLE:
        return None

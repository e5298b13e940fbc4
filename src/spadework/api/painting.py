"""From a request to what is painted, and from a picture to what is sent. Raises ValueError and Refusal."""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from spadework.api.wire import Form, PaintRequest, StyleNumbers, bytes_of
from spadework.engine import Engine
from spadework.files import Fault
from spadework.lights import Style
from spadework.model import ModelCard
from spadework.picture import Picture
from spadework.service.limits import Refusal
from spadework.service.moods import Search
from spadework.service.opening import demand_pixels, open_map
from spadework.service.painting import QUALITY
from spadework.service.styles import Styles
from spadework.sketch.labelmap import LabelMap
from spadework.sketch.palette import Palette


@dataclass(frozen=True, eq=False)
class Wanted:
    """A picture that is wanted of a model: `size` (H, W), or None for the sketch's."""

    sketch: LabelMap
    seed: int
    style: Style | None
    size: tuple[int, int] | None


def shipped_palette(name: str | None) -> Palette | None:
    """A shipped palette, never a file. Raises Refusal 404."""
    if name is not None and name not in Palette.names():
        raise Refusal(404, f"No palette {name} is shipped", f"Choose of {', '.join(Palette.names())}.")
    return None if name is None else Palette.load(name)


def wanted(request: PaintRequest, card: ModelCard, most: int) -> Wanted:
    """What a request wants of the model with that card; pictures and sketches have `most` pixels at most."""
    size = None if request.height is None or request.width is None else (request.height, request.width)
    if size is not None:
        _demand_few(size, most)
    sketch = _sketch(request, card.palette, most)
    _demand_few(sketch.size, most)
    style = None if request.style is None else _style(request.style, card)
    return Wanted(sketch, request.seed, style, size)


def paint_many(engine: Engine, items: Sequence[Wanted]) -> list[Picture]:
    """The pictures, of one size."""
    if len(items) == 1:
        item = items[0]
        return [engine.paint(item.sketch, item.seed, item.style, item.size)]
    sketches, seeds = [item.sketch for item in items], [item.seed for item in items]
    return engine.paint_many(sketches, seeds, [item.style for item in items], items[0].size)


def in_mood(engine: Engine, item: Wanted, mood: str) -> Wanted:
    """The same in a mood that the model has for this sketch. Raises Refusal 422 if it has no such."""
    search = Search(engine, item.sketch, item.seed)
    while not search.done:
        search.step()
    found = {held.name: held for held in search.found(Styles()).moods}
    if mood not in found:
        raise Refusal(422, f"This sketch has no mood {mood}", f"Choose of {', '.join(found)}.")
    style = Style(np.array(found[mood].z, np.float32), mood)
    return Wanted(item.sketch, item.seed, style, item.size)


def packed(picture: Picture, form: Form) -> bytes:
    """A file: a PNG with all that the picture knows, or a smaller one, which knows nothing."""
    if form == "png":
        return picture.to_bytes(1)
    out = io.BytesIO()
    Image.fromarray(picture.pixels).save(out, format=form, quality=QUALITY)
    return out.getvalue()


def _sketch(request: PaintRequest, palette: Palette, most: int) -> LabelMap:
    if request.runs is not None:
        _demand_few((request.runs.height, request.runs.width), most)
        return LabelMap(request.runs.ids(), palette)
    name = "ids_png" if request.color_map is None else "color_map"
    data = bytes_of(request.ids_png or request.color_map or "", name)
    demand_pixels(data, most)
    if request.color_map is None:
        return LabelMap.from_bytes(data, palette, name)
    return open_map(data, palette, shipped_palette(request.palette)).sketch


def _style(numbers: StyleNumbers, card: ModelCard) -> Style:
    if len(numbers.z) != card.generator.z_dim:
        wanted = f"{card.generator.z_dim} values" if card.generator.z_dim else "none"
        raise Fault(
            f"the style has {len(numbers.z)} values, model {card.name} takes {wanted}", "read it again"
        )
    return Style(np.array(numbers.z, np.float32), numbers.origin)


def _demand_few(size: tuple[int, int], most: int) -> None:
    if size[0] * size[1] > most:
        raise Refusal(413, f"{size[1]}x{size[0]} pixels are too many", f"Use at most {most:,} pixels.")

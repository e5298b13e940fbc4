"""From a request to what is painted, and from a picture to what is sent. Raises ValueError and Refusal."""

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from spadework.api.requests import PaintRequest, PartLights, SketchRequest
from spadework.api.wire import Light, Pixels, Runs, SeedLight, StyleNumbers, bytes_of
from spadework.engine import Engine
from spadework.files import Fault
from spadework.lights import Lights, Style
from spadework.model import ModelCard
from spadework.picture import Picture
from spadework.project import style_id
from spadework.service.faults import Refusal
from spadework.service.moods import small_size
from spadework.service.opening import demand_pixels, open_map
from spadework.sketch.labelmap import LabelMap
from spadework.sketch.palette import Palette

QUALITY = 92
"""Of JPEG and WebP, of 100."""

FAST = 1
"""The zlib level of pictures on their way: a few per cent larger, several times faster."""


Arguments = tuple[LabelMap, int, Style | None, tuple[int, int] | None, Lights | None]
"""Sketch, seed, style, (H, W) of the picture, lights."""


@dataclass(frozen=True, eq=False)
class Look:
    """A style, blended with another by the share `blend`; None: the one that the seed has for the sketch."""

    style: Light | None = None
    other: Light | None = None
    blend: float = 0.0

    def style_for(self, engine: Engine, sketch: LabelMap, seed: int) -> Style | None:
        """What it comes to; None if the model has no styles."""
        if engine.card.generator.z_dim is None:
            return None
        style = _style(self.style or SeedLight(seed=seed), engine, sketch)
        if self.other is None or self.blend == 0:
            return style
        return style.blend(_style(self.other, engine, sketch), self.blend)


@dataclass(frozen=True, eq=False)
class Wanted:
    """A picture that is wanted of a model.

    `numbers` (H, W): where `lights` are, from 1 on. `size` (H, W), or None for the sketch's. `short`: of a
    preview instead.
    """

    sketch: LabelMap
    seed: int
    look: Look
    numbers: NDArray[np.uint8] | None = None
    lights: tuple[Light, ...] = ()
    size: tuple[int, int] | None = None
    short: int | None = None
    judged: bool = False

    def lit(self, style: StyleNumbers) -> "Wanted":
        """The same in a style."""
        return replace(self, look=Look(style))

    def arguments(self, engine: Engine) -> Arguments:
        """For `Engine.paint_many`. A preview is in the light of the whole sketch."""
        sketch, size, lights = self.sketch, self.size, None
        style = self.look.style_for(engine, sketch, self.seed)
        if self.numbers is not None:
            lights = Lights(self.numbers, tuple(_style(light, engine, sketch) for light in self.lights))
        if self.short is not None:
            size = small_size(engine, sketch, self.short)
            sketch, lights = sketch.resize(size), lights and lights.resize(size)
        return sketch, self.seed, style, size, lights

    @property
    def alike(self) -> tuple[Any, ...]:
        """Pictures for which this is the same are painted together."""
        return self.size, self.size or self.sketch.size, self.short, self.sketch.instances is None


def shipped_palette(name: str | None) -> Palette | None:
    """A shipped palette, never a file. Raises Refusal 404."""
    if name is not None and name not in Palette.names():
        raise Refusal(404, f"No palette {name} is shipped", f"Choose of {', '.join(Palette.names())}.")
    return None if name is None else Palette.load(name)


def wanted(request: PaintRequest, card: ModelCard, most: int) -> Wanted:
    """What a request wants of the model with that card; pictures and sketches have `most` pixels at most."""
    size = None if request.height is None or request.width is None else (request.height, request.width)
    if size is not None:
        demand_few(size, most)
    sketch = sketch_of(request, card.palette, most)
    look = look_of(request.style, request.other, request.blend, card)
    numbers, lights = _parts(request.lights, sketch, card)
    return Wanted(sketch, request.seed, look, numbers, lights, size, request.short, request.judged)


def look_of(style: Light | None, other: Light | None, blend: float, card: ModelCard) -> Look:
    """Of a request. Raises ValueError for styles that the model cannot have."""
    for light in (style, other):
        if light is not None:
            _demand_fits(light, card)
    return Look(style, other, blend)


def sketch_of(request: SketchRequest, palette: Palette, most: int) -> LabelMap:
    """The sketch in a request, in the classes of the palette."""
    if request.runs is not None:
        return unpacked(request.runs, palette, most)
    name = "ids_png" if request.color_map is None else "color_map"
    data = bytes_of(request.ids_png or request.color_map or "", name)
    demand_pixels(data, most)
    if request.color_map is None:
        sketch = LabelMap.from_bytes(data, palette, name)
    else:
        sketch = open_map(data, palette, shipped_palette(request.palette)).sketch
    demand_few(sketch.size, most)
    return sketch


def unpacked(runs: Runs, palette: Palette, most: int) -> LabelMap:
    """The sketch in runs."""
    demand_few((runs.height, runs.width), most)
    return LabelMap(runs.ids(), palette)


def demand_few(size: tuple[int, int], most: int) -> None:
    """Raises Refusal for (H, W) of too many pixels."""
    if size[0] * size[1] > most:
        raise Refusal(413, f"{size[1]}x{size[0]} pixels are too many", f"Use at most {most:,} pixels.")


def paint_many(engine: Engine, items: Sequence[Wanted]) -> list[Picture]:
    """The pictures, which are alike."""
    each = [item.arguments(engine) for item in items]
    sketches, seeds, styles, sizes, lights = zip(*each, strict=True)
    return engine.paint_many(sketches, seeds, styles, sizes[0], lights=lights)


def numbers_of(style: Style) -> StyleNumbers:
    """The values as JSON numbers; float32 survives the way there and back."""
    return StyleNumbers(id=style_id(style.z, style.origin), origin=style.origin, z=tuple(map(float, style.z)))


def packed(picture: Picture, form: Pixels, level: int = FAST) -> tuple[bytes, str]:
    """A file and its media type: a PNG with all that the picture knows, or a smaller one, without that.

    raw is RGBA.
    """
    if form == "png":
        return picture.to_bytes(level), "image/png"
    if form == "raw":
        opaque = np.full((*picture.size, 1), 255, np.uint8)
        return np.concatenate([picture.pixels, opaque], 2).tobytes(), "application/octet-stream"
    out = io.BytesIO()
    Image.fromarray(picture.pixels).save(out, format=form, quality=QUALITY)
    return out.getvalue(), f"image/{form}"


def _parts(
    lights: PartLights | None, sketch: LabelMap, card: ModelCard
) -> tuple[NDArray[np.uint8] | None, tuple[Light, ...]]:
    """Where the lights of parts are, and which. Raises ValueError for another size, or another model's."""
    if lights is None:
        return None, ()
    for light in lights.styles:
        _demand_fits(light, card)
    height, width = sketch.size
    if (lights.parts.height, lights.parts.width) != (height, width):
        came = f"{lights.parts.width}x{lights.parts.height}"
        raise Fault(f"parts of {came} pixels came for a sketch of {width}x{height}", "make both agree")
    numbers = lights.parts.ids()
    if numbers.max() > len(lights.styles):
        raise Fault(f"there is part {numbers.max()} of {len(lights.styles)} styles", "give a style for it")
    return numbers, lights.styles


def _demand_fits(light: Light, card: ModelCard) -> None:
    z_dim = card.generator.z_dim
    if isinstance(light, SeedLight):
        if z_dim is None:
            raise Fault(f"model {card.name} was trained without styles", "paint without one")
    elif len(light.z) != z_dim:
        takes = f"{z_dim} values" if z_dim else "none"
        raise Fault(f"the style has {len(light.z)} values, model {card.name} takes {takes}", "read it again")


def _style(light: Light, engine: Engine, sketch: LabelMap) -> Style:
    if isinstance(light, SeedLight):
        return engine.sample_style(light.seed, sketch)
    return Style(np.array(light.z, np.float32), light.origin)

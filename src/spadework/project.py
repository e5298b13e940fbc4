"""A drawing as the studio saves it: sketch, strokes and style, in a file of its own or in its picture."""

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from spadework.decoding import UNREADABLE
from spadework.files import Fault, Misfit
from spadework.lights import Lights
from spadework.picture import PREFIX, Picture
from spadework.sketch import openraster, psd
from spadework.sketch.labelmap import LabelMap
from spadework.sketch.palette import Palette

if TYPE_CHECKING:
    from spadework.engine import Engine
    from spadework.lights import Style

CHUNK = f"{PREFIX}project"
"""The PNG text that holds the drawing of a picture."""

FORMAT = "spadework-project"


class _Part(BaseModel):
    """Frozen. Keys that only the studio needs are let through."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Mood(_Part):
    """A style by its values, or a seed, which finds one that suits the sketch."""

    seed: int | None = Field(default=None, ge=0, le=2**32 - 1)
    origin: str = "photo"
    z: tuple[float, ...] | None = None


class Look(_Part):
    """`blend`: how far from `mood` to `other`."""

    seed: int = Field(default=0, ge=0, le=2**32 - 1)
    mood: Mood
    other: Mood | None = None
    blend: float = Field(default=0.5, ge=0, le=1)


class Base(_Part):
    """What the strokes were drawn on. `ids`: runs of equal ids, as "id*count id*count ..."."""

    width: int = Field(ge=1, le=8192)
    height: int = Field(ge=1, le=8192)
    ids: str


class Drawn(_Part):
    """A layer of the drawing. `ids`: runs as in `Base`, with `nothing` of `Layers` where it is empty.

    `mood`: the light of what is seen of it, if that is not the light of the whole.
    """

    name: str
    hidden: bool = False
    locked: bool = False
    ids: str
    mood: Mood | None = None


class Layers(_Part):
    """What the drawing is made of, the lowest layer first; the studio alone knows how they came about."""

    nothing: int = Field(ge=0, le=255)
    stack: tuple[Drawn, ...] = Field(min_length=1, max_length=64)


class _Parts(_Part):
    format: Literal["spadework-project"]
    version: Literal[1]
    palette: str
    base: Base
    strokes: tuple[Any, ...]
    style: Look
    ids: str | None = None
    layers: Layers | None = None


@dataclass(frozen=True)
class Project:
    """`data`: all that the studio saved. `parts`: what painting it needs of that."""

    data: Mapping[str, Any]
    parts: _Parts

    @classmethod
    def from_text(cls, text: str, name: str = "the project") -> Self:
        """A project from its JSON. Raises ValueError, one line with the remedy, for what is none."""
        try:
            data = json.loads(text)
        except ValueError as error:
            raise Fault(f"{name} is damaged (it is no JSON)", "open another copy of it") from error
        return cls.from_data(data, name)

    @classmethod
    def from_data(cls, data: Any, name: str = "the project") -> Self:
        """A project from what its JSON says. Raises ValueError as `from_text` does."""
        if not isinstance(data, dict) or data.get("format") != FORMAT:
            raise Fault(f"{name} is no studio project", "give a file that the studio saved")
        try:
            return cls(data, _Parts.model_validate(data))
        except ValidationError as error:
            raise Fault(
                f"{name} is damaged (at {Misfit.first_of(error).where})", "open another copy of it"
            ) from error

    @classmethod
    def of(cls, sketch: LabelMap, picture: Picture) -> Self:
        """The drawing of a sketch as an engine painted it, by what the picture's text says of that."""
        told, (height, width) = picture.provenance, sketch.size
        origin, z = told["style"], told["z"]
        seeded, styled = {"seed": told["seed"]}, {"origin": origin, "z": z}
        mood = {"id": style_id(np.array(z, np.float32), origin), **styled} if z else seeded
        look = {**seeded, "mood": mood, "other": None, "blend": 0.5, "chosen": True, "locked": False}
        base = {"width": width, "height": height, "ids": packed(sketch.ids)}
        about = {"format": FORMAT, "version": 1, "palette": sketch.palette.name}
        data = {**about, "base": base, "strokes": [], "style": look}
        return cls(data, _Parts.model_validate(data))

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) of the sheet."""
        return self.parts.base.height, self.parts.base.width

    @property
    def seed(self) -> int:
        """Decides the place."""
        return self.parts.style.seed

    def placed(self, seed: int) -> Self:
        """The same drawing in the same light, in the place of another seed."""
        data = {**self.data, "style": {**self.data["style"], "seed": seed}}
        return type(self)(data, _Parts.model_validate(data))

    def sketch(self, palette: Palette) -> LabelMap:
        """What the strokes come to. Raises ValueError for another palette and for damaged ids."""
        parts = self.parts
        if parts.palette != palette.name:
            raise Fault(
                f"the project was drawn for palette {parts.palette}, this model paints {palette.name}",
                "choose the model that it was drawn with",
            )
        if parts.ids is None and parts.strokes:
            raise Fault(
                "the project is of an older studio, which alone can draw its strokes",
                "open it in the studio and save it again",
            )
        runs = parts.base.ids if parts.ids is None else parts.ids
        return LabelMap(_unpacked(runs, self.size), palette)

    def style(self, engine: "Engine", sketch: LabelMap) -> "Style | None":
        """How the picture looks; None if the model has no styles. Raises ValueError for another model's."""
        if engine.card.generator.z_dim is None:
            return None
        look = self.parts.style
        style = _style(look.mood, engine, sketch)
        if look.other is None or look.blend == 0:
            return style
        return style.blend(_style(look.other, engine, sketch), look.blend)

    def paint(self, engine: "Engine", upscale: int = 1) -> Picture:
        """The picture of the drawing, `upscale` times as large, carrying the drawing. Raises ValueError."""
        sketch = self.sketch(engine.palette)
        style, lights = self.style(engine, sketch), self.lights(engine, sketch)
        return self.carried_by(engine.paint(sketch, self.seed, style, upscale=upscale, lights=lights))

    def lights(self, engine: "Engine", sketch: LabelMap) -> Lights | None:
        """The lights of single layers; None if all have that of the whole. Raises ValueError."""
        layers = self.parts.layers
        if layers is None or engine.card.generator.z_dim is None or not any(e.mood for e in layers.stack):
            return None
        numbers, styles = np.zeros(sketch.size, np.uint8), []
        for layer, drawn in zip(layers.stack, self.drawn(engine.palette), strict=True):
            if drawn.hidden:
                continue
            if layer.mood:
                styles.append(_style(layer.mood, engine, sketch))
            numbers[drawn.there] = len(styles) if layer.mood else 0
        return Lights(numbers, tuple(styles))

    def layers(self, engine: "Engine") -> bytes:
        """An OpenRaster file: every class a layer, the photograph on top. Raises ValueError.

        The classes of every layer that was drawn stand in a group of its own.
        """
        sketch, text = self.sketch(engine.palette), json.dumps(self.data)
        return openraster.write(sketch, self.paint(engine), text, self.drawn(engine.palette))

    def psd(self, engine: "Engine") -> bytes:
        """The same as a Photoshop file, without the project in it. Raises ValueError."""
        return psd.write(self.sketch(engine.palette), self.paint(engine), self.drawn(engine.palette))

    def drawn(self, palette: Palette) -> list[openraster.Drawn]:
        """The layers of the drawing, the lowest first; none if there is only one. Raises ValueError."""
        layers = self.parts.layers
        if layers is None:
            return []
        drawn = []
        for layer in layers.stack:
            ids = _unpacked(layer.ids, self.size)
            there = ids != layers.nothing
            LabelMap(np.where(there, ids, palette.ids()[0]), palette)  # raises for ids of no class
            drawn.append(openraster.Drawn(layer.name, ids, there, layer.hidden, layer.locked))
        return drawn

    def carried_by(self, picture: Picture) -> Picture:
        """The picture with the drawing in its PNG text."""
        return Picture(picture.pixels, {**picture.provenance, "project": self.data})


def project_in(data: bytes, name: str = "the project") -> Project | None:
    """The drawing in a project file, or in a picture or layers that the studio saved; None in all others.

    Raises ValueError, one line with the remedy, for a damaged one.
    """
    if data[:16].lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        return Project.from_text(data.decode("utf-8-sig", "replace"), name)
    if openraster.is_openraster(data):
        text = openraster.project_of(data)
        return None if text is None else Project.from_text(text, name)
    try:
        with Image.open(io.BytesIO(data)) as image:
            text = image.info.get(CHUNK)
    except UNREADABLE:
        return None
    return Project.from_text(text, name) if isinstance(text, str) else None


def _style(mood: Mood, engine: "Engine", sketch: LabelMap) -> "Style":
    from spadework.lights import Style

    if mood.z is None:
        return engine.sample_style(mood.seed or 0, sketch)
    if len(mood.z) != engine.card.generator.z_dim:
        raise Fault(f"the style {mood.origin} belongs to another model", "choose the model it came from")
    return Style(np.array(mood.z, np.float32), mood.origin)


def style_id(z: NDArray[np.float32], origin: str) -> str:
    """The name of a style's values and origin: the same in every process."""
    return hashlib.sha256(z.tobytes() + origin.encode()).hexdigest()[:16]


def packed(ids: NDArray[np.uint8]) -> str:
    """Runs of equal ids, as "id*count id*count ..."."""
    flat = ids.reshape(-1)
    starts = np.flatnonzero(np.diff(flat, prepend=~flat[:1]))
    counts = np.diff(starts, append=flat.size)
    return " ".join(f"{flat[start]}*{count}" for start, count in zip(starts, counts, strict=True))


def _unpacked(runs: str, size: tuple[int, int]) -> NDArray[np.uint8]:
    """(H, W) ids of "id*count id*count ...". Raises ValueError."""
    try:
        pairs = np.array([run.split("*") for run in runs.split()], np.int64).reshape(-1, 2)
        whole = len(pairs) > 0 and pairs.min() >= 0 and pairs[:, 0].max() < 256
        if whole and pairs[:, 1].sum() == size[0] * size[1]:
            return np.repeat(pairs[:, 0].astype(np.uint8), pairs[:, 1]).reshape(size)
    except ValueError:
        pass
    raise Fault("the project is damaged (its ids do not fill the sheet)", "open another copy of it")

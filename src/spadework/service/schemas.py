"""What travels over the wire, apart from sketches and pictures."""

from base64 import b64encode
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from spadework import __version__
from spadework.engine import Engine
from spadework.executor import MAX_SEED
from spadework.files import Fault
from spadework.lights import Style
from spadework.sketch.labelmap import MAX_SIDE, MIN_SIDE
from spadework.sketch.openraster import Drawn
from spadework.sketch.palette import Palette
from spadework.sketch.psd import has_tools
from spadework.sketch.translate import synonyms_of

if TYPE_CHECKING:
    from spadework.sketch.opening import Opened

Side = Annotated[int, Field(ge=MIN_SIDE, le=MAX_SIDE)]
NOTHING = 254
"""The id of a pixel where a layer is empty; no palette has it."""

_STYLE = r"(seed:\d{1,10}|[0-9a-f]{16})"
StyleName = Annotated[str, Field(pattern=f"^{_STYLE}$")]
"""A style is named `seed:7`, or by the id under which the service holds it."""

StyleNames = Annotated[str, Field(pattern=f"^{_STYLE}(,{_STYLE}){{0,63}}$")]
"""Some of them, with commas between."""


class Wire(BaseModel):
    """Frozen; unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Problem(Wire):
    """Every refusal: what is wrong, and what to do."""

    sentence: str
    remedy: str


def told(error: ValueError) -> tuple[str, str]:
    """Sentence and remedy of an error for people."""
    if isinstance(error, Fault):
        return error.sentence, error.remedy
    return str(error), "Try another one."


class ClassInfo(Wire):
    """A class one can paint with. `synonyms`: other words to find it by."""

    id: int
    name: str
    color: str
    aliases: tuple[str, ...] = ()
    synonyms: tuple[str, ...] = ()


class ModelInfo(Wire):
    """What a page must know of the model: its classes, sizes (H, W) and abilities."""

    name: str
    version: str
    licence_weights: str
    images_seen: int
    size: tuple[int, int]
    styles: bool
    photo_styles: bool
    photo_labels: bool
    psd: bool
    palette: str
    classes: tuple[ClassInfo, ...]

    @classmethod
    def of(cls, engine: Engine, photo_labels: bool) -> Self:
        """The facts about a loaded model. `photo_labels`: whether a segmenter stands beside it."""
        card, palette = engine.card, engine.palette
        colors, by_id = palette.colors(), {c.id: c for c in palette.classes}
        classes = []
        for id in map(int, palette.ids()):
            name = palette.name_of(id)
            aliases = by_id[id].aliases if id in by_id else ()  # two classes may share a name
            color = f"#{bytes(colors[id]).hex()}"
            found = {"aliases": aliases, "synonyms": synonyms_of(name)}
            classes.append(ClassInfo(id=id, name=name, color=color, **found))
        return cls(
            name=card.name,
            version=__version__,
            licence_weights=card.licence_weights,
            images_seen=card.training.images_seen,
            size=card.generator.size,
            styles=card.generator.z_dim is not None,
            photo_styles=card.encoder is not None,
            photo_labels=photo_labels,
            psd=has_tools(),
            palette=palette.name,
            classes=tuple(classes),
        )


class StyleValues(Wire):
    """A style that a page has kept, for a service that has forgotten it."""

    origin: str = Field(min_length=1, max_length=200)
    z: tuple[float, ...] = Field(min_length=1, max_length=4096)


class HeldStyle(StyleValues):
    """A style that the service holds, and the id to name it by."""

    id: str

    @classmethod
    def of(cls, id: str, style: Style) -> Self:
        """The values as JSON numbers; float32 survives the way there and back."""
        return cls(id=id, origin=style.origin, z=tuple(map(float, style.z)))


class SeedStyle(HeldStyle):
    """The style of a seed for a sketch."""

    seed: int


class NamedMood(SeedStyle):
    """A mood for a sketch; `face` is a small PNG of the sketch in it, in base64."""

    name: str
    face: str


class FoundMoods(Wire):
    """The moods that a model has for a sketch; `light`: a seed to begin with, which is not near black."""

    moods: tuple[NamedMood, ...]
    light: int


class OpenedLayer(Wire):
    """A layer of a map: `ids` as those of the map, NOTHING where the layer is empty."""

    name: str
    hidden: bool
    locked: bool
    ids: str


class OpenedMap(Wire):
    """A map that was opened: `ids` of the model's classes, one byte per pixel, in base64.

    `palette`: what it was read with, one of `palettes`. `report`: sentences to be checked by a person; none
    if nothing had to be done. `layers`: what it is made of, the lowest first, if that is told.
    """

    width: int
    height: int
    ids: str
    palette: str
    palettes: tuple[str, ...]
    report: tuple[str, ...]
    layers: tuple[OpenedLayer, ...] = ()

    @classmethod
    def of(cls, opened: "Opened", layers: Sequence[Drawn] = ()) -> Self:
        """As it travels."""
        height, width = opened.sketch.size
        return cls(
            width=width,
            height=height,
            ids=b64encode(opened.sketch.ids.tobytes()).decode(),
            palette=opened.palette,
            palettes=tuple(Palette.names()),
            report=opened.report,
            layers=tuple(map(_opened_layer, layers)),
        )


def _opened_layer(drawn: Drawn) -> OpenedLayer:
    ids = np.where(drawn.there, drawn.ids, np.uint8(NOTHING))
    packed = b64encode(ids.tobytes()).decode()
    return OpenedLayer(name=drawn.name, hidden=drawn.hidden, locked=drawn.locked, ids=packed)


class OpenedFile(Wire):
    """What a file is. A photograph may come with the label map that it could be, or with why it is none."""

    kind: Literal["drawing", "labels", "photo", "nothing"]
    drawing: str | None = None
    labels: OpenedMap | None = None
    problem: Problem | None = None


class ReadQuery(Wire):
    """How to read a label map: with a shipped palette, or with the one that fits best."""

    palette: str | None = Field(default=None, pattern=r"^[\w-]{1,64}$")


class SketchSize(Wire):
    """Of a sketch that comes as raw ids, one byte per pixel; a PNG knows its own."""

    width: Side | None = None
    height: Side | None = None


class PaintedSize(Wire):
    """What the network paints of a sketch, and how often the enlarger doubles that."""

    width: int
    height: int
    doublings: int


class SeedQuery(SketchSize):
    """A seed, for a sketch."""

    seed: int = Field(default=0, ge=0, le=MAX_SEED)


class VariedQuery(SeedQuery):
    """`count` styles, of seeds from `seed` on."""

    count: int = Field(default=4, ge=1, le=16)


class MoodsQuery(SeedQuery):
    """Moods in the place of `seed`; `light`: the seed of the light that is used now, by default the same."""

    light: int | None = Field(default=None, ge=0, le=MAX_SEED)


class PaintQuery(SeedQuery):
    """How to paint. A live request takes the place of an earlier one of its client that still waits.

    `short` is the short side at which the network paints, and the picture then comes back in that size: a
    quick preview. Without it the picture is as large as the sketch. `form`: raw is RGBA, which is larger than
    PNG but takes no time to pack. `judged`: whether to tell how much of the picture looks like the sketch,
    where a segmenter is that sees it. `lights`: other styles for parts of a sketch that comes as raw ids;
    after them comes one byte per pixel: 0 where the style of the whole is, n where the n-th light is.
    """

    client: str = Field(default="anyone", pattern=r"^[\w-]{1,64}$")
    live: bool = False
    style: StyleName | None = None
    other: StyleName | None = None
    blend: float = Field(default=0.0, ge=0, le=1)
    lights: StyleNames | None = None
    form: Literal["png", "raw"] = "png"
    short: int | None = Field(default=None, ge=32, le=2048)
    judged: bool = False


class PictureQuery(Wire):
    """What to make of a project: a kind of file, and how many times as large as its sheet."""

    form: Literal["png", "webp", "jpeg"] = "png"
    scale: int = Field(default=1, ge=1, le=2)


class LayersQuery(Wire):
    """For which programs a file of layers is: Krita and GIMP, or Photoshop."""

    form: Literal["ora", "psd"] = "ora"


class Start(Wire):
    """A sketch that was composed: ids of the model's classes, one byte per pixel, in base64."""

    title: str
    width: int
    height: int
    ids: str


class Example(Wire):
    """A sketch to start from."""

    name: str
    title: str
    url: str

"""What is asked of /v1; see `wire` for what is in it."""

from typing import Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from spadework.api.wire import File, Form, Light, Moods, Name, Runs, Seed, Side, Wire
from spadework.files import Fault

EXAMPLE = {"width": 64, "height": 64, "runs": [[0, 2048], [11, 2048]]}
MOST_LIGHTS = 64
MOST_FRAMES = 100


class Asking(Wire):
    """Of whom, and by whom.

    `model`: without a name the first one. `client`: those who wait under different names take turns.
    `deadline`: after so many seconds nobody waits any more.
    """

    model: Name | None = None
    client: Name = "anyone"
    deadline: float = Field(default=60.0, gt=0, le=600)


class SketchRequest(Asking):
    """A sketch in one of three ways.

    `ids_png`: a PNG of class ids, or in the palette's own colors, to the pixel. `runs`: ids as run lengths.
    `color_map`: a picture of a label map of any shipped `palette` (by default the one that fits best), smooth
    edges and JPEG noise included, which is repaired.
    """

    ids_png: File | None = None
    runs: Runs | None = None
    color_map: File | None = None
    palette: Name | None = None

    @model_validator(mode="after")
    def _one_sketch(self) -> Self:
        given = [name for name in ("ids_png", "runs", "color_map") if getattr(self, name) is not None]
        if len(given) != 1:
            came = " and ".join(given) or "no sketch"
            raise Fault(f"{came} came", "give one of ids_png, runs, color_map")
        if self.palette is not None and self.color_map is None:
            raise Fault("a palette came without a color_map", "leave it out")
        return self


class SeedRequest(SketchRequest):
    """A seed, for a sketch."""

    seed: Seed = 0

    model_config = ConfigDict(json_schema_extra={"examples": [{"runs": EXAMPLE, "seed": 7}]})


class VariedRequest(SeedRequest):
    """`count` styles, of seeds from `seed` on."""

    count: int = Field(default=4, ge=1, le=16)


class MoodsRequest(SeedRequest):
    """Moods in the place of `seed`. `light`: the seed of the light that is used now, by default the same."""

    light: Seed | None = None


class PartLights(Wire):
    """Other styles for parts of a sketch. `parts`: 0 where the style of the whole is, n where the n-th is."""

    parts: Runs
    styles: tuple[Light, ...] = Field(min_length=1, max_length=MOST_LIGHTS)


class PaintRequest(SeedRequest):
    """A sketch, and how to paint it. The same request gives the same picture.

    `style` takes the place of the seed's own light, and is blended with `other`, of which there is `blend`;
    `mood` is found for this sketch; `lights` are those of its parts. `width` and `height` are those of the
    picture; by default the sketch's. `short` makes a quick preview instead: its short side, in pixels.
    `form`: raw is RGBA, larger than PNG, but there is nothing to pack or unpack. `judged`: whether to tell
    how much of the picture looks like the sketch, where a segmenter is that sees it. A `live` request takes
    the place of an earlier one of its `client` that still waits, which is answered 204.
    """

    style: Light | None = None
    other: Light | None = None
    blend: float = Field(default=0.0, ge=0, le=1)
    mood: Moods | None = None
    lights: PartLights | None = None
    width: Side | None = None
    height: Side | None = None
    short: int | None = Field(default=None, ge=32, le=2048)
    form: Literal["png", "webp", "jpeg", "raw"] = "png"
    judged: bool = False
    live: bool = False

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"runs": EXAMPLE, "seed": 7},
                {"runs": EXAMPLE, "mood": "sunset", "width": 512, "height": 512, "form": "jpeg"},
            ]
        }
    )

    @model_validator(mode="after")
    def _clear(self) -> Self:
        if self.style is not None and self.mood is not None:
            raise Fault("style and mood each say what the light is", "give one")
        if self.other is not None and self.mood is not None:
            raise Fault("a mood is blended with nothing", "give style and other, or a mood")
        if (self.width is None) != (self.height is None):
            raise Fault("one of width and height came", "give both, or none")
        if self.short is not None and self.width is not None:
            raise Fault("width and short each say how large the picture is", "give one")
        if self.live and self.client == "anyone":
            raise Fault("a live request came without a client", "give client a name of its own")
        return self


class FilmRequest(Asking):
    """Sketches of one size -> a film. Seed and style as for a picture."""

    sketches: tuple[Runs, ...] = Field(min_length=1, max_length=MOST_FRAMES)
    seed: Seed = 0
    style: Light | None = None
    other: Light | None = None
    blend: float = Field(default=0.0, ge=0, le=1)

    @model_validator(mode="after")
    def _one_size(self) -> Self:
        sizes = {(runs.width, runs.height) for runs in self.sketches}
        if len(sizes) > 1:
            (width, height), (other_width, other_height), *_ = sorted(sizes)
            sentence = f"sketches of {width}x{height} and {other_width}x{other_height} pixels came"
            raise Fault(sentence, "give all one size")
        return self


class ProjectRequest(Asking):
    """A drawing as the studio saves it, the object in a .spadework.json."""

    project: dict[str, Any]


class PictureRequest(ProjectRequest):
    """What to make of a project: a kind of file, and how many times as large as its sheet."""

    form: Form = "png"
    scale: int = Field(default=1, ge=1, le=2)


class LayersRequest(ProjectRequest):
    """For which programs a file of layers is: Krita and GIMP, or Photoshop."""

    form: Literal["ora", "psd"] = "ora"


class PhotoRequest(Asking):
    """A photo of any usual format."""

    photo: File
    name: str = Field(default="photo", min_length=1, max_length=120)


class FileRequest(Asking):
    """Any file."""

    file: File


class ImportRequest(FileRequest):
    """A label map of any shipped palette; by default of the one that fits best."""

    palette: Name | None = None

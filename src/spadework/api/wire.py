"""What travels to and from /v1, for the service and for its client: no torch here.

ids are (H, W) uint8 class ids of a model's palette, rows from the top.
"""

from base64 import b64decode
from binascii import Error as NotBase64
from typing import Annotated, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from spadework.files import Fault
from spadework.sketch.labelmap import MAX_SIDE, MIN_SIDE

MAX_SEED = 2**32 - 1
Side = Annotated[int, Field(ge=MIN_SIDE, le=MAX_SIDE)]
Name = Annotated[str, Field(pattern=r"^[\w.-]{1,64}$")]
File = Annotated[str, Field(min_length=1, description="The bytes of a file, in base64.")]
Form = Literal["png", "webp", "jpeg"]
Moods = Literal["clear noon", "soft day", "golden hour", "sunset", "snow light", "mist", "storm", "night"]


class Wire(BaseModel):
    """Frozen; unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Refused(Wire):
    """Every answer that is no success: what is wrong, and what to do."""

    sentence: str
    remedy: str


class Runs(Wire):
    """Ids as run lengths, row by row from the top left: [id, how many], ... as many as there are pixels."""

    width: Side
    height: Side
    runs: tuple[tuple[Annotated[int, Field(ge=0, le=255)], Annotated[int, Field(ge=1)]], ...]

    @model_validator(mode="after")
    def _whole(self) -> Self:
        total = sum(count for _, count in self.runs)
        if total != self.width * self.height:
            raise Fault(
                f"runs have {total:,} pixels, {self.width}x{self.height} are {self.width * self.height:,}",
                "make both agree",
            )
        return self

    @classmethod
    def of(cls, ids: NDArray[np.integer]) -> Self:
        """The runs of (H, W) ids."""
        flat = np.asarray(ids).reshape(-1)
        starts = np.flatnonzero(np.r_[True, flat[1:] != flat[:-1]])
        counts = np.diff(np.r_[starts, flat.size])
        height, width = ids.shape
        pairs = zip(flat[starts].tolist(), counts.tolist(), strict=True)
        return cls(width=width, height=height, runs=tuple(pairs))

    def ids(self) -> NDArray[np.uint8]:
        """(H, W)."""
        values, counts = np.array(self.runs).T
        return np.repeat(values.astype(np.uint8), counts).reshape(self.height, self.width)


class StyleNumbers(Wire):
    """A style: what `/v1/style` reads from a photo, or the numbers that a PNG of ours has in its text."""

    origin: str = Field(default="given", min_length=1, max_length=200)
    z: tuple[float, ...] = Field(min_length=1, max_length=4096)


class OfModel(Wire):
    """Which model; without a name the first one."""

    model: Name | None = None


class PaintRequest(OfModel):
    """A sketch in one of three ways, and how to paint it.

    `ids_png`: a PNG of class ids, or in the palette's own colors, to the pixel. `runs`: ids as run lengths.
    `color_map`: a picture of a label map of any shipped `palette` (by default the one that fits best), smooth
    edges and JPEG noise included, which is repaired. The same request gives the same picture. `style` takes
    the place of the seed's own light; `mood` is found for this sketch. `width` and `height` are those of the
    picture; by default the sketch's. `deadline`: after so many seconds nobody waits any more.
    """

    ids_png: File | None = None
    runs: Runs | None = None
    color_map: File | None = None
    palette: Name | None = None
    seed: int = Field(default=0, ge=0, le=MAX_SEED)
    style: StyleNumbers | None = None
    mood: Moods | None = None
    width: Side | None = None
    height: Side | None = None
    form: Form = "png"
    deadline: float = Field(default=60.0, gt=0, le=600)

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"runs": {"width": 64, "height": 64, "runs": [[0, 2048], [11, 2048]]}, "seed": 7},
                {
                    "runs": {"width": 64, "height": 64, "runs": [[0, 2048], [11, 2048]]},
                    "mood": "sunset",
                    "width": 512,
                    "height": 512,
                    "form": "jpeg",
                },
            ]
        },
    )

    @model_validator(mode="after")
    def _clear(self) -> Self:
        given = [name for name in ("ids_png", "runs", "color_map") if getattr(self, name) is not None]
        if len(given) != 1:
            came = " and ".join(given) or "no sketch"
            raise Fault(f"{came} came", "give one of ids_png, runs, color_map")
        if self.palette is not None and self.color_map is None:
            raise Fault("a palette came without a color_map", "leave it out")
        if self.style is not None and self.mood is not None:
            raise Fault("style and mood each say what the light is", "give one")
        if (self.width is None) != (self.height is None):
            raise Fault("one of width and height came", "give both, or none")
        return self


class PhotoRequest(OfModel):
    """A photo of any usual format."""

    photo: File
    name: str = Field(default="photo", min_length=1, max_length=120)


class ImportRequest(OfModel):
    """A label map of any shipped palette; by default of the one that fits best."""

    file: File
    palette: Name | None = None


class ReadMap(Wire):
    """A label map in the classes of a model. `report`: sentences for a person to check."""

    palette: str
    runs: Runs
    report: tuple[str, ...]


class PaletteClass(Wire):
    """A class: its id in a map, its name and its color, #rrggbb."""

    id: int
    name: str
    color: str


class PaletteInfo(Wire):
    """A palette and its classes."""

    name: str
    classes: tuple[PaletteClass, ...]


class ServedModel(Wire):
    """A model that can be named in requests. `size`: (H, W) that it was trained for."""

    name: str
    model: str
    images_seen: int
    licence_weights: str
    size: tuple[int, int]
    styles: bool
    photo_styles: bool
    loaded: bool
    palette: PaletteInfo


def bytes_of(text: str, name: str) -> bytes:
    """The bytes in base64. Raises ValueError for what is none."""
    try:
        return b64decode(text, validate=True)
    except (NotBase64, ValueError) as error:
        raise Fault(f"{name} is not base64", "encode the bytes of a file") from error

"""What both directions of /v1 share, for the service and for its client: no torch here.

ids are (H, W) uint8 class ids of a model's palette, rows from the top.
"""

import re
from base64 import b64decode
from binascii import Error as NotBase64
from typing import Annotated, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

from spadework.files import Fault
from spadework.sketch.labelmap import MAX_SIDE, MIN_SIDE

DATA_URL = re.compile(r"^\s*data:[^,]{0,200};base64,", re.IGNORECASE)
MAX_SEED = 2**32 - 1
Side = Annotated[int, Field(ge=MIN_SIDE, le=MAX_SIDE)]
Name = Annotated[str, Field(pattern=r"^[\w.-]{1,64}$")]
File = Annotated[str, Field(description="The bytes of a file, in base64.")]
Seed = Annotated[int, Field(ge=0, le=MAX_SEED)]
Form = Literal["png", "webp", "jpeg"]
Pixels = Literal["png", "webp", "jpeg", "raw"]
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
    """A style: what `/v1/style` answers, or the numbers that a PNG of ours has in its text.

    `id` is a name by which it can be known: the same numbers and origin have the same. It need not be sent.
    """

    origin: str = Field(default="given", min_length=1, max_length=200)
    z: tuple[float, ...] = Field(min_length=1, max_length=4096)
    id: str | None = Field(default=None, max_length=64)


class SeedLight(Wire):
    """The style that a seed has for the sketch."""

    seed: Seed


def _kind_of_light(value: Any) -> str:
    seeded = isinstance(value, SeedLight) or (isinstance(value, dict) and "seed" in value)
    return "Seed" if seeded else "Numbers"


Light = Annotated[
    Annotated[StyleNumbers, Tag("Numbers")] | Annotated[SeedLight, Tag("Seed")], Discriminator(_kind_of_light)
]
"""A style in a request: its numbers, or a seed."""


def bytes_of(text: str, name: str) -> bytes:
    """The bytes in base64, also of a data: URL and in lines. Raises ValueError for what is none."""
    plain = DATA_URL.sub("", text, count=1)
    try:
        return b64decode("".join(plain.split()) if "\n" in plain else plain, validate=True)
    except (NotBase64, ValueError) as error:
        raise Fault(f"{name} is not base64", "encode the bytes of a file") from error

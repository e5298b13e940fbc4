"""A finished picture, and in its PNG text chunks how it came about."""

import io
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

from spadework.decoding import decode, readable, to_srgb, upright_image
from spadework.files import Fault, atomic_write, read_bytes

PREFIX = "spadework:"
"""Our text chunks are `spadework:model`, `spadework:seed`, ...; each value is JSON."""

PHOTO_ADVICE = "give a PNG, JPEG or WebP"

KEY = re.compile(r"[A-Za-z0-9_.-]{1,69}")
"""What a provenance key may be: a PNG keyword has at most 79 characters, prefix included."""


@dataclass(frozen=True, eq=False)
class Picture:
    """`pixels`: (H, W, 3) uint8 RGB. `provenance`: JSON values by key (model, seed, style, version...).

    The array is kept, not copied. Raises ValueError for another shape or dtype, and for provenance that
    does not fit PNG text.
    """

    pixels: NDArray[np.uint8]
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        shape, dtype = self.pixels.shape, self.pixels.dtype
        if dtype != np.uint8 or len(shape) != 3 or shape[2] != 3 or 0 in shape:
            raise Fault(f"pixels are {shape} {dtype}, expected (H, W, 3) uint8", "RGB values 0..255")
        object.__setattr__(self, "provenance", _as_json(self.provenance))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Picture):
            return NotImplemented
        return np.array_equal(self.pixels, other.pixels) and self.provenance == other.provenance

    @property
    def size(self) -> tuple[int, int]:
        """(H, W)."""
        return self.pixels.shape[0], self.pixels.shape[1]

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Self:
        """A picture file of any format that pillow opens. Raises ValueError, one line, if it cannot."""
        return cls.from_bytes(read_bytes(path), name=str(path))

    @classmethod
    def from_bytes(cls, data: bytes, name: str = "picture") -> Self:
        """A picture from the content of a file; `name` is what errors call it.

        Turned upright by its EXIF orientation, brought to sRGB by its colour profile; transparency falls on
        white; of an animation the first frame; 16-bit greys are reduced to 8.
        """
        image = decode(data, name, PHOTO_ADVICE)
        return cls(np.array(_upright_rgb(image, name)), _provenance_in(dict(getattr(image, "text", {}))))

    def to_bytes(self, effort: int = 6) -> bytes:
        """The picture as a PNG file, with its provenance in text chunks. `effort`: zlib's level, 0 to 9."""
        info = PngImagePlugin.PngInfo()
        for key, value in self.provenance.items():
            info.add_text(PREFIX + key, json.dumps(value))
        out = io.BytesIO()
        Image.fromarray(self.pixels).save(out, format="PNG", pnginfo=info, compress_level=effort)
        return out.getvalue()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a PNG, whole or not at all. Raises ValueError if it is no .png name or not writable."""
        demand_png_name(path)
        atomic_write(path, self.to_bytes())

    def resize(self, size: tuple[int, int]) -> Self:
        """The picture at (H, W), by Lanczos; the provenance stays."""
        height, width = size
        if height < 1 or width < 1:
            raise Fault(f"size {height}x{width} is impossible", "give (H, W) of at least 1x1")
        image = Image.fromarray(self.pixels).resize((width, height), Image.Resampling.LANCZOS)
        return replace(self, pixels=np.asarray(image).copy())


def demand_png_name(path: str | os.PathLike[str]) -> None:
    """Raises ValueError unless the name ends in .png."""
    if Path(path).suffix.lower() != ".png":
        raise Fault(f"cannot write {path}: only PNG is written", f"name it {Path(path).stem or 'out'}.png")


def open_photo(data: bytes, name: str) -> Image.Image:
    """The pixels of `Picture.from_bytes` as an image in RGB, for what goes on to resize it."""
    return _upright_rgb(decode(data, name, PHOTO_ADVICE), name)


def _upright_rgb(image: Image.Image, name: str) -> Image.Image:
    _demand_8_bits(image, name)
    with readable(image, name):
        return upright_image(_flat_rgb(image), image)


def _demand_8_bits(image: Image.Image, name: str) -> None:
    if image.mode in ("I", "F") and not _has_16_bits(image):
        raise Fault(f"{name} has pixels of 32 bits", "save it again as PNG or JPEG, with 8 bits per channel")


def _has_16_bits(image: Image.Image) -> bool:
    """Greys of 16 bits; older pillows hold those of PNG in 32."""
    return image.mode.startswith("I;16") or (image.mode == "I" and image.format in ("PNG", "PPM"))


def _flat_rgb(image: Image.Image) -> Image.Image:
    """On white, in sRGB, not yet turned."""
    if _has_16_bits(image):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    grey = image.mode in ("1", "L", "LA")
    profile = None if grey else image.info.get("icc_profile")
    if image.has_transparency_data:
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA"))
    keep = image.mode == "RGB" or (image.mode == "CMYK" and profile)
    right, _ = to_srgb(image if keep else image.convert("RGB"), profile)
    return right if right.mode == "RGB" else right.convert("RGB")


def _as_json(provenance: Mapping[str, Any]) -> dict[str, Any]:
    for key in provenance:
        if not KEY.fullmatch(str(key)):
            raise Fault(f"provenance key {key!r}", "use 1 to 69 of the characters A-Z a-z 0-9 _ . -")
    try:
        return json.loads(json.dumps(dict(provenance), allow_nan=False))
    except (TypeError, ValueError) as error:
        raise Fault(f"provenance is not JSON ({error})", "give text, numbers, lists of them") from error


def _provenance_in(text: Mapping[str, str]) -> dict[str, Any]:
    ours = {key.removeprefix(PREFIX): value for key, value in text.items() if key.startswith(PREFIX)}
    return {key: _value(value) for key, value in ours.items() if KEY.fullmatch(key)}


def _value(text: str) -> Any:
    """The JSON value; someone else's words under our prefix stay words."""
    try:
        value = json.loads(text)
        json.dumps(value, allow_nan=False)
    except (ValueError, RecursionError):
        return str(text)
    return value

"""A sketch: one class id per pixel. Reads the PNG that people have and says plainly what is wrong with it."""

import io
import os
import struct
import zlib
from dataclasses import dataclass, replace
from typing import NoReturn, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from spadework.files import atomic_write, read_bytes
from spadework.palette import Palette
from spadework.picture import DECODE_ERRORS, demand_png_name

MIN_SIDE, MAX_SIDE = 4, 8192
"""Sketches have 4 to 8192 pixels a side."""

PHOTO_IDS, PHOTO_COLORS = 64, 1000
"""So many different foreign ids or colours, on most of the pixels, are a photograph and no sketch."""

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
INDEXED = 3
"""The PNG colour type of indices into a colour table."""

AGAIN = "save or copy it again"


@dataclass(frozen=True, eq=False)
class LabelMap:
    """`ids`: (H, W) uint8, each a class or the unknown id of `palette`.

    `instances`: (H, W) integers that tell apart objects of one class, or None. Arrays are kept, not
    copied. Raises ValueError for another shape or dtype, a side outside 4..8192, or a foreign id.
    """

    ids: NDArray[np.uint8]
    palette: Palette
    instances: NDArray[np.integer] | None = None

    def __post_init__(self) -> None:
        if self.ids.dtype != np.uint8 or self.ids.ndim != 2:
            raise ValueError(
                f"ids are {self.ids.shape} {self.ids.dtype}, expected (H, W) uint8: "
                "one class id per pixel, as by ids.astype(np.uint8)"
            )
        _demand_size(self.size, "the label map")
        _demand_ids(self.ids, self.palette, "the label map")
        if self.instances is not None:
            _demand_instances(self.instances, self.size)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, LabelMap):
            return NotImplemented
        same = np.array_equal(self.ids, other.ids) and self.palette == other.palette
        if self.instances is None or other.instances is None:
            return same and self.instances is other.instances
        return same and np.array_equal(self.instances, other.instances)

    @property
    def size(self) -> tuple[int, int]:
        """(H, W)."""
        return self.ids.shape[0], self.ids.shape[1]

    @classmethod
    def read(cls, path: str | os.PathLike[str], palette: Palette) -> Self:
        """A label map from a PNG file; see `from_bytes`. Raises ValueError, one line with the remedy."""
        return cls.from_bytes(read_bytes(path), palette, name=str(path))

    @classmethod
    def from_bytes(cls, data: bytes, palette: Palette, name: str = "sketch") -> Self:
        """A label map from the content of a PNG file; `name` is what errors call it.

        Greyscale, 8 bits: the values are ids. RGB: the colours must be the palette's, exactly. Indexed: if
        the colour table has one of the palette's colours (looking at the entries in use), the colours
        decide, whatever their order, as drawing programs number colours as they come; otherwise, and where
        each index has just its own class's colour, the indices are ids. Of a colour that several classes
        have, the first of them. Of an animation the first frame counts.

        Nothing is repaired: raises ValueError, one line with the remedy, for anything else.
        """
        _demand_png(data, name)
        image = _decode(data, name)
        _demand_opaque(image, palette, name)
        ids = _ids_in(image, palette, name)
        _demand_ids(ids, palette, name)
        return cls(ids, palette)

    def to_bytes(self) -> bytes:
        """The ids as an indexed PNG file in the palette's colours (instances are not kept)."""
        image = Image.fromarray(self.ids)
        image.putpalette(self.palette.colors().tobytes())
        out = io.BytesIO()
        image.save(out, format="PNG")
        return out.getvalue()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write `to_bytes`, whole or not at all. Raises ValueError if it is no .png name or not writable."""
        demand_png_name(path)
        atomic_write(path, self.to_bytes())

    def colorize(self) -> NDArray[np.uint8]:
        """The map in the palette's colours: (H, W, 3) uint8."""
        return self.palette.colorize(self.ids)

    def counts(self) -> dict[str, float]:
        """Share of the pixels of each class that occurs (0..1, sum 1), the largest first."""
        ids, pixels = np.unique(self.ids, return_counts=True)
        shares: dict[str, float] = {}
        for i in np.argsort(-pixels, kind="stable"):
            name = self.palette.name_of(int(ids[i]))  # two classes may have one name
            shares[name] = shares.get(name, 0.0) + float(pixels[i] / self.ids.size)
        return shares

    def resize(self, size: tuple[int, int]) -> Self:
        """The map at (H, W): each pixel takes the id under its centre, so no new id appears."""
        _demand_size(size, "the new size")
        rows, columns = (_centres(new, old) for new, old in zip(size, self.size, strict=True))
        at = np.ix_(rows, columns)
        instances = None if self.instances is None else self.instances[at]
        return replace(self, ids=self.ids[at], instances=instances)


def _centres(new: int, old: int) -> NDArray[np.int64]:
    """For each of `new` cells, which of `old` cells holds its centre."""
    return (2 * np.arange(new) + 1) * old // (2 * new)


def _demand_size(size: tuple[int, int], name: str) -> None:
    if not all(MIN_SIDE <= side <= MAX_SIDE for side in size):
        height, width = size
        raise ValueError(
            f"{name} is {width}x{height} pixels (width x height): "
            f"resize it to {MIN_SIDE}..{MAX_SIDE} pixels a side"
        )


def _demand_instances(instances: NDArray[np.integer], size: tuple[int, int]) -> None:
    if instances.shape != size or not np.issubdtype(instances.dtype, np.integer):
        raise ValueError(
            f"instances are {instances.shape} {instances.dtype}, expected {size} integers: one per pixel"
        )


def _demand_png(data: bytes, name: str) -> None:
    """From the frame of the file alone, before any pixel is decoded."""
    if not data.startswith(PNG_SIGNATURE):
        raise ValueError(_not_png(data, name))
    if not _is_whole(data):
        raise ValueError(f"{name} is a damaged or truncated PNG ({len(data):,} bytes): {AGAIN}")
    width, height, bits, kind = struct.unpack(">IIBB", data[16:26])
    _demand_size((height, width), name)
    if bits != 8 and kind != INDEXED:
        raise ValueError(f"{name} is a {bits}-bit PNG, expected 8 bits: save it with 8 bits per channel")


def _is_whole(data: bytes) -> bool:
    """Every chunk up to the end mark is there, and the checksums of those that matter are right."""
    at = len(PNG_SIGNATURE)
    if data[at : at + 8] != b"\0\0\0\x0dIHDR":
        return False
    while at + 12 <= len(data):
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        end = at + 8 + length
        critical = kind[:1].isupper()
        if critical and data[end : end + 4] != struct.pack(">I", zlib.crc32(data[at + 4 : end])):
            return False
        if kind == b"IEND":
            return True
        at = end + 4
    return False


def _not_png(data: bytes, name: str) -> str:
    try:
        with Image.open(io.BytesIO(data)) as image:
            found = f"a {image.format} picture"
    except (UnidentifiedImageError, *DECODE_ERRORS):
        return f"{name} is not a PNG and not a picture: give a sketch saved as PNG"
    return f"{name} is {found}, not a PNG: save a sketch as PNG; a photograph is passed with --style"


def _decode(data: bytes, name: str) -> Image.Image:
    try:
        image = Image.open(io.BytesIO(data), formats=["PNG"])
        image.load()
    except DECODE_ERRORS as error:
        raise ValueError(f"{name} is a damaged or truncated PNG ({error}): {AGAIN}") from error
    return image


def _demand_opaque(image: Image.Image, palette: Palette, name: str) -> None:
    if image.mode in ("RGBA", "LA"):
        raise ValueError(
            f"{name} has an alpha channel ({image.mode}), and half-transparent paint has no class: expected "
            "an indexed, greyscale or RGB PNG; flatten it (remove the alpha channel) and save it again"
        )
    if not image.has_transparency_data:
        return
    see_through = int((np.asarray(image.convert("RGBA").getchannel("A")) < 255).sum())
    if see_through:
        ground, color = palette.classes[0].name, _hex(palette.colors()[palette.classes[0].id])
        raise ValueError(
            f"{name} has {see_through:,} transparent pixels, and each needs a class: put a layer in a class "
            f"colour behind the drawing ({ground} is {color}) and save it without transparency"
        )


def _ids_in(image: Image.Image, palette: Palette, name: str) -> NDArray[np.uint8]:
    """(H, W) uint8, not yet checked against the palette where the values are ids already."""
    if image.mode == "L":
        return np.array(image)
    if image.mode != "P":
        return _ids_of_colors(np.asarray(image.convert("RGB")), palette, name)
    indices = np.array(image)
    table = np.zeros((256, 3), np.uint8)
    stored = np.array(image.getpalette("RGB"), np.uint8).reshape(-1, 3)
    table[: len(stored)] = stored
    used = np.unique(indices)
    ours = np.array_equal(table[used], palette.colors()[used]) and np.isin(used, palette.ids()).all()
    if not ours and (_classes(table[used], palette) >= 0).any():
        return _ids_of_colors(table[indices], palette, name)
    return indices


def _classes(colors: NDArray[np.uint8], palette: Palette) -> NDArray[np.int16]:
    """(..., 3) colours -> (...) ids, -1 where the colour is not the palette's."""
    ids = np.array(
        [*(c.id for c in palette.classes), *([] if palette.unknown is None else [palette.unknown])]
    )
    class_of = np.full(1 << 24, -1, np.int16)
    class_of[_packed(palette.colors()[ids[::-1]])] = ids[::-1]  # of equal colours the first class stays
    return class_of[_packed(colors)]


def _packed(colors: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """(..., 3) uint8 -> (...) 0xRRGGBB."""
    packed = colors[..., 0].astype(np.uint32)
    for channel in (1, 2):
        packed <<= 8
        packed |= colors[..., channel]
    return packed


def _ids_of_colors(colors: NDArray[np.uint8], palette: Palette, name: str) -> NDArray[np.uint8]:
    classes = _classes(colors, palette)
    foreign = classes < 0
    if foreign.any():
        _refuse_colors(colors[foreign], foreign.size, palette, name)
    return classes.astype(np.uint8)


def _refuse_colors(foreign: NDArray[np.uint8], pixels: int, palette: Palette, name: str) -> NoReturn:
    """foreign: (N, 3) of all `pixels` have a colour that is not the palette's."""
    packed, counts = np.unique(_packed(foreign), return_counts=True)
    if len(packed) > PHOTO_COLORS and 2 * len(foreign) > pixels:
        raise ValueError(_looks_like_photo(name, f"{len(packed):,} different colours"))
    worst = int(packed[counts.argmax()])
    color = np.array([worst >> 16, worst >> 8 & 255, worst & 255], np.uint8)
    others = f" (and {len(packed) - 1:,} more such colours)" if len(packed) > 1 else ""
    raise ValueError(
        f"{name}: colour {_hex(color)} on {counts.max():,} px{others} is not in palette {palette.name}; "
        f"the nearest class is {_nearest(color, palette)}: paint with exactly the palette's colours, "
        "without anti-aliasing, or save class ids as 8-bit greyscale"
    )


def _nearest(color: NDArray[np.uint8], palette: Palette) -> str:
    ids = palette.ids()
    colors = palette.colors()[ids]
    nearest = ((colors.astype(int) - color) ** 2).sum(1).argmin()
    return f"{palette.name_of(int(ids[nearest]))} {_hex(colors[nearest])}"


def _hex(color: NDArray[np.uint8]) -> str:
    return f"#{bytes(color).hex()}"


def _demand_ids(ids: NDArray[np.uint8], palette: Palette, name: str) -> None:
    legal = np.zeros(256, bool)
    legal[palette.ids()] = True
    foreign = ids[~legal[ids]]
    if foreign.size:
        _refuse_ids(foreign, ids.size, palette, name)


def _refuse_ids(foreign: NDArray[np.uint8], pixels: int, palette: Palette, name: str) -> NoReturn:
    """foreign: (N,) of all `pixels` have an id that is not the palette's."""
    ids, counts = np.unique(foreign, return_counts=True)
    if len(ids) > PHOTO_IDS and 2 * len(foreign) > pixels:
        raise ValueError(_looks_like_photo(name, f"{len(ids)} different values"))
    others = f" (and {len(ids) - 1} more such ids)" if len(ids) > 1 else ""
    raise ValueError(
        f"{name}: id {ids[counts.argmax()]} on {counts.max():,} px{others} is not in palette {palette.name}: "
        f"allowed are {palette.describe_ids()}: give those pixels one of these ids"
    )


def _looks_like_photo(name: str, evidence: str) -> str:
    return (
        f"{name} looks like a photograph ({evidence} outside the palette), not a sketch: "
        "to borrow its light and colours pass it with --style, beside a sketch"
    )

"""What the file of a label map holds, upright, before a palette gives it a meaning: samples, or colours."""

import io
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from spadework.content import unwrapped
from spadework.decoding import AGAIN, ERRORS, decode, is_whole_png, readable, to_srgb, upright
from spadework.files import Fault

LOSSY = ("JPEG", "MPO", "JPEG2000", "AVIF")
LOSSY_IN_TIFF = ("jpeg", "tiff_jpeg", "webp", "jpeg2000")

BITS, PHOTOMETRIC, SAMPLE_FORMAT, NO_DATA, OF_ANOTHER = 258, 262, 339, 42113, 254
"""Tags of a TIFF: photometric 0 means that 0 is white, sample format 2 that samples have a sign, NO_DATA is
what programs of GIS write for pixels without a class, OF_ANOTHER marks previews and masks of a page."""

COMPRESSION, DEFLATE = 259, (8, 32946)
PARTS = ((273, 279), (324, 325))
"""Tags for where the strips or tiles of a TIFF begin, and for how long they are."""

BLOCK = 1 << 20
"""So many bytes are unpacked at a time."""

MOST_PAGES = 1000

Colors = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Raster:
    """Either `samples` or `colors`; nothing is scaled, snapped or guessed.

    `samples`: (H, W) integers or floats, greys as they are stored, or indices into `table`, (256, 3) uint8.
    `colors`: (H, W, 3) uint8, sRGB. `stored`: the table or the colours before a colour profile changed them.
    `alpha`: (H, W) uint8, None where every pixel is opaque. `bits`: of a sample in the file. `pages`: of a
    TIFF, without previews and masks. `no_data`: the sample that the file says is none. `path`: where the file
    lies, for what lies beside it; None for bytes.
    """

    name: str
    form: str
    lossy: bool = False
    bits: int = 8
    samples: NDArray[Any] | None = None
    table: Colors | None = None
    colors: Colors | None = None
    stored: Colors | None = None
    alpha: NDArray[np.uint8] | None = None
    notes: tuple[str, ...] = ()
    path: Path | None = None
    pages: int = 1
    no_data: float | None = None

    @property
    def size(self) -> tuple[int, int]:
        """(H, W)."""
        pixels = self.samples if self.colors is None else self.colors
        assert pixels is not None
        return pixels.shape[0], pixels.shape[1]

    def rgb(self) -> Colors:
        """As a viewer shows it, without alpha: (H, W, 3) uint8; greys beyond 0..255 are cut off."""
        if self.colors is not None:
            return self.colors
        assert self.samples is not None
        if self.table is not None:
            return self.table[self.samples]
        greys = np.nan_to_num(self.samples).clip(0, 255).astype(np.uint8)
        return np.repeat(greys[..., None], 3, -1)


def read_raster(
    data: bytes,
    name: str,
    demand: Callable[[tuple[int, int]], None] | None = None,
    path: Path | None = None,
) -> Raster:
    """The first frame of any picture file, which lies at `path` if anywhere.

    `demand` is asked about its (H, W) before any pixel is decoded. Raises ValueError, one line with the
    remedy, for what is no picture, is damaged, or hides the numbers that are stored in it.
    """
    data = unwrapped(data)
    image = decode(data, name, "give a sketch saved as PNG", demand)
    sound = is_whole_png(data) if image.format == "PNG" else _sound_tiff(image, data)
    if not sound:
        raise Fault(f"{name} is a damaged or truncated {image.format} ({len(data):,} bytes)", AGAIN)
    _demand_black_is_zero(image, name)
    top = _top(image, data)
    common: dict[str, Any] = {"name": name, "form": image.format, "lossy": _lossy(image, data), "path": path}
    with readable(image, name):
        common |= {"bits": top.bit_length(), "alpha": _alpha(image), "no_data": _no_data(image)}
        common |= {"pages": _pages(data) if image.format == "TIFF" else 1}
        if image.mode == "P":
            return _indexed(image, common)
        if image.mode in ("1", "L", "LA", "I", "F") or image.mode.startswith("I;"):
            return Raster(**common, samples=upright(_samples(image, top), image))
        return _colored(image, common)


def _indexed(image: Image.Image, common: dict[str, Any]) -> Raster:
    stored = np.array(image.getpalette("RGB"), np.uint8).reshape(-1, 3)[:256]
    right, note = to_srgb(Image.fromarray(stored[None]), image.info.get("icc_profile"))
    tables = [np.zeros((256, 3), np.uint8) for _ in range(2)]
    tables[0][: len(stored)], tables[1][: len(stored)] = stored, np.asarray(right)[0]
    changed = note is not None and not np.array_equal(tables[0], tables[1])
    return Raster(
        **common,
        samples=upright(np.array(image), image),
        table=tables[1],
        stored=tables[0] if changed else None,
        notes=(note,) if note else (),
    )


def _colored(image: Image.Image, common: dict[str, Any]) -> Raster:
    plain = image if image.mode in ("RGB", "CMYK") else image.convert("RGB")
    right, note = to_srgb(plain, image.info.get("icc_profile"))
    changed = note is not None and right is not plain
    return Raster(
        **common,
        colors=upright(np.array(right.convert("RGB")), image),
        stored=upright(np.array(plain.convert("RGB")), image) if changed else None,
        notes=(note,) if note else (),
    )


def _samples(image: Image.Image, top: int) -> NDArray[Any]:
    """(H, W) as stored: pillow stretches samples of few bits over 0..255, and odd PGM ones over 0..65535."""
    pixels = np.array(image.getchannel(0) if image.mode == "LA" else image)
    if image.mode == "1":
        return pixels.astype(np.uint8)
    if image.mode in ("L", "LA") and top < 255:
        return np.rint(pixels * (top / 255)).astype(np.uint8)
    if image.format == "PPM" and 255 < top < 65535:
        return np.rint(pixels * (top / 65535)).astype(np.int32)
    if image.mode == "L" and _tag(image, SAMPLE_FORMAT, 1) == 2:
        return pixels.view(np.int8).astype(np.int16)
    return _native(pixels) if image.format == "TIFF" else pixels


def _native(samples: NDArray[Any]) -> NDArray[Any]:
    """In the order of bytes of this machine: pillow turns those of packed big-endian TIFFs once too often.

    What is left then are multiples of 2^24, which no file of classes means.
    """
    turned = samples.dtype == np.int32 and samples.any() and not (samples & 0xFFFFFF).any()
    return samples.byteswap() if turned else samples


def _top(image: Image.Image, data: bytes) -> int:
    """The greatest value that a sample can have in the file."""
    if image.format == "PNG":
        return (1 << data[24]) - 1
    if image.format == "TIFF":
        return (1 << _tag(image, BITS, 1)) - 1
    if image.format == "PPM" and image.mode not in ("1", "F"):
        return int(re.sub(rb"#[^\r\n]*", b"", data[:4096]).split()[3])
    return 1 if image.mode == "1" else 255


def _tag(image: Image.Image, tag: int, default: int) -> int:
    """The first value of a TIFF's tag."""
    value = getattr(image, "tag_v2", {}).get(tag, default)
    return int(value[0] if isinstance(value, tuple) else value)


def _sound_tiff(image: Image.Image, data: bytes) -> bool:
    """Whether the checksums of a TIFF hold, where it has any: libtiff does not look at them."""
    tags = getattr(image, "tag_v2", {})
    if tags.get(COMPRESSION) not in DEFLATE:
        return True
    parts = [
        (at, length)
        for places, lengths in PARTS
        for at, length in zip(tags.get(places, ()), tags.get(lengths, ()), strict=False)
        if isinstance(at, int) and isinstance(length, int) and length
    ]
    return all(_sound_part(data[at : at + length]) for at, length in parts)


def _sound_part(packed: bytes) -> bool:
    unpacker = zlib.decompressobj()
    try:
        while packed and not unpacker.eof:
            unpacker.decompress(packed, BLOCK)
            packed = unpacker.unconsumed_tail
    except zlib.error:
        return False
    return unpacker.eof


def _no_data(image: Image.Image) -> float | None:
    """What a GeoTIFF says that pixels without data hold."""
    text = getattr(image, "tag_v2", {}).get(NO_DATA)
    try:
        return None if text is None else float(str(text).strip("\0 "))
    except ValueError:
        return None


def _pages(data: bytes) -> int:
    """How many pages of a TIFF are pictures of their own."""
    count = 0
    try:
        with Image.open(io.BytesIO(data), formats=["TIFF"]) as image:
            for page in range(MOST_PAGES):
                image.seek(page)
                count += not _tag(image, OF_ANOTHER, 0) & 5
    except ERRORS:  # there is no further page
        pass
    return max(1, count)


def _demand_black_is_zero(image: Image.Image, name: str) -> None:
    bitmap = image.format == "PPM" and image.mode == "1"
    if bitmap or (image.format == "TIFF" and _tag(image, PHOTOMETRIC, 1) == 0):
        raise Fault(f"{name} is a {image.format} in which 0 is white", "save it as PNG, where 0 is black")


def _lossy(image: Image.Image, data: bytes) -> bool:
    if image.format == "WEBP":
        return not _lossless_webp(data)
    return image.format in LOSSY or image.info.get("compression") in LOSSY_IN_TIFF


def _lossless_webp(data: bytes) -> bool:
    """Whether its first frame is a VP8L chunk, by itself or in a frame of an animation."""
    at = 12
    while at + 8 <= len(data):
        kind, length = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        if kind in (b"VP8L", b"VP8 "):
            return kind == b"VP8L"
        at += 8 + (16 if kind == b"ANMF" else length + length % 2)
    return False


def _alpha(image: Image.Image) -> NDArray[np.uint8] | None:
    """(H, W), upright; None where every pixel is opaque."""
    if not image.has_transparency_data:
        return None
    if image.mode in ("RGBA", "LA", "PA"):
        alpha = np.array(image.getchannel("A"))
    else:
        alpha = np.array(image.convert("RGBA").getchannel("A"))
    return upright(alpha, image) if (alpha < 255).any() else None

"""One way from the bytes of a picture file to pixels: sized before it is decoded, upright, in sRGB."""

import ctypes
import io
import logging
import re
import struct
import warnings
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, UnidentifiedImageError

from spadework.content import PNG_SIGNATURE, kind_of, unwrapped
from spadework.files import Fault

FORMATS = ("PNG", "JPEG", "MPO", "WEBP", "TIFF", "GIF", "BMP", "PPM", "AVIF", "JPEG2000", "QOI")
"""What is opened. Formats that run programs (EPS) or need them stay closed."""

MOST_PIXELS = 2 * (Image.MAX_IMAGE_PIXELS or 0)
"""A picture of more pixels is not decoded, whatever it is for: about 179 million."""

ERRORS = (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, AttributeError,
          OverflowError, MemoryError, RuntimeError, struct.error, zlib.error)  # fmt: skip
"""What pillow raises on damaged files."""

TOO_LARGE = (Image.DecompressionBombError, Image.DecompressionBombWarning)

UNREADABLE = (*ERRORS, *TOO_LARGE)
"""What pillow raises on files that are damaged, too large or no pictures."""

NEEDED = (b"tRNS", b"eXIf", b"acTL")
"""The ancillary chunks of a PNG that change what is seen; a broken one of another kind is left out."""

AGAIN = "save or copy it again"
ORIENTATION = 0x0112
CARRIERS = {"exif", "Raw profile type exif", "xmp", "XML:com.adobe.xmp"}
"""What a file may have an EXIF orientation in, beside the tags of a TIFF."""

warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)  # sizes are checked here
warnings.filterwarnings("ignore", module=r"PIL\.")  # on damaged tags; what matters raises
logging.getLogger("PIL").addHandler(logging.NullHandler())  # else python prints what pillow logs


def _quiet_libtiff() -> None:
    """libtiff prints what it finds damaged; pillow raises that as well, and our sentence says it."""
    try:
        handler = ctypes.CDLL(Image.core.__file__).TIFFSetErrorHandler
    except (OSError, AttributeError):  # a pillow without libtiff, or with one that cannot be reached
        return
    handler.argtypes, handler.restype = [ctypes.c_void_p], ctypes.c_void_p
    handler(None)


_quiet_libtiff()


def decode(
    data: bytes, name: str, advice: str, demand: Callable[[tuple[int, int]], None] | None = None
) -> Image.Image:
    """The first frame of a picture file, as it is stored.

    `demand` is asked about its (H, W) before any pixel is decoded and raises ValueError to refuse it.
    Raises ValueError, one line, for what is no picture (with `advice`), too large, or damaged.
    """
    data = unwrapped(data)
    image = _opened(data, name, advice)
    (demand or _sensible(name))((image.height, image.width))
    try:
        image.load()
    except TOO_LARGE as error:
        raise Fault(f"{name} has too many pixels", _smaller()) from error
    except ERRORS as error:
        raise Fault(f"{name} is a damaged or truncated {image.format}{_reason(error)}", AGAIN) from error
    if image.mode in ("P", "PA") and image.palette is None:
        raise Fault(f"{name} is a damaged {image.format} without its colour table", AGAIN)
    return image


@contextmanager
def readable(image: Image.Image, name: str) -> Iterator[None]:
    """Turns what pillow raises on pixels that it has loaded and cannot convert into one sentence."""
    try:
        yield
    except (ImageCms.PyCMSError, *ERRORS) as error:
        raise Fault(
            f"{name} has pixels that cannot be converted{_reason(error)}",
            "save it as PNG, as RGB of 8 bits",
        ) from error


def size_of(data: bytes) -> tuple[int, int] | None:
    """(H, W) of a picture file, from its header alone; None for what is no picture."""
    try:
        image = _opened(unwrapped(data), "", "")
    except ValueError:
        return None
    return image.height, image.width


def is_whole_png(data: bytes) -> bool:
    """Whether every chunk up to the end mark is there, and the checksums of those that matter are right."""
    return _png_without_harmless_faults(unwrapped(data)) is not None


def _opened(data: bytes, name: str, advice: str) -> Image.Image:
    """Only the header is read."""
    if data.startswith(PNG_SIGNATURE):
        data = _png_without_harmless_faults(data) or data
    try:
        return Image.open(io.BytesIO(data), formats=_formats())
    except TOO_LARGE as error:
        raise Fault(f"{name} has too many pixels", _smaller()) from error
    except (UnidentifiedImageError, *ERRORS) as error:
        if data.startswith(PNG_SIGNATURE):
            raise Fault(f"{name} is a damaged or truncated PNG ({len(data):,} bytes)", AGAIN) from error
        what, remedy = kind_of(data) or ("not a picture that can be read", advice)
        raise Fault(f"{name} is {what}", remedy) from error


@lru_cache(maxsize=1)
def _formats() -> tuple[str, ...]:
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


def _sensible(name: str) -> Callable[[tuple[int, int]], None]:
    def demand(size: tuple[int, int]) -> None:
        if size[0] * size[1] > MOST_PIXELS:
            raise Fault(f"{name} is {size[1]}x{size[0]} pixels", _smaller())

    return demand


def _smaller() -> str:
    return f"save it with at most {MOST_PIXELS // 10**6} million pixels"


def _reason(error: BaseException) -> str:
    """The decoder's words in brackets, where they are words and name no object of the program."""
    text = " ".join(str(error).split())
    plain = re.fullmatch(r"[\w ,.;()%/-]{1,120}", text) and not re.search(
        r"object|NoneType|argument|index", text
    )
    return f" ({text})" if plain else ""


def _png_without_harmless_faults(data: bytes) -> bytes | None:
    """The PNG up to its end mark without broken chunks that do not matter; None for a damaged one."""
    at, broken = len(PNG_SIGNATURE), []
    if data[at : at + 8] != b"\0\0\0\x0dIHDR":
        return None
    view = memoryview(data)
    while at + 12 <= len(data):
        length, kind = struct.unpack(">I4s", view[at : at + 8])
        end = at + 8 + length
        if view[end : end + 4] != struct.pack(">I", zlib.crc32(view[at + 4 : end])):
            if kind[:1].isupper() or kind in NEEDED:
                return None
            broken.append(slice(at, end + 4))
        if kind == b"IEND":
            return _without(data, broken)
        at = end + 4
    return None


def _without(data: bytes, parts: Sequence[slice]) -> bytes:
    """The bytes but for parts of them."""
    for part in reversed(parts):
        data = data[: part.start] + data[part.stop :]
    return data


TURNS: dict[int, Callable[[NDArray[Any]], NDArray[Any]]] = {
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: a[::-1].swapaxes(0, 1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: a.swapaxes(0, 1)[::-1],
}
"""What each EXIF orientation asks for: (H, W, ...) as stored -> as it is to be seen."""


def upright(pixels: NDArray[Any], image: Image.Image) -> NDArray[Any]:
    """(H, W, ...) of an image, turned as its EXIF orientation says."""
    turn = TURNS.get(orientation_of(image))
    return pixels if turn is None else np.ascontiguousarray(turn(pixels))


def orientation_of(image: Image.Image) -> int:
    """1 to 8, by EXIF; 1 is upright, as is whatever cannot be read."""
    if not (CARRIERS & image.info.keys() or hasattr(image, "tag_v2")):
        return 1
    try:
        return int(image.getexif().get(ORIENTATION, 1))
    except ERRORS:
        return 1


def upright_image(pixels: Image.Image, image: Image.Image) -> Image.Image:
    """As `upright`, of pixels that are an image."""
    stored = np.asarray(pixels) if orientation_of(image) in TURNS else None
    return pixels if stored is None else Image.fromarray(upright(stored, image))


def to_srgb(image: Image.Image, profile: bytes | None) -> tuple[Image.Image, str | None]:
    """An RGB or CMYK image in sRGB by its colour profile, and a note if that changed or should have."""
    if not profile:
        return image, None
    try:
        transform = _transform(profile, image.mode)
    except (ImageCms.PyCMSError, *ERRORS):
        return image, "its colour profile cannot be read and was ignored"
    if transform is None:
        return image, None
    return transform.apply(image), "its colour profile was taken into account"


@lru_cache(maxsize=16)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """From a profile to sRGB; None where that changes next to nothing."""
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    transform = ImageCms.ImageCmsTransform(
        source, _srgb(), mode, "RGB", ImageCms.Intent.RELATIVE_COLORIMETRIC
    )
    if mode != "RGB":
        return transform
    levels = np.linspace(0, 255, 6).astype(np.uint8)
    probe = np.stack(np.meshgrid(levels, levels, levels), -1).reshape(1, -1, 3)
    change = np.abs(np.asarray(transform.apply(Image.fromarray(probe))).astype(int) - probe)
    return transform if change.max() > 2 else None


@lru_cache(maxsize=1)
def _srgb() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))

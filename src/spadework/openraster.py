"""OpenRaster files (.ora), which Krita and GIMP open: every class a layer, the photograph on top.

The format: https://www.openraster.org/baseline/file-layout-spec.html
"""

import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from spadework.decoding import UNREADABLE
from spadework.labelmap import LabelMap
from spadework.picture import Picture

MIMETYPE = b"image/openraster"
PHOTOGRAPH = "Photograph"
"""The layer that is a picture, not labels."""

PROJECT = "spadework/project.json"
"""Where the drawing itself stands in our files; other programs leave it out when they save."""

MOST_BYTES = 2**28
"""So many bytes may be in a file when it is unpacked."""

Rgba = NDArray[np.uint8]


@dataclass(frozen=True)
class Layer:
    """`pixels`: (H, W, 4), with its upper left corner at (x, y) of the sheet."""

    name: str
    pixels: Rgba
    x: int = 0
    y: int = 0
    visible: bool = True


def write(sketch: LabelMap, photograph: Picture, project: str) -> bytes:
    """An .ora file of a sketch (H, W), its photograph of the same size and its project."""
    layers = [*_classes(sketch), Layer(PHOTOGRAPH, _opaque(photograph.pixels))]
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(zipfile.ZipInfo("mimetype"), MIMETYPE)  # first, and not compressed
        file.writestr("stack.xml", _stack(layers, sketch.size))
        for n, layer in enumerate(layers):
            file.writestr(f"data/{n}.png", _png(layer.pixels))
        file.writestr("mergedimage.png", _png(layers[-1].pixels))
        file.writestr("Thumbnails/thumbnail.png", _thumbnail(photograph))
        file.writestr(PROJECT, project)
    return out.getvalue()


def is_openraster(data: bytes) -> bool:
    """Whether a file is one, by its beginning."""
    return data.startswith(b"PK\x03\x04") and MIMETYPE in data[:80]


def project_of(data: bytes) -> str | None:
    """The drawing in a file that nobody else has saved since. Raises ValueError for a damaged file."""
    with _opened(data) as file:
        return _member(file, PROJECT).decode("utf-8", "replace") if PROJECT in file.namelist() else None


def labels_of(data: bytes) -> bytes:
    """The visible label layers laid over each other, as a PNG. Raises ValueError."""
    with _opened(data) as file:
        root = _parsed(_member(file, "stack.xml"))
        width, height = (_whole(root.get(side)) for side in "wh")
        if not (0 < width <= 8192 and 0 < height <= 8192):
            raise ValueError(f"the file has a sheet of {width}x{height} pixels: give 4 to 8192 a side")
        sheet = np.zeros((height, width, 4), np.uint8)
        for layer in _layers(file, root.find("stack")):
            _lay(sheet, layer)
    return _png(sheet if (sheet[..., 3] < 255).any() else sheet[..., :3])


def _classes(sketch: LabelMap) -> Iterator[Layer]:
    """A layer for every class that the sketch has."""
    colors = sketch.palette.colors()
    for id in map(int, np.unique(sketch.ids)):
        here = sketch.ids == id
        pixels = np.zeros((*here.shape, 4), np.uint8)
        pixels[here] = (*colors[id], 255)
        yield Layer(sketch.palette.name_of(id), pixels)


def _stack(layers: list[Layer], size: tuple[int, int]) -> bytes:
    """stack.xml: the uppermost layer first."""
    image = ElementTree.Element("image", version="0.0.3", w=str(size[1]), h=str(size[0]))
    stack = ElementTree.SubElement(image, "stack", name="root")
    for n, layer in reversed(list(enumerate(layers))):
        place = {"src": f"data/{n}.png", "x": str(layer.x), "y": str(layer.y)}
        look = {"opacity": "1.0", "visibility": "visible", "composite-op": "svg:src-over"}
        ElementTree.SubElement(stack, "layer", {"name": layer.name, **place, **look})
    return ElementTree.tostring(image, "utf-8", xml_declaration=True)


def _layers(file: zipfile.ZipFile, stack: ElementTree.Element | None) -> Iterator[Layer]:
    """The visible label layers of a stack and of those inside it, the lowest first."""
    for element in reversed(stack if stack is not None else []):
        if element.get("visibility") == "hidden" or element.get("name") == PHOTOGRAPH:
            continue
        if element.tag == "stack":
            yield from _layers(file, element)
        elif element.tag == "layer":
            pixels = _pixels(_member(file, element.get("src") or ""))
            x, y = (_whole(element.get(axis) or "0") for axis in "xy")
            yield Layer(element.get("name") or "", pixels, x, y)


def _lay(sheet: Rgba, layer: Layer) -> None:
    """What is opaque of a layer over the sheet; half a colour would be a class that does not exist."""
    height, width = layer.pixels.shape[:2]
    top, left = max(0, layer.y), max(0, layer.x)
    target = sheet[top : max(0, layer.y + height), left : max(0, layer.x + width)]
    part = layer.pixels[top - layer.y :, left - layer.x :][: target.shape[0], : target.shape[1]]
    seen = part[..., 3] >= 128
    target[seen] = part[seen] | np.array([0, 0, 0, 255], np.uint8)


def _opened(data: bytes) -> zipfile.ZipFile:
    try:
        file = zipfile.ZipFile(io.BytesIO(data))
    except zipfile.BadZipFile as error:
        raise ValueError("the OpenRaster file is damaged: save it again") from error
    if sum(info.file_size for info in file.infolist()) > MOST_BYTES:
        raise ValueError(f"the OpenRaster file holds more than {MOST_BYTES >> 20} MiB: merge some layers")
    return file


def _member(file: zipfile.ZipFile, name: str) -> bytes:
    try:
        return file.read(name)
    except (KeyError, zipfile.BadZipFile, OSError, ValueError, NotImplementedError, RuntimeError) as error:
        raise ValueError(f"the OpenRaster file lacks {name or 'a layer'}: save it again") from error


def _parsed(xml: bytes) -> ElementTree.Element:
    try:
        return ElementTree.fromstring(xml)
    except ElementTree.ParseError as error:
        raise ValueError("the OpenRaster file has a damaged stack.xml: save it again") from error


def _whole(text: str | None) -> int:
    try:
        return round(float(text or ""))
    except (ValueError, OverflowError) as error:
        raise ValueError("the OpenRaster file has a damaged stack.xml: save it again") from error


def _pixels(data: bytes) -> Rgba:
    try:
        with Image.open(io.BytesIO(data)) as image:
            if image.width * image.height > MOST_BYTES // 4:
                raise ValueError("a layer of the OpenRaster file is too large: make it smaller")
            return np.asarray(image.convert("RGBA"))
    except UNREADABLE as error:
        raise ValueError("a layer of the OpenRaster file cannot be read: save it again") from error


def _opaque(pixels: NDArray[np.uint8]) -> Rgba:
    """(H, W, 3) -> (H, W, 4)."""
    return np.dstack([pixels, np.full(pixels.shape[:2], 255, np.uint8)])


def _png(pixels: NDArray[np.uint8]) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, format="PNG")
    return out.getvalue()


def _thumbnail(picture: Picture) -> bytes:
    """At most 256 pixels a side."""
    image = Image.fromarray(picture.pixels)
    image.thumbnail((256, 256))
    return _png(np.asarray(image))

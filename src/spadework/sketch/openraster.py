"""OpenRaster files (.ora), which Krita and GIMP open: every class a layer, the photograph on top.

Layers that were drawn are groups, each with the classes in it.

The format: https://www.openraster.org/baseline/file-layout-spec.html
"""

import io
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from spadework.decoding import UNREADABLE
from spadework.files import Fault
from spadework.picture import Picture
from spadework.sketch.labelmap import LabelMap

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


@dataclass(frozen=True)
class Drawn:
    """A layer of a drawing: `ids` (H, W) of classes where it is `there` (H, W), and empty elsewhere."""

    name: str
    ids: NDArray[np.uint8]
    there: NDArray[np.bool_]
    hidden: bool = False
    locked: bool = False


@dataclass(frozen=True)
class Group:
    """Layers that belong together, the lowest first."""

    name: str
    layers: tuple[Layer, ...]
    hidden: bool = False
    locked: bool = False


def write(sketch: LabelMap, photograph: Picture, project: str, drawn: Sequence[Drawn] = ()) -> bytes:
    """An .ora file of a sketch (H, W), its photograph of the same size and its project.

    `drawn`: the layers that the sketch is made of, the lowest first, if it is made of several.
    """
    parts = parts_of(sketch, photograph, drawn)
    layers = [layer for part in parts for layer in (part.layers if isinstance(part, Group) else (part,))]
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(zipfile.ZipInfo("mimetype"), MIMETYPE)  # first, and not compressed
        file.writestr("stack.xml", _stack(parts, sketch.size))
        for n, layer in enumerate(layers):
            file.writestr(f"data/{n}.png", png_of(layer.pixels))
        file.writestr("mergedimage.png", png_of(layers[-1].pixels))
        file.writestr("Thumbnails/thumbnail.png", _thumbnail(photograph))
        file.writestr(PROJECT, project)
    return out.getvalue()


def parts_of(sketch: LabelMap, photograph: Picture, drawn: Sequence[Drawn]) -> list[Layer | Group]:
    """What a file of layers is made of, the lowest first: a group for every layer that was drawn, or else the
    classes of the sketch; the photograph on top."""
    colors, names = sketch.palette.colors(), sketch.palette.name_of
    groups = [
        Group(each.name, tuple(_classes(each.ids, each.there, colors, names)), each.hidden, each.locked)
        for each in drawn
    ]
    whole = np.ones(sketch.size, bool)
    classes = groups or _classes(sketch.ids, whole, colors, names)
    return [*classes, Layer(PHOTOGRAPH, _opaque(photograph.pixels))]


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
        sheet = sheet_of(_size(root), _layers(file, root.find("stack")))
    return flat_png(sheet)


def flat_png(sheet: Rgba) -> bytes:
    """(H, W, 4) as a PNG, which has transparency only where there is some."""
    return png_of(sheet if (sheet[..., 3] < 255).any() else sheet[..., :3])


def groups_of(data: bytes) -> list[tuple[Group, Rgba]]:
    """The groups of a file, the lowest first, each with its visible layers laid over each other (H, W, 4).

    Loose layers between two groups are one. None if the file has no group. Raises ValueError.
    """
    with _opened(data) as file:
        root = _parsed(_member(file, "stack.xml"))
        size, stack = _size(root), root.find("stack")
        if stack is None or stack.find("stack") is None:
            return []
        found: list[tuple[Group, Rgba]] = []
        for loose, elements in groupby(reversed(stack), _loose):
            if loose:
                shelf = ElementTree.Element("stack")
                shelf.extend(reversed(list(elements)))
                elements = [shelf] if any(_counts(element) for element in shelf) else []
            for element in elements:
                layers = tuple(_layers(file, element))
                name = element.get("name") or (layers[0].name if layers else "Layer")
                locked = element.get("edit-locked") == "true"
                group = Group(name, layers, element.get("visibility") == "hidden", locked)
                found.append((group, sheet_of(size, layers)))
        return found


def _loose(element: ElementTree.Element) -> bool:
    """Whether it stands in no group."""
    return element.tag != "stack"


def _classes(
    ids: NDArray[np.uint8],
    there: NDArray[np.bool_],
    colors: NDArray[np.uint8],
    name_of: Callable[[int], str],
) -> Iterator[Layer]:
    """A layer for every class that there is."""
    for id in map(int, np.unique(ids[there])):
        here = (ids == id) & there
        pixels = np.zeros((*here.shape, 4), np.uint8)
        pixels[here] = (*colors[id], 255)
        yield Layer(name_of(id), pixels)


def _stack(parts: list[Layer | Group], size: tuple[int, int]) -> bytes:
    """stack.xml: the uppermost layer first, `data/N.png` counted from the lowest."""
    image = ElementTree.Element("image", version="0.0.3", w=str(size[1]), h=str(size[0]))
    stack = ElementTree.SubElement(image, "stack", name="root")
    n = sum(len(part.layers) if isinstance(part, Group) else 1 for part in parts)
    for part in reversed(parts):
        inside = stack
        if isinstance(part, Group):
            seen = {"visibility": "hidden" if part.hidden else "visible", "opacity": "1.0"}
            locked = {"edit-locked": "true"} if part.locked else {}
            inside = ElementTree.SubElement(stack, "stack", {"name": part.name, **seen, **locked})
        for layer in reversed(part.layers if isinstance(part, Group) else (part,)):
            n -= 1
            place = {"src": f"data/{n}.png", "x": str(layer.x), "y": str(layer.y)}
            look = {"opacity": "1.0", "visibility": "visible", "composite-op": "svg:src-over"}
            ElementTree.SubElement(inside, "layer", {"name": layer.name, **place, **look})
    return ElementTree.tostring(image, "utf-8", xml_declaration=True)


def _size(root: ElementTree.Element) -> tuple[int, int]:
    """(H, W) of the sheet."""
    width, height = (_whole(root.get(side)) for side in "wh")
    if not (0 < width <= 8192 and 0 < height <= 8192):
        raise Fault(f"the file has a sheet of {width}x{height} pixels", "give 4 to 8192 a side")
    return height, width


def sheet_of(size: tuple[int, int], layers: Iterable[Layer]) -> Rgba:
    """(H, W, 4): the layers laid over each other, the lowest first."""
    sheet = np.zeros((*size, 4), np.uint8)
    for layer in layers:
        _lay(sheet, layer)
    return sheet


def _counts(element: ElementTree.Element) -> bool:
    """Whether a layer or a stack is seen, and is labels."""
    return element.get("visibility") != "hidden" and element.get("name") != PHOTOGRAPH


def _layers(file: zipfile.ZipFile, stack: ElementTree.Element | None) -> Iterator[Layer]:
    """The visible label layers of a stack and of those inside it, the lowest first."""
    for element in reversed(stack if stack is not None else []):
        if not _counts(element):
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
        raise Fault("the OpenRaster file is damaged", "save it again") from error
    if sum(info.file_size for info in file.infolist()) > MOST_BYTES:
        raise Fault(f"the OpenRaster file holds more than {MOST_BYTES >> 20} MiB", "merge some layers")
    return file


def _member(file: zipfile.ZipFile, name: str) -> bytes:
    try:
        return file.read(name)
    except (KeyError, zipfile.BadZipFile, OSError, ValueError, NotImplementedError, RuntimeError) as error:
        raise Fault(f"the OpenRaster file lacks {name or 'a layer'}", "save it again") from error


def _parsed(xml: bytes) -> ElementTree.Element:
    try:
        return ElementTree.fromstring(xml)
    except ElementTree.ParseError as error:
        raise Fault("the OpenRaster file has a damaged stack.xml", "save it again") from error


def _whole(text: str | None) -> int:
    try:
        return round(float(text or ""))
    except (ValueError, OverflowError) as error:
        raise Fault("the OpenRaster file has a damaged stack.xml", "save it again") from error


def _pixels(data: bytes) -> Rgba:
    try:
        with Image.open(io.BytesIO(data)) as image:
            if image.width * image.height > MOST_BYTES // 4:
                raise Fault("a layer of the OpenRaster file is too large", "make it smaller")
            return np.asarray(image.convert("RGBA"))
    except UNREADABLE as error:
        raise Fault("a layer of the OpenRaster file cannot be read", "save it again") from error


def _opaque(pixels: NDArray[np.uint8]) -> Rgba:
    """(H, W, 3) -> (H, W, 4)."""
    return np.dstack([pixels, np.full(pixels.shape[:2], 255, np.uint8)])


def png_of(pixels: NDArray[np.uint8]) -> bytes:
    """(H, W, 3) or (H, W, 4) as a PNG."""
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, format="PNG")
    return out.getvalue()


def _thumbnail(picture: Picture) -> bytes:
    """At most 256 pixels a side."""
    image = Image.fromarray(picture.pixels)
    image.thumbnail((256, 256))
    return png_of(np.asarray(image))

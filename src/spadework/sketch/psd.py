"""Photoshop files (.psd), through psd-tools: the layers of an OpenRaster file, groups and all."""

import io
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from itertools import groupby
from typing import Any

import numpy as np
from PIL import Image

from spadework.files import Fault
from spadework.picture import Picture
from spadework.sketch.labelmap import LabelMap
from spadework.sketch.openraster import (
    MOST_BYTES,
    PHOTOGRAPH,
    Drawn,
    Group,
    Layer,
    Rgba,
    flat_png,
    parts_of,
    sheet_of,
)

MIMETYPE = "image/vnd.adobe.photoshop"


def has_tools() -> bool:
    """Whether psd-tools is installed."""
    return find_spec("psd_tools") is not None


def write(sketch: LabelMap, photograph: Picture, drawn: "list[Drawn]") -> bytes:
    """A .psd file of a sketch (H, W) and its photograph of the same size, which lies on top.

    `drawn`: the layers that the sketch is made of, the lowest first, if it is made of several. Raises
    ValueError where psd-tools is missing.
    """
    if not has_tools():
        raise Fault("psd-tools is not installed, which writes PSD", "pip install 'spadework[psd]'")
    from psd_tools import PSDImage  # pyright: ignore[reportMissingImports]

    file = PSDImage.new("RGBA", (sketch.size[1], sketch.size[0]))  # else alpha would be a mask
    for part in parts_of(sketch, photograph, drawn):
        inside = part.layers if isinstance(part, Group) else (part,)
        layers = [file.create_pixel_layer(Image.fromarray(layer.pixels), layer.name) for layer in inside]
        if isinstance(part, Group):
            file.create_group(layers, part.name).visible = not part.hidden
    out = io.BytesIO()
    file.save(out)
    return out.getvalue()


def is_photoshop(data: bytes) -> bool:
    """Whether a file is one, by its beginning."""
    return data.startswith(b"8BPS")


def labels_of(data: bytes) -> bytes:
    """The visible label layers laid over each other, as a PNG. Raises ValueError."""
    file = _opened(data)
    return flat_png(sheet_of((file.height, file.width), _layers(file)))


def groups_of(data: bytes) -> list[tuple[Group, Rgba]]:
    """The groups of a file, the lowest first, each with its visible layers laid over each other (H, W, 4).

    Loose layers between two groups are one. None if the file has no group. Raises ValueError.
    """
    file = _opened(data)
    if not any(element.is_group() for element in file):
        return []
    groups: list[Group] = []
    for grouped, elements in groupby(file, lambda element: element.is_group()):
        if grouped:
            groups += [Group(each.name, tuple(_layers(each)), not each.visible) for each in elements]
        elif layers := tuple(_layers(elements)):
            groups.append(Group(layers[0].name, layers))
    return [(group, sheet_of((file.height, file.width), group.layers)) for group in groups]


def _opened(data: bytes) -> Any:
    """The file, whose layers are of a size that fits into memory."""
    if not has_tools():
        raise Fault("psd-tools is not installed, which reads PSD", "pip install 'spadework[psd]'")
    from psd_tools import PSDImage  # pyright: ignore[reportMissingImports]

    try:
        file = PSDImage.open(io.BytesIO(data))
        pixels = sum(layer.width * layer.height for layer in file.descendants() if not layer.is_group())
    except Exception as error:  # whatever psd-tools stumbles over
        raise Fault("the Photoshop file cannot be read", "save it again, or export it as PNG") from error
    if 4 * max(pixels, file.width * file.height) > MOST_BYTES:
        raise Fault(f"the Photoshop file holds more than {MOST_BYTES >> 20} MiB", "merge some layers")
    return file


def _layers(elements: Iterable[Any]) -> Iterator[Layer]:
    """The visible label layers among some, and inside of them, the lowest first."""
    for element in elements:
        if not element.visible or element.name == PHOTOGRAPH:
            continue
        if element.is_group():
            yield from _layers(element)
        elif (pixels := _pixels(element)) is not None:
            yield Layer(element.name, pixels, element.left, element.top)


def _pixels(layer: Any) -> Rgba | None:
    """None for a layer without any, such as one that only adjusts colours."""
    try:
        image = layer.topil()
    except Exception as error:  # whatever psd-tools stumbles over
        raise Fault(f"layer {layer.name} of the Photoshop file cannot be read", "rasterise it") from error
    return None if image is None else np.asarray(image.convert("RGBA"))

"""Photoshop files (.psd), written with psd-tools: the layers of an OpenRaster file, groups and all."""

import io
from importlib.util import find_spec

from PIL import Image

from spadework.files import Fault
from spadework.picture import Picture
from spadework.sketch.labelmap import LabelMap
from spadework.sketch.openraster import Drawn, Group, parts_of

MIMETYPE = "image/vnd.adobe.photoshop"


def can_write() -> bool:
    """Whether psd-tools is installed."""
    return find_spec("psd_tools") is not None


def write(sketch: LabelMap, photograph: Picture, drawn: "list[Drawn]") -> bytes:
    """A .psd file of a sketch (H, W) and its photograph of the same size, which lies on top.

    `drawn`: the layers that the sketch is made of, the lowest first, if it is made of several. Raises
    ValueError where psd-tools is missing.
    """
    if not can_write():
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

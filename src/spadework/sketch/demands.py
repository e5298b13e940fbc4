"""What the file of a label map must be to be read without repair, whatever its palette."""

import numpy as np
from numpy.typing import NDArray

from spadework.files import Fault
from spadework.sketch.palette import Palette
from spadework.sketch.raster import Raster


def demand_lossless(raster: Raster) -> None:
    if raster.lossy:
        raise Fault(
            f"{raster.name} is a {raster.form} picture, not a PNG",
            "save a sketch as PNG; a photograph is passed with --style",
        )


def demand_one_page(raster: Raster) -> None:
    """Raises ValueError where a TIFF has several pictures, of which any may be meant."""
    if raster.pages > 1:
        raise Fault(f"{raster.name} is a TIFF of {raster.pages} pages", "save the one that is meant as PNG")


def demand_data(raster: Raster, palette: Palette | None) -> None:
    """Raises ValueError where the file says of a class that it is none."""
    empty = without_data(raster, palette)
    if empty.any():
        raise Fault(
            f"{raster.name} says itself that {raster.no_data:g} is no data, on {empty.sum():,} px",
            "give those pixels the id of unknown, often 255",
        )


def without_data(raster: Raster, palette: Palette | None) -> NDArray[np.bool_]:
    """(H, W): where a file holds what it says is no data, unless that is the id of unknown."""
    unknown = 255 if palette is None else palette.unknown
    if raster.no_data is None or raster.samples is None or raster.no_data == unknown:
        return np.zeros(raster.size, bool)
    return np.asarray(raster.samples == raster.no_data)


def demand_opaque(raster: Raster, palette: Palette | None) -> None:
    if raster.alpha is None:
        return
    see_through, ground = int((raster.alpha < 255).sum()), "a class"
    if palette is not None:
        first = palette.classes[0]
        color = bytes(palette.colors()[first.id]).hex()
        ground = f"a class colour behind the drawing ({first.name} is #{color})"
    raise Fault(
        f"{raster.name} has {see_through:,} transparent pixels, and each needs a class",
        f"put a layer in {ground} and save it without transparency",
    )

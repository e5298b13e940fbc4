"""Segmenters for the commands that need one."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spadework.segmenter.segmenter import Segmenter
    from spadework.sketch.palette import Palette

SHIPPED = "segmenter_landscape"
"""The segmenter that comes with the package."""


def load_segmenter(name_or_path: str, palette: "Palette") -> "Segmenter":
    """A shipped segmenter by its name, or any from a file, for sketches in the classes of a palette.

    Raises ValueError where there is none, and where it reads other classes.
    """
    from spadework.candidates import demand_classes
    from spadework.segmenter.segmenter import Segmenter

    found = Segmenter.load(name_or_path)
    demand_classes(found, palette)
    return found


def shipped_segmenter(palette: "Palette") -> "Segmenter | None":
    """The shipped segmenter, or None where it is missing or reads other classes."""
    try:
        return load_segmenter(SHIPPED, palette)
    except ValueError:
        return None

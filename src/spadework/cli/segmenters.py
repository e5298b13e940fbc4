"""Segmenters for the commands that need one."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spadework.candidates import Reader
    from spadework.sketch.palette import Palette

SHIPPED = "segmenter_landscape"
"""The segmenter that comes with the package."""


def load_reader(name_or_path: str, palette: "Palette") -> "Reader":
    """A shipped segmenter by its name, or any from a file, for sketches in the classes of a palette.

    Raises ValueError where there is none, and where it reads other classes.
    """
    from spadework.candidates import demand_classes
    from spadework.segmenter.segmenter import Segmenter

    reader = Segmenter.load(name_or_path)
    demand_classes(reader, palette)
    return reader


def shipped_reader(palette: "Palette") -> "Reader | None":
    """The shipped segmenter, or None where it is missing or reads other classes."""
    try:
        return load_reader(SHIPPED, palette)
    except ValueError:
        return None

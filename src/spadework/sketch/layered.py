"""Files of layers, be they of Krita and GIMP or of Photoshop."""

from spadework.sketch import openraster, psd
from spadework.sketch.openraster import Group, Rgba


def flattened(data: bytes) -> bytes:
    """The visible label layers of a file of layers, laid over each other, as a PNG; any other file as it is.

    Raises ValueError, one line with the remedy, for a damaged one, and where psd-tools is missing.
    """
    if openraster.is_openraster(data):
        return openraster.labels_of(data)
    return psd.labels_of(data) if psd.is_photoshop(data) else data


def groups_of(data: bytes) -> list[tuple[Group, Rgba]]:
    """The groups of a file of layers, the lowest first, each with what is seen of it (H, W, 4).

    None in a file without groups, and in all others. Raises ValueError.
    """
    if openraster.is_openraster(data):
        return openraster.groups_of(data)
    return psd.groups_of(data) if psd.is_photoshop(data) else []

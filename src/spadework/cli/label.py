"""`spadework label`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from spadework.cli.segmenters import SHIPPED
from spadework.cli.telling import show_table, swatch, tell

if TYPE_CHECKING:
    from spadework.sketch.labelmap import LabelMap


def label(
    image: Annotated[
        Path | None, typer.Argument(metavar="IMAGE", help="A sketch or label map, as any picture file.")
    ] = None,
    from_photo: Annotated[
        Path | None, typer.Option(metavar="PHOTO", help="Read the classes in a photograph instead.")
    ] = None,
    segmenter: Annotated[
        str, typer.Option(metavar="NAME", help="What reads a photograph: a shipped segmenter, or a file.")
    ] = SHIPPED,
    palette: Annotated[
        str | None, typer.Option(metavar="NAME", help="Its palette; else the one that fits best.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", metavar="FILE", help="Write the ids as an indexed PNG.")
    ] = None,
    report: Annotated[bool, typer.Option("--report", help="List the classes with their shares.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Refuse instead of repairing.")] = False,
) -> None:
    """Turn any picture of a label map, or a photograph, into class ids, and say what was found.

    Reads ids and colours in PNG, TIFF, GIF, BMP, WebP and JPEG; snaps blended edges and damaged colours to
    the nearest class and says so; refuses where no palette fits. With --from-photo a segmenter finds the
    classes.
    """
    source = _source(image, from_photo)
    if out is not None and out.resolve() == source.resolve():
        raise ValueError(f"{source} would be overwritten: choose another place with -o")
    if from_photo is None:
        found = _read(source, palette, strict)
    elif palette or strict:
        raise ValueError("--palette and --strict are for label maps: leave them out with --from-photo")
    else:
        found = _see(from_photo, segmenter)
    if report or out is None:
        rows = [
            [name, swatch([found.palette.colors()[found.palette.id_of(name)]], 4), f"{share:.2%}"]
            for name, share in found.counts().items()
        ]
        show_table(["class", "colour", "share"], rows)
    if out is not None:
        found.save(out)
        tell(f"ids: {out}")


def _source(image: Path | None, photo: Path | None) -> Path:
    if image is not None and photo is not None:
        raise ValueError(f"{image} and --from-photo {photo}: give either a label map or a photograph")
    source = image or photo
    if source is None:
        raise ValueError("nothing to label: give a label map, or --from-photo PHOTO")
    return source


def _read(image: Path, palette: str | None, strict: bool) -> "LabelMap":
    from spadework.sketch.palette import Palette
    from spadework.sketch.repair import read

    reading = read(image, Palette.load(palette) if palette else None, strict)
    for line in reading.report():
        tell(line)
    return reading.map


def _see(photo: Path, segmenter: str) -> "LabelMap":
    from spadework.picture import Picture
    from spadework.segmenter.segmenter import Segmenter

    reader = Segmenter.load(segmenter)
    found = reader.label(Picture.read(photo).pixels)
    height, width = found.size
    tell(f"{photo}: {width}x{height} px, read by {reader.card.name} (palette {reader.palette.name})")
    return found

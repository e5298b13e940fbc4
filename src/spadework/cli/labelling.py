"""`spadework label`."""

from pathlib import Path
from typing import Annotated

import typer

from spadework.cli.telling import show_table, swatch, tell


def label(
    image: Annotated[
        Path, typer.Argument(metavar="IMAGE", help="A sketch or label map, as any picture file.")
    ],
    palette: Annotated[
        str | None, typer.Option(metavar="NAME", help="Its palette; else the one that fits best.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", metavar="FILE", help="Write the ids as an indexed PNG.")
    ] = None,
    report: Annotated[bool, typer.Option("--report", help="List the classes with their shares.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Refuse instead of repairing.")] = False,
) -> None:
    """Turn any picture of a label map into class ids, and say what was found.

    Reads indexed, RGB, RGBA, grey and 16-bit pictures; snaps blended edges and damaged colours to the nearest
    class and says so.
    """
    from spadework.palette import Palette
    from spadework.reading import read

    if out is not None and out.resolve() == image.resolve():
        raise ValueError(f"{image} would be overwritten: choose another place with -o")
    reading = read(image, Palette.load(palette) if palette else None, strict)
    for line in reading.report():
        tell(line)
    if report or out is None:
        known = reading.map.palette
        shares = reading.map.counts().items()
        rows = [
            [name, swatch([known.colors()[known.id_of(name)]], 4), f"{share:.2%}"] for name, share in shares
        ]
        show_table(["class", "colour", "share"], rows)
    if out is not None:
        reading.map.save(out)
        tell(f"ids: {out}")

"""`spadework palettes`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from spadework.cli.telling import command, show_table, swatch, tell

if TYPE_CHECKING:
    from spadework.sketch.palette import Palette

STRIP = 40
"""So many colours of a palette are shown in the list of palettes."""


def palettes(
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="A palette, a .json file, or the word new: make one of MAPS."),
    ] = None,
    maps: Annotated[
        Path | None, typer.Argument(metavar="MAPS", help="After new: the folder of label maps.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="After new: the .json to write.")
    ] = None,
) -> None:
    """List the palettes, or the classes of one: ids, colours and names. Or make one of label maps.

    `palettes new data/labels -o mine.json` reads the ids or colours that occur, and the names that LabelMe,
    CVAT, Label Studio, Supervisely or Roboflow left beside them; it says what it guessed. Then --palette
    mine.json.
    """
    from spadework.sketch.palette import Palette

    if name == "new":
        palette = _new(maps, out)
    elif maps is not None or out is not None:
        raise ValueError(f"MAPS and --out are for a new palette: spadework palettes new MAPS -o {name}.json")
    elif name is None:
        rows = [_summary(Palette.load(known)) for known in Palette.names()]
        return show_table(["palette", "classes", "unknown", "colours"], rows)
    else:
        palette = Palette.load(name)
    rows = [_class(palette, int(id)) for id in palette.ids()]
    show_table(["id", "colour", "hex", "class", "also"], rows)
    tell(f"source: {palette.source or 'not stated'}")
    if name == "new":
        again = command("train", "landscape", "--palette", out, "--data", "DIR", "--out", "RUN")
        tell(f"palette: {out}; train with it: {again}")


def _new(maps: Path | None, out: Path | None) -> "Palette":
    """Makes a palette of label maps and writes it; tells what was found and guessed."""
    from spadework.files import atomic_write
    from spadework.sketch.census import palette_of_maps

    if maps is None or out is None or out.suffix != ".json":
        raise ValueError("a new palette needs MAPS and a file: spadework palettes new MAPS -o mine.json")
    palette, told = palette_of_maps(maps, out.stem)
    for line in told:
        tell(line)
    atomic_write(out, f"{palette.model_dump_json(indent=1, exclude_defaults=True)}\n".encode())
    return palette


def _summary(palette: "Palette") -> list[str | Text]:
    unknown = "none" if palette.unknown is None else str(palette.unknown)
    colors = palette.colors()[palette.ids()[:STRIP]]
    return [palette.name, str(len(palette.classes)), unknown, swatch(colors, 1)]


def _class(palette: "Palette", id: int) -> list[str | Text]:
    color, name = palette.colors()[id], palette.name_of(id)
    aliases = () if id == palette.unknown else palette.of_id(id).aliases
    return [str(id), swatch([color], 4), f"#{bytes(color).hex()}", name, ", ".join(aliases)]

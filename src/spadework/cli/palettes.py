"""`spadework palettes`."""

from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from spadework.cli.telling import show_table, swatch, tell

if TYPE_CHECKING:
    from spadework.sketch.palette import Palette

STRIP = 40
"""So many colours of a palette are shown in the list of palettes."""


def palettes(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="A palette, or a .json file.")] = None,
) -> None:
    """List the palettes, or the classes of one: ids, colours and names."""
    from spadework.sketch.palette import Palette

    if name is None:
        rows = [_summary(Palette.load(known)) for known in Palette.names()]
        show_table(["palette", "classes", "unknown", "colours"], rows)
    else:
        palette = Palette.load(name)
        rows = [_class(palette, int(id)) for id in palette.ids()]
        show_table(["id", "colour", "hex", "class", "also"], rows)
        tell(f"source: {palette.source or 'not stated'}")


def _summary(palette: "Palette") -> list[str | Text]:
    unknown = "none" if palette.unknown is None else str(palette.unknown)
    colors = palette.colors()[palette.ids()[:STRIP]]
    return [palette.name, str(len(palette.classes)), unknown, swatch(colors, 1)]


def _class(palette: "Palette", id: int) -> list[str | Text]:
    color, name = palette.colors()[id], palette.name_of(id)
    aliases = () if id == palette.unknown else palette.of_id(id).aliases
    return [str(id), swatch([color], 4), f"#{bytes(color).hex()}", name, ", ".join(aliases)]

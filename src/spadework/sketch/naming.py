"""Names of classes that labelling programs leave beside their label maps."""

import csv
import io
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spadework.files import read_bytes, text_of

ABOVE = 2
"""So many folders above the maps are looked into as well."""


@dataclass(frozen=True)
class Named:
    """One class by its name, and by its id or its colour "#rrggbb" as the file says."""

    name: str
    id: int | None = None
    color: str | None = None


def names_beside(folder: Path) -> tuple[Path, list[Named]] | None:
    """The file of names nearest to the maps in `folder`, and what it says; None where there is none.

    Raises ValueError, one line, for one that cannot be understood.
    """
    folder = folder.resolve()
    for place in (folder, *list(folder.parents)[:ABOVE]):
        for name, read in READERS.items():
            path = place / name
            if path.is_file():
                return path, _understood(path, read)
    return None


def _understood(path: Path, read: Callable[[str], Iterator[Named]]) -> list[Named]:
    try:
        found = [entry for entry in read(text_of(read_bytes(path))) if entry.name]
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise ValueError(f"{path} does not name classes as such files do ({error}): mend it") from error
    if not found:
        raise ValueError(f"{path} names no class: write one name a line, or remove it")
    return found


_ID, _NAME, _APART = r"(?P<id>\d{1,3})", r"(?P<name>.*?\D.*?)", r"[\s,;:=|]+"
_RGB = r"[\[(]?(?P<rgb>#[0-9a-fA-F]{6}|\d{1,3}(?:[\s,;]+\d{1,3}){2})[\])]?"
SHAPES = tuple(
    re.compile(_APART.join(parts))
    for parts in (
        (rf"{_ID}[.)]?", _NAME, _RGB),
        (rf"{_ID}[.)]?", _RGB, _NAME),
        (_RGB, _NAME),
        (_NAME, _RGB),
        (rf"{_ID}[.)]?", _NAME),
        (_NAME, _ID),
    )
)
"""What a line may say beside a name; the first that fits all lines of a file is what they say."""

HEADING = re.compile(
    r"(?:(?:id|idx|index|label|class|name|color|colour|rgb|r|g|b|red|green|blue|value)[\W_]*)+", re.I
)


def _lines(text: str) -> Iterator[Named]:
    """One class a line: its name, or its name with its id, its colour or both.

    Names alone are numbered from 0; LabelMe begins with what is left out, at -1.
    """
    lines = [line.strip().strip("|,;").strip() for line in text.splitlines()]
    lines = [line for line in lines if line and not line.startswith("# ")]
    said = _said(lines) or (_said(lines[1:]) if lines and HEADING.fullmatch(lines[0]) else [])
    if said:
        yield from said
        return
    first = -1 if lines and lines[0] == "__ignore__" else 0
    for id, name in enumerate(lines, first):
        if id >= 0:
            yield Named(name, id=id)


def _said(lines: Sequence[str]) -> list[Named]:
    """What lines of one shape say; nothing if they have none in common, or would name two classes alike."""
    for shape in SHAPES:
        matches = [match.groupdict() for line in lines if (match := shape.fullmatch(line))]
        found = [
            Named(
                said["name"].strip("\"' "),
                id=int(said["id"]) if "id" in said else None,
                color=_color(said["rgb"]) if "rgb" in said else None,
            )
            for said in matches
        ]
        if len(found) == len(lines) and len({(entry.id, entry.color) for entry in found}) == len(lines):
            names = {entry.name for entry in found}
            if len(names) == len(lines) or "rgb" in shape.groupindex:
                return found
    return []


def _cvat(text: str) -> Iterator[Named]:
    """`name:r,g,b:parts:actions`, comments after #."""
    for line in text.splitlines():
        if line.strip() and not line.startswith("#"):
            name, color = line.split(":")[:2]
            yield Named(name.strip(), color=_hex(int(part) for part in color.split(",")))


def _roboflow(text: str) -> Iterator[Named]:
    """`Pixel Value, Class` and such lines."""
    for row in list(csv.reader(io.StringIO(text), skipinitialspace=True))[1:]:
        yield Named(row[1].strip(), id=int(row[0]))


def _supervisely(text: str) -> Iterator[Named]:
    """`{"title": [r, g, b]}`."""
    for name, color in json.loads(text).items():
        yield Named(name, color=_hex(color))


def _supervisely_meta(text: str) -> Iterator[Named]:
    """`{"classes": [{"title": ..., "color": "#rrggbb"}]}`."""
    for entry in json.loads(text)["classes"]:
        yield Named(entry["title"], color=entry["color"].lower())


def _label_studio(text: str) -> Iterator[Named]:
    """`{"categories": [{"id": 0, "name": ...}]}`."""
    for entry in json.loads(text)["categories"]:
        yield Named(entry["name"], id=int(entry["id"]))


def _color(text: str) -> str:
    return text.lower() if text.startswith("#") else _hex(re.split(r"[\s,;]+", text))


def _hex(color: Any) -> str:
    values = [int(value) for value in color]
    if len(values) != 3 or not all(0 <= value <= 255 for value in values):
        raise ValueError(f"{values} is no colour of three numbers from 0 to 255")
    return f"#{bytes(values).hex()}"


READERS: dict[str, Callable[[str], Iterator[Named]]] = {
    "labelmap.txt": _cvat,
    "obj_class_to_machine_color.json": _supervisely,
    "meta.json": _supervisely_meta,
    "_classes.csv": _roboflow,
    "notes.json": _label_studio,
    "classes.txt": _lines,
    "class_names.txt": _lines,
    "labels.txt": _lines,
    "class_dict.csv": _lines,
    "label_colors.txt": _lines,
}
"""How each kind of file is read; an earlier one is preferred."""

VOID = re.compile(r"unknown|void|ignored?|unlabell?ed|__ignore__|dont ?care", re.IGNORECASE)
"""Names of pixels that belong to no class."""

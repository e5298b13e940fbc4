"""Class ids, their names and their colours. The id is the truth; a colour is only a view of it."""

import colorsys
import difflib
import os
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Annotated, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from spadework.files import Fault, Misfit, read_bytes, text_of

PALETTES: dict[str, Path] = {
    file.stem: file for file in sorted((Path(__file__).parent / "palettes").glob("*.json"))
}
"""The shipped palettes: name -> JSON file."""

UNKNOWN_NAME = "unknown"
UNKNOWN_COLOR = "#4a0a4a"
"""Dark magenta, the colour of unknown pixels (one shade on, if a class already has it)."""

Name = Annotated[str, Field(min_length=1, max_length=80)]
Color = Annotated[
    str,
    BeforeValidator(lambda text: text.lower() if isinstance(text, str) else text),
    Field(pattern=r"^#[0-9a-f]{6}$"),
]


class Category(BaseModel):
    """One class: its id in the label map, its name, its colour on screen and its other names."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: int = Field(ge=0, le=254, strict=True)
    name: Name
    color: Color | None = None
    aliases: tuple[Name, ...] = ()


class Palette(BaseModel):
    """The classes of a model or a data set. Ids are unique.

    Names and colours may repeat, as they do in published palettes: where a class is asked for by one that
    several have, the first in the list answers. `unknown` is the id of pixels that belong to no class (often
    255), or None if every pixel has one; `unknown_color` is theirs where the data set has one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name
    unknown: int | None = Field(default=None, ge=0, le=255, strict=True)
    unknown_color: Color | None = None
    source: str | None = None
    classes: tuple[Category, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        _demand_unique_ids([c.id for c in self.classes])
        if self.unknown in [c.id for c in self.classes]:
            raise Fault(f"unknown id {self.unknown} is also a class", "choose another id, or null")
        if self.unknown is not None and UNKNOWN_NAME in [c.name.lower() for c in self.classes]:
            raise Fault(f"{UNKNOWN_NAME!r} names the unknown id {self.unknown}", "rename the class")
        return self

    def __eq__(self, other: object) -> bool:
        """The same in every field; tables made of them on demand do not count."""
        if not isinstance(other, Palette):
            return NotImplemented
        return all(getattr(self, field) == getattr(other, field) for field in type(self).model_fields)

    @classmethod
    def names(cls) -> list[str]:
        """The names that `load` knows, sorted."""
        return list(PALETTES)

    @classmethod
    def load(cls, name_or_path: str | os.PathLike[str]) -> Self:
        """A shipped palette by its name, or any palette from a .json file.

        Raises ValueError for an unknown name (with near misses) and for a file that is no palette.
        """
        if str(name_or_path) in PALETTES:
            return cls._parse(PALETTES[str(name_or_path)])
        if isinstance(name_or_path, str) and not name_or_path.endswith(".json"):
            near, known = near_misses(name_or_path, PALETTES), ", ".join(PALETTES)
            raise Fault(
                f"no palette {name_or_path!r}",
                f"{near} Shipped: {known}; or give a .json file.".strip(),
            )
        return cls._parse(Path(name_or_path))

    @classmethod
    def _parse(cls, path: Path) -> Self:
        try:
            return cls.model_validate_json(text_of(read_bytes(path)))
        except ValidationError as error:
            first = Misfit.first_of(error)
            raise Fault(f"{path} is not a palette: at {first.where or 'palette'}", first.said) from error

    @property
    def label_nc(self) -> int:
        """Number of label channels without the unknown one: the largest class id + 1."""
        return max(c.id for c in self.classes) + 1

    @cached_property
    def _named(self) -> dict[str, Category]:
        # Later entries win: a name beats an alias, and of equal ones the first class keeps it.
        aliases = {alias.lower(): c for c in reversed(self.classes) for alias in c.aliases}
        return aliases | {c.name.lower(): c for c in reversed(self.classes)}

    @cached_property
    def _by_id(self) -> dict[int, Category]:
        return {c.id: c for c in self.classes}

    def by_name(self, name: str) -> Category:
        """The class of that name or alias, in any case. Raises ValueError with near misses."""
        found = self._named.get(name.strip().lower())
        if found is None:
            near = near_misses(name.strip().lower(), self._named)
            known = ", ".join(c.name for c in self.classes)
            raise Fault(f"no class {name!r} in palette {self.name}", f"{near} Its classes: {known}.".strip())
        return found

    def id_of(self, name: str) -> int:
        """The id of a class by its name or alias; "unknown" is the unknown id, if there is one."""
        if self.unknown is not None and name.strip().lower() == UNKNOWN_NAME:
            return self.unknown
        return self.by_name(name).id

    def name_of(self, id: int) -> str:
        """The name of a class id, or "unknown" for the unknown id. Raises ValueError for any other."""
        if id == self.unknown:
            return UNKNOWN_NAME
        if id not in self._by_id:
            raise Fault(f"id {id} is not in palette {self.name}", f"allowed are {self.describe_ids()}")
        return self._by_id[id].name

    def ids(self) -> NDArray[np.uint8]:
        """Every legal id in rising order, the unknown one included: (N,) uint8."""
        unknown = [] if self.unknown is None else [self.unknown]
        return np.array(sorted([*self._by_id, *unknown]), np.uint8)

    def of_id(self, id: int) -> Category:
        """The class of an id. Raises ValueError for ids that are no class, the unknown one among them."""
        if id not in self._by_id:
            raise Fault(f"id {id} is no class of palette {self.name}", f"its ids are {self.describe_ids()}")
        return self._by_id[id]

    def describe_ids(self) -> str:
        """The legal ids for people, such as "0..14 and 255 (unknown)"."""
        ids = np.array(sorted(self._by_id))
        runs = np.split(ids, np.flatnonzero(np.diff(ids) > 1) + 1)
        text = ", ".join(f"{run[0]}..{run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs)
        return text if self.unknown is None else f"{text} and {self.unknown} ({UNKNOWN_NAME})"

    @cached_property
    def _table(self) -> NDArray[np.uint8]:
        chosen = {c.id: c.color for c in self.classes if c.color}
        taken = set(chosen.values())
        order = range(256) if self.unknown is None else [self.unknown, *range(256)]
        for id in order:
            if id not in chosen:
                wish = (self.unknown_color or UNKNOWN_COLOR) if id == self.unknown else None
                chosen[id] = _free_color(id, wish, taken)
                taken.add(chosen[id])
        return np.array([list(bytes.fromhex(chosen[id][1:])) for id in range(256)], np.uint8)

    def colors(self) -> NDArray[np.uint8]:
        """The colour of every id 0..255, no two alike but for classes that were given one: (256, 3) uint8.

        Ids without a colour of their own get one that depends on the id (and on what is taken) only;
        the unknown id gets its own, or UNKNOWN_COLOR.
        """
        return self._table.copy()

    def colorize(self, ids: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Paint ids in their colours: (H, W) uint8 -> (H, W, 3) uint8."""
        if ids.dtype != np.uint8:
            raise Fault(f"ids are {ids.dtype}, expected uint8", "pass ids.astype(np.uint8)")
        return self._table[ids]


def near_misses(word: str, choices: Iterable[str]) -> str:
    """' Did you mean 'sky' or 'sea'?' for the choices that resemble `word`, '' if none does."""
    close = difflib.get_close_matches(word, list(choices), n=3)
    return f" Did you mean {' or '.join(repr(choice) for choice in close)}?" if close else ""


def _demand_unique_ids(ids: Sequence[int]) -> None:
    for position, id in enumerate(ids):
        if id in ids[:position]:
            raise Fault(f"id {id} is given to two classes", "every id must be unique")


def _free_color(id: int, wish: str | None, taken: set[str]) -> str:
    """The wish, or a colour of the id's own, or the next one nobody has."""
    color = wish or _spread_color(id)
    while color in taken:
        color = f"#{(int(color[1:], 16) + 1) % (1 << 24):06x}"
    return color


def _spread_color(id: int) -> str:
    """Hues a golden ratio apart, in three shades of brightness and two of saturation."""
    hue, shade, tint = id * 0.618033988749895 % 1, id % 3, id % 2
    red, green, blue = colorsys.hsv_to_rgb(hue, 0.85 - 0.35 * tint, 0.95 - 0.2 * shade)
    return f"#{round(red * 255):02x}{round(green * 255):02x}{round(blue * 255):02x}"

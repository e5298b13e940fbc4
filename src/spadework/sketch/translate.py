"""From one palette to another by the classes' names: river to water, house to building, hill to mountain."""

import json
import re
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from spadework.files import Fault, some
from spadework.sketch.labelmap import LabelMap
from spadework.sketch.palette import Palette

TABLE = Path(__file__).parent / "names.json"
"""The shipped table of names; its own words say how it is read."""

ENDINGS = re.compile(r"(-(other|stuff|merged))+$")
SHOWN = 12
"""So many classes a sentence names."""

FURTHEST = 2
"""So many steps of the table may lie between two names; longer ways end in things of another kind."""


@dataclass(frozen=True)
class Translation:
    """`pairs`: each id of the source with the id of the target that stands for it, or None."""

    source: Palette
    target: Palette
    pairs: dict[int, int | None]

    @classmethod
    def between(cls, source: Palette, target: Palette) -> "Translation":
        """By equal name or alias first, then by the shipped table. Unknown goes to unknown."""
        pairs: dict[int, int | None] = {c.id: partner(c.name, c.aliases, target) for c in source.classes}
        if source.unknown is not None:
            pairs[source.unknown] = target.unknown
        return cls(source, target, pairs)

    def __call__(self, sketch: LabelMap) -> LabelMap:
        """The map in the target's ids; what is lost becomes unknown.

        Raises ValueError when nothing of the map has a partner, or something is lost and the target has no
        unknown class.
        """
        present = [int(id) for id in np.unique(sketch.ids)]
        lost = [self.source.name_of(id) for id in present if self.pairs[id] is None]
        if len(lost) == len(present) or (lost and self.target.unknown is None):
            unknown = "" if self.target.unknown is not None else " and no unknown class"
            raise Fault(
                f"{', '.join(lost)} of palette {self.source.name}: palette {self.target.name} has nothing "
                f"like it{unknown}",
                "repaint with its classes",
            )
        table = np.zeros(256, np.uint8)
        for id in present:
            partner = self.pairs[id]
            table[id] = (self.target.unknown or 0) if partner is None else partner
        return LabelMap(table[sketch.ids], self.target, sketch.instances)

    def report(self, sketch: LabelMap) -> list[str]:
        """Sentences on a map of the source: what stands for what, and what is lost."""
        shares = {int(id): float((sketch.ids == id).mean()) for id in np.unique(sketch.ids)}
        moved, lost = [], []
        for id, share in sorted(shares.items(), key=lambda item: -item[1]):
            name, partner = self.source.name_of(id), self.pairs[id]
            if partner is None:
                lost.append(f"{name} ({share:.1%})")
            elif self.target.name_of(partner) != name:
                moved.append(f"{name} -> {self.target.name_of(partner)}")
        return [
            *([f"painted as: {some(moved, SHOWN)}"] if moved else []),
            *([f"lost (unknown): {some(lost, SHOWN)}"] if lost else []),
        ]


def synonyms_of(name: str) -> tuple[str, ...]:
    """Other words that people use for a class of that name."""
    return tuple(_shipped()["synonyms"].get(_plain(name), ()))


def partner(name: str, aliases: Sequence[str], target: Palette) -> int | None:
    """The id in the target of the class of that name, or else of the nearest name; None without one."""
    known = {_plain(a): c.id for c in reversed(target.classes) for a in c.aliases}
    known |= {_plain(c.name): c.id for c in reversed(target.classes)}
    known |= {c.name.lower(): c.id for c in reversed(target.classes)}
    own = [name.strip().lower(), _plain(name), *map(_plain, aliases)]
    return next((known[word] for word in [*own, *_related(own[1])] if word in known), None)


def _plain(name: str) -> str:
    return ENDINGS.sub("", name.strip().lower())


def _related(name: str) -> Iterator[str]:
    """Names that may stand for this one, the nearest first."""
    seen, queue = {name}, deque([(name, 0)])
    while queue:
        word, steps = queue.popleft()
        if steps < FURTHEST:
            for general in _table().get(word, ()):
                if general not in seen:
                    seen.add(general)
                    queue.append((general, steps + 1))
                    yield general


@cache
def _shipped() -> dict[str, dict[str, list[str]]]:
    return json.loads(TABLE.read_text())


@cache
def _table() -> dict[str, list[str]]:
    """Name -> those that may stand for it, in the table's order."""
    table: dict[str, list[str]] = {}
    for general, names in _shipped()["stands_for"].items():
        for name in names:
            table.setdefault(_plain(name), []).append(_plain(general))
    return table

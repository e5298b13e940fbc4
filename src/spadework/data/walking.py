"""Files below a folder, through links and without circles, and what was passed over on the way."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath, PurePosixPath
from typing import TypeVar

from spadework.files import some

SHOWN = 5
JOINTS = "._- "
"""What follows the common part where a partner's name goes on: a.jpg.png, a_mask.png, a-labels.png."""

File = TypeVar("File")


@dataclass
class Aside:
    """What a listing passes over, to be said aloud. `unread`: files of types that are not read, by key."""

    unread: dict[str, str] = field(default_factory=dict)
    types: Counter[str] = field(default_factory=Counter)
    lines: list[str] = field(default_factory=list)

    def of_type(self, key: str, name: str) -> None:
        """A file whose type is not read."""
        self.unread[key] = name
        self.types[PurePath(name).suffix or "without ending"] += 1

    def report(self) -> list[str]:
        """Sentences; none where nothing was passed over."""
        counts = ", ".join(f"{count:,} {suffix}" for suffix, count in self.types.most_common(SHOWN))
        cut = [f"and {len(self.lines) - SHOWN} more"] if len(self.lines) > SHOWN else []
        return [*([f"passed over, as of other types: {counts}"] if counts else []), *self.lines[:SHOWN], *cut]


def walk(folder: Path, aside: Aside, above: tuple[Path, ...] = ()) -> Iterator[Path]:
    """Files below a folder, sorted; none where there is no folder. Hidden ones are left out.

    Links to folders are followed, as the published code does, but not in circles.
    """
    real = folder.resolve()
    if real in above:
        aside.lines.append(f"passed over: the link {folder} leads back to {real}")
        return
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.name.startswith("."):
            continue
        if path.is_dir():
            yield from walk(path, aside, (*above, real))
        elif path.is_file():
            yield path
        else:
            aside.lines.append(f"passed over: the link {path} leads nowhere")


def key_of(path: PurePath | str) -> str:
    """What partners share: the path below their folder, without its ending, its letters composed (NFC)."""
    return unicodedata.normalize("NFC", PurePosixPath(path).with_suffix("").as_posix())


def by_key(kind: str, files: Iterable[tuple[str, File]], name: Callable[[File], object]) -> dict[str, File]:
    """Files by their keys. Raises ValueError where two share one."""
    table: dict[str, File] = {}
    twice: list[str] = []
    for key, file in files:
        if key in table:
            twice.append(f"{name(table[key])} and {name(file)}")
        table[key] = file
    if twice:
        raise ValueError(
            f"{len(twice)} {kind}s share their stem with another: {some(twice, SHOWN, '; ')}: rename or "
            "remove one of each"
        )
    return table


def lonely(
    kind: str, lack: str, alone: Sequence[str], others: Iterable[str], aside: Aside, types: str
) -> str:
    """The words for keys of a `kind` that `lack` a partner, with the files that may be meant.

    `others`: the keys of the other kind; `types`: what is read of it.
    """
    hints = _hints(alone, sorted(others), aside.unread, lack, types)
    said = "".join(f" ({hint})" for hint in hints[:SHOWN])
    return f"{len(alone)} {kind}s have no {lack}: {some(sorted(alone), SHOWN)}{said}"


def _hints(
    alone: Iterable[str], others: Sequence[str], unread: Mapping[str, str], lack: str, types: str
) -> list[str]:
    hints = []
    for key in sorted(alone):
        if found := next((name for other, name in unread.items() if _akin(key, other)), None):
            hints.append(f"{found} is of a type that is not read: make it {types}")
        elif found := next((other for other in others if other != key and _akin(key, other)), None):
            hints.append(f"is {found} its {lack}? then give both one name")
    return hints


def _akin(key: str, other: str) -> bool:
    """Whether one name is the other, or begins with all of it."""
    short, long = sorted((key, other), key=len)
    return short == long or (long.startswith(short) and long[len(short)] in JOINTS)

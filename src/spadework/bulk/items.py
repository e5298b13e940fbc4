"""Label maps in folders and tars, each with a name that its pictures get."""

import os
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from spadework.files import Fault, read_bytes

ENDING = ".png"


@dataclass(frozen=True)
class Item:
    """A map: `name` without ending, with / between folders; its file, or `offset` and `size` in a tar."""

    name: str
    file: str
    offset: int | None = None
    size: int = 0

    def read(self) -> bytes:
        """Its bytes. Raises ValueError if they cannot be read."""
        if self.offset is None:
            return read_bytes(self.file)
        with open(self.file, "rb") as tar:
            tar.seek(self.offset)
            return tar.read(self.size)


def items_in(sources: Sequence[str | os.PathLike[str]]) -> list[Item]:
    """Every PNG in folders, with those below them, in uncompressed tars (as of WebDataset), or alone.

    By name. Raises ValueError for a source without any, and where two would have one name.
    """
    items: dict[str, Item] = {}
    for source in map(Path, sources):
        found = _of(source)
        if not found:
            raise Fault(f"{source} has no PNG", "give label maps, folders or tars of them")
        for item in found:
            if item.name in items:
                both = f"{items[item.name].file} and {item.file}"
                raise Fault(f"two maps are called {item.name} ({both})", "rename one, or paint them apart")
            items[item.name] = item
    return [items[name] for name in sorted(items)]


def _of(source: Path) -> list[Item]:
    if source.is_dir():
        files = [file for file in source.rglob("*") if file.suffix.lower() == ENDING and file.is_file()]
        return [Item(file.relative_to(source).with_suffix("").as_posix(), str(file)) for file in files]
    if source.suffix.lower() == ".tar":
        return _in_tar(source)
    return [Item(source.stem, str(source))] if source.suffix.lower() == ENDING else []


def _in_tar(source: Path) -> list[Item]:
    try:
        with tarfile.open(source, "r:") as tar:
            members = [member for member in tar if member.isfile()]
    except (OSError, tarfile.TarError) as error:
        raise Fault(f"{source} is no uncompressed tar ({error})", "write it without compression") from error
    pngs = [member for member in members if member.name.lower().endswith(ENDING)]
    return [Item(_safe(member.name, source), str(source), member.offset_data, member.size) for member in pngs]


def _safe(name: str, source: Path) -> str:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise Fault(f"{source} has a member {name} that would be painted outside the folder", "rename it")
    return path.with_suffix("").as_posix()

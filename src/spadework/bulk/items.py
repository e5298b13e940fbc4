"""Label maps, each with a name that its pictures get."""

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from spadework.files import Fault, read_bytes

ENDING = ".png"


@dataclass(frozen=True)
class Item:
    """A map: `name` without ending, with / between folders, and the file that it is, or is in."""

    name: str
    file: str

    def read(self) -> bytes:
        """The map as a PNG. Raises ValueError or OSError if it cannot be read."""
        return read_bytes(self.file)


@dataclass(frozen=True)
class TarItem(Item):
    """A map of `size` bytes at `offset` of a tar."""

    offset: int
    size: int

    def read(self) -> bytes:
        with open(self.file, "rb") as tar:
            tar.seek(self.offset)
            return tar.read(self.size)


def safe_name(name: str, source: Path) -> str:
    """A name that stays below the folder in which its picture will lie. Raises ValueError for others."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.name:
        raise Fault(f"{source} has a map {name} that would be painted outside the folder", "rename it")
    return path.as_posix()


def tar_items(source: Path, ending: str) -> Iterator[Item]:
    """The maps of an uncompressed tar: its members with an ending, which begins with a dot.

    Raises ValueError for another file, and for names that lead outside.
    """
    try:
        with tarfile.open(source, "r:") as tar:
            members = [member for member in tar if member.isfile()]
    except (OSError, tarfile.TarError) as error:
        raise Fault(f"{source} is no uncompressed tar ({error})", "write it without compression") from error
    for member in members:
        if member.name.lower().endswith(ending):
            name = safe_name(member.name[: -len(ending)], source)
            yield TarItem(name, str(source), member.offset_data, member.size)

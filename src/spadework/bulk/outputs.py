"""Where the pictures of a batch go: a folder, tars, or Parquet files; each can be gone on with after a kill.

A row of the manifest is written when its picture is on the disk, and what is on the disk without a row is
taken away before a batch goes on: so every picture is there once, whatever ended the process.
"""

import io
import os
import re
import sys
import tarfile
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count, takewhile
from pathlib import Path
from typing import ClassVar, Literal

from spadework.bulk.manifest import LINES, Row
from spadework.bulk.parquet import arrow, write_part
from spadework.bulk.tasks import Painting
from spadework.files import Fault, atomic_write

LABELS = ".labels.png"
"""The ending of a map beside its picture in a tar."""

FILES = (".png", ".jpg", ".jpeg", ".webp", ".zip", ".tgz", ".gz", ".zst")
"""Endings that nobody gives to a folder."""

MOST_BYTES = 64 * 2**20
"""Pictures wait in memory for a part of Parquet until they have so many."""

END_OF_TAR = bytes(1024)
PART = "part-%05d.parquet"
WRITERS = 8
"""Pictures that are forced to the disk at a time."""


class Output(ABC):
    """A place for pictures. `place`: the folder, or the only file; `manifest`: the file of its manifest."""

    kind: ClassVar[Literal["folder", "tar", "parquet"]]
    dots: ClassVar[bool] = True  # whether names of pictures may have more of them than that before png

    def __init__(self, place: Path, manifest: Path) -> None:
        self.place, self.manifest = place, manifest

    @abstractmethod
    def standing(self, rows: Sequence[Row]) -> Sequence[Row]:
        """Of rows that a manifest tells of those whose pictures are there; makes ready for more."""

    @abstractmethod
    def put(self, paintings: Sequence[Painting]) -> Sequence[Row]:
        """Takes paintings. Returns the rows of those, or of earlier ones, that are on the disk now."""

    def close(self) -> Sequence[Row]:
        """The rows of those that were not yet, and now are."""
        return ()


class FolderOutput(Output):
    """Pictures as files."""

    kind = "folder"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, folder / LINES)

    def standing(self, rows: Sequence[Row]) -> Sequence[Row]:
        return [row for row in rows if row.picture and (self.place / row.picture).is_file()]

    def put(self, paintings: Sequence[Painting]) -> Sequence[Row]:
        with ThreadPoolExecutor(WRITERS) as writers:
            list(writers.map(self._write, paintings))
        return [painting.row for painting in paintings]

    def _write(self, painting: Painting) -> None:
        if painting.row.picture:
            target = self.place / painting.row.picture
            target.parent.mkdir(parents=True, exist_ok=True)
            atomic_write(target, painting.png)


class ShardedOutput(Output):
    """Files one after another, `most` pictures in each; `pattern` % number is the name of one."""

    def __init__(self, place: Path, manifest: Path, folder: Path, pattern: str, most: int) -> None:
        super().__init__(place, manifest)
        self.folder, self.most = folder, most
        self._pattern = pattern
        self._told: set[str] = set()

    def fresh(self) -> Iterator[Path]:
        """Files that no row tells of, in the order in which they are filled."""
        names = (self._pattern % n for n in count()) if "%" in self._pattern else iter([self._pattern])
        return (self.folder / name for name in names if name not in self._told)

    def begin(self) -> str:
        """The name of the next file, of which rows will tell."""
        name = next(self.fresh()).name
        self._told.add(name)
        return name

    def standing(self, rows: Sequence[Row]) -> Sequence[Row]:
        first = next(self.fresh())
        if not self.manifest.exists() and first.exists():
            raise Fault(f"{first} is there already, of no batch", "choose another -o")
        there = [row for row in rows if row.shard and self.holds(self.folder / row.shard, row)]
        self._told = {row.shard for row in there if row.shard}
        for untold in takewhile(Path.exists, self.fresh()):
            untold.unlink()
        self.go_on(there)
        return there

    @abstractmethod
    def holds(self, file: Path, row: Row) -> bool:
        """Whether a file holds the picture of a row."""

    def go_on(self, there: Sequence[Row]) -> None:
        """Makes ready to write behind the pictures of rows."""


class TarOutput(ShardedOutput):
    """Samples as of WebDataset: KEY.png the picture, KEY.labels.png its map, KEY.json its row."""

    kind = "tar"
    dots = False

    def __init__(self, path: Path, most: int) -> None:
        """`path`: one tar, or a pattern such as %05d.tar of many."""
        many = "%" in path.name
        if many and not re.fullmatch(r"[^%]*%0?\d*d[^%]*", path.name):
            raise Fault(f"-o {path} names no tars", f"give {path.parent / '%05d.tar'}")
        beside = path.parent / LINES if many else path.with_suffix(f".{LINES}")
        place = path.parent if many else path
        super().__init__(place, beside, path.parent, path.name, most if many else sys.maxsize)
        self._shard, self._count, self._end = "", most, 0

    def holds(self, file: Path, row: Row) -> bool:
        return row.end is not None and file.is_file() and file.stat().st_size >= row.end

    def go_on(self, there: Sequence[Row]) -> None:
        for shard, end in {row.shard: row.end for row in there}.items():
            self._write(self.folder / str(shard), end or 0, b"")
        if there:
            last = there[-1]
            self._shard, self._end = str(last.shard), last.end or 0
            self._count = sum(row.shard == last.shard for row in there)

    def put(self, paintings: Sequence[Painting]) -> Sequence[Row]:
        rows: list[Row] = [painting.row for painting in paintings if not painting.row.picture]
        waiting = [painting for painting in paintings if painting.row.picture]
        while waiting:
            if self._count >= self.most or not self._shard:
                self._shard, self._count, self._end = self.begin(), 0, 0
            room = self.most - self._count
            rows += self._append(waiting[:room])
            waiting = waiting[room:]
        return rows

    def _append(self, paintings: Sequence[Painting]) -> list[Row]:
        data, rows = io.BytesIO(), list[Row]()
        for painting in paintings:
            row = painting.row.model_copy(update={"shard": self._shard})
            for name, content in _sample(painting, row):
                data.write(_member(name, content))
            rows.append(row.model_copy(update={"end": self._end + data.tell()}))
        self._write(self.folder / self._shard, self._end, data.getvalue())
        self._end, self._count = self._end + data.tell(), self._count + len(rows)
        return rows

    @staticmethod
    def _write(tar: Path, end: int, data: bytes) -> None:
        """Puts data behind what ends at a byte, and what a tar ends with behind that."""
        with open(tar, "r+b" if end else "wb") as file:
            file.seek(end)
            file.write(data + END_OF_TAR)
            file.truncate()
            file.flush()
            os.fsync(file.fileno())


def _sample(painting: Painting, row: Row) -> list[tuple[str, bytes]]:
    key = str(row.picture).removesuffix(".png")
    told = row.model_dump_json(exclude_none=True).encode()
    return [(f"{key}.png", painting.png), (f"{key}{LABELS}", painting.labels), (f"{key}.json", told)]


def _member(name: str, content: bytes) -> bytes:
    """A file as it lies in a tar."""
    told = tarfile.TarInfo(name)
    told.size = len(content)
    return told.tobuf(tarfile.PAX_FORMAT) + content + bytes(-len(content) % tarfile.BLOCKSIZE)


class ParquetOutput(ShardedOutput):
    """A folder of parts: columns key, item, seed, labels (the map as it came) and picture (a PNG).

    Pictures wait for a part in memory; those of a part that a kill prevents are painted again.
    """

    kind = "parquet"

    def __init__(self, folder: Path, most: int) -> None:
        arrow()
        if folder.is_file():
            raise Fault(f"{folder} is a file, and pictures go into a folder of parts", "choose another -o")
        super().__init__(folder, folder.with_suffix(f".{LINES}"), folder, PART, most)
        self._waiting: list[Painting] = []
        self._bytes = 0

    def holds(self, file: Path, row: Row) -> bool:
        return file.is_file()

    def put(self, paintings: Sequence[Painting]) -> Sequence[Row]:
        rows: list[Row] = []
        for painting in paintings:
            if not painting.row.picture:
                rows.append(painting.row)
                continue
            self._waiting.append(painting)
            self._bytes += len(painting.png)
            if len(self._waiting) == self.most or self._bytes >= MOST_BYTES:
                rows += self.close()
        return rows

    def close(self) -> Sequence[Row]:
        if not self._waiting:
            return ()
        self.folder.mkdir(parents=True, exist_ok=True)
        rows, shard = [painting.row for painting in self._waiting], self.begin()
        columns = {
            "key": [str(row.picture).removesuffix(".png") for row in rows],
            "item": [row.item for row in rows],
            "seed": [row.seed for row in rows],
            "labels": [painting.labels for painting in self._waiting],
            "picture": [painting.png for painting in self._waiting],
        }
        write_part(self.folder / shard, columns)
        self._waiting, self._bytes = [], 0
        return [row.model_copy(update={"shard": shard}) for row in rows]


def output_of(path: Path, most: int) -> Output:
    """By the ending of a path: .tar, .parquet, or a folder. `most`: pictures in a tar or part."""
    kind = path.suffix.lower()
    if kind in FILES:
        raise Fault(f"-o {path} names a {kind} file", "give a folder, NAME.tar, DIR/%05d.tar or NAME.parquet")
    if kind == ".tar":
        return TarOutput(path, most)
    return ParquetOutput(path, most) if kind == ".parquet" else FolderOutput(path)

"""Maps in Parquet files, and pictures and manifests as Parquet; the only file here that knows pyarrow.

A part is a row group after another of ROWS rows, so that a reader of one row does not decode them all.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spadework.bulk.items import ENDING, Item, safe_name
from spadework.files import Fault, replacing

if TYPE_CHECKING:
    import pyarrow as pa

ROWS = 64
"""Rows that are decoded, and written, at a time."""

KEYS = ("key", "__key__")
"""What the column of names may be called where there is more than one of text."""


def arrow() -> Any:
    """pyarrow, with its Parquet. Raises ValueError where it is not installed."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise Fault("pyarrow is not installed", "pip install 'spadework[parquet]'") from error
    return pyarrow


def has_arrow() -> bool:
    """Whether pyarrow is installed."""
    from importlib.util import find_spec

    return find_spec("pyarrow") is not None


@dataclass(frozen=True)
class ParquetItem(Item):
    """A map in a row of a Parquet file, counted from the file's first."""

    column: str
    row: int

    def read(self) -> bytes:
        data = _reader(self.file, self.column).at(self.row)
        if not data:
            raise Fault(f"{self.file} has no bytes for {self.name}", "fill the row, or leave it out")
        return data


def parquet_items(source: Path, field: str | None) -> Iterator[Item]:
    """The maps of a file, or of the files of a folder. `field`: their column, default the only one of bytes.

    Names are in the column `key`, or the only one of text. Raises ValueError where columns are missing.
    """
    for file in sorted(source.rglob("*.parquet")) if source.is_dir() else [source]:
        opened = _opened(file)
        column, key = _columns(file, opened.schema_arrow, field)
        names = opened.read(columns=[key]).column(0).to_pylist()
        for row, name in enumerate(map(str, names)):
            stem = name[: -len(ENDING)] if name.lower().endswith(ENDING) else name
            yield ParquetItem(safe_name(stem, file), str(file), column, row)


def write_part(path: Path, columns: Mapping[str, Sequence[Any]]) -> None:
    """Columns of equal length as a Parquet file, whole or not at all."""
    with replacing(path) as hidden:
        # PNGs do not become smaller
        table = arrow().table(dict(columns))
        arrow().parquet.write_table(table, hidden, row_group_size=ROWS, compression="none")


def write_table(path: Path, rows: Sequence[Mapping[str, Any]], schema: "pa.Schema") -> None:
    """Rows of a manifest, whole or not at all."""
    with replacing(path) as hidden:
        arrow().parquet.write_table(arrow().Table.from_pylist(list(rows), schema), hidden)


def _opened(file: Path) -> Any:
    table = arrow()
    try:
        return table.parquet.ParquetFile(file)
    except (OSError, table.ArrowException) as error:
        raise Fault(f"{file} is no Parquet file", "write it again") from error


def _columns(file: Path, schema: "pa.Schema", field: str | None) -> tuple[str, str]:
    """The columns of maps and of names."""
    types = arrow().types
    binary = (types.is_binary, types.is_large_binary)
    text = (types.is_string, types.is_large_string, types.is_integer)
    maps = [name for name, of in _flat(schema) if any(is_one(of) for is_one in binary)]
    column = field if field in maps else _only(file, "of bytes", maps, field)
    keys = [name for name, of in _flat(schema) if any(is_one(of) for is_one in text)]
    named = [key for key in KEYS if key in keys]
    return column, named[0] if named else _only(file, "of text", keys, "key")


def _flat(schema: "pa.Schema") -> Iterator[tuple[str, "pa.DataType"]]:
    """Columns, and `image.bytes` of those that are pairs of bytes and a path, as of Hugging Face datasets."""
    for one in schema:
        if arrow().types.is_struct(one.type):
            yield from ((f"{one.name}.{part.name}", part.type) for part in one.type)
        else:
            yield one.name, one.type


def _only(file: Path, kind: str, found: Sequence[str], wanted: str | None) -> str:
    if len(found) == 1 and (wanted is None or kind == "of text"):
        return found[0]
    there = f"columns {', '.join(found)} {kind}" if found else f"no column {kind}"
    asked = f", not {wanted}" if wanted and kind == "of bytes" else ""
    advice = "call that of the names key" if kind == "of text" else "give --field COLUMN"
    raise Fault(f"{file} has {there}{asked}", advice)


class _Reader:
    """A column of a file from the first row on; who asks for rows in their order reads the file once."""

    def __init__(self, file: str, column: str) -> None:
        self._open: Callable[[], Iterator[Any]] = lambda: _opened(Path(file)).iter_batches(
            batch_size=ROWS, columns=[column]
        )
        self._path = column.split(".")
        self._restart()

    def _restart(self) -> None:
        self._batches, self._first, self._values = self._open(), 0, []

    def at(self, row: int) -> bytes | None:
        """Of a row that the file has."""
        if row < self._first:
            self._restart()
        while row >= self._first + len(self._values):
            self._first += len(self._values)
            values = next(self._batches).column(0)
            for part in self._path[1:]:
                values = values.field(part)
            self._values = values
        return self._values[row - self._first].as_py()


@lru_cache(maxsize=2)
def _reader(file: str, column: str) -> _Reader:
    return _Reader(file, column)

"""What a batch has done: a line of JSON for every picture, behind one for its settings."""

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from spadework.bulk import parquet
from spadework.files import Fault, atomic_write, read_bytes

LINES, TABLE = "manifest.jsonl", "manifest.parquet"
"""What a manifest is called, or ends in, as lines of JSON and as a table."""


class Settings(BaseModel):
    """What decides the pictures of a batch. `model`, `scores`: SHA-256 of their files. `size`: (H, W)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["settings"] = "settings"
    output: Literal["folder", "tar", "parquet"] = "folder"
    model: str
    enlarger: str | None
    precision: str
    seed: int
    seeds: int
    size: tuple[int, int] | None
    scores: str | None = None


class Row(BaseModel):
    """A picture, or why there is none.

    `picture`: its name below the output, or in the `shard`, of which its sample ends at byte `end`, if that
    is a tar. `ms`: of painting, its share of those that went together. `obedience`: the share of the sketch
    that the segmenter reads in the picture; `realism`: see `Segmenter.realism`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    item: str
    seed: int
    picture: str | None = None
    shard: str | None = None
    end: int | None = None
    style: str | None = None
    ms: float | None = None
    obedience: float | None = None
    realism: float | None = None
    report: tuple[str, ...] = ()
    error: str | None = None


class Manifest:
    """The manifest in a file, to be added to. What a killed process left half-written is dropped."""

    def __init__(
        self, path: Path, settings: Settings, standing: Callable[[Sequence[Row]], Sequence[Row]]
    ) -> None:
        """`standing`: of rows of pictures those whose pictures are still there.

        Raises ValueError for a batch of other settings, or a file that is no manifest.
        """
        self.path, self._settings = path, settings
        rows = _read(path, settings) if path.exists() else []
        done = {(row.item, row.seed): row for row in standing([row for row in rows if row.picture])}
        self.done = set(done)
        lines = [settings.model_dump_json(), *(_line(row) for row in done.values())]
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(path, "".join(f"{line}\n" for line in lines).encode())
        self.table.unlink(missing_ok=True)
        self._file = open(path, "ab")  # noqa: SIM115 - it closes with the manifest

    @property
    def table(self) -> Path:
        """Where `write_table` writes."""
        return self.path.with_suffix(".parquet")

    def add(self, rows: Iterable[Row]) -> None:
        """On the disk when this returns."""
        self._file.write("".join(f"{_line(row)}\n" for row in rows).encode())
        self._file.flush()
        os.fsync(self._file.fileno())

    def write_table(self) -> bool:
        """All of it as Parquet, by item and seed, with the model's hash; False where pyarrow is missing."""
        if not parquet.has_arrow():
            return False
        last = {(row.item, row.seed): row for row in _read(self.path, self._settings)}
        rows = [{**last[key].model_dump(), "model": self._settings.model} for key in sorted(last)]
        parquet.write_table(self.table, rows, _schema(self._settings))
        return True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


def _schema(settings: Settings) -> Any:
    pa = parquet.arrow()
    numbers = {"seed": pa.int64(), "end": pa.int64(), "ms": pa.float64()}
    numbers |= {"obedience": pa.float64(), "realism": pa.float64(), "report": pa.list_(pa.string())}
    columns = [(name, numbers.get(name, pa.string())) for name in (*Row.model_fields, "model")]
    return pa.schema(columns, metadata={"settings": settings.model_dump_json()})


def _line(row: Row) -> str:
    return row.model_dump_json(exclude_none=True)


def _read(path: Path, settings: Settings) -> list[Row]:
    first, *lines = read_bytes(path).split(b"\n")
    try:
        before = Settings.model_validate_json(first)
    except ValidationError as error:
        raise Fault(f"{path} is no manifest of a batch", "choose another -o") from error
    if before != settings:
        raise Fault(
            f"{path} is of a batch with other settings ({_difference(before, settings)})", "choose another -o"
        )
    return [row for line in lines if (row := _row(line)) is not None]


def _row(line: bytes) -> Row | None:
    """None for a line that was not finished."""
    try:
        return Row.model_validate_json(line)
    except ValidationError:
        return None


def _difference(before: Settings, now: Settings) -> str:
    old: Mapping[str, Any] = before.model_dump()
    new = now.model_dump()
    return ", ".join(f"{key} was {json.dumps(old[key])}" for key in old if old[key] != new[key])

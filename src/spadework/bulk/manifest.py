"""What a batch has done: a line of JSON for every picture, behind one for its settings."""

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from spadework.files import Fault, atomic_write, read_bytes

NAME = "manifest.jsonl"


class Settings(BaseModel):
    """What decides the pictures of a batch. `model`: SHA-256 of the model's file. `size`: (H, W)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["settings"] = "settings"
    model: str
    enlarger: str | None
    precision: str
    seed: int
    seeds: int
    size: tuple[int, int] | None


class Row(BaseModel):
    """A picture, or why there is none. `ms`: of painting, its share of those that went together."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    item: str
    seed: int
    picture: str | None = None
    style: str | None = None
    ms: float | None = None
    report: tuple[str, ...] = ()
    error: str | None = None


class Manifest:
    """The manifest in a folder, to be added to. What a killed process left half-written is dropped."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        """Raises ValueError for a folder with a batch of other settings, or a file that is no manifest."""
        self._folder, path = folder, folder / NAME
        rows = _read(path, settings) if path.exists() else []
        done = {(row.item, row.seed): row for row in rows if row.picture and (folder / row.picture).is_file()}
        self.done = set(done)
        lines = [settings.model_dump_json(), *(row.model_dump_json() for row in done.values())]
        folder.mkdir(parents=True, exist_ok=True)
        atomic_write(path, "".join(f"{line}\n" for line in lines).encode())
        self._file = open(path, "ab")  # noqa: SIM115 - it closes with the manifest

    def add(self, rows: Iterable[Row]) -> None:
        """On the disk when this returns."""
        self._file.write("".join(f"{row.model_dump_json(exclude_none=True)}\n" for row in rows).encode())
        self._file.flush()
        os.fsync(self._file.fileno())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


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

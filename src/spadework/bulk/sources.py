"""Where maps come from: files, folders, tars and Parquet files."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from spadework.bulk.items import ENDING, Item, tar_items
from spadework.bulk.manifest import TABLE
from spadework.bulk.parquet import parquet_items
from spadework.files import Fault

SHARDS = (".tar", ".parquet")
"""Files that hold many maps."""


def items_in(sources: Sequence[str | os.PathLike[str]], field: str | None = None) -> list[Item]:
    """Every map of the sources, in their order: PNGs, folders, uncompressed tars, Parquet files.

    A folder's are its PNGs with those below, by name, or where it has none those of the tars and Parquet
    files in it. `field`: what holds the maps, an ending of the members of tars or a column of Parquet files.
    Raises ValueError for a source without maps, and where two would have one name.
    """
    items: dict[str, Item] = {}
    for source in map(Path, sources):
        found = list(_of(source, field))
        if not found:
            raise Fault(f"{source} has no PNG", "give label maps, folders, tars or Parquet files of them")
        for item in found:
            if item.name in items:
                both = f"{items[item.name].file} and {item.file}"
                raise Fault(f"two maps are called {item.name} ({both})", "rename one, or paint them apart")
            items[item.name] = item
    return list(items.values())


def _of(source: Path, field: str | None) -> Iterator[Item]:
    kind = source.suffix.lower()
    if kind == ".parquet":
        yield from parquet_items(source, field)
    elif source.is_dir():
        files = sorted(file for file in source.rglob("*") if file.is_file())
        pngs = [file for file in files if file.suffix.lower() == ENDING]
        named = ((file.relative_to(source).with_suffix("").as_posix(), str(file)) for file in pngs)
        yield from (Item(name, file) for name, file in sorted(named))
        shards = [] if pngs else [file for file in files if file.suffix.lower() in SHARDS]
        for file in shards:
            yield from _of(file, field) if not file.name.endswith(TABLE) else ()
    elif kind == ".tar":
        yield from tar_items(source, f".{(field or ENDING).lstrip('.')}".lower())
    elif kind == ENDING:
        yield Item(source.stem, str(source))

"""The JSON beside a panoptic map of COCO's kind, which says what each of its segments is."""

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from spadework.files import read_bytes, text_of

Named = dict[int, str]
"""Segment id -> name of its category."""


def names_of(map: Path) -> Named | None:
    """The names of the segments of a map, from the first JSON near it that has them; None without one.

    That is NAME.json, FOLDER.json beside the folder as COCO has it, or panoptic*.json in either place; with
    `categories`, and `segments_info` of that file.
    """
    return next((names for _, names in _found(map)), None)


def beside(map: Path) -> Path:
    """The file that `names_of` takes, or the one that is looked for first."""
    return next((path for path, _ in _found(map)), map.with_suffix(".json"))


def _found(map: Path) -> list[tuple[Path, Named]]:
    map = map.absolute()
    folder = map.parent
    near = [map.with_suffix(".json"), folder.parent / f"{folder.name}.json"]
    near += [path for place in (folder, folder.parent) for path in sorted(place.glob("panoptic*.json"))]
    for path in near:
        if path.is_file() and (names := _names_in(path, map.name)):
            return [(path, names)]
    return []


def _names_in(path: Path, name: str) -> Named | None:
    """What a JSON says of the map of that name; None where it says nothing, or is of another kind."""
    stat = path.stat()
    whole = _loaded(path, stat.st_mtime_ns, stat.st_size)
    try:
        categories = {int(category["id"]): str(category["name"]) for category in whole["categories"]}
        every = whole.get("annotations") or [whole]
        mine = next(one for one in every if Path(str(one.get("file_name", name))).name == name)
        return {int(part["id"]): categories[int(part["category_id"])] for part in mine["segments_info"]}
    except (KeyError, TypeError, ValueError, AttributeError, StopIteration):
        return None


@lru_cache(maxsize=2)
def _loaded(path: Path, time: int, size: int) -> Any:
    """The content of a JSON as it was at that time; None where it is none."""
    try:
        return json.loads(text_of(read_bytes(path)))
    except (ValueError, RecursionError):
        return None

"""Decoding pairs, and the flat uint8 files that keep the pixels: `images.u8`, `labels.u8`, `index.json`."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from spadework.data.listing import Blob, Pair
from spadework.decoding import size_of
from spadework.files import Fault
from spadework.picture import open_photo
from spadework.sketch.exact import data_ids
from spadework.sketch.palette import Palette
from spadework.sketch.raster import read_raster

FORMAT = 3
SHOWN = 20

Progress = Callable[[int, int], None]


class Decoded(NamedTuple):
    """image (H, W, 3) uint8, labels (H, W) uint8."""

    image: np.ndarray
    labels: np.ndarray


def decode_pair(pair: Pair, short_side: int, palette: Palette | None = None) -> Decoded:
    """Both files of a pair, short side resized to `short_side` (photo Lanczos, labels nearest).

    ValueError for a file that cannot be read, labels that are not ids (nor colours of `palette`), or unequal
    sizes.
    """
    photo = open_photo(pair.photo.read(), pair.photo.name)
    labels = data_ids(read_raster(pair.labels.read(), pair.labels.name), palette)
    if (photo.height, photo.width) != labels.shape:
        raise ValueError(
            f"{pair.name}: {pair.photo.name} is {photo.width}x{photo.height} but {pair.labels.name} is "
            f"{labels.shape[1]}x{labels.shape[0]}"
        )
    size = _resized(photo.size, short_side)
    if size != photo.size:
        photo = photo.resize(size, Image.Resampling.LANCZOS)
        labels = np.array(Image.fromarray(labels).resize(size, Image.Resampling.NEAREST))
    return Decoded(np.array(photo), labels)


def present_ids(labels: np.ndarray) -> list[int]:
    """The ids of a uint8 map, ascending."""
    return np.flatnonzero(np.bincount(labels.reshape(-1), minlength=256)).tolist()


def _resized(size: tuple[int, int], short_side: int) -> tuple[int, int]:
    factor = short_side / min(size)
    return round(size[0] * factor), round(size[1] * factor)


def cache_key(pairs: Sequence[Pair], short_side: int, palette: Palette | None = None) -> str:
    """Name of the cache: a hash over the listing, file sizes, times, `short_side`, palette and format."""
    meaning = "" if palette is None else palette.model_dump_json()
    digest = hashlib.sha256(f"{FORMAT} {short_side} {meaning}".encode())
    for pair in pairs:
        for blob in (pair.photo, pair.labels):
            digest.update(f"\n{blob.name}\t{blob.offset}\t{blob.size}\t{blob.mtime_ns}".encode())
    return digest.hexdigest()[:24]


class PixelCache:
    """Read-only view of a finished cache folder."""

    def __init__(self, path: Path, shapes: list[tuple[int, int]], ids: list[list[int]]) -> None:
        self.shapes, self.ids = shapes, ids
        self.starts = np.cumsum([0] + [height * width for height, width in shapes])
        self.images = _map_file(path / "images.u8", 3 * int(self.starts[-1]))
        self.labels = _map_file(path / "labels.u8", int(self.starts[-1]))

    @classmethod
    def open(cls, path: Path) -> PixelCache | None:
        """The cache at `path`, or None when there is none; ValueError when its files do not fit its index."""
        if not (path / "index.json").is_file():
            return None
        try:
            index = json.loads((path / "index.json").read_bytes())
            shapes, ids = [tuple(shape) for shape in index["shapes"]], index["ids"]
        except (ValueError, KeyError, TypeError, OSError) as error:
            raise ValueError(_damaged(path)) from error
        return cls(path, shapes, ids)

    def read(self, index: int) -> Decoded:
        """Pixels of pair `index`; views into the files, not copies."""
        height, width = self.shapes[index]
        first, end = int(self.starts[index]), int(self.starts[index + 1])
        image = np.asarray(self.images[3 * first : 3 * end]).reshape(height, width, 3)
        return Decoded(image, np.asarray(self.labels[first:end]).reshape(height, width))


def _map_file(path: Path, size: int) -> np.memmap:
    if not path.is_file() or path.stat().st_size != size:
        raise ValueError(_damaged(path.parent))
    return np.memmap(path, np.uint8, "r")


def _damaged(folder: Path) -> str:
    return f"{folder}: the pixel cache is damaged; delete {folder} and decode again"


def build_cache(
    path: Path,
    pairs: Sequence[Pair],
    short_side: int,
    palette: Palette | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> None:
    """Decode `pairs` into the folder `path`, which appears only when all is well. As many threads as cores.

    ValueError lists every bad pair (20 shown), or says that the disk is full or not writable.
    """
    work = _workplace(path)
    try:
        _require_space(work, pairs, short_side)
        _write_all(work, pairs, short_side, palette, threads or os.cpu_count() or 1, progress)
        _publish(work, path)
    except OSError as error:
        raise Fault(
            f"cannot write the pixel cache to {path.parent} ({error.strerror or error})",
            "free some space, or set SPADEWORK_CACHE to a folder on a larger disk; the data are as they were",
        ) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _workplace(path: Path) -> Path:
    """A fresh hidden folder beside `path`."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    except OSError as error:
        raise ValueError(
            f"cannot write the pixel cache to {path.parent} ({error.strerror}); "
            "set SPADEWORK_CACHE to a folder that can be written"
        ) from error


def _write_all(
    work: Path,
    pairs: Sequence[Pair],
    short_side: int,
    palette: Palette | None,
    threads: int,
    progress: Progress | None,
) -> None:
    decode = partial(decode_pair, short_side=short_side, palette=palette)
    shapes: list[tuple[int, ...]] = []
    ids: list[list[int]] = []
    faults: list[str] = []
    with (work / "images.u8").open("wb") as images, (work / "labels.u8").open("wb") as labels:
        for done, future in enumerate(_in_order(pairs, decode, threads), 1):
            try:
                pixels = future.result()
            except ValueError as error:
                faults.append(str(error))
            else:
                images.write(pixels.image.data)
                labels.write(pixels.labels.data)
                shapes.append(pixels.labels.shape)
                ids.append(present_ids(pixels.labels))
            if progress is not None:
                progress(done, len(pairs))
    _raise_faults(faults, len(pairs))
    names = [pair.name for pair in pairs]
    index = {"format": FORMAT, "short_side": short_side, "names": names, "shapes": shapes, "ids": ids}
    (work / "index.json").write_text(json.dumps(index))


def _in_order(
    pairs: Iterable[Pair], decode: Callable[[Pair], Decoded], threads: int
) -> Iterator[Future[Decoded]]:
    """Futures of the decoded pairs, in order, a few ahead of the reader."""
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[Future[Decoded]] = deque()
        for pair in pairs:
            waiting.append(pool.submit(decode, pair))
            if len(waiting) > 4 * threads:
                yield waiting.popleft()
        yield from waiting


def _raise_faults(faults: list[str], total: int) -> None:
    if faults:
        more = f"\n  and {len(faults) - SHOWN} more" if len(faults) > SHOWN else ""
        lines = "".join(f"\n  {fault}" for fault in faults[:SHOWN])
        raise ValueError(f"{len(faults)} of {total} pairs are bad, repair or remove them:{lines}{more}")


def _publish(work: Path, path: Path) -> None:
    try:
        work.rename(path)
    except OSError:  # another process was faster: its cache has the same key, so the same content
        if PixelCache.open(path) is None:
            raise


def _require_space(folder: Path, pairs: Sequence[Pair], short_side: int) -> None:
    need = sum(_pixels(pair.labels, short_side) for pair in pairs) * 4
    free = shutil.disk_usage(folder).free
    if need > free:
        raise ValueError(
            f"the pixel cache needs {need / 1e9:.3g} GB, {folder.parent} has {free / 1e9:.3g} GB free; "
            "set SPADEWORK_CACHE to a folder on a larger disk, or use a smaller short side"
        )


def _pixels(blob: Blob, short_side: int) -> int:
    """Pixels after resizing, from the header alone; 0 for an unreadable file (decoding will name it)."""
    try:
        size = size_of(blob.read())
    except ValueError:
        return 0
    height, width = _resized(size, short_side) if size else (0, 0)
    return width * height

"""Would a training on this folder succeed? Counts, faults and suspicions, before the first step."""

from __future__ import annotations

import hashlib
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field

from spadework.data.cache import decode_pair, present_ids
from spadework.data.listing import NoSplit, Pair, list_pairs
from spadework.decoding import size_of
from spadework.files import some
from spadework.sketch.blends import SMOOTHED, smoothed
from spadework.sketch.exact import SHIFTED, shifted
from spadework.sketch.palette import Palette

SHOWN = 10
NEAR = 6
"""Photos whose 64-bit hashes differ in at most so many bits are near-duplicates."""

BLOCK = 1024
"""So many hashes are compared with all earlier ones at a time."""


class Diagnosis(BaseModel):
    """What was found. `faults` make a training fail or learn nothing; `warnings` deserve a look."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    folder: str = Field(description="what was looked at")
    pairs: dict[str, int] = Field(description="pairs of photo and label map in each split")
    sizes: dict[str, int] = Field(description="width x height of the photos, the commonest first")
    label_nc: int = Field(description="number of classes, from the largest id that is not unknown")
    unknown: int | None = Field(description="the unknown id, if it occurs")
    shares: dict[str, float] = Field(description="share of the pixels of each id or class")
    images_per_s: float = Field(description="pairs that one thread decodes in a second")
    faults: list[str] = Field(description="training would fail")
    warnings: list[str] = Field(description="worth a look")


class Layout(Protocol):
    """Another order of files than images/ and labels/."""

    def splits(self, root: Path, faults: list[str], notes: list[str]) -> dict[str, Sequence[Pair]]:
        """The pairs of each split; what is wrong goes into `faults`, what is odd into `notes`."""
        ...

    def beyond(self, present: Sequence[int]) -> list[str]:
        """Faults of the ids that occur."""
        ...


def diagnose(
    root: Path, palette: Palette | None = None, samples: int = 500, layout: Layout | None = None
) -> Diagnosis:
    """Looks at every split of a folder of images/ and labels/; at most `samples` pairs each are decoded.

    `layout` is the one that the folder has instead; then its own ids count.
    """
    faults: list[str] = []
    warnings: list[str] = []
    splits = (_splits if layout is None else layout.splits)(root, faults, warnings)
    pixels, sizes, hashes = np.zeros(256, np.int64), Counter(), defaultdict(list)
    began, seen = time.perf_counter(), 0
    for split, pairs in splits.items():
        for index in np.unique(np.linspace(0, len(pairs) - 1, min(samples, len(pairs))).astype(int)):
            seen += 1
            try:
                image, labels = decode_pair(pairs[index], 256, palette)
            except ValueError as error:
                faults.append(str(error))
                continue
            sizes[_size(pairs[index])] += 1
            pixels += np.bincount(labels.reshape(-1), minlength=256)
            warnings += _odd_map(pairs[index].name, labels)
            hashes[split].append((pairs[index].name, *_hashes(image)))
    spent = max(time.perf_counter() - began, 1e-9)
    faults += _beyond(pixels, palette) if layout is None else layout.beyond(present_ids_of(pixels))
    warnings += _twins(hashes)
    unknown = 255 if palette is None or palette.unknown is None else palette.unknown
    present = [i for i in present_ids_of(pixels) if i != unknown]
    return Diagnosis(
        folder=str(root),
        pairs={split: len(pairs) for split, pairs in splits.items()},
        sizes=dict(sizes.most_common(SHOWN)),
        label_nc=max(present, default=-1) + 1,
        unknown=unknown if pixels[unknown] else None,
        shares=_shares(pixels, palette),
        images_per_s=round(seen / spent, 1),
        faults=_short(faults),
        warnings=_short(warnings),
    )


def _splits(root: Path, faults: list[str], notes: list[str]) -> dict[str, Sequence[Pair]]:
    splits: dict[str, Sequence[Pair]] = {}
    try:
        found = list_pairs(root)
        splits[found.split or "all"] = found.pairs
        notes += found.notes
        if found.split == "train":
            splits["val"] = list_pairs(root, "val").pairs
    except NoSplit:
        pass
    except ValueError as error:
        faults.append(str(error))
    return splits


def present_ids_of(pixels: np.ndarray) -> list[int]:
    """Ids with at least one pixel, from counts (256,)."""
    return np.flatnonzero(pixels).tolist()


def _size(pair: Pair) -> str:
    height, width = size_of(pair.photo.read()) or (0, 0)
    return f"{width}x{height}"


def _odd_map(name: str, labels: np.ndarray) -> list[str]:
    ids = present_ids(labels)
    if ids == [0, 255]:
        return [f"{name}: only ids 0 and 255: a mask, in which 255 would be unknown: make its ids 0 and 1"]
    if smoothed(labels):
        return [f"{name}: {SMOOTHED}"]
    if len(ids) > 100:
        return [f"{name}: {len(ids)} different ids: it looks like a grey photo, are the folders swapped?"]
    return [f"{name}: one id only"] if len(ids) == 1 else []


def _hashes(image: np.ndarray) -> tuple[str, int]:
    """The content's digest, and 64 bits that say which neighbour is brighter in a small grey copy."""
    grey = np.asarray(Image.fromarray(image).convert("L").resize((9, 8), Image.Resampling.BOX)).astype(int)
    bits = np.packbits(grey[:, 1:] > grey[:, :-1]).tobytes()
    return hashlib.sha256(image.tobytes()).hexdigest(), int.from_bytes(bits, "big")


def _twins(hashes: dict[str, list[tuple[str, str, int]]]) -> list[str]:
    """Photos that are the same as an earlier one or nearly so; across splits they leak."""
    flat = [(split, *photo) for split, photos in hashes.items() for photo in photos]
    found = []
    for first, second in near_pairs([bits for *_, bits in flat]):
        (split, name, digest, _), (other_split, other, other_digest, _) = flat[first], flat[second]
        same = "the same photo" if digest == other_digest else "nearly the same photo"
        leak = f", in {split} and {other_split}: it leaks" if split != other_split else ""
        found.append(f"{name} and {other}: {same}{leak}")
    return sorted(found, key=lambda line: "leaks" not in line)


def near_pairs(hashes: Sequence[int]) -> Iterator[tuple[int, int]]:
    """For every 64-bit hash that differs from an earlier one in at most NEAR bits: (that one, its place).

    As +1 and -1, two hashes that differ in d bits have the product 64 - 2 d; products come by the block.
    """
    bits = np.unpackbits(np.array(hashes, np.uint64)[:, None].view(np.uint8), axis=1)
    signs = 2 * bits.astype(np.float32) - 1
    for start in range(0, len(signs), BLOCK):
        block = signs[start : start + BLOCK]
        near = np.tril(block @ signs[: start + BLOCK].T >= 64 - 2 * NEAR, start - 1)
        for row in np.flatnonzero(near.any(1)):
            yield int(near[row].argmax()), start + int(row)


def _beyond(pixels: np.ndarray, palette: Palette | None) -> list[str]:
    if palette is None:
        return []
    legal = set(palette.ids().tolist())
    beyond = [i for i in present_ids_of(pixels) if i not in legal]
    if not beyond:
        return []
    hint = f"; {SHIFTED}" if shifted(np.flatnonzero(pixels), palette) else ""
    return [
        f"ids {some(beyond, SHOWN)} are not in palette {palette.name}: "
        f"allowed are {palette.describe_ids()}{hint}"
    ]


def _shares(pixels: np.ndarray, palette: Palette | None) -> dict[str, float]:
    legal = set() if palette is None else set(palette.ids().tolist())
    total = max(1, int(pixels.sum()))
    order = sorted(present_ids_of(pixels), key=lambda i: -int(pixels[i]))
    named = {i: f"{i} {palette.name_of(i)}" if palette and i in legal else str(i) for i in order}
    return {named[i]: round(float(pixels[i] / total), 5) for i in order}


def _short(lines: list[str]) -> list[str]:
    more = [f"and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
    return lines[:SHOWN] + more

"""`PairedFolder`: photos and label maps on disk, decoded once and then read at memory speed."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import numpy as np

from spadework.data.cache import PixelCache, build_cache, cache_key, decode_pair, present_ids
from spadework.data.listing import list_pairs
from spadework.data.sample import Sample
from spadework.sketch.blends import SMOOTHED, smoothed
from spadework.sketch.palette import Palette


def cache_root() -> Path:
    """`$SPADEWORK_CACHE`, else `~/.cache/spadework`."""
    return Path(os.environ.get("SPADEWORK_CACHE") or Path.home() / ".cache" / "spadework")


class PairedFolder(Sequence[Sample]):
    """The pairs of a folder or of tars, sorted by name, short side resized to `short_side`.

    `root` holds `images/` and `labels/`, or `train/` and `val/` with those inside, or `*.tar` files with such
    paths, or is one such tar. `palette` says what colours in label maps mean, if there are any. Listing
    happens here and raises ValueError for missing partners, duplicate names or an empty place; `notes` are
    sentences on what was passed over. Pixels are read from the cache that `decode` builds; before that each
    access decodes its own pair.
    """

    def __init__(
        self,
        root: str | Path,
        split: str | None = None,
        short_side: int = 256,
        palette: Palette | None = None,
    ) -> None:
        self.root = Path(root)
        listing = list_pairs(root, split)
        self.split, self.pairs, self.notes = listing.split, listing.pairs, listing.notes
        self.short_side, self.palette = short_side, palette
        self.cache_path = cache_root() / cache_key(self.pairs, short_side, palette)
        self._cache = PixelCache.open(self.cache_path)

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> Sample:  # type: ignore[override]
        """Sample `index`; ValueError when its files are unreadable or differ in size."""
        pair = self.pairs[index]
        if self._cache is None:
            image, labels = decode_pair(pair, self.short_side, self.palette)
        else:
            image, labels = self._cache.read(index % len(self))
        return Sample(labels, image, None, pair.name)

    def labels(self, index: int) -> np.ndarray:
        """(H, W) uint8 ids of one sample."""
        return self[index].labels

    def decode(
        self, threads: int | None = None, progress: Callable[[int, int], None] | None = None
    ) -> PairedFolder:
        """Decode and resize everything once into the cache; at once when that was done before.

        `progress(done, total)` is called after each pair. ValueError names all bad pairs together (the first
        20 and the count), or the space that the disk lacks. Nothing half-built is left behind.
        """
        if self._cache is None:
            build_cache(self.cache_path, self.pairs, self.short_side, self.palette, threads, progress)
            self._cache = PixelCache.open(self.cache_path)
        return self

    def doubts(self, samples: int = 50) -> list[str]:
        """A sentence where some of at most `samples` maps, spread evenly, seem to be resized smoothly."""
        places = np.unique(np.linspace(0, len(self) - 1, min(samples, len(self))).astype(int)).tolist()
        names = [self.pairs[index].labels.name for index in places if smoothed(self.labels(index))]
        if not names:
            return []
        return [f"unsure: {len(names)} of {len(places)} label maps looked at, such as {names[0]}: {SMOOTHED}"]

    def check_ids(self, allowed: Collection[int]) -> None:
        """ValueError that names the files and ids beyond `allowed`; quick once decoded."""
        beyond = {pair.name: self.ids(i) - set(allowed) for i, pair in enumerate(self.pairs)}
        bad = {name: sorted(ids) for name, ids in beyond.items() if ids}
        if bad:
            files = Counter(label for ids in bad.values() for label in ids)
            lines = [f"  {name}: {', '.join(map(str, ids))}" for name, ids in list(bad.items())[:20]]
            raise ValueError(
                f"{len(bad)} of {len(self)} label maps have ids that the palette lacks "
                f"({', '.join(f'{label} in {n}' for label, n in sorted(files.items()))}):\n"
                + "\n".join(lines)
            )

    def ids(self, index: int) -> set[int]:
        """The ids that the map of one sample holds; quick once decoded."""
        if self._cache is not None:
            return set(self._cache.ids[index])
        return set(present_ids(self.labels(index)))

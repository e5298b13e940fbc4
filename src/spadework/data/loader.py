"""Endless batches, each a pure function of (seed, its number): a resumed run sees what it would have seen."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import count

import numpy as np
import torch

from spadework.data.geometry import Geometry
from spadework.data.repeats import Odds
from spadework.data.sample import Batch, Sample, collate
from spadework.data.sketching import sketch

_ORDER, _STYLE, _SAMPLE = 0, 1, 2  # what a random stream is for


@dataclass(frozen=True)
class BatchPlan:
    """Everything that decides what batch k holds."""

    dataset: Sequence[Sample]
    size: tuple[int, int]
    batch_size: int
    seed: int
    sketch_share: float = 0.0
    scale: tuple[float, float] | None = (1.0, 1.2)
    flip: bool = True
    odds: Odds | None = None  # which pairs are drawn more often than others; None: none
    rows: Sequence[int] | None = None  # the samples of each batch that this process wants; None: all

    def __post_init__(self) -> None:
        if not len(self.dataset):
            raise ValueError("the data set is empty")
        if self.batch_size < 1 or self.seed < 0:
            raise ValueError(f"batch_size {self.batch_size} must be at least 1, seed {self.seed} at least 0")

    def batch(self, k: int) -> Batch:
        """Batch number `k`; bit-identical whenever and in whatever order it is asked for."""
        return collate(self.samples(k))

    def samples(self, k: int) -> list[Sample]:
        """What batch `k` holds, still in numpy."""
        sketched = self.sketches(k)
        return [self.sample(k, i, sketched) for i in self.places]

    @property
    def places(self) -> Sequence[int]:
        """The samples of a batch that are wanted."""
        return range(self.batch_size) if self.rows is None else self.rows

    def sketches(self, k: int) -> bool:
        """Whether batch `k` sees simplified maps."""
        return bool(np.random.default_rng((self.seed, _STYLE, k)).random() < self.sketch_share)

    def sample(self, k: int, i: int, sketched: bool) -> Sample:
        """Sample `i` of batch `k`, cropped to `size`, its map simplified when `sketched`."""
        rng = np.random.default_rng((self.seed, _SAMPLE, k, i))
        sample = self.dataset[self.index(k * self.batch_size + i)]
        sample = self._geometry(rng, sample.labels.shape, sample.name)(sample)
        if not sketched:
            return sample
        return replace(sample, labels=sketch(sample.labels, rng))

    def geometry(self, k: int, i: int, source: tuple[int, int], name: str) -> Geometry:
        """The box of sample `i` of batch `k`, whose photo has the size `source` (H, W)."""
        return self._geometry(np.random.default_rng((self.seed, _SAMPLE, k, i)), source, name)

    def _geometry(self, rng: np.random.Generator, source: tuple[int, int], name: str) -> Geometry:
        try:
            return Geometry.draw(rng, source, self.size, self.scale, self.flip)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error

    def index(self, position: int) -> int:
        """Which sample of the set stands at `position` of the endless sequence of shuffled epochs."""
        epoch, place = divmod(position, len(self.dataset))
        return int(_order(self.seed, epoch, len(self.dataset), self.odds)[place])


@lru_cache(maxsize=4)
def _order(seed: int, epoch: int, length: int, odds: Odds | None) -> np.ndarray:
    rng = np.random.default_rng((seed, _ORDER, epoch))
    return rng.permutation(length) if odds is None else odds.epoch(rng)


def batches(
    dataset: Sequence[Sample],
    size: tuple[int, int],
    batch_size: int,
    seed: int,
    start_batch: int = 0,
    sketch_share: float = 0.0,
    scale: tuple[float, float] | None = (1.0, 1.2),
    flip: bool = True,
    workers: int = 1,
    prefetch: int = 4,
) -> Generator[Batch, None, None]:
    """Batches `start_batch`, `start_batch + 1`, ... without end, `prefetch` of them made ahead by threads.

    `size` (H, W) of every sample; `scale` as `Geometry.draw` takes it. A `sketch_share` of batches sees
    simplified maps. Errors of the data set surface at the `next` that needed the batch. `close()` on the
    iterator stops the threads.
    """
    plan = BatchPlan(dataset, size, batch_size, seed, sketch_share, scale, flip)
    return ahead(plan, start_batch, workers, prefetch)


def ahead(
    plan: BatchPlan, start: int, workers: int = 1, prefetch: int = 4, device: torch.device | str = "cpu"
) -> Generator[Batch, None, None]:
    """The plan's batches from `start` on, on `device`, made ahead by threads.

    The threads compute without torch: with OpenMP pools of their own beside the consumer's, all threads
    would sleep between any two operations, and a training step would take half as long again.
    """
    pool = ThreadPoolExecutor(workers, thread_name_prefix="batches")
    waiting: deque[Future[list[Sample]]] = deque()
    try:
        for k in count(start):
            waiting.append(pool.submit(plan.samples, k))
            if len(waiting) > prefetch:
                yield collate(waiting.popleft().result(), device)
    finally:
        pool.shutdown(cancel_futures=True)

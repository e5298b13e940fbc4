"""Pairs with rare classes come more often: repeat-factor sampling (Gupta et al. 2019, arXiv 1908.03195)."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spadework.data.cache import present_ids
from spadework.data.folder import PairedFolder
from spadework.data.sample import Sample


@dataclass(frozen=True, eq=False)
class Odds:
    """How often each pair of a set is drawn in the long run: `shares` (N,), which add up to 1."""

    shares: NDArray[np.float64]

    def epoch(self, rng: np.random.Generator) -> NDArray[np.int64]:
        """N draws in random order: every pair as often as its share says, but for one time more or less."""
        length = len(self.shares)
        edges = np.cumsum(self.shares) * length
        picks = np.searchsorted(edges, np.arange(length) + rng.random(), side="right")
        return rng.permutation(picks.clip(max=length - 1))


def repeat_factors(shown: Sequence[Collection[int]], below: float) -> NDArray[np.float64]:
    """The factor (N,) of each pair: of its rarest class, sqrt(below / f) where a share f < `below` show it.

    `shown`: the classes of each pair.
    """
    pairs = Counter(id for ids in shown for id in set(ids))
    factor = {id: max(1.0, (below * len(shown) / count) ** 0.5) for id, count in pairs.items()}
    return np.array([max((factor[id] for id in ids), default=1.0) for ids in shown])


def odds_of(data: Sequence[Sample], classes: Collection[int], below: float) -> Odds | None:
    """By `repeat_factors` over the `classes` that count; None where no pair is drawn more often."""
    if not below:
        return None
    counted = set(classes)
    factors = repeat_factors([counted & _shown(data, i) for i in range(len(data))], below)
    return None if np.ptp(factors) == 0 else Odds(factors / factors.sum())


def _shown(data: Sequence[Sample], index: int) -> set[int]:
    if isinstance(data, PairedFolder):
        return data.ids(index)
    return set(present_ids(data[index].labels))

"""All pairs on a GPU as bytes: batches are cut there, and nothing waits for decoding or the bus.

The batches are those of `loader.BatchPlan`, but a map is sketched once, not anew at every sight.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import count

import numpy as np
import torch

from spadework.data.loader import BatchPlan
from spadework.data.sample import Batch, Sample
from spadework.data.sketching import sketch
from spadework.nn.pixels import unit

_SKETCH = 3  # what this random stream is for, beside those of the loader
SHARE = 0.4
"""Of a GPU's free memory the pairs may take so much."""


class ResidentPairs:
    """Photos (H, W, 3) and label maps (H, W), these once more as a person draws them, uint8 on a device."""

    def __init__(self, plan: BatchPlan, device: torch.device | str, workers: int | None = None) -> None:
        self.plan = plan
        samples = [plan.dataset[i] for i in range(len(plan.dataset))]
        drawn = _sketched(plan, samples, workers) if plan.sketch_share else [s.labels for s in samples]
        self.names = [sample.name for sample in samples]
        self.photos = [_on(sample.image, device) for sample in samples]
        self.labels = [(_on(s.labels, device), _on(d, device)) for s, d in zip(samples, drawn, strict=True)]

    @staticmethod
    def suits(plan: BatchPlan, device: torch.device) -> bool:
        """Whether the pairs fit into the GPU, need no resampling there and have no instances."""
        if device.type != "cuda":
            return False
        samples = [plan.dataset[i] for i in range(len(plan.dataset))]
        boxes = all(_cuts(plan, sample) for sample in samples)
        plain = all(sample.instances is None for sample in samples)
        need = sum(sample.image.nbytes + 2 * sample.labels.nbytes for sample in samples)
        return boxes and plain and need < SHARE * torch.cuda.mem_get_info(device)[0]

    def batch(self, k: int) -> Batch:
        """Batch number `k` of the plan, on the device."""
        plan, sketched = self.plan, self.plan.sketches(k)
        photos, labels, names = [], [], []
        for i in plan.places:
            index = plan.index(k * plan.batch_size + i)
            height, width = self.photos[index].shape[:2]
            box = plan.geometry(k, i, (height, width), self.names[index])
            rows, columns = slice(box.top, box.top + box.height), slice(box.left, box.left + box.width)
            cut = (t[rows, columns] for t in (self.photos[index], self.labels[index][sketched]))
            photo, map_ = (t.flip(1) if box.flip else t for t in cut)
            photos.append(photo)
            labels.append(map_)
            names.append(self.names[index])
        return Batch(torch.stack(labels), unit(torch.stack(photos)), None, names)

    def batches(self, start: int = 0) -> Generator[Batch, None, None]:
        """From batch number `start` on, without end."""
        for k in count(start):
            yield self.batch(k)


def _cuts(plan: BatchPlan, sample: Sample) -> bool:
    """Whether crops are the photo's own pixels."""
    return plan.scale is None or (plan.scale == (1.0, 1.0) and min(sample.labels.shape) == min(plan.size))


def _on(array: np.ndarray, device: torch.device | str) -> torch.Tensor:
    return torch.from_numpy(np.array(array)).to(device)


def _sketched(plan: BatchPlan, samples: Sequence[Sample], workers: int | None) -> list[np.ndarray]:
    jobs = [(sample.labels, (plan.seed, _SKETCH, i)) for i, sample in enumerate(samples)]
    workers = workers or os.cpu_count() or 1
    if workers == 1:
        return [_draw(job) for job in jobs]
    with ProcessPoolExecutor(workers) as pool:
        return list(pool.map(_draw, jobs, chunksize=32))


def _draw(job: tuple[np.ndarray, tuple[int, ...]]) -> np.ndarray:
    labels, seed = job
    return sketch(np.asarray(labels), np.random.default_rng(seed))

"""What training eats: one `Sample` is a photo with its label map, a `Batch` is several as tensors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from spadework.nn.pixels import unit

# Shapes: B batch, H height, W width.


@dataclass(frozen=True)
class Sample:
    """One photo and its label map, pixel on pixel.

    labels: (H, W) uint8 class ids. image: (H, W, 3) uint8 RGB. instances: (H, W) int32 or None.
    """

    labels: np.ndarray
    image: np.ndarray
    instances: np.ndarray | None
    name: str


@dataclass(frozen=True)
class Batch:
    """Several samples of one size.

    labels: (B, H, W) uint8. image: (B, 3, H, W) float32 in [-1, 1], channels_last in memory.
    instances: (B, H, W) int32 or None. names: B names.
    """

    labels: torch.Tensor
    image: torch.Tensor
    instances: torch.Tensor | None
    names: list[str]

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, part: slice) -> Batch:
        """Some of the samples, as a batch of their own."""
        instances = None if self.instances is None else self.instances[part]
        return Batch(self.labels[part], self.image[part], instances, self.names[part])


def collate(samples: Sequence[Sample], device: torch.device | str = "cpu") -> Batch:
    """Stack samples of one size on a device; ValueError when there are none or their sizes differ.

    They travel as bytes, and nothing waits for their arrival.
    """
    sizes = sorted({sample.labels.shape for sample in samples})
    if len(sizes) != 1:
        raise ValueError(
            f"a batch needs samples of one size (H, W), these have {sizes or 'no samples at all'}"
        )
    names = [sample.name for sample in samples]
    pixels = moved(torch.from_numpy(np.stack([sample.image for sample in samples])), device)
    labels = moved(torch.from_numpy(np.stack([sample.labels for sample in samples])), device)
    instances = _stack_instances(samples)
    return Batch(labels, unit(pixels), None if instances is None else moved(instances, device), names)


def moved(tensor: torch.Tensor, device: torch.device | str) -> torch.Tensor:
    """A tensor of the CPU on a device; nothing waits for its arrival."""
    if torch.device(device).type != "cuda":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)


def _stack_instances(samples: Sequence[Sample]) -> torch.Tensor | None:
    known = [sample.instances for sample in samples if sample.instances is not None]
    if not known:
        return None
    if len(known) != len(samples):
        raise ValueError(f"{len(known)} of {len(samples)} samples have instances; all or none must")
    return torch.from_numpy(np.stack(known))

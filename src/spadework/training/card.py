"""How much of a GPU a training uses."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch.utils.flop_counter import FlopCounterMode

PEAKS = {
    "H200": 989e12,
    "H100 PCIe": 756e12,
    "H100": 989e12,
    "A100": 312e12,
    "L40S": 362e12,
    "L4": 121e12,
    "A10": 125e12,
    "RTX 4090": 165e12,
    "RTX 3090": 71e12,
    "T4": 65e12,
}
"""Operations per second in bfloat16 (T4: float16) without sparsity, by a part of the name; data sheets."""


class Card:
    """Counts what one step multiplies, and says which share of the card's peak a speed is.

    name: of the card; None without one, or where it is unknown: then nothing is counted.
    """

    def __init__(self, name: str | None) -> None:
        self.peak = next((peak for part, peak in PEAKS.items() if name and part in name), None)
        self.per_image: float | None = None

    @classmethod
    def of(cls, device: torch.device | str) -> "Card":
        """The card of a device."""
        device = torch.device(device)
        return cls(torch.cuda.get_device_name(device) if device.type == "cuda" else None)

    @contextmanager
    def counting(self, images: int) -> Iterator[None]:
        """Counts the first step that runs inside, of so many images; counting slows it down."""
        if self.peak is None or self.per_image is not None:
            yield
            return
        with FlopCounterMode(display=False) as counter:
            yield
        self.per_image = counter.get_total_flops() / images

    def share(self, images_per_s: float) -> float | None:
        """Of the peak, 0 to 1; None where it is unknown."""
        known = self.peak is not None and self.per_image is not None
        return self.per_image * images_per_s / self.peak if known else None  # type: ignore[operator]

"""The one gate between bytes of pictures and what networks take: [-1, 1]. B batch, (H, W) pixels."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor


def unit(pixels: Tensor) -> Tensor:
    """Bytes (B, H, W, 3) -> float32 (B, 3, H, W) in [-1, 1], channels_last, on their device."""
    return pixels.to(torch.float32).div_(127.5).sub_(1.0).permute(0, 3, 1, 2)


def to_unit(image: np.ndarray) -> Tensor:
    """Bytes (H, W, 3) or (B, H, W, 3) -> float32 (B, 3, H, W) in [-1, 1], channels_last."""
    batch = torch.from_numpy(np.require(image if image.ndim == 4 else image[None], requirements=("C", "W")))
    return unit(batch)


def to_bytes(x: Tensor) -> np.ndarray:
    """(B, 3, H, W) in [-1, 1] -> uint8 (B, H, W, 3): `(x + 1) / 2 * 255`, clipped, cut off as published."""
    scaled = ((x.detach().float() + 1) / 2 * 255).clamp(0, 255)
    return scaled.to(torch.uint8).permute(0, 2, 3, 1).contiguous().cpu().numpy()


def pooled(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Means over a grid (h, w): as `F.adaptive_avg_pool2d`, many times faster on a GPU where it divides."""
    kernel = x.shape[2] // size[0], x.shape[3] // size[1]
    if (kernel[0] * size[0], kernel[1] * size[1]) == (x.shape[2], x.shape[3]):
        return F.avg_pool2d(x, kernel)
    return F.adaptive_avg_pool2d(x, size)


def precise(x: Tensor) -> Tensor:
    """In float32 at least."""
    return x.to(torch.promote_types(x.dtype, torch.float32))

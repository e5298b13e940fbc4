"""The one gate between arrays of ids or bytes and what networks take and give.

Shapes: B batch, K semantic channels, (H, W) pixels. Ids are uint8; pictures uint8 outside, [-1, 1] inside.
"""

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import BaseModel, ConfigDict
from torch import Tensor


class SemanticsConfig(BaseModel):
    """How ids become channels: ``label_nc`` classes, then one for unknown, then one for instance edges."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    label_nc: int
    unknown: bool = False
    edges: bool = False

    @property
    def semantic_nc(self) -> int:
        """K, the number of channels."""
        return self.label_nc + self.unknown + self.edges


def channel_of_ids(labels: Tensor, config: SemanticsConfig) -> Tensor:
    """Ids (B, H, W) -> channel numbers (B, H, W) int64; 255 becomes ``label_nc`` if unknown has a channel.

    Raises ValueError for ids that the model does not know, unless they lie on a GPU: that would wait for it.
    """
    channels = labels.long()
    if config.unknown:
        channels = torch.where(channels == 255, config.label_nc, channels)
    if labels.device.type != "cpu":
        return channels
    top = int(channels.max())
    if top >= config.label_nc + config.unknown:
        raise ValueError(
            f"the label map holds id {top}; this model knows 0 to {config.label_nc - 1}"
            + (" and 255 (unknown)" if config.unknown else "; it has no unknown class: repaint those pixels")
        )
    return channels


def instance_edges(instances: Tensor) -> Tensor:
    """Instance ids (B, H, W) -> bool (B, H, W): a pixel with another id left, right, above or below."""
    edge = torch.zeros_like(instances, dtype=torch.bool)
    across = instances[:, :, 1:] != instances[:, :, :-1]
    down = instances[:, 1:, :] != instances[:, :-1, :]
    edge[:, :, 1:] |= across
    edge[:, :, :-1] |= across
    edge[:, 1:, :] |= down
    edge[:, :-1, :] |= down
    return edge


def semantics(
    labels: Tensor,
    config: SemanticsConfig,
    instances: Tensor | None = None,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """Ids (B, H, W)[, instance ids (B, H, W)] -> one-hot segmap (B, K, H, W) in channels_last memory."""
    edges = instance_edges(labels if instances is None else instances) if config.edges else None
    return one_hot(channel_of_ids(labels, config), config, edges, dtype)


def one_hot(
    channels: Tensor,
    config: SemanticsConfig,
    edges: Tensor | None = None,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """Channel numbers (B, H, W)[, edge bits (B, H, W)] -> segmap (B, K, H, W) in channels_last memory."""
    segmap = F.one_hot(channels, config.semantic_nc).permute(0, 3, 1, 2).to(dtype)
    if edges is not None:
        segmap[:, -1] = edges.to(dtype)
    return segmap


def to_unit(image: np.ndarray) -> Tensor:
    """Bytes (H, W, 3) or (B, H, W, 3) -> float32 (B, 3, H, W) in [-1, 1], channels_last."""
    batch = torch.from_numpy(np.require(image if image.ndim == 4 else image[None], requirements=("C", "W")))
    return batch.permute(0, 3, 1, 2).float() / 127.5 - 1


def to_bytes(x: Tensor) -> np.ndarray:
    """(B, 3, H, W) in [-1, 1] -> uint8 (B, H, W, 3): ``(x + 1) / 2 * 255``, clipped, cut off as published."""
    scaled = ((x.detach().float() + 1) / 2 * 255).clamp(0, 255)
    return scaled.to(torch.uint8).permute(0, 2, 3, 1).contiguous().cpu().numpy()


def pooled(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Means over a grid (h, w): as ``F.adaptive_avg_pool2d``, many times faster on a GPU where it divides."""
    kernel = x.shape[2] // size[0], x.shape[3] // size[1]
    if (kernel[0] * size[0], kernel[1] * size[1]) == (x.shape[2], x.shape[3]):
        return F.avg_pool2d(x, kernel)
    return F.adaptive_avg_pool2d(x, size)

"""Label maps as the networks take them: the one gate from ids to channels, and what labels do to features.

Shapes: B batch, K semantic channels, C features, (H, W) pixels. Ids are uint8.
"""

from collections.abc import Sequence
from typing import Self

import torch
import torch.nn.functional as F
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn


class SemanticsConfig(BaseModel):
    """How ids become channels: `label_nc` classes, then one for `unknown_id`, then one for instance edges."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    label_nc: int
    unknown: bool = False
    edges: bool = False
    unknown_id: int = 255

    @property
    def semantic_nc(self) -> int:
        """K, the number of channels."""
        return self.label_nc + self.unknown + self.edges


class Labels:
    """A batch of label maps, which modulate features. segmap: (B, K, H, W), one-hot channels and edges."""

    def __init__(self, segmap: Tensor) -> None:
        self.segmap = segmap

    @classmethod
    def of(
        cls,
        ids: Tensor,
        config: SemanticsConfig,
        instances: Tensor | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> Self:
        """Ids (B, H, W)[, instance ids (B, H, W)]; ValueError as `channel_of_ids`."""
        return cls(one_hot(channel_of_ids(ids, config), config, edges_of(ids, config, instances), dtype))

    def __len__(self) -> int:
        return len(self.segmap)

    @property
    def size(self) -> tuple[int, int]:
        """(H, W)."""
        return self.segmap.shape[2], self.segmap.shape[3]

    def resized(self, size: tuple[int, int]) -> Tensor:
        """The segmap at another size by nearest neighbour, as published: (B, K, *size)."""
        return F.interpolate(self.segmap, size=size, mode="nearest")

    def beside(self, z: Tensor) -> "Labels":
        """The maps with a style (B, Z) as Z more channels, the same at every pixel: (B, K + Z, H, W)."""
        field = z.to(self.segmap.dtype)[:, :, None, None].expand(-1, -1, *self.size)
        return Labels(torch.cat([self.segmap, field], 1))

    def modulate(self, norms: Sequence[nn.Module], x: Tensor, slopes: Sequence[float]) -> list[Tensor]:
        """Every SPADE norm of the same x, then leaky ReLU of its slope (1: none): (B, C, h, w) each."""
        outs = [norm(x, self.segmap) for norm in norms]
        return [y if slope == 1 else F.leaky_relu(y, slope) for y, slope in zip(outs, slopes, strict=True)]


def channel_of_ids(labels: Tensor, config: SemanticsConfig) -> Tensor:
    """Ids (B, H, W) -> channel numbers (B, H, W) int64; unknown becomes `label_nc` where it has a channel.

    Raises ValueError for ids that the model does not know, unless they lie on a GPU: that would wait for it.
    """
    channels = labels.long()
    if config.unknown:
        channels = torch.where(channels == config.unknown_id, config.label_nc, channels)
    if labels.device.type != "cpu":
        return channels
    top = int(channels.max())
    if top >= config.label_nc + config.unknown:
        unknown = f" and {config.unknown_id} (unknown)" if config.unknown else ""
        hint = "" if config.unknown else "; it has no unknown class: repaint those pixels"
        raise ValueError(
            f"the label map holds id {top}; this model knows 0 to {config.label_nc - 1}{unknown}{hint}"
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


def edges_of(ids: Tensor, config: SemanticsConfig, instances: Tensor | None = None) -> Tensor | None:
    """The edges' channel (B, H, W) bool, if there is one: of instances, or else of the classes."""
    return instance_edges(ids if instances is None else instances) if config.edges else None


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

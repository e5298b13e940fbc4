"""Styles that suit a map: what a seed means for a sketch.

Shapes: B batch, K semantic channels, (H, W) pixels, Z style, R reference photos, D layout values.
"""

import torch
import torch.nn.functional as F
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn


class StylePriorConfig(BaseModel):
    """`references` photos are remembered by style and layout; a seed draws `drawn` of them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    semantic_nc: int
    z_dim: int
    references: int = 1024
    drawn: int = 64
    grid: int = 4


class StylePrior(nn.Module):
    """The styles of real photos, each with the layout of its label map: an empirical p(style | map).

    A seed draws some of them, and a map takes the one whose layout is most like its own. So a snow field gets
    light that snow fields have, maps painted with one seed do not all get the same evening, and a stroke
    rarely changes the style, because it rarely changes which layout is nearest.
    """

    layouts: Tensor
    styles: Tensor

    def __init__(self, config: StylePriorConfig):
        super().__init__()
        self.config = config
        values = config.semantic_nc * config.grid**2
        self.register_buffer("layouts", torch.zeros(config.references, values))
        self.register_buffer("styles", torch.zeros(config.references, config.z_dim))

    def layout(self, segmap: Tensor) -> Tensor:
        """Share of every channel in every cell of a coarse grid: (B, K, H, W) -> (B, D)."""
        return F.adaptive_avg_pool2d(segmap.float(), self.config.grid).flatten(1)

    def remember(self, segmap: Tensor, styles: Tensor, start: int) -> None:
        """Keeps layouts of maps (B, K, H, W) and their photos' styles (B, Z) from reference `start` on."""
        self.layouts[start : start + len(styles)] = self.layout(segmap)
        self.styles[start : start + len(styles)] = styles

    def draw(self, segmap: Tensor, rng: torch.Generator) -> Tensor:
        """A style (Z,) for one map (1, K, H, W); `rng`, a seed's, decides which references are drawn."""
        drawn = torch.randperm(self.config.references, generator=rng)[: self.config.drawn]
        distance = (self.layouts[drawn] - self.layout(segmap)).abs().sum(1)
        return self.styles[drawn[distance.argmin()]]

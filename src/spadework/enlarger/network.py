"""The enlarger: a picture and the labels of twice its size become that picture at twice its size.

It invents the detail that the small picture cannot have, as photographs of each class have it: labels
modulate every block, and noise tells one tuft of grass from the next. No layer looks at the picture as a
whole, so that pieces of it, each with REACH pixels around it, are enlarged to the same pixels.

Shapes: B batch, K semantic channels, C features, (H, W) the small picture.
"""

import torch
import torch.nn.functional as F
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from spadework.nn.pixels import pooled

REACH = 24
"""Pixels of the small picture around a piece that its enlargement depends on; a few more than it is."""


class EnlargerConfig(BaseModel):
    """Everything that shapes an enlarger."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    semantic_nc: int
    width: int = Field(48, ge=1)  # channels on the small grid
    fine: int = Field(24, ge=1)  # and on the large one
    blocks: int = Field(8, ge=1, le=REACH // 2 - 3)

    @property
    def noise_channels(self) -> tuple[int, int]:
        """How many values of noise a pixel of the small and of the large grid takes."""
        return 1, 1


class _Block(nn.Module):
    """Residual: labels scale and shift, noise is added by learned strengths, two convolutions."""

    def __init__(self, config: EnlargerConfig):
        super().__init__()
        width, around = config.width, {"padding": 1, "padding_mode": "replicate"}
        self.conv_0 = nn.Conv2d(width, width, 3, **around)  # type: ignore[arg-type]
        self.conv_1 = nn.Conv2d(width, width, 3, **around)  # type: ignore[arg-type]
        self.labels = nn.Conv2d(config.semantic_nc, 2 * width, 1)
        self.noise_strength = nn.Parameter(torch.zeros(width, 1, 1))
        nn.init.zeros_(self.labels.weight)
        nn.init.zeros_(self.labels.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor, shares: Tensor, noise: Tensor) -> Tensor:
        gamma, beta = self.labels(shares).chunk(2, 1)
        y = self.conv_0(x) + self.noise_strength.to(x.dtype) * noise
        return x + self.conv_1(F.leaky_relu(y * (1 + gamma) + beta, 0.2))


class EnlargerNet(nn.Module):
    """Doubles (B, 3, H, W) in [-1, 1]."""

    def __init__(self, config: EnlargerConfig):
        super().__init__()
        self.config = config
        around = {"padding": 1, "padding_mode": "replicate"}
        self.head = nn.Conv2d(3, config.width, 3, **around)  # type: ignore[arg-type]
        self.blocks = nn.ModuleList(_Block(config) for _ in range(config.blocks))
        self.grow = nn.Conv2d(config.width, 4 * config.fine, 3, **around)  # type: ignore[arg-type]
        self.labels = nn.Conv2d(config.semantic_nc, config.fine, 1)
        self.noise_strength = nn.Parameter(torch.zeros(config.fine, 1, 1))
        self.conv_fine = nn.Conv2d(config.fine, config.fine, 3, **around)  # type: ignore[arg-type]
        self.conv_img = nn.Conv2d(config.fine, 3, 3, **around)  # type: ignore[arg-type]
        nn.init.zeros_(self.conv_img.weight)  # it begins as bicubic enlargement
        nn.init.zeros_(self.conv_img.bias)  # type: ignore[arg-type]

    def draw_noise(self, batch: int, size: tuple[int, int]) -> list[Tensor]:
        """Standard normal noise (B, 1, H, W) and (B, 1, 2H, 2W) for small pictures of (H, W)."""
        (h, w), device = size, self.head.weight.device
        return [torch.randn(batch, 1, k * h, k * w, device=device) for k in (1, 2)]

    def forward(self, image: Tensor, segmap: Tensor, noise: list[Tensor] | None = None) -> Tensor:
        """Picture (B, 3, H, W), labels (B, K, 2H, 2W)[, noise] -> (B, 3, 2H, 2W) in [-1, 1].

        Without `noise` it is drawn at random.
        """
        size = image.shape[2], image.shape[3]
        if noise is None:
            noise = self.draw_noise(len(image), size)
        x = self.head(image)
        coarse, fine = (field.to(x.dtype) for field in noise)
        shares = pooled(segmap.to(x.dtype), size)
        for block in self.blocks:
            x = block(x, shares, coarse)
        x = F.pixel_shuffle(self.grow(F.leaky_relu(x, 0.2)), 2)
        x = x + self.labels(segmap.to(x.dtype)) + self.noise_strength.to(x.dtype) * fine
        x = x + F.leaky_relu(self.conv_fine(F.leaky_relu(x, 0.2)), 0.2)
        detail = self.conv_img(x)
        plain = F.interpolate(image.to(detail.dtype), scale_factor=2.0, mode="bicubic", align_corners=False)
        return (plain + detail).clamp(-1, 1)

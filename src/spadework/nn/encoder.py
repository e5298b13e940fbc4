"""The style encoder of the VAE: photo -> mean and log-variance of its style (Park et al. 2019, section 3.1).

Shapes: B batch, Z style.
"""

from itertools import pairwise
from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn

from spadework.nn.spectral import spectral_norm
from spadework.nn.together import BatchNorm


class StyleEncoderConfig(BaseModel):
    """`size` in pixels is what a picture is resized to; `norm` "instance" is the paper's.

    "batch" keeps a picture's overall colour, which instance norm removes at every layer.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    ngf: int = 64
    z_dim: int = 256
    size: int = 256
    layers: Literal[5, 6] = 6
    norm: Literal["instance", "batch"] = "instance"


class StyleEncoder(nn.Module):
    """Strided convolutions down to a 4x4 grid, then two linear layers."""

    def __init__(self, config: StyleEncoderConfig):
        super().__init__()
        self.config = config
        widths = [3, *(config.ngf * m for m in (1, 2, 4, 8, 8, 8)[: config.layers])]
        norm = nn.InstanceNorm2d if config.norm == "instance" else BatchNorm
        self.layers = nn.ModuleList(
            nn.Sequential(
                spectral_norm(nn.Conv2d(fin, fout, 3, stride=2, padding=1, bias=False)),
                norm(fout, affine=False),
            )
            for fin, fout in pairwise(widths)
        )
        grid = -(-config.size // 2**config.layers)  # every layer halves and rounds up
        self.fc_mu = nn.Linear(widths[-1] * grid * grid, config.z_dim)
        self.fc_var = nn.Linear(widths[-1] * grid * grid, config.z_dim)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Picture (B, 3, any, any) in [-1, 1] -> mu (B, Z), logvar (B, Z)."""
        side = self.config.size
        x = image
        if x.shape[2:] != (side, side):
            x = F.interpolate(x, size=(side, side), mode="bilinear", align_corners=False)
        for layer in self.layers:
            x = F.leaky_relu(layer(x), 0.2)
        x = x.flatten(1)
        return self.fc_mu(x), self.fc_var(x)


def reparameterize(
    mu: Tensor, logvar: Tensor, rng: torch.Generator | None = None, eps: Tensor | None = None
) -> Tensor:
    """A style z ~ N(mu, exp(logvar)), differentiable in both (Kingma & Welling 2014, arXiv 1312.6114)."""
    if eps is None:
        eps = torch.randn(mu.shape, generator=rng, device=mu.device, dtype=mu.dtype)
    return mu + eps * torch.exp(0.5 * logvar)

"""SPADE and its residual block, from Park et al. 2019 (arXiv 1903.07291), equations 1-2 and figure 4.

Shapes: B batch, K semantic channels, C features, (H, W) the layer's grid.
"""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from spadework.nn.labels import Labels
from spadework.nn.spectral import spectral_norm
from spadework.nn.together import BatchNorm

Norm = Literal["batch", "instance", "syncbatch"]

Padding = Literal["zeros", "replicate"]
"""What lies beyond the border: nothing, as published, or what lies at it."""

Modulation = Literal["spade", "affine"]
"""What scales and shifts normalised features: the labels at every place, or one learned pair a channel."""

NORMS = {
    "batch": lambda channels: BatchNorm(channels, affine=False),
    "instance": lambda channels: nn.InstanceNorm2d(channels, affine=False),
    "syncbatch": lambda channels: BatchNorm(channels, affine=False),
}


def upsample(x: Tensor, bilinear: bool = False) -> Tensor:
    """Doubling by the nearest neighbour, or `bilinear` between centers: (B, C, H, W) -> (B, C, 2H, 2W)."""
    if bilinear:
        return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
    return F.interpolate(x, scale_factor=2.0, mode="nearest")


class SPADE(nn.Module):
    """Spatially-adaptive normalisation: `norm(x) * (1 + gamma(segmap)) + beta(segmap)`.

    `param_free_norm` has no weights; gamma and beta are two convolutions of one hidden layer over the
    label map, so they depend on the labels alone: at kernel 3 on a 5x5 neighbourhood of each pixel.
    `padding` "replicate" lets the map go on beyond its border, where the published one is empty.
    """

    def __init__(
        self,
        channels: int,
        semantic_nc: int,
        hidden: int = 128,
        kernel: int = 3,
        norm: Norm = "batch",
        padding: Padding = "zeros",
    ):
        super().__init__()
        self.kernel, self.padding = kernel, padding
        pad = kernel // 2 if padding == "zeros" else 0  # else the map is padded as a whole
        self.param_free_norm = NORMS[norm](channels)
        self.mlp_shared = nn.Sequential(nn.Conv2d(semantic_nc, hidden, kernel, padding=pad), nn.ReLU())
        self.mlp_gamma = nn.Conv2d(hidden, channels, kernel, padding=pad)
        self.mlp_beta = nn.Conv2d(hidden, channels, kernel, padding=pad)
        # Of one-hot channels k * k inputs are active, not K * k * k: with He's deviation for these the labels
        # speak from the first step. PyTorch's own start whispers, and pictures ignore the map for long.
        nn.init.normal_(self.mlp_shared[0].weight, std=2**0.5 / kernel)  # type: ignore[arg-type]

    def forward(self, x: Tensor, segmap: Tensor) -> Tensor:
        """(B, C, H, W) and a label map (B, K, any, any), resized by nearest neighbour -> (B, C, H, W)."""
        segmap = F.interpolate(segmap, size=x.shape[2:], mode="nearest")
        if self.padding == "replicate":
            segmap = F.pad(segmap, [2 * (self.kernel // 2)] * 4, mode="replicate")
        hidden = self.mlp_shared(segmap)
        gamma, beta = self.mlp_gamma(hidden), self.mlp_beta(hidden)
        return self.param_free_norm(x) * (1 + gamma) + beta


class Affine(nn.Module):
    """Plain normalisation, `norm(x) * (1 + gamma) + beta` with a number each per channel.

    It stands where SPADE does and takes a label map too, but does not look: what SPADE is measured against.
    """

    def __init__(self, channels: int, norm: Norm = "batch"):
        super().__init__()
        self.param_free_norm = NORMS[norm](channels)
        self.gamma, self.beta = (nn.Parameter(torch.zeros(channels)) for _ in range(2))

    def forward(self, x: Tensor, segmap: Tensor) -> Tensor:
        """(B, C, H, W) and any label map -> (B, C, H, W)."""
        gamma, beta = self.gamma[:, None, None], self.beta[:, None, None]
        return self.param_free_norm(x) * (1 + gamma) + beta


class _AddNoise(torch.autograd.Function):
    """x (B, C, H, W) + strength (C, 1, 1) * noise (B, 1, H, W), in one pass each way."""

    @staticmethod
    def forward(ctx, x: Tensor, strength: Tensor, noise: Tensor) -> Tensor:
        noise = noise.to(x.dtype)
        ctx.save_for_backward(noise)
        return torch.addcmul(x, noise, strength.to(x.dtype))

    @staticmethod
    def backward(ctx, *grads: Tensor):
        (noise,), (grad,) = ctx.saved_tensors, grads
        rows = grad.permute(0, 2, 3, 1).flatten(1, 2)  # (B, P, C), a view in channels_last
        sums = torch.bmm(noise.flatten(2), rows)
        strength = sums.sum((0, 1), dtype=torch.promote_types(grad.dtype, torch.float32))
        return grad, strength[:, None, None], None


class SPADEResBlock(nn.Module):
    """Residual block whose norms are SPADE; the shortcut is learned when the width changes.

    `noise` adds one random value per pixel, scaled by a learned strength per channel that starts at zero,
    before each pair of norms (as in StyleGAN, arXiv 1812.04948); the published block has none.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        semantic_nc: int,
        hidden: int = 128,
        kernel: int = 3,
        norm: Norm = "batch",
        noise: bool = False,
        padding: Padding = "zeros",
        label_padding: Padding = "zeros",
        modulation: Modulation = "spade",
    ):
        super().__init__()
        middle = min(in_channels, out_channels)
        self.learned_shortcut = in_channels != out_channels
        around = {"padding": 1, "padding_mode": padding}
        self.conv_0 = spectral_norm(nn.Conv2d(in_channels, middle, 3, **around))  # type: ignore[arg-type]
        self.conv_1 = spectral_norm(nn.Conv2d(middle, out_channels, 3, **around))  # type: ignore[arg-type]

        def normalised(channels: int) -> nn.Module:
            if modulation == "affine":
                return Affine(channels, norm)
            return SPADE(channels, semantic_nc, hidden, kernel, norm, label_padding)

        self.norm_0, self.norm_1 = normalised(in_channels), normalised(middle)
        if self.learned_shortcut:
            self.conv_s = spectral_norm(nn.Conv2d(in_channels, out_channels, 1, bias=False))
            self.norm_s = normalised(in_channels)
        self.noise_strength = nn.Parameter(torch.zeros(in_channels, 1, 1)) if noise else None

    def forward(self, x: Tensor, labels: Labels, noise: Tensor | None = None) -> Tensor:
        """(B, C_in, H, W), label maps of any size[, noise (B, 1, H, W)] -> (B, C_out, H, W)."""
        if self.noise_strength is not None and noise is not None:
            x = _AddNoise.apply(x, self.noise_strength, noise)
        if self.learned_shortcut:
            x, beside = labels.modulate([self.norm_0, self.norm_s], x, [0.2, 1.0])
            beside = self.conv_s(beside)
        else:
            beside, (x,) = x, labels.modulate([self.norm_0], x, [0.2])
        (x,) = labels.modulate([self.norm_1], self.conv_0(x), [0.2])
        return beside + self.conv_1(x)

"""Discriminators: the paper's multi-scale patches, one on a frozen classifier, and OASIS's U-Net.

Shapes: B batch, K semantic channels, N classes, (H, W) pixels.
"""

from itertools import pairwise
from typing import NamedTuple

import torch
import torch.nn.functional as F
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn

from spadework.nn.pixels import pooled
from spadework.nn.spectral import spectral_norm


class PatchConfig(BaseModel):
    """The paper's discriminator; `in_channels` is K + 3."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    in_channels: int
    ndf: int = 64
    scales: int = 2
    layers: int = 4


class PatchDiscriminator(nn.Module):
    """One PatchGAN (Isola et al. 2017): kernel 4, padding 2, widths doubling up to 512."""

    def __init__(self, config: PatchConfig):
        super().__init__()
        widths = [min(config.ndf * 2**i, 512) for i in range(config.layers)]
        self.layers = nn.ModuleList([nn.Conv2d(config.in_channels, widths[0], 4, stride=2, padding=2)])
        for i in range(1, config.layers):
            stride = 1 if i == config.layers - 1 else 2
            conv = nn.Conv2d(widths[i - 1], widths[i], 4, stride=stride, padding=2, bias=False)
            self.layers.append(nn.Sequential(spectral_norm(conv), nn.InstanceNorm2d(widths[i], affine=False)))
        self.layers.append(nn.Conv2d(widths[-1], 1, 4, padding=2))

    def forward(self, x: Tensor) -> list[Tensor]:
        """(B, K + 3, H, W) -> every layer's output; the last is the score map (B, 1, h, w)."""
        outputs = []
        for i, layer in enumerate(self.layers):
            x = layer(x)
            x = F.leaky_relu(x, 0.2) if i < len(self.layers) - 1 else x
            outputs.append(x)
        return outputs


class MultiscaleDiscriminator(nn.Module):
    """PatchGANs on the pair (label map, picture) and on its halved copies (Wang et al. 2018)."""

    def __init__(self, config: PatchConfig):
        super().__init__()
        self.config = config
        self.scales = nn.ModuleList(PatchDiscriminator(config) for _ in range(config.scales))

    def forward(self, segmap: Tensor, image: Tensor) -> list[list[Tensor]]:
        """(B, K, H, W), (B, 3, H, W) -> for every scale its layers' outputs, the score map last."""
        x = torch.cat([segmap, image.to(segmap.dtype)], dim=1)
        outputs = []
        for i, patch in enumerate(self.scales):
            if i:
                x = F.avg_pool2d(x, 3, stride=2, padding=1, count_include_pad=False)
            outputs.append(patch(x))
        return outputs


class BackboneConfig(BaseModel):
    """A decoder over the features of a frozen classifier; `widths` are its lateral widths, finest first."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    classes: int  # N: label classes with the unknown one; the decoder adds one for "fake"
    feature_channels: tuple[int, ...]  # of the backbone at strides 2, 4, 8, 16, 32
    widths: tuple[int, ...] = (32, 64, 96, 128, 192)
    stem: int = 16  # width at full resolution


class Judgement(NamedTuple):
    """`logits` (B, N+1, H, W) per pixel; `scores`: one map per patch head, finest first."""

    logits: Tensor
    scores: list[Tensor]


class PatchHead(nn.Module):
    """Scores features (B, C, h, w) of a level beside its labels' means (Projected GANs, 2111.01007).

    The labels (b, K, h, w) may be fewer than the features: each stands for B / b of them, in turns.
    """

    def __init__(self, channels: int, semantic_nc: int):
        super().__init__()
        self.conv_0 = spectral_norm(nn.Conv2d(channels + semantic_nc, channels, 3, padding=1))
        self.conv_1 = spectral_norm(nn.Conv2d(channels, 1, 3, padding=1))

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        labels = labels.to(x.dtype, memory_format=torch.channels_last)
        labels = torch.cat([labels] * (len(x) // len(labels)))
        return self.conv_1(F.leaky_relu(self.conv_0(torch.cat([x, labels], 1)), 0.2))


class BackboneDiscriminator(nn.Module):
    """Says for every pixel which class it shows, or that it is painted, from frozen features.

    The per-pixel N+1-class decision is OASIS's (arXiv 2012.04781); the frozen encoder with a trained decoder
    is DP-SIMS's (arXiv 2312.13314).
    """

    def __init__(self, config: BackboneConfig):
        super().__init__()
        self.config = config
        widths = config.widths
        self.laterals = nn.ModuleList(
            spectral_norm(nn.Conv2d(f, w, 1)) for f, w in zip(config.feature_channels, widths, strict=True)
        )
        finer = (config.stem, *widths[:-1])
        self.decoder = nn.ModuleList(
            nn.ModuleList(
                [spectral_norm(nn.Conv2d(w, w, 3, padding=1)), spectral_norm(nn.Conv2d(w, f, 3, padding=1))]
            )
            for w, f in zip(widths, finer, strict=True)
        )
        self.stem = spectral_norm(nn.Conv2d(3, config.stem, 3, padding=1))
        self.classify = spectral_norm(nn.Conv2d(config.stem, config.classes + 1, 3, padding=1))
        self.heads = nn.ModuleList(PatchHead(w, config.classes) for w in widths[1:])

    def forward(self, segmap: Tensor, image: Tensor, features: list[Tensor]) -> Judgement:
        """Labels (b, N, H, W), pictures (B, 3, H, W), their frozen features, finest first -> Judgement.

        Of a batch that holds photos and then paintings of the same b maps, the maps are given once.
        """
        levels = [lateral(f) for lateral, f in zip(self.laterals, features, strict=True)]
        scores, labels = [], segmap
        for head, x in zip(self.heads, levels[1:], strict=True):
            labels = pooled(labels, (x.shape[2], x.shape[3]))
            scores.append(head(F.leaky_relu(x, 0.2), labels))
        x = levels[-1]
        finer = [self.stem(image), *levels[:-1]]
        for convs, lateral in zip(reversed(self.decoder), reversed(finer), strict=True):
            conv_0, conv_1 = convs  # type: ignore[misc]
            x = F.leaky_relu(conv_0(F.leaky_relu(x, 0.2)), 0.2)
            x = F.interpolate(conv_1(x), size=lateral.shape[2:], mode="nearest") + lateral
        return Judgement(self.classify(F.leaky_relu(x, 0.2)), scores)


class UNetConfig(BaseModel):
    """OASIS's discriminator: `ndf` times 2, 2, 4, 4, 8, 8 channels on the way down."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    classes: int  # N: label classes; the network adds one for "fake"
    ndf: int = 64

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels from the picture to the coarsest grid."""
        return 3, *(multiple * self.ndf for multiple in (2, 2, 4, 4, 8, 8))


class UNetBlock(nn.Module):
    """Two convolutions and a shortcut beside them, in pre-activation order (He et al. 2016)."""

    def __init__(self, in_channels: int, out_channels: int, raw: bool = False):
        super().__init__()
        self.raw = raw  # a picture is not passed through a leaky ReLU
        self.conv_0 = spectral_norm(nn.Conv2d(in_channels, out_channels, 3, padding=1))
        self.conv_1 = spectral_norm(nn.Conv2d(out_channels, out_channels, 3, padding=1))
        self.conv_s = spectral_norm(nn.Conv2d(in_channels, out_channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv_0(x if self.raw else F.leaky_relu(x, 0.2))
        return self.conv_1(F.leaky_relu(y, 0.2)) + self.conv_s(x)


class UNetDiscriminator(nn.Module):
    """Says for every pixel which of N classes it shows, or that it is painted (OASIS, arXiv 2012.04781).

    Six residual blocks down, each halved after it, and six up, each after a doubling and beside what the way
    down saw there. It learns from nothing, and sees no label map: labels are what it has to say.
    """

    def __init__(self, config: UNetConfig):
        super().__init__()
        self.config = config
        widths = config.widths
        self.down = nn.ModuleList(UNetBlock(a, b, raw=not i) for i, (a, b) in enumerate(pairwise(widths)))
        backwards = [*widths[:0:-1], config.ndf]
        self.up = nn.ModuleList(
            UNetBlock(a * (1 + (i > 0)), b) for i, (a, b) in enumerate(pairwise(backwards))
        )
        self.classify = nn.Conv2d(config.ndf, config.classes + 1, 1)

    def forward(self, image: Tensor) -> Tensor:
        """Pictures (B, 3, H, W) -> logits (B, N + 1, H, W), the last of "fake"."""
        x, passed = image, []
        for block in self.down:
            passed.append(x)
            x = F.avg_pool2d(block(x), 2, ceil_mode=True, count_include_pad=False)
        for i, block in enumerate(self.up):
            beside = passed.pop()
            x = block(F.interpolate(x, size=beside.shape[2:], mode="nearest"))
            x = torch.cat([x, beside], 1) if i < len(self.up) - 1 else x
        return self.classify(x)

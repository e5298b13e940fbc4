"""The segmenter: photo -> one score per class and pixel, small enough to ship beside a painter.

An EfficientNet-Lite trunk (Tan & Le 2019, arXiv 1905.11946) whose batch norms are folded away, and a feature
pyramid (Lin et al. 2017, arXiv 1612.03144) from stride 32 back to stride 4. Nothing here normalises over a
batch, so training and use cannot disagree.

Shapes: B batch, K classes, C channels, (H, W) pixels; pictures come in [-1, 1].
"""

import math
from typing import Annotated, Any, Self

import torch
import torch.nn.functional as F
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor, nn

from spadework.files import Fault
from spadework.frozen.efficientnet import FixedConvolution, folded, load_efficientnet_lite, pad_same

Count = Annotated[int, Field(ge=1)]
Group = tuple[Count, Count, Count, Count, Count]
"""Blocks of one width: output channels, kernel size, stride of the first, expansion, number of blocks."""

_LITE1: tuple[Group, ...] = (
    *((16, 3, 1, 1, 1), (24, 3, 2, 6, 3), (40, 5, 2, 6, 3)),
    *((80, 3, 2, 6, 4), (112, 5, 1, 6, 4), (192, 5, 2, 6, 3)),
)
_LITE2: tuple[Group, ...] = (
    *((16, 3, 1, 1, 1), (24, 3, 2, 6, 3), (48, 5, 2, 6, 3)),
    *((88, 3, 2, 6, 4), (120, 5, 1, 6, 4), (208, 5, 2, 6, 2)),
)
TRUNKS: dict[int, tuple[Group, ...]] = {1: _LITE1, 2: _LITE2}
"""The first blocks of EfficientNet-Lite1 and Lite2, as many as 3 M parameters allow."""

STEM = 32
"""Channels of the first convolution, as in every EfficientNet-Lite."""


class SegmenterConfig(BaseModel):
    """`trunk` starts at stride 2, `width` is that of the pyramid."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    classes: Count
    trunk: tuple[Group, ...] = TRUNKS[1]
    width: Count = 96

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        wrong = [g for g in self.trunk if g[1] % 2 == 0 or g[2] > 2]
        if wrong or not any(g[2] == 2 for g in self.trunk):
            raise Fault(
                f"the trunk has groups {[list(g) for g in wrong or self.trunk]}",
                "expected odd kernels "
                "(second number), strides 1 and 2 (third), and at least one group of stride 2",
            )
        return self


class _Depthwise(nn.Module):
    """A convolution per channel that keeps its first kernels: learning them costs most and gains least."""

    weight: Tensor
    bias: Tensor

    def __init__(self, channels: int, kernel: int, stride: int):
        super().__init__()
        self.register_buffer("weight", torch.randn(channels, 1, kernel, kernel) * math.sqrt(2) / kernel)
        self.register_buffer("bias", torch.zeros(channels))
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        channels, kernel = self.weight.shape[0], self.weight.shape[-1]
        x, pad = pad_same(x, kernel) if self.stride > 1 else (x, kernel // 2)
        weight, bias = self.weight.to(x.dtype), self.bias.to(x.dtype)
        return FixedConvolution.apply(x, weight, weight.flip(2, 3), bias, self.stride, pad, channels, True)


class _Block(nn.Module):
    """Inverted residual: widen, mix in space, narrow."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int, stride: int, expansion: int):
        super().__init__()
        inner = in_channels * expansion
        self.expand = nn.Conv2d(in_channels, inner, 1) if expansion > 1 else None
        self.depthwise = _Depthwise(inner, kernel, stride)
        self.project = nn.Conv2d(inner, out_channels, 1)
        self.skip = stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        wide = x if self.expand is None else F.relu6(self.expand(x))
        out = self.project(self.depthwise(wide))
        return out + x if self.skip else out


class Trunk(nn.Module):
    """Features at strides 4, 8, 16, ...; `channels` are their widths. Layers before stride 4 are fixed."""

    def __init__(self, groups: tuple[Group, ...]):
        super().__init__()
        self.stem = nn.Conv2d(3, STEM, 3, 2)
        self.first = nn.Sequential()
        self.levels = nn.ModuleList()
        self.channels: list[int] = []
        level, width = self.first, STEM
        for channels, kernel, stride, expansion, repeats in groups:
            if stride > 1:
                level = nn.Sequential()
                self.levels.append(level)
                self.channels.append(channels)
            for i in range(repeats):
                level.append(_Block(width, channels, kernel, stride if i == 0 else 1, expansion))
                width = channels
            if self.channels:
                self.channels[-1] = channels
        self.stem.requires_grad_(False)
        self.first.requires_grad_(False)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Picture (B, 3, H, W) in [-1, 1] -> features, finest first."""
        x, _ = pad_same((127.5 * image + 0.5) / 128, 3)
        x = self.first(F.relu6(self.stem(x)))
        features = []
        for level in self.levels:
            x = level(x)
            features.append(x)
        return features

    @torch.no_grad()
    def learn_from_package(self, variant: int) -> None:
        """Takes the weights of the pip package of EfficientNet-Lite1 or Lite2, batch norms folded in.

        ValueError where it is not installed.
        """
        net: Any = load_efficientnet_lite(variant)
        _fill(self.stem, folded(net._conv_stem, net._bn0))
        blocks = [module for module in self.modules() if isinstance(module, _Block)]
        for ours, theirs in zip(blocks, net._blocks, strict=False):  # the package has some more at the end
            if ours.expand is not None:
                _fill(ours.expand, folded(theirs._expand_conv, theirs._bn0))
            _fill(ours.depthwise, folded(theirs._depthwise_conv, theirs._bn1))
            _fill(ours.project, folded(theirs._project_conv, theirs._bn2))


def _fill(layer: Any, tensors: tuple[Tensor, Tensor]) -> None:
    for mine, theirs in zip((layer.weight, layer.bias), tensors, strict=True):
        assert mine.shape == theirs.shape
        mine.copy_(theirs)


class SegmenterNet(nn.Module):
    """Photo -> scores. See `SegmenterConfig`; parts may be used alone: `trunk`, then `decode`."""

    def __init__(self, config: SegmenterConfig):
        super().__init__()
        self.config, width = config, config.width
        self.trunk = Trunk(config.trunk)
        channels = self.trunk.channels
        self.lateral = nn.ModuleList(nn.Conv2d(c, width, 1) for c in channels)
        self.smooth = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in channels)
        self.context = nn.Linear(channels[-1], width)
        self.head = nn.Conv2d(width, config.classes, 1)

    def forward(self, image: Tensor) -> Tensor:
        """Picture (B, 3, H, W) in [-1, 1] -> scores (B, K, H/4, W/4), float32; sides rounded up."""
        return self.decode(self.trunk(image))

    def decode(self, features: list[Tensor]) -> Tensor:
        """The trunk's features -> scores at the finest of them."""
        x = self.context(features[-1].mean((2, 3)))[:, :, None, None]
        for lateral, smooth, feature in reversed(list(zip(self.lateral, self.smooth, features, strict=True))):
            coarser = F.interpolate(x, size=feature.shape[2:], mode="nearest")
            x = F.relu(smooth(F.relu(lateral(feature) + coarser)))
        return self.head(x).float()


class FeatureGaussian(nn.Module):
    """The normal distribution of photos' features, and how far from its middle others lie.

    `mean` (F,); `whitening` (F, F) turns a feature's distance from it into standard normal values.
    """

    mean: Tensor
    whitening: Tensor

    def __init__(self, features: int):
        super().__init__()
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("whitening", torch.eye(features))

    @torch.no_grad()
    def fit(self, rows: Tensor, shrinkage: float = 1e-3) -> None:
        """Takes mean and covariance of features (N, F), the latter shrunk towards its diagonal."""
        covariance = torch.atleast_2d(torch.cov(rows.double().T, correction=0))
        variance = torch.diagonal(covariance)
        floor = torch.diag(shrinkage * variance.clamp(min=float(1e-4 * variance.mean() + 1e-12)))
        root = torch.linalg.cholesky((1 - shrinkage) * covariance + floor)
        self.mean.copy_(rows.double().mean(0))
        self.whitening.copy_(torch.linalg.inv(root))

    def distance(self, feature: Tensor) -> float:
        """Mahalanobis distance of a feature (F,) per root of F: about 1 for the photos themselves."""
        return float((self.whitening @ (feature - self.mean)).square().mean().sqrt())

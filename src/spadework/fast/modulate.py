"""Training on label contexts: batch norm, modulation and leaky ReLU of SPADE in few passes over the features.

Features are tens of megabytes, and in bfloat16 a pass over them costs as much as a convolution. So norms of
the same features share their statistics, the deviation goes into the tables, and the gradient of batch norm
needs no sums over pixels of its own: they are sums over contexts of what the tables' gradients need anyway.
What is left at a pixel is three functions that torch.compile makes one loop each, where there is a compiler.

Shapes: B batch, C features, P = B*H*W pixels row by row, N contexts, T norms of the same features.
"""

import logging
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from spadework.fast.contexts import Level
from spadework.nn import together
from spadework.nn.together import BatchNorm

LARGE = 2**18
"""Tensors of fewer values are not worth a compiler."""

_log = logging.getLogger(__name__)


def modulate(
    x: Tensor,
    level: Level,
    tables: Sequence[tuple[Tensor, Tensor]],
    slopes: Sequence[float],
    norms: Sequence[BatchNorm] = (),
) -> list[Tensor]:
    """`leaky_relu(x * scale + shift)` with each norm's scale and shift by context: T times (B, C, H, W).

    x: (B, C, H, W). tables: rows (N, 2C) and what is added to each of them (2C,), scales first. slopes: of
    what is below zero; 1 does nothing. norms: batch norms in training that x goes through before.
    """
    mean = rate = None
    if norms:
        mean, variance = _statistics(x.detach())
        rate = (variance + norms[0].eps).rsqrt()
        for norm in norms:
            norm.remember(mean, variance, x.numel() // x.shape[1])
    pixels = x.permute(0, 2, 3, 1).reshape(-1, x.shape[1])
    flat = [table for pair in tables for table in pair]
    outs = _Modulate.apply(pixels, mean, rate, level, tuple(slopes), *flat)
    return [y.view(x.shape[0], *level.size, x.shape[1]).permute(0, 3, 1, 2) for y in outs]


def _statistics(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance (C,) of (B, C, H, W) over all processes, in float32 at least."""
    mean, variance = _own_statistics(x)
    if together.count() == 1:
        return mean, variance
    middle = together.mean(mean)
    return middle, together.mean(variance + (mean - middle).square())


def _own_statistics(x: Tensor) -> tuple[Tensor, Tensor]:
    dtype = _precise(x.dtype)
    if x.device.type != "cpu":
        variance, mean = torch.var_mean(x.to(dtype), (0, 2, 3), correction=0)
        return mean, variance
    mean, variance = (x.new_zeros(x.shape[1], dtype=dtype) for _ in range(2))  # the results are of their type
    return torch.batch_norm_update_stats(x, mean, variance, 0.0)


class _Modulate(torch.autograd.Function):
    """On pixels (P, C): mean and rate (C,) of batch norm or None, then rows (N, 2C) and base (2C,) by norm.

    With batch norm x stands for `(x - mean) * rate`. Its gradient is a line in x - mean on top of the
    others': minus the mean gradient, minus x - mean times its mean product with the gradient (Ioffe & Szegedy
    2015, arXiv 1502.03167).
    """

    @staticmethod
    def forward(ctx, x, mean, rate, level, slopes, *tables):
        x, *tables = (t.detach() for t in (x, *tables))
        pairs = zip(tables[::2], tables[1::2], strict=True)
        scales, shifts = zip(*(_fold(*pair, rate, x.dtype) for pair in pairs), strict=True)
        outs = _look_up(x, mean, level.index, scales, shifts, slopes)
        ctx.level, ctx.slopes, ctx.dtypes = level, slopes, [t.dtype for t in tables[::2]]
        seen = [None if slope == 1 else out for out, slope in zip(outs, slopes, strict=True)]
        ctx.save_for_backward(x, mean, rate, *scales, *seen)
        return tuple(outs)

    @staticmethod
    def backward(ctx, *grads):
        index, pixels, count = ctx.level.index, ctx.level.pixels, len(ctx.slopes)
        x, mean, rate, *saved = ctx.saved_tensors
        scales, outs = saved[:count], [None if out is None else out.detach() for out in saved[count:]]
        inner, products = _inner(x, mean, list(grads), outs, ctx.slopes)
        tables, lines = [], []
        for grad, product, scale, dtype in zip(inner, products, scales, ctx.dtypes, strict=True):
            sums = (pixels.sum(t, _precise(x.dtype)) for t in (product, grad))
            rows, base, line = _unfold(*sums, scale, rate, dtype)
            tables += [rows, base]
            lines.append(line)
        line = None if rate is None else (together.mean(torch.stack(lines).sum(0)) / -len(x)).to(x.dtype)
        return _combine(x, mean, index, inner, scales, line), None, None, None, None, *tables


def _precise(dtype: torch.dtype) -> torch.dtype:
    """float32 at least."""
    return torch.promote_types(dtype, torch.float32)


class _Compiled:
    """A function that is compiled at its first call with a large tensor, if there is a compiler."""

    works = True

    def __init__(self, function: Callable):
        self.function = function
        self.compiled: Callable | None = None

    def __call__(self, x: Tensor, *rest):
        if x.numel() < LARGE or not _Compiled.works:
            return self.function(x, *rest)
        if self.compiled is None:  # not earlier: the compiler takes seconds to import
            self.compiled = torch.compile(self.function, dynamic=True)
        try:
            return self.compiled(x, *rest)
        except torch._dynamo.exc.TorchDynamoException as error:  # type: ignore[attr-defined]
            reason = str(error).strip().splitlines()[0]
            _log.warning("training is slower than it could be: torch.compile does not work here: %s", reason)
            _Compiled.works = False
            return self.function(x, *rest)


@_Compiled
def _fold(rows, base, rate, dtype):
    """Scales and shifts (N, C) of the normalised x -> of x - mean."""
    scale, shift = (rows + base).chunk(2, 1)
    scale = scale if rate is None else scale * rate
    return scale.to(dtype).contiguous(), shift.to(dtype).contiguous()


@_Compiled
def _unfold(products, sums, scale, rate, dtype):
    """Sums by context (N, C) of gradient times x - mean, and of the gradient -> gradients of rows and base.

    And the line in x - mean that batch norm's gradient is, per pixel: slope and constant (2, C).
    """
    line = None
    if rate is not None:
        line = torch.stack([(scale * products).sum(0) * rate**2, (scale * sums).sum(0)])
        products = products * rate
    rows = torch.cat([products, sums], 1)
    return rows.to(dtype), rows.sum(0), line


@_Compiled
def _look_up(x, mean, index, scales, shifts, slopes):
    centred, outs = _centre(x, mean), []
    for scale, shift, slope in zip(scales, shifts, slopes, strict=True):
        y = torch.addcmul(shift.index_select(0, index), centred, scale.index_select(0, index))
        outs.append(y if slope == 1 else F.leaky_relu(y, slope))
    return outs


@_Compiled
def _inner(x, mean, grads, outs, slopes):
    """Gradients in front of the activations, and these times x - mean."""
    inner = [
        grad if out is None else torch.ops.aten.leaky_relu_backward(grad, out, slope, True)
        for grad, out, slope in zip(grads, outs, slopes, strict=True)
    ]
    centred = _centre(x, mean)
    return inner, [grad * centred for grad in inner]


@_Compiled
def _combine(x, mean, index, inner, scales, line):
    """Sum of the gradients times their scales, and of the line in x - mean."""
    total = None if line is None else torch.addcmul(line[1], _centre(x, mean), line[0])
    for grad, scale in zip(inner, scales, strict=True):
        rows = scale.index_select(0, index)
        total = grad * rows if total is None else torch.addcmul(total, grad, rows)
    return total


def _centre(x, mean):
    return x if mean is None else x - mean.to(x.dtype)

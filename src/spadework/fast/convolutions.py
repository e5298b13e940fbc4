"""Convolutions and products of matrices whose weights lie as the CPU's kernels want them.

PyTorch asks oneDNN for a layout at every call and converts the weights where it differs; here that happens
once. Products are 1x1 convolutions over a fixed number of rows: PyTorch's own float32 products come from a
library that uses half of what an AMD core can do. And a row's result does not depend on how many are asked.

Shapes: P = h*w pixels of a grid row by row; features are (P, C), the memory of channels_last.
"""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from spadework.fast.bytes import DigitConv, WeightDigits, digits_pay

PACKABLE = (torch.float32, torch.bfloat16)
"""Precisions whose weights the CPU's kernel takes in its own order."""


class PackedConv:
    """A convolution for grids of one size, stride 1, same padding; other sizes convert at every call."""

    def __init__(self, weight: Tensor, bias: Tensor | None, grid: tuple[int, int]):
        self.weight = weight.detach().contiguous(memory_format=torch.channels_last)
        self.bias = None if bias is None else bias.detach().to(weight.dtype)
        self.padding = weight.shape[-1] // 2
        self.packed = self._pack((1, weight.shape[1], *grid))

    def _pack(self, shape: tuple[int, ...]) -> bool:
        reorder = getattr(torch._C._nn, "mkldnn_reorder_conv2d_weight", None)  # type: ignore[attr-defined]
        known = self.weight.dtype in PACKABLE and torch.backends.mkldnn.is_available()
        if reorder is None or not known:
            return False
        pad, one = (self.padding, self.padding), (1, 1)
        self.weight = reorder(self.weight.to_mkldnn(), pad, one, one, 1, list(shape))
        return True

    def unpacked(self) -> Tensor:
        """The weight (C_out, C_in, k, k) as it was given."""
        return self.weight.to_dense() if self.packed else self.weight

    def __call__(self, rows: Tensor, grid: tuple[int, int]) -> Tensor:
        """(P, C_in) on a grid of (h, w) -> (P, C_out)."""
        x, pad = rows.view(1, *grid, -1).permute(0, 3, 1, 2), [self.padding] * 2
        if self.packed:
            pointwise = torch.ops.mkldnn._convolution_pointwise
            y = pointwise(x, self.weight, self.bias, pad, [1, 1], [1, 1], 1, "none", [], "")
        else:
            y = F.conv2d(x, self.weight, self.bias, padding=pad)
        return y.permute(0, 2, 3, 1).reshape(len(rows), -1)


class PackedProduct:
    """`rows @ weight.T + bias`, `step` rows at a time."""

    def __init__(self, weight: Tensor, bias: Tensor | None, step: int):
        self.conv, self.step = PackedConv(weight[:, :, None, None], bias, (step, 1)), step

    def __call__(self, rows: Tensor) -> Tensor:
        """(N, C_in) -> (N, C_out)."""
        parts = [self._few(part) for part in rows.split(self.step)]
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def _few(self, rows: Tensor) -> Tensor:
        """At most `step` rows."""
        missing = self.step - len(rows)
        whole = F.pad(rows, (0, 0, 0, missing)) if missing else rows
        return self.conv(whole, (self.step, 1))[: len(rows)]


class WinogradConv:
    """A 3x3 convolution in 4 multiplications per pixel and pair of channels, not 9, exact but for rounding.

    F(2x2, 3x3) of Lavin & Gray 2015 (arXiv 1509.09308): 4x4 pixels become 16 sums, each is multiplied by its
    own matrix, and sums of these are 2x2 pixels of the result. In float32 it rounds less than the plain sum.
    """

    TILES = 256
    """Tiles that are worked on at a time; their sums stay in cache."""

    def __init__(self, weight: Tensor, bias: Tensor | None, grid: tuple[int, int]):
        spread = torch.tensor([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]], dtype=torch.float64)
        kernels = torch.einsum("iy,ocyx,jx->ijoc", spread, weight.detach().double(), spread).to(weight.dtype)
        step = min(-(-grid[0] // 2) * -(-grid[1] // 2), self.TILES)
        self.products = [PackedProduct(kernel, None, step) for kernel in kernels.flatten(0, 1)]
        self.bias = None if bias is None else bias.detach()

    @staticmethod
    def pays(weight: Tensor, grid: tuple[int, int]) -> bool:
        """Whether it is faster than a plain convolution: many channels, few pixels.

        Not on the coarsest grids, where it gains little and its weights take 16/9 of the memory.
        """
        channels, pixels = min(weight.shape[:2]), grid[0] * grid[1]
        fits = max(512, 2**18 // channels) <= pixels <= 64 * 64
        return weight.dtype == torch.float32 and channels >= 256 and fits

    def __call__(self, rows: Tensor, grid: tuple[int, int]) -> Tensor:
        """(P, C_in) on a grid of (h, w) -> (P, C_out)."""
        h, w = grid
        x = F.pad(rows.view(h, w, -1), (0, 0, 1, 1 + w % 2, 1, 1 + h % 2))
        step = 2 * max(1, self.TILES // ((w + 1) // 2))
        bands = [self._band(x[top : top + step + 2]) for top in range(0, h, step)]
        y = (bands[0] if len(bands) == 1 else torch.cat(bands))[:h, :w]
        return (y if self.bias is None else y + self.bias).reshape(h * w, -1)

    def _band(self, x: Tensor) -> Tensor:
        """Rows of pixels with a margin of one (2a + 2, 2b + 2, C_in) -> (2a, 2b, C_out)."""
        a, b = x.shape[0] // 2 - 1, x.shape[1] // 2 - 1
        sums = x.new_empty(4, 4, a, b, x.shape[2])
        for i, across in enumerate(_four(lambda n: x[n : n + 2 * a : 2])):
            _four(lambda n, across=across: across[:, n : n + 2 * b : 2], sums[i])
        made = [product(part) for product, part in zip(self.products, sums.view(16, a * b, -1), strict=True)]
        y = x.new_empty(a, 2, b, 2, made[0].shape[1])
        rows = [_two(made[n::4]) for n in range(4)]  # of the four columns: the upper and the lower pixel
        for i in range(2):
            left, right = _two([column[i] for column in rows])
            y[:, i, :, 0], y[:, i, :, 1] = left.view(a, b, -1), right.view(a, b, -1)
        return y.view(2 * a, 2 * b, -1)


def _four(at: Callable[[int], Tensor], out: Tensor | None = None) -> list[Tensor]:
    """Four neighbours -> their four sums."""
    outs = [None] * 4 if out is None else list(out)
    sums = ((torch.sub, 0, 2), (torch.add, 1, 2), (torch.sub, 2, 1), (torch.sub, 1, 3))
    return [add(at(a), at(b), out=into) for (add, a, b), into in zip(sums, outs, strict=True)]


def _two(parts: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Four products -> two pixels."""
    return parts[0] + parts[1] + parts[2], parts[1] - parts[2] - parts[3]


Convolution = Callable[[Tensor, tuple[int, int]], Tensor]
"""Stride 1, same padding: (P, C_in) on a grid of (h, w) -> (P, C_out)."""


SMALL = 16 * 16
"""Grids of so few pixels are convolved with a pixel more on every side; their weights take longer to read."""


class GrownConv:
    """A 3x3 convolution of features that go on beyond the border: `conv` of a grid that was made larger."""

    def __init__(self, conv: Convolution):
        self.conv = conv

    def __call__(self, rows: Tensor, grid: tuple[int, int]) -> Tensor:
        """(P, C_in) on a grid of (h, w) -> (P, C_out)."""
        h, w = grid
        x = F.pad(rows.view(1, h, w, -1).permute(0, 3, 1, 2), (1, 1, 1, 1), "replicate")
        made = self.conv(x.permute(0, 2, 3, 1).reshape((h + 2) * (w + 2), -1), (h + 2, w + 2))
        return made.view(h + 2, w + 2, -1)[1:-1, 1:-1].reshape(len(rows), -1)


class ContinuedConv:
    """A 3x3 convolution of features that go on beyond the border, each pixel as the nearest one.

    `conv` computes it with zeros there; what these leave out is added at the border.
    """

    def __init__(self, conv: Convolution, weight: Tensor):
        self.conv, weight = conv, weight.detach()
        # (C_out, 3 * C_in) of the taps that look over each side
        self.rows = [weight[:, :, end].permute(0, 2, 1).flatten(1).contiguous() for end in (0, -1)]
        self.columns = [weight[..., end].permute(0, 2, 1).flatten(1).contiguous() for end in (0, -1)]

    def __call__(self, rows: Tensor, grid: tuple[int, int]) -> Tensor:
        """(P, C_in) on a grid of (h, w) -> (P, C_out)."""
        made = self.conv(rows, grid)
        x, y = rows.view(*grid, -1), made.view(*grid, -1)
        for end, row, column in zip((0, -1), self.rows, self.columns, strict=True):
            line, side = x[end], x[:, end]
            y[end] += F.linear(_threes(torch.cat([line[:1], line, line[-1:]])), row)
            y[:, end] += F.linear(_threes(F.pad(side, (0, 0, 1, 1))), column)
        return made


def _threes(line: Tensor) -> Tensor:
    """Pixels in a line (n + 2, C) -> each with both neighbours (n, 3 * C)."""
    return torch.cat([line[:-2], line[1:-1], line[2:]], 1)


def packed_conv(
    weight: Tensor, bias: Tensor | None, grid: tuple[int, int], padding: str = "zeros"
) -> Convolution:
    """The fastest one for this grid and processor; `padding` "replicate": see ContinuedConv."""
    if padding == "zeros":
        return _fastest(weight, bias, grid)
    if grid[0] * grid[1] <= SMALL:
        return GrownConv(_fastest(weight, bias, (grid[0] + 2, grid[1] + 2)))
    return ContinuedConv(_fastest(weight, bias, grid), weight)


def _fastest(weight: Tensor, bias: Tensor | None, grid: tuple[int, int]) -> Convolution:
    c_out, c_in = weight.shape[:2]
    if digits_pay(c_in * c_out / (c_in + c_out), weight.dtype):
        return DigitConv(WeightDigits.of(weight), bias, grid)
    return (WinogradConv if WinogradConv.pays(weight, grid) else PackedConv)(weight, bias, grid)


def product(rows: Tensor, weight: Tensor) -> Tensor:
    """`rows @ weight.T` for training: (N, C_in), (C_out, C_in) -> (N, C_out), differentiable in both.

    Without autocast it and its gradients are 1x1 convolutions, for the reason above; PyTorch's backward of a
    1x1 convolution takes five times as long as these two.
    """
    if torch.is_autocast_enabled(rows.device.type) or rows.device.type != "cpu":
        return F.linear(rows, weight)
    return _Product.apply(rows, weight)


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx, rows: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(rows, weight)
        return _pointwise(rows, weight)

    @staticmethod
    def backward(ctx, *grads: Tensor):
        (rows, weight), (grad,) = ctx.saved_tensors, grads
        return _pointwise(grad, weight.t()), _pointwise(grad.t(), rows.t())


def _pointwise(rows: Tensor, weight: Tensor) -> Tensor:
    """`rows @ weight.T` as a 1x1 convolution of a column of pixels."""
    column = rows[None, :, None].permute(0, 3, 1, 2)  # (1, C_in, N, 1) in channels_last
    return F.conv2d(column, weight[:, :, None, None]).permute(0, 2, 3, 1)[0, :, 0]

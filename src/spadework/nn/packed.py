"""Convolutions and products of matrices whose weights lie as the CPU's kernels want them.

PyTorch asks oneDNN for a layout at every call and converts the weights where it differs; here that happens
once. Products are 1x1 convolutions over a fixed number of rows: PyTorch's own float32 products come from a
library that uses half of what an AMD core can do, and a row's result does not depend on how many are asked for.

Shapes: P = h*w pixels of a grid row by row; features are (P, C), the memory of channels_last.
"""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor


class PackedConv:
    """A convolution for grids of one size, stride 1, same padding; other sizes convert at every call."""

    def __init__(self, weight: Tensor, bias: Tensor | None, grid: tuple[int, int]):
        self.weight = weight.detach().contiguous(memory_format=torch.channels_last)
        self.bias = None if bias is None else bias.detach().to(weight.dtype)
        self.padding = weight.shape[-1] // 2
        self.packed = self._pack((1, weight.shape[1], *grid))

    def _pack(self, shape: tuple[int, ...]) -> bool:
        reorder = getattr(torch._C._nn, "mkldnn_reorder_conv2d_weight", None)  # type: ignore[attr-defined]
        if reorder is None or not torch.backends.mkldnn.is_available():
            return False
        pad, one = (self.padding, self.padding), (1, 1)
        self.weight = reorder(self.weight.to_mkldnn(), pad, one, one, 1, list(shape))
        return True

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
    """``rows @ weight.T + bias``, ``step`` rows at a time."""

    def __init__(self, weight: Tensor, bias: Tensor | None, step: int):
        self.conv, self.step = PackedConv(weight[:, :, None, None], bias, (step, 1)), step

    def __call__(self, rows: Tensor) -> Tensor:
        """(N, C_in) -> (N, C_out)."""
        parts = [part for _, part in self.parts(rows)]
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def parts(self, rows: Tensor) -> Iterator[tuple[slice, Tensor]]:
        """Which rows, and their products."""
        for top in range(0, len(rows), self.step):
            part = rows[top : top + self.step]
            few = len(part)
            if few < self.step:
                part = F.pad(part, (0, 0, 0, self.step - few))
            yield slice(top, top + few), self.conv(part, (self.step, 1))[:few]

"""float32 products out of exact products of bytes, for processors that multiply bytes in tiles (Intel's AMX).

These multiply bytes fifteen times as fast as float32. So a factor becomes three digits to the base 256 under
one scale, and a product six exact products of digits, added up in float32; the three smallest are left out.
That takes half the time, and at the widths of the published network rounds no more than plain float32 sums:
1e-6 of the typical result. The idea is Ozaki's scheme (Ootomo, Ozaki & Yokota 2024, arXiv 2306.11975). As
sums of integers are exact, a row's result does not depend on how many rows are asked.

Shapes: P = h*w pixels of a grid row by row; features are (P, C), the memory of channels_last.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

BAND = 2**18
"""So many values are turned into digits at a time; they stay in cache."""

SUMS = 2**22
"""So many sums are made at a time; larger blocks of memory are fresh pages at every call, which is slow."""

WORTH = 80
"""Products per tap and value that goes in or out; with fewer, digits do not pay."""

ZERO = 128
"""The byte of the digit 0; digits run from -128 to 127."""

LARGEST = 2**23 - 2**16
"""Of the integers that have digits."""

_TINY = 1e-30  # factors whose largest value is smaller count as zero
_LARGEST_WEIGHT = 127 * 256**2 + 127 * 256 + 127


def multiplies_bytes() -> bool:
    """Whether this processor multiplies tiles of bytes and PyTorch knows how."""
    tiles = getattr(torch.cpu, "_is_amx_tile_supported", lambda: False)  # no public name in torch 2.13
    return tiles() and hasattr(torch.ops.onednn, "qlinear_pointwise")


def digits_pay(products: float, dtype: torch.dtype) -> bool:
    """Whether so many products per tap and value are faster here out of bytes."""
    return products >= WORTH and dtype == torch.float32 and multiplies_bytes()


@dataclass
class Digits:
    """Values (N, C) in digits. planes: (3, N, C) uint8, the largest digits first.

    unit: of the largest digits. A byte of ZERO is the digit 0.
    """

    planes: Tensor
    unit: float

    @classmethod
    def of(cls, rows: Tensor, margin: int = 0) -> "Digits":
        """Of float32 (N, C), and of ``margin`` rows of zeros before and behind them.

        On a scale from the lowest value to the highest; what is not finite spreads.
        """
        ends = [part.aminmax() for part in _parts(rows)]
        lowest = torch.stack([low for low, _ in ends]).min().clamp(max=0)
        highest = torch.stack([high for _, high in ends]).max().clamp(min=0)
        span = (highest - lowest).clamp(min=_TINY)
        scale, below = 126 * 256**2 / span, (-lowest / span * 126).nan_to_num().ceil()
        planes = torch.empty(3, len(rows) + 2 * margin, rows.shape[1], dtype=torch.uint8)
        planes[:, :margin], planes[:, len(rows) + margin :] = ZERO, ZERO
        _write(rows, planes[:, margin : len(rows) + margin], float(scale), int(below))
        return cls(planes, float(256**2 / scale))

    @classmethod
    def empty(cls, rows: int, channels: int) -> "Digits":
        """Of integers that are to be written."""
        return cls(torch.empty(3, rows, channels, dtype=torch.uint8), 256**2)

    def write_integers(self, top: int, rows: Tensor) -> None:
        """From row ``top`` on: float32 (n, C) in 0 <= rows <= LARGEST, rounded to integers."""
        _write(rows, self.planes[:, top : top + len(rows)])

    def gather(self, index: Tensor) -> "Digits":
        """Rows by number (n, k) -> (n, k * C)."""
        planes = self.planes.index_select(1, index.flatten())
        return Digits(planes.view(3, len(index), -1), self.unit)


def _parts(rows: Tensor) -> tuple[Tensor, ...]:
    return rows.split(max(1, BAND // rows.shape[1]))


def _write(rows: Tensor, planes: Tensor, scale: float = 1, below: int = 0) -> None:
    """``round(rows * scale)`` in bytes into planes (3, N, C); the largest digits are -``below`` at least.

    A float32 between 2^23 and 2^24 has its integer in its lower bits.
    """
    base = torch.tensor(2.0**23 + below * 256**2 + 128 * 256 + 128)
    parts, top = _parts(rows), 0
    sums, shifted = torch.empty_like(parts[0]), torch.empty(parts[0].shape, dtype=torch.int32)
    for part in parts:
        n = len(part)
        large, medium, small = planes[:, top : top + n]
        bits = torch.add(base, part, alpha=scale, out=sums[:n]).view(torch.int32)
        small.copy_(bits)
        medium.copy_(torch.bitwise_right_shift(bits, 8, out=shifted[:n]))
        large.copy_(torch.bitwise_right_shift(bits, 16, out=shifted[:n]).add_(128 - below))
        top += n


def _weight_digits(weight: Tensor) -> tuple[list[Tensor], Tensor]:
    """(C_out, ...) -> its digits, int8, the largest first, and the unit (C_out,) of these."""
    weight = weight.detach().double()
    unit = weight.flatten(1).abs().amax(1).clamp(min=_TINY) / _LARGEST_WEIGHT
    unit = (unit * (1 + 2**-20)).float()  # rounded up
    rest = (weight / unit.double().view(-1, *[1] * (weight.dim() - 1))).round().long()
    digits = []
    for _ in range(3):
        digits.append(((rest + 128) % 256 - 128).to(torch.int8))
        rest = (rest + 128) // 256
    return digits[::-1], unit * 256**2


class DigitConv:
    """A convolution of float32, stride 1, same padding, its weights packed for grids like ``grid``."""

    def __init__(self, weight: Tensor, bias: Tensor | None, grid: tuple[int, int]):
        digits, self.unit = _weight_digits(weight)
        self.padding = [weight.shape[-1] // 2] * 2
        self.zero = torch.zeros(len(weight), dtype=torch.int32)
        self.bias = torch.zeros(len(weight)) if bias is None else bias.detach()
        self.digits = [
            torch.ops.onednn.qconv_prepack(
                digit, self.unit, 1.0, ZERO, [1, 1], self.padding, [1, 1], 1, [count, weight.shape[1], *grid]
            )
            for digit, count in zip(digits, (3, 2, 1), strict=True)
        ]

    def __call__(self, rows: Tensor, grid: tuple[int, int]) -> Tensor:
        """(P, C_in) on a grid of (h, w) -> (P, C_out)."""
        (h, w), made = grid, rows.new_empty(len(rows), len(self.bias))
        bands = -(-3 * made.numel() // SUMS)
        step = -(-h // bands)
        reach = self.padding[0] if step < h else 0  # rows of neighbours around a band
        digits = Digits.of(rows, reach * w)
        for top in range(0, h, step):
            n = min(step, h - top)
            band = digits.planes[:, top * w : (top + n + 2 * reach) * w].unflatten(1, (-1, w))
            sums = self._sums(band.permute(0, 3, 1, 2), digits.unit)
            large, medium, small = sums.permute(0, 2, 3, 1)[:, reach : reach + n].flatten(1, 2)
            medium.add_(small, alpha=1 / 256)
            torch.add(large, medium, alpha=1 / 256, out=made[top * w : (top + n) * w]).add_(self.bias)
        return made

    def _sums(self, planes: Tensor, unit: float) -> Tensor:
        """Digits (3, C_in, h, w) -> sums of products (3, C_out, h, w), those of large digits first."""
        how = ([1, 1], self.padding, [1, 1], 1, 1.0, 0, torch.float32)
        weights = (unit, ZERO, self.digits[0], self.unit, self.zero)
        sums = torch.ops.onednn.qconv2d_pointwise(planes, *weights, None, *how, "none", [], "")
        add = torch.ops.onednn.qconv2d_pointwise.binary
        for i in (1, 2):
            weights = (unit, ZERO, self.digits[i], self.unit, self.zero)
            add(planes[: 3 - i], *weights, sums[i:], None, *how, 1.0, 0, "sum", 1.0, "none", [], "")
        return sums


class DigitProduct:
    """``rows @ weight.T + bias`` for float32 weights (C_out, C_in), best for ``many`` rows."""

    def __init__(self, weight: Tensor, bias: Tensor | None, many: int):
        digits, self.unit = _weight_digits(weight)
        self.digits = [torch.ops.onednn.qlinear_prepack(digit, [many, weight.shape[1]]) for digit in digits]
        self.zero, self.bias = torch.zeros(len(weight), dtype=torch.int32), bias

    def __call__(self, rows: Digits) -> Tensor:
        """(N, C_in) -> (N, C_out)."""
        total = None
        for i, j in ((2, 0), (1, 1), (0, 2), (1, 0), (0, 1), (0, 0)):
            unit = rows.unit / 256 ** (i + j)
            factors = (rows.planes[i], unit, ZERO, self.digits[j], self.unit, self.zero)
            if total is None:
                multiply = torch.ops.onednn.qlinear_pointwise
                total = multiply(*factors, self.bias, 1.0, 0, torch.float32, "none", [], "")
            else:
                add = torch.ops.onednn.qlinear_pointwise.binary
                add(*factors, total, None, 1.0, 0, torch.float32, 1.0, 0, "sum", 1.0, "none", [], "")
        assert total is not None
        return total

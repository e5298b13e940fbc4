"""float32 products out of exact products of bytes, for processors that multiply bytes in tiles (Intel's AMX).

These multiply bytes fifteen times as fast as float32. So a factor becomes three digits to the base 256 under
one scale, and a product six exact products of digits, added up in float32; the three smallest are left out.
That takes half the time, and at the widths of the published network rounds no more than plain float32 sums:
1e-6 of the typical result. The idea is Ozaki's scheme (Ootomo, Ozaki & Yokota 2024, arXiv 2306.11975). As
sums of integers are exact, a row's result does not depend on how many rows are asked.

Shapes: P = h*w pixels of a grid row by row; features are (P, C), the memory of channels_last.
"""

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

CHUNK = 2**18
"""So many values are turned into digits at a time; they stay in cache."""

SUMS = 2**21
"""So many sums are made at a time, one pair of digits after the other; beyond, they leave the cache."""

PAIRS = ((2, 0), (1, 1), (0, 2), (1, 0), (0, 1), (0, 0))
"""Digits of both factors that are multiplied, 0 the largest ones; small products are added first."""

INTO_SUM = (1.0, 0, torch.float32, 1.0, 0, "sum", 1.0, "none", [], "")
"""How the operators add products to sums in place: float32, without scales of their own or activation."""

WORTH = 80
"""Products per tap and value that goes in or out; with fewer, digits do not pay."""

ZERO = 128
"""The byte of the digit 0; digits run from -128 to 127."""

LARGEST = 2**23 - 2**16
"""Of the integers that have digits."""

_TINY = 1e-30  # factors whose largest value is smaller count as zero
_LARGEST_WEIGHT = 127 * 256**2 + 127 * 256 + 127


TRIED, CLOSE = (64, 48, 32), 1e-5
"""Rows, C_in and C_out of the products by which the operators are tried, and how exact they must be."""


def multiplies_bytes() -> bool:
    """Whether this processor multiplies tiles of bytes, and PyTorch does it as this module takes it to."""
    tiles = getattr(torch.cpu, "_is_amx_tile_supported", lambda: False)  # no public name in torch 2.13
    return tiles() and operators_agree()


@lru_cache(maxsize=1)
def operators_agree() -> bool:
    """Whether PyTorch's operators on bytes multiply a small pair right.

    They have no public name, and their arguments go by position; where another version takes others, float32
    is multiplied as ever.
    """
    rows, c_in, c_out = TRIED
    values = torch.sin(torch.arange(rows * c_in + c_out * c_in + c_out).float())
    x, weight, bias = values.split([rows * c_in, c_out * c_in, c_out])
    x, weight = x.view(rows, c_in), weight.view(c_out, c_in)
    digits = WeightDigits.of(weight)
    grid, planes = (8, rows // 8), Digits.of(x)
    kernel = WeightDigits([digit[:, :, None, None] for digit in digits.digits], digits.unit)
    try:
        found = DigitProduct(digits, bias, rows)(planes), DigitConv(kernel, bias, grid)(x, grid)
    except (AttributeError, RuntimeError, TypeError):
        return False
    return all(torch.allclose(made, x @ weight.T + bias, atol=CLOSE) for made in found)


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
        """Of float32 (N, C), and of `margin` rows of zeros before and behind them.

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
        """From row `top` on: float32 (n, C) in 0 <= rows <= LARGEST, rounded to integers."""
        _write(rows, self.planes[:, top : top + len(rows)])

    def gather(self, index: Tensor, margin: int = 0) -> "Digits":
        """Rows by number (n, k) -> (n, k * C), and `margin` rows of zeros before and behind them."""
        n, k = index.shape
        planes = self.planes.new_empty(3, n + 2 * margin, k * self.planes.shape[2])
        planes[:, :margin], planes[:, n + margin :] = ZERO, ZERO
        for plane, made in zip(self.planes, planes, strict=True):
            into = made[margin : n + margin].view(n * k, -1)
            torch.index_select(plane, 0, index.flatten(), out=into)
        return Digits(planes, self.unit)


def _parts(rows: Tensor) -> tuple[Tensor, ...]:
    return rows.split(max(1, CHUNK // rows.shape[1]))


def _write(rows: Tensor, planes: Tensor, scale: float = 1, below: int = 0) -> None:
    """`round(rows * scale)` in bytes into planes (3, N, C); the largest digits are -`below` at least.

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


@dataclass
class WeightDigits:
    """Weights (C_out, ...) in digits, int8, the largest first; unit: (C_out,) of these."""

    digits: list[Tensor]
    unit: Tensor

    @classmethod
    def of(cls, weight: Tensor) -> "WeightDigits":
        """Every row of weights has its own scale."""
        weight = weight.detach().double()
        unit = weight.flatten(1).abs().amax(1).clamp(min=_TINY) / _LARGEST_WEIGHT
        unit = (unit * (1 + 2**-20)).float()  # rounded up
        rest = (weight / unit.double().view(-1, *[1] * (weight.dim() - 1))).round().long()
        digits = []
        for _ in range(3):
            digits.append(((rest + 128) % 256 - 128).to(torch.int8))
            rest = (rest + 128) // 256
        return cls(digits[::-1], unit * 256**2)


class DigitConv:
    """A convolution of float32, stride 1, same padding, its weights packed for grids like `grid`."""

    def __init__(self, weight: WeightDigits, bias: Tensor | None, grid: tuple[int, int]):
        c_out, c_in, kernel, _ = weight.digits[0].shape
        self.unit, self.reach = weight.unit, kernel // 2
        self.zero = torch.zeros(c_out, dtype=torch.int32)
        self.bias = torch.zeros(c_out) if bias is None else bias.detach()
        shape = [1, c_in, min(grid[0], self.band(grid[1])) + 2 * self.reach, grid[1]]
        self.geometry = ([1, 1], [0, self.reach], [1, 1], 1)  # rows above and below are given
        prepack = torch.ops.onednn.qconv_prepack
        self.digits = [prepack(d, self.unit, 1.0, ZERO, *self.geometry, shape) for d in weight.digits]

    def band(self, width: int) -> int:
        """Rows of so many pixels that are best made at a time."""
        return max(1, SUMS // (width * len(self.bias)))

    def __call__(self, rows: Tensor, grid: tuple[int, int]) -> Tensor:
        """(P, C_in) on a grid of (h, w) -> (P, C_out)."""
        return self.whole(Digits.of(rows, self.reach * grid[1]), grid)

    def whole(self, digits: Digits, grid: tuple[int, int]) -> Tensor:
        """All pixels' digits on a grid of (h, w), see `write` -> (P, C_out)."""
        h, w = grid
        made, step = self.bias.new_empty(h * w, len(self.bias)), self.band(w)
        for top in range(0, h, step):
            self.write(made[top * w : (top + step) * w], digits, top, w)
        return made

    def write(self, made: Tensor, digits: Digits, top: int, width: int) -> None:
        """Writes rows of `width` pixels from row `top` on: (n, C_out), out of all rows' digits.

        These have `reach` rows of zeros before and behind them.
        """
        under = slice(top * width, top * width + len(made) + 2 * self.reach * width)
        planes = digits.planes[:, under].unflatten(1, (-1, width)).permute(0, 3, 1, 2)
        out = made.copy_(self.bias).view(1, -1, width, made.shape[1]).permute(0, 3, 1, 2)
        add = torch.ops.onednn.qconv2d_pointwise.binary
        for i, j in PAIRS:
            unit = digits.unit / 256 ** (i + j)
            factors = (planes[i : i + 1], unit, ZERO, self.digits[j], self.unit, self.zero)
            add(*factors, out, None, *self.geometry, *INTO_SUM)


class Ahead:
    """A convolution of pixels that are asked for from top to bottom, a stretch at a time.

    A whole band is made at the first of its stretches. digits: of all pixels, see `DigitConv.write`.
    """

    def __init__(self, conv: DigitConv, digits: Digits, grid: tuple[int, int]):
        self.conv, self.digits, self.width = conv, digits, grid[1]
        self.end, self.step = grid[0] * grid[1], conv.band(grid[1]) * grid[1]
        self.band, self.first = conv.bias.new_empty(0, len(conv.bias)), 0

    def __call__(self, pixels: slice) -> Tensor:
        """(n, C_out) of a stretch of whole rows."""
        if not self.first <= pixels.start < pixels.stop <= self.first + len(self.band):
            self.first, last = pixels.start, min(self.end, max(pixels.stop, pixels.start + self.step))
            self.band = self.conv.bias.new_empty(last - self.first, len(self.conv.bias))
            self.conv.write(self.band, self.digits, self.first // self.width, self.width)
        return self.band[pixels.start - self.first : pixels.stop - self.first]


class DigitProduct:
    """`rows @ weight.T + bias` for float32 weights (C_out, C_in), best for `many` rows."""

    def __init__(self, weight: WeightDigits, bias: Tensor, many: int):
        prepack = torch.ops.onednn.qlinear_prepack
        self.digits = [prepack(digit, [many, digit.shape[1]]) for digit in weight.digits]
        self.unit, self.bias = weight.unit, bias
        self.zero = torch.zeros(len(bias), dtype=torch.int32)

    def weight(self) -> WeightDigits:
        """As it was given."""
        return WeightDigits([digit.to_dense().t() for digit in self.digits], self.unit)

    def __call__(self, rows: Digits) -> Tensor:
        """(N, C_in) -> (N, C_out)."""
        made = self.bias.repeat(rows.planes.shape[1], 1)
        add = torch.ops.onednn.qlinear_pointwise.binary
        for i, j in PAIRS:
            unit = rows.unit / 256 ** (i + j)
            add(rows.planes[i], unit, ZERO, self.digits[j], self.unit, self.zero, made, None, *INTO_SUM)
        return made

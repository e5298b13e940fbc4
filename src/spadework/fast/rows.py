"""Tables of gamma and beta for painting: a row per label context, kept from picture to picture.

Batch norm has fixed statistics in a painting, so it folds into the rows: `norm(x) * (1 + gamma) + beta` is
`x * scale + shift`. Every row is computed in one order of summation, whatever rows are made with it, so a
picture does not depend on what was painted before.

Shapes: S symbols and "outside", k kernel, h hidden width, C features, N contexts, M distinct k x k windows,
P pixels.
"""

from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from spadework.fast.bytes import LARGEST, Ahead, DigitConv, DigitProduct, Digits, WeightDigits, digits_pay
from spadework.fast.contexts import Level
from spadework.fast.convolutions import PackedConv, PackedProduct
from spadework.nn.spade import SPADE

OWN_ROWS, WINDOW_ROWS = 64, 256
"""Rows that are multiplied at a time, where every context's own are and where the distinct windows' are."""

PART, WINDOWS = 1024, 4096
"""Rows that are multiplied at a time out of bytes, and windows whose hidden values are made at a time."""

COLUMNS = 128
"""So many columns of a table are made at a time: their products stay in cache."""


KEY_BYTES = 200
"""What Python takes to know where the row of a context is, about."""

NEVER = np.iinfo(np.int64).max
"""The last call that needed a free row: it comes behind all others."""


class FoldedSPADE:
    """One SPADE with its batch norm folded in, as sums of rows of small tables."""

    def __init__(self, spade: SPADE, codes: Tensor, dtype: torch.dtype):
        shared: nn.Conv2d = spade.mlp_shared[0]  # type: ignore[assignment]
        self.kernel, self.padding, self.outside = spade.kernel, spade.padding, len(codes) - 1
        first = torch.einsum("hkyx,sk->syxh", shared.weight.detach().double(), codes.double())
        self.first = first.reshape(-1, shared.out_channels).to(dtype).contiguous()
        self.first_bias = shared.bias.detach().to(dtype)  # type: ignore[union-attr]
        weight, bias = _scale_and_shift(spade)
        self._unpacked: Tensor | None = weight.to(dtype)  # until it is packed in one of the three ways below
        self.bias = bias.to(dtype)
        self._convs: dict[tuple[int, int], PackedConv] = {}

    @property
    def width(self) -> int:
        """2C: a row is C scales, then C shifts."""
        return len(self.bias)

    def hidden(self, windows: Tensor) -> Tensor:
        """k x k symbols (M, k * k) -> mlp_shared at their centres (M, h); zero for centres outside."""
        taps = torch.arange(windows.shape[1])
        hidden = F.embedding_bag(windows * len(taps) + taps, self.first, mode="sum")
        hidden = hidden.add_(self.first_bias).relu_()
        return hidden.masked_fill_((windows[:, len(taps) // 2] == self.outside)[:, None], 0)

    def fill(self, rows: Tensor, windows: Tensor, taps: Tensor, few: bool) -> None:
        """Writes rows (N, 2C): windows (M, k * k) and the numbers of those around each context (N, k * k).

        `few` multiplies every context's own hidden rows, which is faster where windows hardly repeat.
        """
        hidden = self.hidden(windows)
        if few:
            for part in torch.arange(len(taps)).split(OWN_ROWS):
                around = hidden.index_select(0, taps[part].flatten()).view(len(part), -1)
                rows[part[0] : part[-1] + 1] = self._product(around)
            return
        index = taps * taps.shape[1] + torch.arange(taps.shape[1])
        for left, product in zip(range(0, self.width, COLUMNS), self._column_products, strict=True):
            products = product(hidden).view(len(hidden) * taps.shape[1], -1)
            rows[:, left : left + COLUMNS] = F.embedding_bag(index, products, mode="sum")

    @cached_property
    def _product(self) -> PackedProduct:
        """All taps' hidden rows -> a row of the table."""
        return PackedProduct(self._weight().permute(0, 2, 3, 1).flatten(1), self.bias, OWN_ROWS)

    @cached_property
    def _column_products(self) -> list[PackedProduct]:
        """One hidden row -> its share in COLUMNS of a row, tap by tap; the centre's has the bias."""
        taps = self._weight().flatten(2).permute(2, 0, 1)  # (k * k, 2C, h)
        shares = torch.zeros(taps.shape[:2], dtype=taps.dtype)
        shares[len(taps) // 2] = self.bias
        parts = zip(taps.split(COLUMNS, 1), shares.split(COLUMNS, 1), strict=True)
        return [PackedProduct(weight.flatten(0, 1), bias.flatten(), WINDOW_ROWS) for weight, bias in parts]

    def dense(self, level: Level) -> Callable[[slice], Tensor]:
        """What gives the rows (n, 2C) of a stretch of pixels, whether their contexts repeat or not."""
        places, size = self._places(level)
        if size not in self._convs:
            self._convs = {size: PackedConv(self._weight(), self.bias, size)}
        hidden = self.hidden(level.windows).index_select(0, places.flatten())
        return self._inside(self._convs[size](hidden, size), level.size).__getitem__

    def _places(self, level: Level) -> tuple[Tensor, tuple[int, int]]:
        """The windows (h, w) that the second convolution runs over: where labels go on, beyond the border."""
        margin = 0 if self.padding == "replicate" else self.kernel // 2
        places = level.places[
            0, margin : level.places.shape[1] - margin, margin : level.places.shape[2] - margin
        ]
        return places, (places.shape[0], places.shape[1])

    def _inside(self, rows: Tensor, size: tuple[int, int]) -> Tensor:
        """The rows (h * w, 2C) without those of pixels beyond the border."""
        if self.padding == "zeros":
            return rows
        reach = self.kernel // 2
        whole = rows.view(size[0] + 2 * reach, size[1] + 2 * reach, -1)
        return whole[reach:-reach, reach:-reach].reshape(size[0] * size[1], -1)

    def _weight(self) -> Tensor:
        """The second convolution (2C, h, k, k). Once packed it is read back, so nothing is kept twice."""
        k, made = self.kernel, vars(self)
        if self._unpacked is not None:
            weight, self._unpacked = self._unpacked, None
            return weight
        if self._convs:
            return next(iter(self._convs.values())).unpacked()
        if "_product" in made:
            return self._product.conv.unpacked().view(self.width, k, k, -1).permute(0, 3, 1, 2)
        parts = [product.conv.unpacked() for product in self._column_products]
        taps = torch.cat([part.view(k * k, -1, part.shape[1]) for part in parts], 1)
        return taps.permute(1, 2, 0).unflatten(2, (k, k))


class DigitSPADE(FoldedSPADE):
    """The same out of products of bytes: so fast that every row is multiplied out of its own windows.

    Hidden values are integers under a scale by channel. It is fixed, by the largest value that any window can
    have, so that no row depends on those that are made with it.
    """

    def __init__(self, spade: SPADE, codes: Tensor):
        super().__init__(spade, codes, torch.float64)
        by_tap = self.first.view(len(codes), -1, self.first.shape[1])
        most = (by_tap.amax(0).sum(0) + self.first_bias).clamp(min=0)
        scale = torch.where(most > 0, LARGEST * (1 - 2**-16) / most, 0)  # sums are rounded
        self.first, self.first_bias = (self.first * scale).float(), (self.first_bias * scale).float()
        self.bias = self.bias.float()
        weight = self._weight() * torch.where(scale > 0, 1 / scale, 0)[:, None, None]
        flat = WeightDigits.of(weight.permute(0, 2, 3, 1).flatten(1))
        self._multiply = DigitProduct(flat, self.bias, PART)
        self._convolve: dict[tuple[int, int], DigitConv] = {}

    def fill(self, rows: Tensor, windows: Tensor, taps: Tensor, few: bool) -> None:
        hidden = self._digits(windows)
        for part, around in zip(rows.split(PART), taps.split(PART), strict=True):
            part.copy_(self._multiply(hidden.gather(around)))

    def dense(self, level: Level) -> Callable[[slice], Tensor]:
        places, size = self._places(level)
        conv = self._conv(size)
        hidden = self._digits(level.windows).gather(places.reshape(-1, 1), conv.reach * size[1])
        if self.padding == "zeros":
            return Ahead(conv, hidden, size)
        return self._inside(conv.whole(hidden, size), level.size).__getitem__

    def _conv(self, size: tuple[int, int]) -> DigitConv:
        """The second convolution, its weights read back from those of the product."""
        if size not in self._convolve:
            flat = self._multiply.weight()
            square = [d.unflatten(1, (self.kernel, self.kernel, -1)).permute(0, 3, 1, 2) for d in flat.digits]
            self._convolve = {size: DigitConv(WeightDigits(square, flat.unit), self.bias, size)}
        return self._convolve[size]

    def _digits(self, windows: Tensor) -> Digits:
        """Hidden values at the centres of windows (M, k * k)."""
        made = Digits.empty(len(windows), len(self.first_bias))
        for top in range(0, len(windows), WINDOWS):
            made.write_integers(top, self.hidden(windows[top : top + WINDOWS]))
        return made


def folded_spade(spade: SPADE, codes: Tensor, dtype: torch.dtype) -> FoldedSPADE:
    """The faster one for this processor."""
    hidden = spade.mlp_gamma.in_channels  # products per value that comes out; few go in, as windows repeat
    return DigitSPADE(spade, codes) if digits_pay(hidden, dtype) else FoldedSPADE(spade, codes, dtype)


def _scale_and_shift(spade: SPADE) -> tuple[Tensor, Tensor]:
    """The two convolutions as one that gives scale and shift of the un-normalised x: (2C, h, k, k), (2C,).

    In float64, as everything that is folded; it is rounded once, to the painter's precision.
    """
    norm: nn.BatchNorm2d = spade.param_free_norm  # type: ignore[assignment]
    mean, variance = (t.detach().double() for t in (norm.running_mean, norm.running_var))  # type: ignore[union-attr]
    rate = (variance + norm.eps).rsqrt()
    gamma, beta = (m.weight.detach().double() for m in (spade.mlp_gamma, spade.mlp_beta))
    gamma_0, beta_0 = (m.bias.detach().double() for m in (spade.mlp_gamma, spade.mlp_beta))  # type: ignore[union-attr]
    scale, scale_0 = gamma * rate[:, None, None, None], (1 + gamma_0) * rate
    shift, shift_0 = beta - scale * mean[:, None, None, None], beta_0 - scale_0 * mean
    return torch.cat([scale, shift]), torch.cat([scale_0, shift_0])


class RowStore:
    """Table rows by label context; beyond `limit` bytes the least recently used leave.

    What the picture being painted needs stays while it is painted, however much it is.
    """

    def __init__(self, norms: Sequence[Sequence[FoldedSPADE]], limit: int):
        self.groups, self.limit = norms, limit
        self.widths = [sum(norm.width for norm in group) for group in norms]
        row_bytes = sum(self.widths) * norms[0][0].bias.element_size()
        self.most = max(1, limit // (row_bytes + KEY_BYTES))
        self.clear()

    def clear(self) -> None:
        """Empties the tables."""
        self.tables = [self.groups[0][0].bias.new_empty(0, width) for width in self.widths]
        self._slots: dict[bytes, int] = {}
        self._keys: list[bytes] = []  # by slot
        self._used = np.zeros(0, np.int64)  # by slot: the last call that needed it, or NEVER
        self._free: list[int] = []
        self._calls = 0
        self.left = 0  # rows that had to leave: what a slot holds may have changed since

    def __len__(self) -> int:
        return len(self._slots)

    def slots(self, level: Level, few: bool) -> Tensor:
        """The row of each context (N,), made where missing."""
        self._calls += 1
        keys = _keys(level.patches)
        slots = list(map(self._slots.get, keys))
        fresh = [i for i, slot in enumerate(slots) if slot is None]
        self._used[[slot for slot in slots if slot is not None]] = self._calls
        if fresh:
            self._make_room(len(fresh))
            for i in fresh:
                slots[i] = slot = self._slots[keys[i]] = self._free.pop()
                self._keys[slot] = keys[i]
            places = torch.tensor([slots[i] for i in fresh])
            self._used[places] = self._calls
            windows, taps = level.windows, level.taps
            if len(fresh) < len(keys):
                used, taps = taps[fresh].unique(return_inverse=True)
                windows = windows[used]
            self._fill(places, windows, taps, few)
        return torch.tensor(slots)

    def _make_room(self, wanted: int) -> None:
        """Frees rows that this call does not need as far as the limit asks, then grows by what is missing."""
        excess = min(len(self) + wanted - self.most, len(self))
        if excess > 0:
            oldest = np.argsort(self._used, kind="stable")[:excess]
            oldest = oldest[self._used[oldest] < self._calls]
            self._used[oldest] = NEVER
            for slot in oldest.tolist():
                del self._slots[self._keys[slot]]
                self._free.append(slot)
            self.left += len(oldest)
        if len(self._free) < wanted:
            self._grow(len(self) + wanted)

    def _grow(self, needed: int) -> None:
        size = len(self._used)
        grown = max(needed, min(max(2 * size, needed + needed // 4), self.most))  # strokes will need more
        for i, table in enumerate(self.tables):
            self.tables[i] = table.new_empty(grown, table.shape[1])
            self.tables[i][:size] = table
        self._used = np.concatenate([self._used, np.full(grown - size, NEVER)])
        self._keys += [b""] * (grown - size)
        self._free += range(grown - 1, size - 1, -1)

    def _fill(self, places: Tensor, windows: Tensor, taps: Tensor, few: bool) -> None:
        """Computes the rows of new contexts: windows (M, k * k), those around each (N, k * k)."""
        together = _stretch(places)
        for table, group in zip(self.tables, self.groups, strict=True):
            rows = table.new_empty(len(places), table.shape[1]) if together is None else table[together]
            left = 0
            for norm in group:
                norm.fill(rows[:, left : left + norm.width], windows, taps, few)
                left += norm.width
            if together is None:
                table[places] = rows


def _stretch(places: Tensor) -> slice | None:
    """The places as a slice, if they follow one another."""
    first, last = int(places[0]), int(places[-1])
    if last - first != len(places) - 1 or not bool((places.diff() == 1).all()):
        return None
    return slice(first, last + 1)


def _keys(patches: Tensor) -> list[bytes]:
    symbols: NDArray[np.int16] = patches.to(torch.int16).numpy()
    raw, step = symbols.tobytes(), 2 * symbols.shape[1]
    return [raw[i : i + step] for i in range(0, len(raw), step)]

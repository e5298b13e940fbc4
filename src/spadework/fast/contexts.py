"""Label contexts: SPADE's gamma and beta computed once per distinct label neighbourhood, exactly.

Two convolutions of kernel k over a label map see, for one pixel, only its neighbourhood of side 2k - 1 (5x5
at kernel 3). A map has few distinct ones, so their gamma and beta become the rows of a table, and a pixel
looks its row up. Of k x k windows there are even fewer: the hidden layer is computed once per distinct
window, multiplied with the second convolution's weights tap by tap, and a row is the sum of the products of
the windows around a pixel. What lies outside the picture is a symbol of its own: zero for the first
convolution, and a zero hidden row for the second, just as zero padding has it; or labels go on beyond it.

Shapes: B batch, K semantic channels, h hidden width, C features, P = B*H*W pixels row by row, N contexts,
M distinct windows.
"""

from dataclasses import dataclass
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor

from spadework.fast.lookup import Lookup

DEAREST = 0.7
"""Tables that cost a larger share of the convolutions that they replace are not made."""

SMALLEST = 32
"""Nor are those of grids with fewer rows or columns: their neighbourhoods hardly repeat."""

_ADDING = 0.25  # what a row costs that is summed from its taps' products, beside a window that is multiplied
_LOOKUP_LIMIT = 16  # numbers are found in a table of so many times the keys at most, else by sorting


def _renumber(keys: Tensor, bound: int) -> tuple[Tensor, int]:
    """Keys below `bound` -> the same partition numbered 0, 1, ..., and how many numbers there are."""
    if bound > _LOOKUP_LIMIT * keys.numel():
        small = keys.int() if bound < 2**31 else keys  # these sort faster
        distinct, numbers = torch.unique(small, return_inverse=True)
        return numbers, len(distinct)
    flat = keys.reshape(-1)
    present = torch.zeros(bound, dtype=torch.bool, device=keys.device).index_fill_(0, flat, True)
    distinct = present.nonzero()[:, 0]
    table = torch.empty(bound, dtype=torch.long, device=keys.device)
    table[distinct] = torch.arange(len(distinct), device=keys.device)
    return table.index_select(0, flat).view_as(keys), len(distinct)


def _name_runs(names: Tensor, count: int, dim: int, side: int, step: int) -> tuple[Tensor, int]:
    """Numbers runs of `side` along `dim` by each `step`-th name: equal ones, and only they, agree."""
    length = names.shape[dim] - side + 1
    keys, bound = names.narrow(dim, 0, length), count
    for shift in range(step, side, step):
        if bound > count and bound * count > _LOOKUP_LIMIT * keys.numel():
            keys, bound = _renumber(keys, bound)
        keys, bound = torch.add(names.narrow(dim, shift, length), keys, alpha=count), bound * count
    return _renumber(keys, bound)


def _name_windows(names: Tensor, count: int, side: int, step: int = 1) -> tuple[Tensor, int]:
    """Numbers the side x side windows of names (B, H, W) below `count`: equal ones, and only they, agree.

    By each `step`-th name in both directions. Returns (B, H - side + 1, W - side + 1), and how many.
    """
    rows, count = _name_runs(names, count, 2, side, step)
    return _name_runs(rows, count, 1, side, step)


def _where(names: Tensor, count: int) -> Tensor:
    """For every name below `count` a place, counted row by row, that has it."""
    flat = names.reshape(-1)
    places = torch.arange(len(flat), device=flat.device)
    return flat.new_empty(count).scatter_(0, flat, places)


def _windows_at(symbols: Tensor, where: Tensor, side: int) -> Tensor:
    """The side x side windows of (B, H, W) at places counted as `_where` does: (M, side * side)."""
    _, h, w = symbols.shape
    rows, columns = h - side + 1, w - side + 1
    corner = (where // (rows * columns) * h + where // columns % rows) * w + where % columns
    steps = torch.arange(side, device=where.device)
    around = (steps[:, None] * w + steps).reshape(-1)
    return symbols.reshape(-1)[corner[:, None] + around]


def _continued(symbols: Tensor, radius: int) -> Tensor:
    """(B, H, W) with `radius` more pixels on every side, each as the nearest one."""
    rows, columns = (
        torch.arange(-radius, side + radius, device=symbols.device).clamp(0, side - 1)
        for side in symbols.shape[1:]
    )
    return symbols.index_select(1, rows).index_select(2, columns)


@dataclass(frozen=True, eq=False)
class Level:
    """The contexts of one resolution.

    index: (P,) context of each pixel. patches: (N, side * side) symbols around each context. windows:
    (M, k * k) symbols of the distinct windows, and taps: (N, k * k) the numbers of those around each context.
    places: (B, H + k - 1, W + k - 1) the window around each pixel, and k // 2 pixels beyond the border.
    codes: (S + 1, K) channels of each symbol; the last is "outside", all zero.
    """

    size: tuple[int, int]
    index: Tensor
    patches: Tensor
    windows: Tensor
    taps: Tensor
    places: Tensor
    codes: Tensor

    @classmethod
    def of(cls, symbols: Tensor, codes: Tensor, kernel: int, padding: str = "zeros") -> "Level":
        """Symbols (B, H, W), numbers of the rows of `codes` -> their distinct neighbourhoods.

        `padding`: beyond the border lies "outside", or with "replicate" what lies at it.
        """
        radius, outside = 2 * (kernel // 2), len(codes) - 1
        if padding == "replicate":
            padded = _continued(symbols, radius)
        else:
            padded = F.pad(symbols, (radius, radius, radius, radius), value=outside)
        windows, count = _name_windows(*_renumber(padded, len(codes)), kernel)
        # a neighbourhood is its windows in the four corners
        names, contexts = _name_windows(windows, count, kernel, kernel - 1)
        where = _where(names, contexts)
        return cls(
            (symbols.shape[1], symbols.shape[2]),
            names.reshape(-1),
            _windows_at(padded, where, 2 * kernel - 1),
            _windows_at(padded, _where(windows, count), kernel),
            _windows_at(windows, where, kernel),
            windows,
            codes,
        )

    @property
    def distinct(self) -> float:
        """Share of pixels that a table needs: N / P."""
        return len(self.patches) / len(self.index)

    @property
    def cost(self) -> float:
        """What its tables cost in training, about, as a share of the convolutions over all pixels."""
        return (len(self.windows) + _ADDING * len(self.patches)) / len(self.index)

    @cached_property
    def pixels(self) -> Lookup:
        """Which context each pixel has."""
        return Lookup(self.index, len(self.patches))

    def hidden(self, weight: Tensor, bias: Tensor) -> Tensor:
        """mlp_shared (h, K, k, k) at the centre of each distinct window -> (M, h); zero outside the map."""
        channels = self.codes[self.windows].flatten(1)
        hidden = F.relu(F.linear(channels.to(weight.dtype), weight.permute(0, 2, 3, 1).flatten(1), bias))
        inside = self.windows[:, self.windows.shape[1] // 2, None] != len(self.codes) - 1
        return hidden * inside.to(hidden.dtype)

    def sum_taps(self, products: Tensor) -> Tensor:
        """Every window's hidden row times every tap's weight (M, k * k * C) -> rows of the table (N, C)."""
        return self._tapped(products.view(self._tapped.count, -1))

    @cached_property
    def _tapped(self) -> Lookup:
        """Which windows each context takes, and at which tap."""
        taps = self.taps.shape[1]
        index = self.taps * taps + torch.arange(taps, device=self.taps.device)
        return Lookup(index.flatten(), len(self.windows) * taps, taps)


def symbols_of(channels: Tensor, semantic_nc: int, edges: Tensor | None) -> Tensor:
    """Channels (B, H, W)[, edge bits (B, H, W)] -> numbers of rows of the codes."""
    return channels if edges is None else channels + (semantic_nc - 1) * edges.long()


def codes_of(semantic_nc: int, edges: bool) -> Tensor:
    """The channels (S + 1, K) of every symbol; the last is "outside", all zero."""
    eye, outside = torch.eye(semantic_nc), torch.zeros(1, semantic_nc)
    return torch.cat([eye[:-1], eye[:-1] + eye[-1], outside] if edges else [eye, outside])


def resized(symbols: Tensor, size: tuple[int, int]) -> Tensor:
    """(B, H, W) -> (B, *size), picking the pixels that F.interpolate(mode="nearest") picks."""
    if symbols.shape[1:] == size:
        return symbols
    rows = F.interpolate(torch.arange(symbols.shape[1]).float()[None, None], size[0])[0, 0].long()
    columns = F.interpolate(torch.arange(symbols.shape[2]).float()[None, None], size[1])[0, 0].long()
    rows, columns = rows.to(symbols.device), columns.to(symbols.device)
    return symbols.index_select(1, rows).index_select(2, columns)

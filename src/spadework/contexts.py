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

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor

DEAREST = 0.7
"""Tables that cost a larger share of the convolutions that they replace are not made."""

SMALLEST = 32
"""Nor are those of grids with fewer rows or columns: their neighbourhoods hardly repeat."""

_ADDING = 0.25  # what a row costs that is summed from its taps' products, beside a window that is multiplied
_LOOKUP_LIMIT = 16  # numbers are found in a table of so many times the keys at most, else by sorting
_PIECE = 512  # pixels that one partial sum of the backward runs over


def _renumber(keys: Tensor, bound: int) -> tuple[Tensor, int]:
    """Keys below ``bound`` -> the same partition numbered 0, 1, ..., and how many numbers there are."""
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
    """Numbers runs of ``side`` along ``dim`` by each ``step``-th name: equal ones, and only they, agree."""
    length = names.shape[dim] - side + 1
    keys, bound = names.narrow(dim, 0, length), count
    for shift in range(step, side, step):
        if bound > count and bound * count > _LOOKUP_LIMIT * keys.numel():
            keys, bound = _renumber(keys, bound)
        keys, bound = torch.add(names.narrow(dim, shift, length), keys, alpha=count), bound * count
    return _renumber(keys, bound)


def _name_windows(names: Tensor, count: int, side: int, step: int = 1) -> tuple[Tensor, int]:
    """Numbers the side x side windows of names (B, H, W) below ``count``: equal ones, and only they, agree.

    By each ``step``-th name in both directions. Returns (B, H - side + 1, W - side + 1), and how many.
    """
    rows, count = _name_runs(names, count, 2, side, step)
    return _name_runs(rows, count, 1, side, step)


def _where(names: Tensor, count: int) -> Tensor:
    """For every name below ``count`` a place, counted row by row, that has it."""
    flat = names.reshape(-1)
    places = torch.arange(len(flat), device=flat.device)
    return flat.new_empty(count).scatter_(0, flat, places)


def _windows_at(symbols: Tensor, where: Tensor, side: int) -> Tensor:
    """The side x side windows of (B, H, W) at places counted as ``_where`` does: (M, side * side)."""
    _, h, w = symbols.shape
    rows, columns = h - side + 1, w - side + 1
    corner = (where // (rows * columns) * h + where // columns % rows) * w + where % columns
    steps = torch.arange(side, device=where.device)
    around = (steps[:, None] * w + steps).reshape(-1)
    return symbols.reshape(-1)[corner[:, None] + around]


def _continued(symbols: Tensor, radius: int) -> Tensor:
    """(B, H, W) with ``radius`` more pixels on every side, each as the nearest one."""
    rows, columns = (
        torch.arange(-radius, side + radius, device=symbols.device).clamp(0, side - 1)
        for side in symbols.shape[1:]
    )
    return symbols.index_select(1, rows).index_select(2, columns)


@dataclass(frozen=True, eq=False)
class Lookup:
    """Places that each take the sum of ``per`` of ``count`` rows. index: (P * per,) numbers of the rows."""

    index: Tensor
    count: int
    per: int = 1

    @cached_property
    def _pieces(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Places in pieces of one row and at most _PIECE places: every row's first, then what is over.

        Returns the places piece after piece, where in them each piece starts, the rows with more than one
        piece, and for each piece that is over which of these rows it belongs to.
        """
        small = torch.int16 if self.count < 2**15 else torch.int32  # these sort faster
        order = torch.argsort(self.index.to(small), stable=True)
        counts = torch.bincount(self.index, minlength=self.count)
        ends = counts.cumsum(0)
        long = (counts > _PIECE).nonzero()[:, 0]
        if len(long):
            cuts, stops = (ends - counts + _PIECE)[long].tolist(), ends[long].tolist()
            kept = zip([0, *stops], [*cuts, len(order)], strict=True)
            over = zip(cuts, stops, strict=True)
            order = torch.cat([order[a:b] for a, b in (*kept, *over)])
        more = (counts[long] - 1) // _PIECE
        owners = torch.repeat_interleave(more)
        nth = torch.arange(len(owners), device=order.device) - (more.cumsum(0) - more)[owners]
        rest = counts[long][owners] - (nth + 1) * _PIECE
        lengths = torch.cat([counts.clamp(max=_PIECE), rest.clamp(max=_PIECE)])
        return order // self.per, lengths.cumsum(0) - lengths, long, owners

    def sum(self, values: Tensor, dtype: torch.dtype | None = None) -> Tensor:
        """(P, C) -> (count, C) in ``dtype`` or that of the values: the sum over the places of each row.

        Bags over sorted places are a forward kernel and much faster than scattering. Rows that many places
        take are summed in pieces, so that all threads share them and they add up precisely.
        """
        order, starts, long, owners = self._pieces
        pieces = F.embedding_bag(order, values, starts, mode="sum")
        sums = pieces[: self.count].to(dtype or values.dtype)
        if len(long):
            exact = torch.promote_types(pieces.dtype, torch.float32)
            totals = pieces[long].to(exact).index_add_(0, owners, pieces[self.count :].to(exact))
            sums[long] = totals.to(sums.dtype)
        return sums

    def __call__(self, rows: Tensor) -> Tensor:
        """(count, C) -> (P, C)."""
        return _SumRows.apply(rows, self)


class _SumRows(torch.autograd.Function):
    """Sums of rows by number; the rows' gradients are sums over the places."""

    @staticmethod
    def forward(ctx, rows: Tensor, lookup: Lookup) -> Tensor:
        ctx.lookup = lookup
        return F.embedding_bag(lookup.index.view(-1, lookup.per), rows, mode="sum")

    @staticmethod
    def backward(ctx, *grads: Tensor):
        return ctx.lookup.sum(grads[0].contiguous()), None


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
        """Symbols (B, H, W), numbers of the rows of ``codes`` -> their distinct neighbourhoods.

        ``padding``: beyond the border lies "outside", or with "replicate" what lies at it.
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


class Contexts:
    """A batch of label maps ready for SPADE: contexts where they repeat, the dense segmap where they do not.

    Stands in for a segmap (B, K, H, W) in the generator.
    """

    def __init__(self, segmap: Tensor, levels: dict[tuple[int, int], Level]):
        self.segmap, self.levels = segmap, levels

    @classmethod
    def of(
        cls,
        segmap: Tensor,
        channels: Tensor,
        sizes: Iterable[tuple[int, int]],
        edges: Tensor | None = None,
        kernel: int = 3,
        padding: str = "zeros",
    ) -> "Contexts":
        """Contexts of every grid in ``sizes`` (h, w) where they pay, see DEAREST and SMALLEST.

        segmap (B, K, H, W) and its ids as channel numbers (B, H, W)[, edge bits (B, H, W), the last channel].
        """
        symbols = symbols_of(channels, segmap.shape[1], edges)
        codes = codes_of(segmap.shape[1], edges is not None).to(channels.device)
        levels = {}
        for size in {size for size in sizes if min(size) >= SMALLEST}:
            level = Level.of(nearest(symbols, size), codes, kernel, padding)
            if level.cost <= DEAREST:
                levels[size] = level
        return cls(segmap, levels)

    @property
    def shape(self) -> torch.Size:
        """(B, K, H, W) of the segmap."""
        return self.segmap.shape

    def __len__(self) -> int:
        return len(self.segmap)


def symbols_of(channels: Tensor, semantic_nc: int, edges: Tensor | None) -> Tensor:
    """Channels (B, H, W)[, edge bits (B, H, W)] -> numbers of rows of the codes."""
    return channels if edges is None else channels + (semantic_nc - 1) * edges.long()


def codes_of(semantic_nc: int, edges: bool) -> Tensor:
    """The channels (S + 1, K) of every symbol; the last is "outside", all zero."""
    eye, outside = torch.eye(semantic_nc), torch.zeros(1, semantic_nc)
    return torch.cat([eye[:-1], eye[:-1] + eye[-1], outside] if edges else [eye, outside])


def nearest(symbols: Tensor, size: tuple[int, int]) -> Tensor:
    """(B, H, W) -> (B, *size), picking the pixels that F.interpolate(mode="nearest") picks."""
    if symbols.shape[1:] == size:
        return symbols
    rows = F.interpolate(torch.arange(symbols.shape[1]).float()[None, None], size[0])[0, 0].long()
    columns = F.interpolate(torch.arange(symbols.shape[2]).float()[None, None], size[1])[0, 0].long()
    rows, columns = rows.to(symbols.device), columns.to(symbols.device)
    return symbols.index_select(1, rows).index_select(2, columns)

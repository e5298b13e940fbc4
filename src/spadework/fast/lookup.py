"""Sums of rows by number, and their gradients: forward kernels both ways, where scattering is slow.

Shapes: C features, P places.
"""

from dataclasses import dataclass
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor

_PIECE = 512  # places that one partial sum of the backward runs over


@dataclass(frozen=True, eq=False)
class Lookup:
    """Places that each take the sum of `per` of `count` rows. index: (P * per,) numbers of the rows."""

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
        """(P, C) -> (count, C) in `dtype` or that of the values: the sum over the places of each row.

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

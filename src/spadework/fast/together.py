"""Several maps painted together: label contexts that they share are found, and their rows made, once.

A block goes over all pictures before the next block begins, so that its weights, too, are fetched once.

Shapes: B pictures of one size, P = h*w pixels of a grid row by row, features (P, C) for each picture.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from spadework.fast.contexts import Level, resized
from spadework.fast.cpu import FEW, MOST_DISTINCT, Grid, Modulation, PaintedBlock, Painter


@torch.inference_mode()
def paint_together(
    painter: Painter, symbols: Tensor, z: Tensor | None = None, noise: Sequence[Tensor] | None = None
) -> Tensor:
    """Symbols (B, H, W), styles (B, Z)[, noise (B, 1, h, w) for every block] -> (B, 3, H, W) in [-1, 1].

    Each picture is what `painter` paints of its map alone. Not for several threads at once.
    """
    size = (symbols.shape[1], symbols.shape[2])
    each = range(len(symbols))
    styles = [None if z is None else z[b : b + 1] for b in each]
    xs = [painter.first(symbols[b : b + 1], style) for b, style in zip(each, styles, strict=True)]
    batches: dict[tuple[int, int], GridBatch] = {}
    for i, (block, grid) in enumerate(zip(painter.blocks, painter.config.grids(size), strict=True)):
        if grid not in batches:
            batches[grid] = GridBatch(resized(symbols, grid), painter)
        modulations = batches[grid].modulations(block)
        for b in each:
            field = noise[i][b].reshape(-1).to(painter.dtype) if noise else None
            xs[b] = block.modulated(xs[b], grid, modulations(b), styles[b], field)
    return torch.cat([painter.picture(x, size) for x in xs])


class GridBatch:
    """The label maps on one grid, (B, h, w) symbols, with their contexts together."""

    def __init__(self, symbols: Tensor, painter: Painter) -> None:
        config = painter.config
        self.symbols, self.pixels = symbols, symbols[0].numel()
        self.level = Level.of(symbols, painter.codes, config.kernel, config.label_padding)
        self.grids = [Grid(own, painter.codes, config) for own in symbols.split(1)]

    def modulations(self, block: PaintedBlock) -> Callable[[int], list[Modulation]]:
        """What a block does to the features of each map: from rows for all of them, where contexts repeat."""
        few = self.pixels <= FEW
        if not few and self.level.distinct > MOST_DISTINCT:
            return lambda b: block.modulations(self.grids[b])
        rows = block.store.slots(self.level, few).index_select(0, self.level.index).split(self.pixels)
        return lambda b: block.looked_up(rows[b])

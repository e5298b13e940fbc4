"""A generator made ready to paint: the same network and the same pictures, several times faster on a CPU.

In a painting nothing learns, so batch norm and spectral norm fold into weights; gamma and beta depend on the
labels alone, so they are table rows (see `tables`) that outlive the picture; and what remains at a pixel,
one gather, scale, shift and leaky ReLU, runs over bands of rows that stay in cache.

Shapes: C features, P = h*w pixels of a grid row by row; features are (P, C), the memory of channels_last.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from spadework.fast.bands import Band, Scratch, bands
from spadework.fast.contexts import Level, codes_of, resized
from spadework.fast.convolutions import PackedProduct, packed_conv
from spadework.fast.rows import RowStore, folded_spade
from spadework.nn.generator import Doubling, Generator, GeneratorConfig, style_features
from spadework.nn.spade import Padding, SPADEResBlock, upsample

CACHE_BYTES = 256 * 2**20
"""What all table rows of a painter may take between two pictures."""

FEW = 32 * 32
"""Grids of so few pixels have tables whatever the map; every context multiplies its own hidden rows."""

MOST_DISTINCT = 0.6
"""On larger grids with a larger share of distinct contexts the convolutions run over all pixels."""

KEPT = 128 * 128
"""Outputs of blocks on grids up to this size are kept for the next picture."""

SIZES = 2
"""Of pictures of so many sizes it is kept what the next may use: previews alternate with whole pictures."""


Modulation = Callable[[slice], Sequence[Tensor]]
"""A stretch of pixels -> for each norm of a group their rows (n, 2C), scales and shifts."""


def _looked_up(table: Tensor, slots: Tensor, norms: int, pixels: slice) -> Sequence[Tensor]:
    return table.index_select(0, slots[pixels]).chunk(norms, 1)


def _computed(parts: Sequence[Callable[[slice], Tensor]], pixels: slice) -> Sequence[Tensor]:
    return [part(pixels) for part in parts]


def _apply(x: Tensor, rows: Tensor, out: Tensor, leaky: bool) -> None:
    scale, shift = rows.chunk(2, 1)
    torch.addcmul(shift, x, scale, out=out)
    if leaky:
        F.leaky_relu_(out, 0.2)


def _smoothly_doubled(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Features (p, C) of a grid of half of `size` -> (P, C)."""
    half = x.view(1, size[0] // 2, size[1] // 2, -1).permute(0, 3, 1, 2)
    return upsample(half, bilinear=True).permute(0, 2, 3, 1).reshape(-1, x.shape[1])


Kept = TypeVar("Kept")


class Recent(dict[tuple[int, int], Kept]):
    """What is kept by size, of the SIZES that were painted last."""

    def keep(self, size: tuple[int, int], value: Kept) -> None:
        """As the newest; the oldest beyond SIZES leave."""
        self.pop(size, None)
        self[size] = value
        while len(self) > SIZES:
            del self[next(iter(self))]


@dataclass
class Slots:
    """The table row of every pixel of a map, which holds until rows have left the store."""

    symbols: Tensor
    of_pixels: Tensor
    left: int


@dataclass
class Trail:
    """Of a picture: every block's map and features, and what they depend on beside: style and noise."""

    steps: list[tuple[Tensor, Tensor]]
    given: list[Tensor]


class PaintedBlock:
    """One SPADE residual block, its upsampling, style and noise."""

    def __init__(
        self,
        block: SPADEResBlock,
        codes: Tensor,
        doubling: Doubling | None,
        style: nn.Module | None,
        grid: tuple[int, int],
        scratch: Scratch,
        dtype: torch.dtype,
        limit: int,
        padding: Padding,
    ):
        self.scratch = scratch
        self.doubling, self.style = doubling, style
        convs: list[nn.Conv2d] = [block.conv_0, block.conv_1]  # type: ignore[list-item]
        self.conv_0, self.conv_1 = (
            packed_conv(conv.weight.to(dtype), conv.bias, grid, padding) for conv in convs
        )
        outer = [block.norm_0, block.norm_s] if block.learned_shortcut else [block.norm_0]
        groups = [[folded_spade(norm, codes, dtype) for norm in group] for group in (outer, [block.norm_1])]  # type: ignore[arg-type]
        self.shortcut: PackedProduct | None = None
        if block.learned_shortcut:
            weight = block.conv_s.weight.flatten(1).to(dtype)  # type: ignore[operator,union-attr]
            band = bands(grid, weight.shape[1], weight.element_size())[0].pixels
            self.shortcut = PackedProduct(weight, None, band.stop)
            self.beside = len(weight)
        self.strength = (
            None if block.noise_strength is None else block.noise_strength.detach().flatten().to(dtype)
        )
        self.store = RowStore(groups, limit)
        self._seen = Recent[Slots]()  # by size, of the last map that had tables

    def __call__(self, x: Tensor, level: "Grid", z: Tensor | None, noise: Tensor | None) -> Tensor:
        """Features (p, C_in) of the grid before, style (1, Z), noise (P,) -> (P, C_out)."""
        return self.modulated(x, level.size, self.modulations(level), z, noise)

    def modulated(
        self,
        x: Tensor,
        size: tuple[int, int],
        modulations: Sequence[Modulation],
        z: Tensor | None,
        noise: Tensor | None,
    ) -> Tensor:
        """As a call, on a grid of `size` whose labels are in the modulations already."""
        outer, inner = modulations
        x = _smoothly_doubled(x, size) if self.doubling == "bilinear" else x
        pixels, channels = size[0] * size[1], x.shape[1]
        style = None if self.style is None else self.style(z)[0].to(x.dtype).chunk(2)
        through = self.scratch.take(pixels, channels)
        beside = x.new_empty(pixels, channels if self.shortcut is None else self.beside)
        for band in bands(size, channels, x.element_size()):
            features = self._features(x, size, band, style, noise)
            rows = outer(band.pixels)
            _apply(features, rows[0], through[band.pixels], leaky=True)
            if self.shortcut is None:
                beside[band.pixels] = features
            else:
                _apply(features, rows[1], features, leaky=False)
                beside[band.pixels] = self.shortcut(features)
        middle = self.conv_0(through, size)
        for band in bands(size, middle.shape[1], x.element_size()):
            _apply(middle[band.pixels], inner(band.pixels)[0], middle[band.pixels], leaky=True)
        return beside.add_(self.conv_1(middle, size))

    def forget(self) -> None:
        """Drops its table rows."""
        self._seen.clear()
        self.store.clear()

    def _features(
        self,
        x: Tensor,
        size: tuple[int, int],
        band: Band,
        style: tuple[Tensor, ...] | None,
        noise: Tensor | None,
    ) -> Tensor:
        """The block's input on a band: doubled, in style, with noise."""
        w, channels = size[1], x.shape[1]
        if self.doubling == "nearest":
            half = x.view(-1, 1, w // 2, 1, channels)[band.top // 2 : band.bottom // 2]
            features = half.expand(-1, 2, -1, 2, -1).contiguous().view(-1, channels)
        else:
            features = x[band.pixels].clone()
        if style is not None:
            torch.addcmul(style[1], features, 1 + style[0], out=features)
        if noise is not None and self.strength is not None:
            features.addcmul_(noise[band.pixels, None], self.strength)
        return features

    def modulations(self, level: "Grid") -> list[Modulation]:
        """For norm_0 with norm_s, and for norm_1."""
        slots = self._slots(level)
        if slots is not None:
            return self.looked_up(slots)
        return [
            partial(_computed, [norm.dense(level.contexts) for norm in group]) for group in self.store.groups
        ]

    def looked_up(self, slots: Tensor) -> list[Modulation]:
        """As `modulations`, where the table row of every pixel (P,) is known."""
        pairs = zip(self.store.tables, self.store.groups, strict=True)
        return [partial(_looked_up, table, slots, len(group)) for table, group in pairs]

    def _slots(self, level: "Grid") -> Tensor | None:
        """The table row of every pixel; None where contexts do not pay."""
        seen = self._seen.get(level.size)
        if seen and seen.left == self.store.left and torch.equal(seen.symbols, level.symbols):
            return seen.of_pixels
        few = level.symbols.numel() <= FEW
        if not few and level.contexts.distinct > MOST_DISTINCT:
            return None
        of_pixels = self.store.slots(level.contexts, few).index_select(0, level.contexts.index)
        self._seen.keep(level.size, Slots(level.symbols.clone(), of_pixels, self.store.left))
        return of_pixels


class Grid:
    """The label map on one grid, (1, h, w) symbols; its contexts are found when somebody asks."""

    def __init__(self, symbols: Tensor, codes: Tensor, config: GeneratorConfig):
        self.symbols, self.size = symbols, (symbols.shape[1], symbols.shape[2])
        self._find: Callable[[], Level] = lambda: Level.of(
            symbols, codes, config.kernel, config.label_padding
        )
        self._contexts: Level | None = None

    @property
    def contexts(self) -> Level:
        """Its distinct label contexts."""
        self._contexts = self._contexts or self._find()
        return self._contexts


def can_paint(generator: Generator) -> bool:
    """Whether a Painter paints for this generator: any on a CPU whose norms have fixed statistics.

    And whose gamma and beta depend on the labels alone.
    """
    config, device = generator.config, generator.conv_img.weight.device.type
    return type(generator) is Generator and config.tabular and config.norm != "instance" and device == "cpu"


class Painter:
    """Paints one map at a time with the weights of a generator in eval mode, of which it keeps copies.

    Not for several threads at once. `edges`: the last channel is the instance edges' bit. In bfloat16 it
    needs half the time; pictures differ by about a grey level. In float64 it equals the dense network.
    """

    def __init__(
        self,
        generator: Generator,
        edges: bool = False,
        dtype: torch.dtype = torch.float32,
        cache_bytes: int | None = None,
    ):
        config = self.config = generator.config
        self.dtype = dtype
        self.codes = codes_of(config.semantic_nc, edges)
        self._scratch = Scratch(dtype)
        grids, styles = config.grids(config.size), dict(generator.styles.items())
        self.blocks = [
            PaintedBlock(
                generator.blocks[block.name],  # type: ignore[arg-type]
                self.codes,
                block.doubling,
                styles.get(block.name),
                grid,
                self._scratch,
                dtype,
                (CACHE_BYTES if cache_bytes is None else cache_bytes) // len(grids),
                config.padding,
            )
            for block, grid in zip(config.blocks, grids, strict=True)
        ]
        image = generator.conv_img
        self.conv_img = packed_conv(image.weight.to(dtype), image.bias, config.size, config.padding)
        self._fc = generator.fc
        self._trails = Recent[Trail]()

    @torch.inference_mode()
    def __call__(self, symbols: Tensor, z: Tensor | None = None, noise: list[Tensor] | None = None) -> Tensor:
        """Symbols (1, H, W) of a map, style (1, Z)[, a noise field per block] -> (1, 3, H, W) in [-1, 1]."""
        size = (symbols.shape[1], symbols.shape[2])
        grids: dict[tuple[int, int], Grid] = {}
        for grid in self.config.grids(size):
            grids.setdefault(grid, Grid(resized(symbols, grid), self.codes, self.config))
        levels = [grids[grid] for grid in self.config.grids(size)]
        steps = self._known(size, levels, z, noise)
        done = len(steps)
        x = steps[-1][1] if done else self.first(symbols, z)
        for i, (block, level) in enumerate(zip(self.blocks, levels, strict=True)):
            if i < done:
                continue
            x = block(x, level, z, noise[i].view(-1).to(self.dtype) if noise else None)
            if level.symbols.numel() <= KEPT and len(steps) == i:
                steps.append((level.symbols.clone(), x))
        return self.picture(x, size)

    def picture(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        """The last block's features (P, C) -> (1, 3, H, W) in [-1, 1]."""
        active = torch.ops.aten.leaky_relu.out(x, 0.2, out=self._scratch.take(*x.shape))
        y = self.conv_img(active, size)
        y = y.to(torch.promote_types(y.dtype, torch.float32))
        return torch.tanh(y).view(1, *size, 3).permute(0, 3, 1, 2)

    def forget(self) -> None:
        """Drops all that is kept from earlier pictures."""
        for block in self.blocks:
            block.forget()
        self._trails.clear()

    def first(self, symbols: Tensor, z: Tensor | None) -> Tensor:
        """The start grid's features, (p, C)."""
        size = self.config.start_size((symbols.shape[1], symbols.shape[2]))
        if z is None:
            channels = self.codes[resized(symbols, size)].permute(0, 3, 1, 2)
            x = self._fc(channels.to(self._fc.weight.dtype))
        else:
            x = style_features(self.config, self._fc, z, size)
        return x.permute(0, 2, 3, 1).reshape(-1, x.shape[1]).to(self.dtype)

    def _known(
        self, size: tuple[int, int], levels: list[Grid], z: Tensor | None, noise: list[Tensor] | None
    ) -> list[tuple[Tensor, Tensor]]:
        """The steps that the last picture of this size took and this one would repeat; more may be added."""
        given = [*([] if z is None else [z]), *(noise or [])]
        last = self._trails.get(size, Trail([], []))
        same = len(given) == len(last.given) and all(map(torch.equal, given, last.given))
        done = 0
        while same and done < len(last.steps) and torch.equal(last.steps[done][0], levels[done].symbols):
            done += 1
        steps = last.steps[:done]
        kept = last.given if same else [value.clone() for value in given]  # theirs may be changed in place
        self._trails.keep(size, Trail(steps, kept))
        return steps

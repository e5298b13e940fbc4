"""Label maps that modulate features by label context, exactly as `nn.labels` does pixel by pixel.

Shapes: B batch, K semantic channels, (H, W) pixels, C features, N contexts.
"""

from collections.abc import Iterable, Sequence
from typing import Self, cast

import torch
from torch import Tensor, nn

from spadework.fast.contexts import DEAREST, SMALLEST, Level, codes_of, resized, symbols_of
from spadework.fast.convolutions import product
from spadework.fast.modulate import modulate
from spadework.nn.generator import GeneratorConfig
from spadework.nn.labels import Labels, SemanticsConfig, channel_of_ids, edges_of, one_hot
from spadework.nn.spade import SPADE
from spadework.nn.together import BatchNorm


class ContextLabels(Labels):
    """Label maps with contexts on the grids where they repeat; elsewhere as `Labels` have it.

    levels: the contexts by (h, w) of a grid.
    """

    def __init__(self, segmap: Tensor, levels: dict[tuple[int, int], Level]) -> None:
        super().__init__(segmap)
        self.levels = levels

    @classmethod
    def on(
        cls,
        segmap: Tensor,
        channels: Tensor,
        sizes: Iterable[tuple[int, int]],
        edges: Tensor | None = None,
        kernel: int = 3,
        padding: str = "zeros",
    ) -> Self:
        """Contexts of every grid in `sizes` (h, w) where they pay, see DEAREST and SMALLEST.

        segmap (B, K, H, W) and its ids as channel numbers (B, H, W)[, edge bits (B, H, W), the last channel].
        """
        symbols = symbols_of(channels, segmap.shape[1], edges)
        codes = codes_of(segmap.shape[1], edges is not None).to(channels.device)
        levels = {}
        for size in {size for size in sizes if min(size) >= SMALLEST}:
            level = Level.of(resized(symbols, size), codes, kernel, padding)
            if level.cost <= DEAREST:
                levels[size] = level
        return cls(segmap, levels)

    @classmethod
    def for_generator(
        cls, segmap: Tensor, channels: Tensor, config: GeneratorConfig, edges: Tensor | None = None
    ) -> Self:
        """Contexts of the grids on which a generator of this config has norms; arguments as of `on`.

        None where gamma and beta do not depend on the labels alone.
        """
        if not config.tabular:
            return cls(segmap, {})
        grids = config.grids((segmap.shape[2], segmap.shape[3]))
        return cls.on(segmap, channels, grids, edges, config.kernel, config.label_padding)

    def modulate(self, norms: Sequence[nn.Module], x: Tensor, slopes: Sequence[float]) -> list[Tensor]:
        """As `Labels.modulate`; on contexts in one go, see `fast.modulate`."""
        level = self.levels.get((x.shape[2], x.shape[3]))
        if level is None:
            return super().modulate(norms, x, slopes)
        spades = cast(Sequence[SPADE], norms)
        tables, plain = [table(spade, level) for spade in spades], [spade.param_free_norm for spade in spades]
        if all(isinstance(norm, BatchNorm) and norm.training for norm in plain):
            return modulate(x, level, tables, slopes, plain)
        each = zip(plain, tables, slopes, strict=True)
        return [modulate(norm(x), level, [rows], [slope])[0] for norm, rows, slope in each]


def context_labels(
    ids: Tensor,
    semantics: SemanticsConfig,
    generator: GeneratorConfig,
    instances: Tensor | None = None,
    dtype: torch.dtype = torch.float32,
) -> ContextLabels:
    """Ids (B, H, W)[, instance ids (B, H, W)] for a generator; ValueError as `channel_of_ids`."""
    channels, edges = channel_of_ids(ids, semantics), edges_of(ids, semantics, instances)
    segmap = one_hot(channels, semantics, edges, dtype)
    return ContextLabels.for_generator(segmap, channels, generator, edges)


def label_symbols(ids: Tensor, semantics: SemanticsConfig, instances: Tensor | None = None) -> Tensor:
    """Ids (B, H, W)[, instance ids (B, H, W)] -> the symbols (B, H, W) that a `Painter` takes."""
    edges = edges_of(ids, semantics, instances)
    return symbols_of(channel_of_ids(ids, semantics), semantics.semantic_nc, edges)


def table(spade: SPADE, level: Level) -> tuple[Tensor, Tensor]:
    """1 + gamma and beta of every label context: rows (N, 2C), and biases (2C,) to add to each."""
    shared: nn.Conv2d = spade.mlp_shared[0]  # type: ignore[assignment]
    hidden = level.hidden(shared.weight, shared.bias)  # type: ignore[arg-type]
    weight = torch.cat([spade.mlp_gamma.weight, spade.mlp_beta.weight])  # (2C, h, k, k)
    products = product(hidden, weight.permute(2, 3, 0, 1).flatten(0, 2))
    biases = torch.cat([1 + spade.mlp_gamma.bias, spade.mlp_beta.bias])  # type: ignore[operator,list-item]
    return level.sum_taps(products), biases

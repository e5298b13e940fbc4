"""The two faster ways through our code, in float64: label contexts, as training goes, and the painter.

Both stand behind the engine: it paints with the painter, which looks contexts up.
"""

from collections.abc import Iterator
from functools import partial

import torch
from published import Computed, Reference, compute_network
from torch import Tensor, nn

from spadework import nvlabs
from spadework.fast import cpu
from spadework.fast.contexts import Level, codes_of, resized, symbols_of
from spadework.fast.labels import ContextLabels
from spadework.nn.generator import Generator
from spadework.nn.spade import SPADE
from spadework.nn.spectral import fold_spectral_norm

MAP = {"spade": 1, "resblock": 1, "generator": 0}
"""Which input is the label map, by kind of network."""


def symbols(segmap: Tensor) -> Tensor:
    """(B, K, H, W) of one-hot channels and, as the last, edge bits -> symbols (B, H, W)."""
    assert (segmap[:, :-1].sum(1) == 1).all(), "the label map is not one-hot"
    return symbols_of(segmap[:, :-1].argmax(1), segmap.shape[1], segmap[:, -1] > 0)


def contexts(segmap: Tensor, grids: list[tuple[int, int]], kernel: int) -> ContextLabels:
    """Contexts of every grid, however many are distinct."""
    codes, known = codes_of(segmap.shape[1], edges=True), symbols(segmap)
    return ContextLabels(segmap, {grid: Level.of(resized(known, grid), codes, kernel) for grid in grids})


def with_contexts(reference: Reference) -> Iterator[Computed]:
    """As `compute_network`, the label map as contexts; these have no gradient."""
    place = MAP[reference.family]

    def run(network: nn.Module, inputs: list[Tensor]) -> Tensor:
        kernel = next(part.kernel for part in network.modules() if isinstance(part, SPADE))
        if isinstance(network, Generator):
            grids = network.config.grids(network.config.size)
        else:
            grids = [(inputs[0].shape[2], inputs[0].shape[3])]
        labels = contexts(inputs[place], grids, kernel)
        if isinstance(network, SPADE):
            return labels.modulate([network], inputs[0], [1.0])[0]
        return network(*(labels if i == place else x for i, x in enumerate(inputs)))

    yield from compute_network(reference, run)


def painted(reference: Reference, most_distinct: float) -> Iterator[Computed]:
    """The pictures of a generator's file by a painter that makes tables up to so many distinct contexts."""
    network = nvlabs.build("generator", reference.header, reference.under("state.")).double()
    segmap, *style = (reference.tensors[f"input.{i}"] for i in range(len(reference.under("input."))))
    styles = style[0].double().split(1) if style else [None] * len(segmap)
    before, cpu.MOST_DISTINCT = cpu.MOST_DISTINCT, most_distinct
    try:
        paint = exact_painter(network)
        pictures = [paint(x, z) for x, z in zip(symbols(segmap).split(1), styles, strict=True)]
    finally:
        cpu.MOST_DISTINCT = before
    yield {"output.0": torch.cat(pictures)}


def exact_painter(network: nn.Module) -> cpu.Painter:
    """A painter of a float64 generator whose maps have instance edges."""
    assert isinstance(network, Generator)
    return cpu.Painter(fold_spectral_norm(network), edges=True, dtype=torch.float64)


WAYS = {
    "contexts": with_contexts,
    "painter": partial(painted, most_distinct=cpu.MOST_DISTINCT),
    "painter, all tables": partial(painted, most_distinct=1.0),
    "painter, no tables": partial(painted, most_distinct=0.0),
}

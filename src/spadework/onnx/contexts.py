"""A generator as an ONNX graph over label contexts, as browsers paint: gamma and beta once per neighbourhood.

One file makes a table of what labels do in every context, so that a brush stroke asks only for rows that are
new; the other one paints with it. Two convolutions of kernel k see a neighbourhood of side 2k - 1 around a
pixel; see `spadework.fast.contexts`.

Shapes: K semantic channels, N contexts, C features, (h, w) a grid, Z style. One picture at a time.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from spadework.engine import Engine
from spadework.executor import noise_of
from spadework.fast.contexts import Level
from spadework.files import Fault
from spadework.model import Checkpoint
from spadework.nn.generator import Generator
from spadework.nn.labels import Labels, SemanticsConfig, channel_of_ids
from spadework.nn.spade import SPADE
from spadework.onnx.graph import Graph, array_type, as_array
from spadework.onnx.model import HALF_PSNR, onnx_session
from spadework.onnx.network import GeneratorGraph
from spadework.sketch.examples import sketches


class TableGraph:
    """What the labels do, as a graph: for every grid n, the smallest first, a table with a row a context.

    Input `contexts_n` (N, 2k - 1, 2k - 1) int32: channels, K where a neighbourhood lies beyond the border and
    the model's labels end there. Output `table_n` (N, T), in the columns of `spades_of`.
    """

    def __init__(self, graph: Graph, generator: Generator, semantics: SemanticsConfig):
        self.graph, self.generator, self.semantics = graph, generator, semantics
        side = 2 * generator.config.kernel - 1
        self.contexts = [
            graph.input(f"contexts_{n}", np.int32, [f"n_{n}", side, side])
            for n in range(len(steps(generator)))
        ]

    def tables(self) -> dict[str, tuple[str, Sequence[int | str]]]:
        """Name -> value and shape."""
        made = {}
        for n, spades in enumerate(spades_of(self.generator)):
            parts = [part for spade in spades for part in self._table(spade, n)]
            width = sum(2 * spade.mlp_gamma.out_channels for spade in spades)
            made[f"table_{n}"] = self.graph.add("Concat", *parts, axis=1), [f"n_{n}", width]
        return made

    def _table(self, spade: SPADE, n: int) -> tuple[str, str]:
        """What features are multiplied with in every context, and what is added: (N, C) each."""
        add, graph, kernel = self.graph.add, self.graph, spade.kernel
        channels, norm = spade.mlp_gamma.out_channels, spade.param_free_norm
        hidden = add("Relu", self._rows(self._windows(kernel, n), [spade.mlp_shared[0]]))
        if spade.padding == "zeros":
            hidden = add("Mul", hidden, self._inside(kernel, n))
        taps = add("Reshape", hidden, graph.integers(-1, kernel**2 * spade.mlp_gamma.in_channels))
        table = self._rows(taps, [spade.mlp_gamma, spade.mlp_beta], plus=[1, 0])
        scale, shift = (column(graph, table, part * channels, channels) for part in (0, 1))
        if isinstance(norm, nn.InstanceNorm2d):
            return scale, shift
        deviation = (as_array(norm.running_var) + norm.eps) ** -0.5  # type: ignore[operator]
        scale = add("Mul", scale, graph.constant(deviation))  # so that features need no other norm
        return scale, add("Sub", shift, add("Mul", scale, graph.constant(as_array(norm.running_mean))))

    def _windows(self, kernel: int, n: int) -> str:
        """The k x k windows of every context, as channels: (N k k, k k K)."""
        add, graph = self.graph.add, self.graph
        number = self.semantics.semantic_nc
        codes = add("Unsqueeze", self._codes(kernel, n), graph.integers(3))
        same = add("Equal", codes, graph.constant(np.arange(number), np.int32))
        shape = graph.integers(-1, kernel**2 * number)
        return add("Reshape", add("Cast", same, to=array_type(np.float32)), shape)

    def _codes(self, kernel: int, n: int) -> str:
        """Channels in the k x k windows of every context: (N, k k, k k)."""
        side = 2 * kernel - 1
        flat = self.graph.add("Reshape", self.contexts[n], self.graph.integers(-1, side**2))
        row, column = np.divmod(np.arange(kernel**2), kernel)
        corner = row * side + column
        around = self.graph.constant(corner[:, None] + corner, np.int64)
        return self.graph.add("Gather", flat, around, axis=1)

    def _inside(self, kernel: int, n: int) -> str:
        """1 where the middle of a window lies inside the picture, 0 where beyond: (N k k, 1)."""
        add, middle = self.graph.add, self.graph.constant(kernel**2 // 2, np.int64)
        here = add("Gather", self._codes(kernel, n), middle, axis=2)
        inside = add("Less", here, self.graph.constant(self.semantics.semantic_nc, np.int32))
        return add("Reshape", add("Cast", inside, to=array_type(np.float32)), self.graph.integers(-1, 1))

    def _rows(self, windows: str, convs: Sequence[nn.Module], plus: Sequence[float] = (0,)) -> str:
        """What convolutions make of windows (M, k k F), as one product: (M, C)."""
        assert all(isinstance(conv, nn.Conv2d) for conv in convs)
        weight = np.concatenate([as_array(conv.weight).transpose(2, 3, 1, 0) for conv in convs], 3)
        bias = np.concatenate([as_array(conv.bias) + more for conv, more in zip(convs, plus, strict=True)])
        product = self.graph.add("MatMul", windows, self.graph.constant(weight.reshape(-1, len(bias))))
        return self.graph.add("Add", product, self.graph.constant(bias))


class LookupGraph(GeneratorGraph):
    """A generator that looks up what labels do.

    Inputs: `table_n` (N, T) of TableGraph and `index_n` (h, w) int32, which row each pixel has, for every
    grid n; `z` (1, Z); `noise_n` (1, 1, h, w) of block n where the model has noise.
    """

    def __init__(self, graph: Graph, generator: Generator, semantics: SemanticsConfig):
        config = generator.config
        self.graph, self.semantics, self.generator, self.noise = graph, semantics, generator, None
        self.step = 2**config.num_ups
        self.z = graph.input("z", np.float32, [1, config.z_dim])  # type: ignore[list-item]
        self.indices: dict[int, str] = {}
        self.places: dict[int, tuple[str, int]] = {}
        for n, (step, spades) in enumerate(zip(steps(generator), spades_of(generator), strict=True)):
            scale, width = self.step // step, 0
            sides = ["rows", "columns"] if scale == 1 else [f"{scale}*rows", f"{scale}*columns"]
            self.indices[step] = graph.input(f"index_{n}", np.int32, sides)
            for spade in spades:
                self.places[id(spade)] = f"table_{n}", width
                width += 2 * spade.mlp_gamma.out_channels
            graph.input(f"table_{n}", np.float32, [f"n_{n}", width])

    def _start(self) -> str:
        config, fc = self.generator.config, self.generator.fc
        assert self.z is not None
        features = self._linear(self.z, fc.weight, fc.bias)  # type: ignore[arg-type]
        return self._grown(features, self.graph.add("Shape", self.indices[self.step]), config)

    def _spade(self, x: str, spade: nn.Module, step: int) -> str:
        assert isinstance(spade, SPADE)  # others are refused, see `context_files`
        add, channels = self.graph.add, spade.mlp_gamma.out_channels
        table, start = self.places[id(spade)]
        scale, shift = (
            self._looked_up(column(self.graph, table, start + part * channels, channels), step)
            for part in (0, 1)
        )
        if isinstance(spade.param_free_norm, nn.InstanceNorm2d):
            x = self._normed(x, spade)
        return add("Add", add("Mul", x, scale), shift)

    def _looked_up(self, rows: str, step: int) -> str:
        """(N, C) -> (1, C, h, w)."""
        add = self.graph.add
        spread = add("Gather", rows, self.indices[step])
        return add("Unsqueeze", add("Transpose", spread, perm=[2, 0, 1]), self.graph.integers(0))


def column(graph: Graph, rows: str, start: int, count: int) -> str:
    """`count` columns of a table from `start` on: (N, count)."""
    return graph.add("Slice", rows, *(graph.integers(n) for n in (start, start + count, 1)))


def spades_of(generator: Generator) -> list[list[SPADE]]:
    """The norms of every grid, in the order of their columns: of each first the factors, then the terms."""
    config, side = generator.config, 2**generator.config.num_ups
    found: dict[int, list[SPADE]] = {}
    for (name, *_), (height, _) in zip(config.blocks, config.grids((side, side)), strict=True):
        block = generator.blocks[name]
        norms = [block.norm_0, block.norm_1, *([block.norm_s] if block.learned_shortcut else [])]
        found.setdefault(height, []).extend(norms)  # type: ignore[arg-type]
    return list(found.values())


def steps(generator: Generator) -> list[int]:
    """How many pixels a cell of every grid is wide, the smallest grid first."""
    config = generator.config
    side = 2**config.num_ups
    sides = [height for height, _ in config.grids((side, side))]
    return [side // height for height in dict.fromkeys(sides)]


@dataclass(frozen=True)
class ContextFiles:
    """The bytes of two files in half precision, and the least dB of some sketches to the engine's."""

    tables: bytes
    painter: bytes
    psnr: float


def context_files(checkpoint: Checkpoint) -> ContextFiles:
    """A model as browsers paint with it, tried on the example sketches.

    Raises ValueError for models without styles or with instance edges, for such as labels alone do not
    modulate, and where pictures have less than HALF_PSNR.
    """
    card = checkpoint.card
    if not card.generator.tabular:
        raise Fault(f"model {card.name} is not modulated by labels alone", "browsers paint with SPADE only")
    if card.generator.z_dim is None or card.semantics.edges:
        what = "instance maps" if card.semantics.edges else "no styles"
        raise Fault(
            f"model {card.name} has {what}", "browsers paint with models of styles and label maps only"
        )
    labels, graph = Graph(half=True), Graph(half=True)
    tables = labels.models(TableGraph(labels, checkpoint.generator, card.semantics).tables(), {})
    builder = LookupGraph(graph, checkpoint.generator, card.semantics)
    shape = [1, 3, f"{builder.step}*rows", f"{builder.step}*columns"]
    painter = graph.model("picture", builder.picture(), shape, {"card": json.dumps({"name": card.name})})
    psnr = least_psnr(tables, painter, checkpoint)
    if not psnr >= HALF_PSNR:
        raise Fault(
            f"in half precision the pictures of {card.name} have {psnr:.1f} dB, at least {HALF_PSNR:.0f} are "
            "needed",
            "publish a model with smaller weights",
        )
    return ContextFiles(tables, painter, psnr)


@torch.inference_mode()
def least_psnr(tables: bytes, painter: bytes, checkpoint: Checkpoint) -> float:
    """What onnxruntime paints of the example sketches, in dB to the generator: the least."""
    first, second, card, found = onnx_session(tables), onnx_session(painter), checkpoint.card, []
    engine = Engine(checkpoint)
    for ids in list(sketches(card.generator.size, card.palette).values())[:3]:
        z = torch.from_numpy(engine.sample_style(0, ids).z.copy())[None]
        noise = noise_of(0, card.generator, card.generator.size)
        labels = torch.from_numpy(ids[None].copy())
        ours = checkpoint.generator(Labels.of(labels, card.semantics), z, noise)
        contexts, values = context_inputs(labels, checkpoint)
        values |= {
            entry.name: table
            for entry, table in zip(first.get_outputs(), first.run(None, contexts), strict=True)
        }
        values["z"] = z.numpy()
        values |= {f"noise_{n}": field.numpy() for n, field in enumerate(noise or [])}
        wrong = torch.from_numpy(second.run(None, values)[0]) - ours
        found.append(10 * np.log10(4 / max(float(wrong.square().mean()), 1e-30)))
    return float(min(found))


def context_inputs(
    labels: torch.Tensor, checkpoint: Checkpoint
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """`contexts_n`, and `index_n`, of ids (1, H, W)."""
    config, semantics = checkpoint.card.generator, checkpoint.card.semantics
    symbols, side = channel_of_ids(labels, semantics), 2 * config.kernel - 1
    codes, contexts, indices = torch.eye(semantics.semantic_nc + 1), {}, {}
    for n, step in enumerate(steps(checkpoint.generator)):
        small = symbols[:, ::step, ::step]
        level = Level.of(small, codes, config.kernel, config.label_padding)
        contexts[f"contexts_{n}"] = level.patches.reshape(-1, side, side).numpy().astype(np.int32)
        indices[f"index_{n}"] = level.index.reshape(small.shape[1:]).numpy().astype(np.int32)
    return contexts, indices

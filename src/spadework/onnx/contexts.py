"""A generator as an ONNX graph over label contexts, as browsers paint: gamma and beta once per neighbourhood.

Two convolutions of kernel k see a neighbourhood of side 2k - 1 around a pixel. The distinct ones of every
grid are inputs, and which one each pixel has; see `spadework.fast.contexts`.

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


class ContextGraph(GeneratorGraph):
    """Adds a generator to a graph, with the inputs of every grid n, the smallest first.

    `contexts_n` (N, 2k - 1, 2k - 1) int32: channels, K where a neighbourhood lies beyond the border and the
    model's labels end there. `index_n` (h, w) int32. `z` (1, Z); `noise_n` (1, 1, h, w) of block n where the
    model has noise.
    """

    def __init__(self, graph: Graph, generator: Generator, semantics: SemanticsConfig):
        config = generator.config
        self.graph, self.semantics, self.generator, self.noise = graph, semantics, generator, None
        self.step, side = 2**config.num_ups, 4 * (config.kernel // 2) + 1
        self.z = graph.input("z", np.float32, [1, config.z_dim])  # type: ignore[list-item]
        self.grids: dict[int, tuple[str, str]] = {}
        for n, step in enumerate(steps(generator)):
            scale = self.step // step
            sides = ["rows", "columns"] if scale == 1 else [f"{scale}*rows", f"{scale}*columns"]
            contexts = graph.input(f"contexts_{n}", np.int32, [f"n_{n}", side, side])
            self.grids[step] = contexts, graph.input(f"index_{n}", np.int32, sides)

    def _start(self) -> str:
        add, config, fc = self.graph.add, self.generator.config, self.generator.fc
        assert self.z is not None
        features = self._linear(self.z, fc.weight, fc.bias)  # type: ignore[arg-type]
        grid = add("Shape", self.grids[self.step][1])
        return self._grown(features, grid, config)

    def _spade(self, x: str, spade: nn.Module, step: int) -> str:
        assert isinstance(spade, SPADE)  # others are refused, see `context_file`
        add, channels = self.graph.add, spade.mlp_gamma.out_channels
        table = self._table(spade, step)
        scale, shift = (self._part(table, n * channels, channels) for n in (0, 1))
        norm = spade.param_free_norm
        if isinstance(norm, nn.InstanceNorm2d):
            x = self._normed(x, spade)
        else:  # a table that knows the means of the training needs no other norm
            deviation = (as_array(norm.running_var) + norm.eps) ** -0.5  # type: ignore[operator]
            scale = add("Mul", scale, self.graph.constant(deviation))
            shift = add("Sub", shift, add("Mul", scale, self.graph.constant(as_array(norm.running_mean))))
        scale, shift = (self._looked_up(rows, step) for rows in (scale, shift))
        return add("Add", add("Mul", x, scale), shift)

    def _table(self, spade: SPADE, step: int) -> str:
        """1 + gamma, and beta, of every context: (N, 2C)."""
        add, graph, kernel = self.graph.add, self.graph, spade.kernel
        hidden = add("Relu", self._rows(self._windows(kernel, step), [spade.mlp_shared[0]]))
        if spade.padding == "zeros":
            hidden = add("Mul", hidden, self._inside(kernel, step))
        taps = add("Reshape", hidden, graph.integers(-1, kernel**2 * spade.mlp_gamma.in_channels))
        return self._rows(taps, [spade.mlp_gamma, spade.mlp_beta], plus=[1, 0])

    def _windows(self, kernel: int, step: int) -> str:
        """The k x k windows of every context, as channels: (N k k, k k K)."""
        add, graph = self.graph.add, self.graph
        number = self.semantics.semantic_nc
        codes = add("Unsqueeze", self._codes(kernel, step), graph.integers(3))
        same = add("Equal", codes, graph.constant(np.arange(number), np.int32))
        shape = graph.integers(-1, kernel**2 * number)
        return add("Reshape", add("Cast", same, to=array_type(np.float32)), shape)

    def _codes(self, kernel: int, step: int) -> str:
        """Channels in the k x k windows of every context: (N, k k, k k)."""
        side = 2 * kernel - 1
        flat = self.graph.add("Reshape", self.grids[step][0], self.graph.integers(-1, side**2))
        row, column = np.divmod(np.arange(kernel**2), kernel)
        corner = row * side + column
        around = self.graph.constant(corner[:, None] + corner, np.int64)
        return self.graph.add("Gather", flat, around, axis=1)

    def _inside(self, kernel: int, step: int) -> str:
        """1 where the middle of a window lies inside the picture, 0 where beyond: (N k k, 1)."""
        add, middle = self.graph.add, self.graph.constant(kernel**2 // 2, np.int64)
        here = add("Gather", self._codes(kernel, step), middle, axis=2)
        inside = add("Less", here, self.graph.constant(self.semantics.semantic_nc, np.int32))
        return add("Reshape", add("Cast", inside, to=array_type(np.float32)), self.graph.integers(-1, 1))

    def _rows(self, windows: str, convs: Sequence[nn.Module], plus: Sequence[float] = (0,)) -> str:
        """What convolutions make of windows (M, k k F), as one product: (M, C)."""
        assert all(isinstance(conv, nn.Conv2d) for conv in convs)
        weight = np.concatenate([as_array(conv.weight).transpose(2, 3, 1, 0) for conv in convs], 3)
        bias = np.concatenate([as_array(conv.bias) + more for conv, more in zip(convs, plus, strict=True)])
        product = self.graph.add("MatMul", windows, self.graph.constant(weight.reshape(-1, len(bias))))
        return self.graph.add("Add", product, self.graph.constant(bias))

    def _part(self, rows: str, start: int, count: int) -> str:
        """(N, 2C) -> (N, C)."""
        graph = self.graph
        return graph.add("Slice", rows, *(graph.integers(n) for n in (start, start + count, 1)))

    def _looked_up(self, rows: str, step: int) -> str:
        """(N, C) -> (1, C, h, w)."""
        add = self.graph.add
        spread = add("Gather", rows, self.grids[step][1])
        return add("Unsqueeze", add("Transpose", spread, perm=[2, 0, 1]), self.graph.integers(0))


def steps(generator: Generator) -> list[int]:
    """How many pixels a cell of every grid is wide, the smallest grid first."""
    config = generator.config
    side = 2**config.num_ups
    sides = [height for height, _ in config.grids((side, side))]
    return [side // height for height in dict.fromkeys(sides)]


@dataclass(frozen=True)
class ContextFile:
    """The bytes of a file in half precision, and the least dB of its sketches to the engine's."""

    data: bytes
    psnr: float


def context_file(checkpoint: Checkpoint) -> ContextFile:
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
    graph = Graph(half=True)
    builder = ContextGraph(graph, checkpoint.generator, card.semantics)
    shape = [1, 3, f"{builder.step}*rows", f"{builder.step}*columns"]
    data = graph.model("picture", builder.picture(), shape, {"card": json.dumps({"name": card.name})})
    psnr = least_psnr(data, checkpoint)
    if not psnr >= HALF_PSNR:
        raise Fault(
            f"in half precision the pictures of {card.name} have {psnr:.1f} dB, at least {HALF_PSNR:.0f} are "
            "needed",
            "publish a model with smaller weights",
        )
    return ContextFile(data, psnr)


@torch.inference_mode()
def least_psnr(data: bytes, checkpoint: Checkpoint) -> float:
    """What onnxruntime paints of the example sketches, in dB to the generator: the least."""
    session, card, found = onnx_session(data), checkpoint.card, []
    engine = Engine(checkpoint)
    for ids in list(sketches(card.generator.size, card.palette).values())[:3]:
        z = torch.from_numpy(engine.sample_style(0, ids).z.copy())[None]
        noise = noise_of(0, card.generator, card.generator.size)
        labels = torch.from_numpy(ids[None].copy())
        ours = checkpoint.generator(Labels.of(labels, card.semantics), z, noise)
        values = context_inputs(labels, checkpoint) | {"z": z.numpy()}
        values |= {f"noise_{n}": field.numpy() for n, field in enumerate(noise or [])}
        wrong = torch.from_numpy(session.run(None, values)[0]) - ours
        found.append(10 * np.log10(4 / max(float(wrong.square().mean()), 1e-30)))
    return float(min(found))


def context_inputs(labels: torch.Tensor, checkpoint: Checkpoint) -> dict[str, np.ndarray]:
    """`contexts_n` and `index_n` of ids (1, H, W)."""
    config, semantics = checkpoint.card.generator, checkpoint.card.semantics
    symbols, values = channel_of_ids(labels, semantics), {}
    codes = torch.eye(semantics.semantic_nc + 1)
    for n, step in enumerate(steps(checkpoint.generator)):
        small = symbols[:, ::step, ::step]
        level = Level.of(small, codes, config.kernel, config.label_padding)
        side = 4 * (config.kernel // 2) + 1
        values[f"contexts_{n}"] = level.patches.reshape(-1, side, side).numpy().astype(np.int32)
        values[f"index_{n}"] = level.index.reshape(small.shape[1:]).numpy().astype(np.int32)
    return values

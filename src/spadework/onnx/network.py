"""The generator and the enlarger as ONNX graphs.

Written out by hand: tracing fixes sizes that may vary, and takes a hundred times as long. `export` compares
the pictures of every file with the generator's own, so the two cannot drift apart unseen.

Shapes: B batch, K semantic channels, C features, (H, W) the picture, (h, w) a grid, Z style.
"""

from collections.abc import Sequence

import numpy as np
from torch import Tensor, nn

from spadework.enlarger.network import EnlargerNet
from spadework.nn.generator import Generator, GeneratorConfig
from spadework.nn.labels import SemanticsConfig
from spadework.nn.spade import SPADE, SPADEResBlock
from spadework.onnx.graph import Graph, as_array
from spadework.onnx.layers import CUBIC, LINEAR, NEAREST, Layers


class GeneratorGraph(Layers):
    """Adds a generator to a graph.

    `noise`: a field (1, 1, h, w) per block, repeated on larger grids; without, where the generator wants
    noise, the fields are inputs: `noise_0` for the first block, and so on.
    """

    def __init__(
        self, graph: Graph, generator: Generator, semantics: SemanticsConfig, noise: Sequence[Tensor] | None
    ):
        config = generator.config
        self.generator, self.noise, self.step = generator, noise, 2**config.num_ups
        super().__init__(graph, semantics, ["batch", f"{self.step}*rows", f"{self.step}*columns"])
        self.z = graph.input("z", np.float32, ["batch", config.z_dim]) if config.z_dim else None

    def picture(self) -> str:
        """(B, 3, H, W) in [-1, 1]."""
        add, step, x = self.graph.add, self.step, self._start()
        for i, (name, *_, doubling) in enumerate(self.generator.config.blocks):
            if doubling:
                how = NEAREST if doubling == "nearest" else LINEAR
                x, step = add("Resize", x, "", self.graph.constant([1, 1, 2, 2]), **how), step // 2
            if name in self.generator.styles:
                x = self._styled(x, self.generator.styles[name])  # type: ignore[arg-type]
            noise = self._noise(i, step) if self.generator.config.noise else None
            x = self._block(x, self.generator.blocks[name], step, noise)  # type: ignore[arg-type]
        return add("Tanh", self._conv(self._leaky(x), self.generator.conv_img))

    def _start(self) -> str:
        add, config, fc = self.graph.add, self.generator.config, self.generator.fc
        if self.z is None:
            return self._conv(self._segmap(self.step), fc)
        features = self._linear(self.z, fc.weight, fc.bias)  # type: ignore[arg-type]
        grid = add("Shape", self._every(self.labels, self.step), start=1)
        return self._grown(features, grid, config)

    def _grown(self, features: str, grid: str, config: GeneratorConfig) -> str:
        """What a style becomes, on the first grid, whose sides `grid` has."""
        add, channels = self.graph.add, config.blocks[0].in_channels
        if config.start == "point":
            shape = add("Concat", self.graph.integers(1, 1), grid, axis=0)
            return add("Expand", self._spread(features), shape)
        cells = self.graph.integers(-1, channels, *config.start_size(config.size))
        x = add("Reshape", features, cells)
        sizes = add("Concat", add("Shape", x, end=2), grid, axis=0)
        return add("Resize", x, "", "", sizes, **LINEAR)

    def _block(self, x: str, block: SPADEResBlock, step: int, noise: str | None) -> str:
        add = self.graph.add
        if block.noise_strength is not None and noise is not None:
            x = add("Add", x, add("Mul", self.graph.constant(as_array(block.noise_strength)), noise))
        shortcut = (
            self._conv(self._spade(x, block.norm_s, step), block.conv_s) if block.learned_shortcut else x
        )
        y = self._conv(self._leaky(self._spade(x, block.norm_0, step)), block.conv_0)
        y = self._conv(self._leaky(self._spade(y, block.norm_1, step)), block.conv_1)
        return add("Add", shortcut, y)

    def _spade(self, x: str, spade: nn.Module, step: int) -> str:
        assert isinstance(spade, SPADE)  # of other norms nothing is exported
        add, shared = self.graph.add, spade.mlp_shared[0]
        labels = self._segmap(step)
        if spade.padding == "replicate":
            labels = self._continued(labels, 2 * (spade.kernel // 2))
        hidden = add("Relu", self._conv(labels, shared))
        scale = self._conv(hidden, spade.mlp_gamma, plus=1)
        return add("Add", add("Mul", self._normed(x, spade), scale), self._conv(hidden, spade.mlp_beta))

    def _normed(self, x: str, spade: SPADE) -> str:
        norm, channels = spade.param_free_norm, spade.mlp_gamma.out_channels
        one, zero = (self.graph.constant(np.full(channels, value)) for value in (1, 0))
        if isinstance(norm, nn.InstanceNorm2d):
            return self.graph.add("InstanceNormalization", x, one, zero, epsilon=norm.eps)
        mean, variance = (self.graph.constant(as_array(t)) for t in (norm.running_mean, norm.running_var))
        return self.graph.add("BatchNormalization", x, one, zero, mean, variance, epsilon=norm.eps)

    def _noise(self, block: int, step: int) -> str:
        """(B or 1, 1, h, w)."""
        if self.noise is not None:
            return self._tiled(self.noise[block], step)
        sides = (
            ["rows", "columns"]
            if step == self.step
            else [f"{self.step // step}*{s}" for s in ("rows", "columns")]
        )
        return self.graph.input(f"noise_{block}", np.float32, ["batch", 1, *sides])

    def _tiled(self, field: Tensor, step: int) -> str:
        """The field (1, 1, h, w), side by side and below each other where the grid is larger."""
        add, scalar = self.graph.add, lambda n: self.graph.constant(n, np.int64)
        shape, tiled = add("Shape", self._every(self.labels, step)), self.graph.constant(as_array(field))
        for axis in (2, 3):
            places = add("Range", scalar(0), add("Gather", shape, scalar(axis - 1)), scalar(1))
            tiled = add("Gather", tiled, add("Mod", places, scalar(field.shape[axis])), axis=axis)
        return tiled

    def _styled(self, x: str, layer: nn.Linear) -> str:
        assert self.z is not None
        (scale, shift), (one, zero) = layer.weight.chunk(2), layer.bias.chunk(2)
        scale, shift = (
            self._spread(self._linear(self.z, weight, bias))
            for weight, bias in ((scale, one + 1), (shift, zero))
        )
        return self.graph.add("Add", self.graph.add("Mul", x, scale), shift)

    def _spread(self, vectors: str) -> str:
        """(B, C) -> (B, C, 1, 1)."""
        return self.graph.add("Unsqueeze", vectors, self.graph.integers(2, 3))

    def _linear(self, x: str, weight: Tensor, bias: Tensor) -> str:
        weights = (self.graph.constant(as_array(t)) for t in (weight, bias))
        return self.graph.add("Gemm", x, *weights, transB=1)


class EnlargerGraph(Layers):
    """Adds an enlarger to a graph. Shapes: (B, 3, H, W) the small picture."""

    def __init__(self, graph: Graph, net: EnlargerNet, semantics: SemanticsConfig):
        super().__init__(graph, semantics, ["batch", "2*rows", "2*columns"])
        self.net = net
        self.image = graph.input("image", np.float32, ["batch", 3, "rows", "columns"])
        self.coarse = graph.input("noise_coarse", np.float32, ["batch", 1, "rows", "columns"])
        self.fine = graph.input("noise_fine", np.float32, ["batch", 1, "2*rows", "2*columns"])

    def picture(self) -> str:
        """(B, 3, 2H, 2W) in [-1, 1]."""
        add, net, segmap = self.graph.add, self.net, self._segmap(1)
        x = self._conv(self.image, net.head)
        shares = add("AveragePool", segmap, kernel_shape=[2, 2], strides=[2, 2])
        for block in net.blocks:
            gamma, beta = (add("Slice", self._conv(shares, block.labels), *self._channels(k)) for k in (0, 1))  # type: ignore[arg-type]
            y = self._noisy(self._conv(x, block.conv_0), block.noise_strength, self.coarse)  # type: ignore[arg-type]
            y = add("Add", add("Mul", y, add("Add", gamma, self.graph.constant(1))), beta)
            x = add("Add", x, self._conv(self._leaky(y), block.conv_1))  # type: ignore[arg-type]
        x = add("DepthToSpace", self._conv(self._leaky(x), net.grow), blocksize=2, mode="CRD")
        x = self._noisy(add("Add", x, self._conv(segmap, net.labels)), net.noise_strength, self.fine)
        x = add("Add", x, self._leaky(self._conv(self._leaky(x), net.conv_fine)))
        plain = add("Resize", self.image, "", self.graph.constant([1, 1, 2, 2]), **CUBIC)
        bounds = (self.graph.constant(value) for value in (-1, 1))
        return add("Clip", add("Add", plain, self._conv(x, net.conv_img)), *bounds)

    def _channels(self, half: int) -> tuple[str, str, str]:
        width = self.net.config.width
        return (*(self.graph.integers(n * width) for n in (half, half + 1)), self.graph.integers(1))  # type: ignore[return-value]

    def _noisy(self, x: str, strength: Tensor, noise: str) -> str:
        add = self.graph.add
        return add("Add", x, add("Mul", self.graph.constant(as_array(strength)), noise))

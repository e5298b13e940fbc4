"""A segmenter as an ONNX graph: a photograph in, the class of every pixel out.

Shapes: K classes, C channels, (h, w) the size that a photo is read at, (H, W) that of the labels.
"""

import numpy as np
import torch
from torch import nn

from spadework.files import Fault
from spadework.onnx.graph import Graph, array_type, as_array
from spadework.onnx.layers import LINEAR, NEAREST
from spadework.onnx.model import onnx_session
from spadework.segmenter.segmenter import Segmenter
from spadework.sketch.examples import sketches

SAME = 0.995
"""At least this share of pixels gets the class that PyTorch gives it."""


def segmenter_bytes(segmenter: Segmenter) -> bytes:
    """A file of half precision: `image` (1, 3, h, w) in [-1, 1] and `size` (H, W) -> `ids` (H, W) float32.

    Raises ValueError where onnxruntime gives less than SAME of a trial picture's pixels PyTorch's class.
    """
    graph = Graph(half=True)
    ids = _Builder(graph, segmenter).ids()
    data = graph.model("ids", ids, ["height", "width"], {})
    share = _same_share(data, segmenter)
    if not share >= SAME:
        raise Fault(
            f"in half precision {share:.1%} of a picture's pixels keep their class, at least {SAME:.1%} must",
            "publish a segmenter with smaller weights",
        )
    return data


class _Builder:
    """Adds a segmenter to a graph, layer by layer as `SegmenterNet` has it."""

    def __init__(self, graph: Graph, segmenter: Segmenter) -> None:
        self.graph, self.segmenter = graph, segmenter
        self.net = segmenter.net
        self.image = graph.input("image", np.float32, [1, 3, "rows", "columns"])
        self.size = graph.input("size", np.int64, [2])

    def ids(self) -> str:
        """The likeliest class of every pixel: (H, W)."""
        add, graph = self.graph.add, self.graph
        absent = np.zeros((1, self.net.config.classes, 1, 1))
        absent[:, self.segmenter.absent] = -np.inf
        scores = add("Add", self._conv(self._pyramid(), self.net.head), graph.constant(absent))
        shape = add("Concat", graph.integers(1, self.net.config.classes), self.size, axis=0)
        fine = add("Resize", scores, "", "", shape, **LINEAR)
        best = add("Squeeze", add("ArgMax", fine, axis=1, keepdims=0), graph.integers(0))
        return add("Cast", best, to=array_type(np.float32))

    def _pyramid(self) -> str:
        """(1, C, h / 4, w / 4)."""
        add, graph, net = self.graph.add, self.graph, self.net
        features = self._trunk()
        mean = add("GlobalAveragePool", features[-1])
        weight = as_array(net.context.weight)[:, :, None, None]
        x = add("Conv", mean, graph.constant(weight), graph.constant(as_array(net.context.bias)))
        parts = list(zip(net.lateral, net.smooth, features, strict=True))
        for n, (lateral, smooth, feature) in enumerate(reversed(parts)):
            if n:  # what comes before the first is one cell, which fits every grid
                shape = add(
                    "Concat", graph.integers(1, net.config.width), add("Shape", feature, start=2), axis=0
                )
                x = add("Resize", x, "", "", shape, **NEAREST)
            x = add("Relu", add("Add", self._conv(feature, lateral), x))
            x = add("Relu", self._conv(x, smooth))
        return x

    def _trunk(self) -> list[str]:
        """The features, finest first."""
        add, number, trunk = self.graph.add, self.graph.constant, self.net.trunk
        x = add("Mul", add("Add", self.image, number(0.5 / 127.5)), number(127.5 / 128))
        x = self._relu6(self._conv(x, trunk.stem))
        features = []
        for level in (trunk.first, *trunk.levels):
            for block in level:  # type: ignore[union-attr]
                x = self._block(x, block)
            features.append(x)
        return features[1:]

    def _block(self, x: str, block: nn.Module) -> str:
        wide = x if block.expand is None else self._relu6(self._conv(x, block.expand))  # type: ignore[arg-type]
        deep = self._relu6(self._conv(wide, block.depthwise, groups=block.depthwise.weight.shape[0]))  # type: ignore[arg-type]
        out = self._conv(deep, block.project)  # type: ignore[arg-type]
        return self.graph.add("Add", out, x) if block.skip else out

    def _conv(self, x: str, conv: nn.Module, groups: int = 1) -> str:
        """A convolution that keeps the size, or halves it, padded as TensorFlow does."""
        weight, stride = as_array(conv.weight), conv.stride
        stride = stride if isinstance(stride, int) else stride[0]  # type: ignore[index]
        constants = (self.graph.constant(value) for value in (weight, as_array(conv.bias)))
        how = {"auto_pad": "SAME_UPPER", "strides": [stride] * 2, "group": groups}  # type: ignore[list-item]
        return self.graph.add("Conv", x, *constants, **how)

    def _relu6(self, x: str) -> str:
        return self.graph.add("Clip", x, *(self.graph.constant(bound) for bound in (0, 6)))


@torch.inference_mode()
def _same_share(data: bytes, segmenter: Segmenter) -> float:
    """The share of a trial picture's pixels that get the same class: a sketch in its colours, grained."""
    sketch = next(iter(sketches((256, 352), segmenter.palette).values()))
    grain = np.random.default_rng(0).normal(0, 12, (*sketch.shape, 3))
    pixels = (segmenter.palette.colorize(sketch) + grain).clip(0, 255).astype(np.uint8)
    ours = segmenter.label(pixels).ids
    image = torch.from_numpy(pixels).float().permute(2, 0, 1)[None] / 127.5 - 1
    feeds = {"image": image.numpy(), "size": np.array(sketch.shape, np.int64)}
    theirs = torch.from_numpy(onnx_session(data).run(None, feeds)[0])
    return float((theirs == torch.from_numpy(ours.copy())).float().mean())

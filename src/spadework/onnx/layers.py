"""What the graphs of all networks have in common.

Shapes: B batch, K semantic channels, C features, (H, W) the label map, (h, w) a grid.
"""

import numpy as np
from torch import nn

from spadework.nn.labels import SemanticsConfig
from spadework.onnx.graph import Graph, array_type, as_array

NEAREST = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
LINEAR = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
CUBIC = {"mode": "cubic", "coordinate_transformation_mode": "half_pixel", "cubic_coeff_a": -0.75}
END = 2**31 - 1


class Layers:
    """Layers of a network over `labels` (B, H, W) uint8[ and `edges` (B, H, W) bool], inputs of the graph.

    `shape`: of the maps; dimensions that are text may have any length.
    """

    def __init__(self, graph: Graph, semantics: SemanticsConfig, shape: list[int | str]):
        self.graph, self.semantics = graph, semantics
        self.labels = graph.input("labels", np.uint8, shape)
        self.edges = graph.input("edges", np.bool_, shape) if semantics.edges else None

    def _segmap(self, step: int) -> str:
        """Every step-th pixel, which is what nearest-neighbour resizing keeps, as channels (B, K, h, w)."""
        add, integers, number = self.graph.add, self.graph.integers, self.semantics.label_nc
        ids = add("Cast", self._every(self.labels, step), to=array_type(np.int64))
        if self.semantics.unknown:
            ids = add("Where", add("Equal", ids, integers(self.semantics.unknown_id)), integers(number), ids)
        channels = np.arange(number + self.semantics.unknown)[:, None, None]
        same = add("Equal", add("Unsqueeze", ids, integers(1)), self.graph.constant(channels, np.int64))
        if self.edges is not None:
            edges = add("Unsqueeze", self._every(self.edges, step), integers(1))
            same = add("Concat", same, edges, axis=1)
        return add("Cast", same, to=array_type(np.float32))

    def _every(self, maps: str, step: int) -> str:
        """(B, H, W) -> (B, H / step, W / step)."""
        if step == 1:
            return maps
        bounds = (self.graph.integers(n, n) for n in (0, END))
        return self.graph.add(
            "Slice", maps, *bounds, self.graph.integers(1, 2), self.graph.integers(step, step)
        )

    def _conv(self, x: str, conv: nn.Module, plus: float = 0) -> str:
        """The convolution, `plus` a number that its bias takes in."""
        assert isinstance(conv, nn.Conv2d)
        weights = [self.graph.constant(as_array(conv.weight))]
        if conv.bias is not None:
            weights.append(self.graph.constant(as_array(conv.bias) + plus))
        margin = int(conv.padding[0])
        if margin and conv.padding_mode == "replicate":
            x, margin = self._continued(x, margin), 0
        return self.graph.add("Conv", x, *weights, pads=[margin] * 4)

    def _continued(self, x: str, margin: int) -> str:
        """(B, C, h, w) with `margin` more pixels on every side, each as the nearest one."""
        return self.graph.add("Pad", x, self.graph.integers(*[0, 0, margin, margin] * 2), mode="edge")

    def _leaky(self, x: str) -> str:
        return self.graph.add("LeakyRelu", x, alpha=0.2)

"""A style encoder as an ONNX graph: a photograph of its size in, its style out."""

import numpy as np
import torch
from torch import nn

from spadework.files import Fault
from spadework.nn.encoder import StyleEncoder
from spadework.onnx.graph import Graph, as_array
from spadework.onnx.model import onnx_session

HALF_NEAR = 0.02
"""Styles of weights in half precision differ by no larger share of their length."""


def encoder_bytes(encoder: StyleEncoder) -> bytes:
    """A file of half precision: `image` (1, 3, S, S) in [-1, 1] -> `style` (1, Z), the mean.

    Raises ValueError where onnxruntime's styles differ by more than HALF_NEAR.
    """
    graph, side = Graph(half=True), encoder.config.size
    x = graph.input("image", np.float32, [1, 3, side, side])
    for layer in encoder.layers:
        x = graph.add("LeakyRelu", _layer(graph, x, *layer), alpha=0.2)  # type: ignore[misc]
    weights = (graph.constant(as_array(t)) for t in (encoder.fc_mu.weight, encoder.fc_mu.bias))
    style = graph.add("Gemm", graph.add("Flatten", x), *weights, transB=1)
    data = graph.model("style", style, [1, encoder.config.z_dim], {})
    share = _difference(data, encoder)
    if not share <= HALF_NEAR:
        raise Fault(
            f"in half precision styles of photographs differ by {share:.3f} of their length, allowed are "
            f"{HALF_NEAR}",
            "publish a model with smaller weights",
        )
    return data


def _layer(graph: Graph, x: str, conv: nn.Conv2d, norm: nn.Module) -> str:
    """A convolution of stride 2 and its norm, which one of the training's means is part of."""
    weight, how = as_array(conv.weight), {"pads": [1] * 4, "strides": [2, 2]}
    if isinstance(norm, nn.InstanceNorm2d):
        one, zero = (graph.constant(np.full(len(weight), value)) for value in (1, 0))
        x = graph.add("Conv", x, graph.constant(weight), **how)
        return graph.add("InstanceNormalization", x, one, zero, epsilon=norm.eps)
    scale = (as_array(norm.running_var) + norm.eps) ** -0.5  # type: ignore[operator]
    constants = (
        graph.constant(value)
        for value in (weight * scale[:, None, None, None], -as_array(norm.running_mean) * scale)
    )
    return graph.add("Conv", x, *constants, **how)


@torch.inference_mode()
def _difference(data: bytes, encoder: StyleEncoder) -> float:
    """How far onnxruntime's style of a trial picture lies from PyTorch's, as a share of its length."""
    side = encoder.config.size
    coarse = torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    image = nn.functional.interpolate(coarse, size=(side, side), mode="bilinear").tanh()
    ours = encoder(image)[0]
    theirs = torch.from_numpy(onnx_session(data).run(None, {"image": image.numpy()})[0])
    return float((theirs - ours).norm() / ours.norm())

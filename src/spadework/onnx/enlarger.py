"""An enlarger as an ONNX file, written only if onnxruntime enlarges the same with it."""

import os
from pathlib import Path

import numpy as np
import torch

from spadework.enlarger.enlarger import Enlarger
from spadework.files import Fault, atomic_write
from spadework.nn.labels import Labels
from spadework.onnx.model import HALF_PSNR, Exported, demand_close, demand_onnx_name, missing, onnx_session
from spadework.sketch.examples import sketches

SIZES = ((64, 96), (96, 64))
"""Small pictures (H, W) by which a file is checked."""


def export_enlarger_onnx(enlarger: Enlarger, path: str | os.PathLike[str]) -> Exported:
    """Write an enlarger as one ONNX file of float32 weights.

    Inputs: `labels` (B, 2H, 2W) uint8 ids, `image` (B, 3, H, W) in [-1, 1], standard normal `noise_coarse`
    (B, 1, H, W) and `noise_fine` (B, 1, 2H, 2W); B, H and W any. Output: `picture` (B, 3, 2H, 2W).
    Raises ValueError as `export_onnx` does.
    """
    demand_onnx_name(path)
    data = _file(enlarger)
    difference, _, inputs = _compare(data, enlarger)
    demand_close(path, difference)
    atomic_write(path, data)
    return Exported(Path(path), inputs, tuple((1, 2 * h, 2 * w) for h, w in SIZES), difference)


def enlarger_bytes(enlarger: Enlarger) -> bytes:
    """The same file in half precision. Raises ValueError where its pictures have less than HALF_PSNR."""
    data = _file(enlarger, half=True)
    psnr = _compare(data, enlarger)[1]
    if not psnr >= HALF_PSNR:
        raise Fault(
            f"in half precision what {enlarger.card.name} enlarges has {psnr:.1f} dB, at least "
            f"{HALF_PSNR:.0f} are needed",
            "publish an enlarger with smaller weights",
        )
    return data


def _file(enlarger: Enlarger, half: bool = False) -> bytes:
    try:
        from spadework.onnx.graph import Graph
        from spadework.onnx.network import EnlargerGraph
    except ImportError as error:
        raise ValueError(missing(error)) from error
    graph = Graph(half)
    builder = EnlargerGraph(graph, enlarger.net, enlarger.card.semantics)
    shape = ["batch", 3, "2*rows", "2*columns"]
    return graph.model("picture", builder.picture(), shape, {"card": enlarger.card.model_dump_json()})


@torch.inference_mode()
def _compare(data: bytes, enlarger: Enlarger) -> tuple[float, float, tuple[str, ...]]:
    """How onnxruntime's pictures differ from PyTorch's, and the file's inputs.

    The largest difference, and the least peak signal to noise ratio in dB.
    """
    session, rng, differences = onnx_session(data), torch.Generator().manual_seed(0), []
    names = tuple(entry.name for entry in session.get_inputs())
    for h, w in SIZES:
        maps = sketches((2 * h, 2 * w), enlarger.card.palette)
        labels = torch.from_numpy(next(iter(maps.values()))[None].copy())
        fields = [torch.randn(1, c, k * h, k * w, generator=rng) for c, k in ((3, 1), (1, 1), (1, 2))]
        image, noise = fields[0].tanh(), fields[1:]
        values = {"labels": labels, "image": image, "noise_coarse": noise[0], "noise_fine": noise[1]}
        large = torch.from_numpy(session.run(None, {k: v.numpy() for k, v in values.items()})[0])
        ours = enlarger.net(image, Labels.of(labels, enlarger.card.semantics).segmap, noise)
        differences.append(large - ours)
    errors = (float(difference.square().mean()) for difference in differences)
    largest = max(float(difference.abs().max()) for difference in differences)
    return largest, float(10 * np.log10(4 / max(*errors, 1e-30))), names

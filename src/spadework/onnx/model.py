"""Writes a model as an ONNX file, but only if onnxruntime paints the same pictures with it."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from spadework.engine import Engine, noise_of
from spadework.files import atomic_write
from spadework.model import Checkpoint
from spadework.nn.generator import GeneratorConfig
from spadework.nn.labels import Labels, instance_edges
from spadework.sketch.examples import sketches

if TYPE_CHECKING:
    import onnxruntime

TOLERANCE = 1e-4
"""Pictures may differ by so much in [-1, 1]: about a hundredth of a grey level."""


@dataclass(frozen=True)
class Exported:
    """An ONNX file and how it was checked: sizes (B, H, W), and the largest difference found in [-1, 1]."""

    path: Path
    inputs: tuple[str, ...]
    checked: tuple[tuple[int, int, int], ...]
    difference: float


def export_onnx(checkpoint: Checkpoint, path: str | os.PathLike[str], seed: int = 0) -> Exported:
    """Write a model's generator as one ONNX file of float32 weights.

    Inputs: `labels` (B, H, W) uint8 ids; `edges` (B, H, W) bool and `z` (B, Z) float32 where the model has
    them; B any, H and W multiples of what the doublings need. Output: `picture` (B, 3, H, W) in [-1, 1]. The
    noise of `seed` is part of the file; for larger pictures than the model was trained at it is repeated.

    Raises ValueError where onnx or onnxruntime is missing, the file would exceed 2 GiB or cannot be written,
    and where onnxruntime's pictures differ from the generator's by more than TOLERANCE.
    """
    demand_onnx_name(path)
    data = onnx_bytes(checkpoint, seed)
    batches = trial_batches(checkpoint)
    difference, inputs = compare(data, checkpoint, batches, seed)
    demand_close(path, difference)
    atomic_write(path, data)
    return Exported(Path(path), inputs, tuple(_shape(batch) for batch in batches), difference)


def demand_onnx_name(path: str | os.PathLike[str]) -> None:
    """ValueError unless the name ends in .onnx."""
    if not str(path).endswith(".onnx"):
        raise ValueError(f"cannot write {path}: give the file the ending .onnx")


def demand_close(path: str | os.PathLike[str], difference: float) -> None:
    """ValueError where pictures differ by more than TOLERANCE."""
    if not difference <= TOLERANCE:
        raise ValueError(
            f"{path} is not written: onnxruntime's pictures differ by {difference:.1e} from PyTorch's, "
            f"allowed are {TOLERANCE:.0e}: try another version of onnxruntime, and tell us about it"
        )


def onnx_bytes(checkpoint: Checkpoint, seed: int = 0) -> bytes:
    """The file's bytes, unchecked. The metadata hold the card and a style for every example sketch."""
    try:
        from spadework.onnx.graph import Graph
        from spadework.onnx.network import GeneratorGraph
    except ImportError as error:
        raise ValueError(missing(error)) from error
    card, graph = checkpoint.card, Graph()
    noise = noise_of(seed, card.generator, card.generator.size)
    builder = GeneratorGraph(graph, checkpoint.generator, card.semantics, noise)
    shape = ["batch", 3, f"{builder.step}*rows", f"{builder.step}*columns"]
    metadata = {
        "card": card.model_dump_json(),
        "seed": str(seed),
        "styles": json.dumps(_styles(checkpoint, seed)),
    }
    return graph.model("picture", builder.picture(), shape, metadata)


def _styles(checkpoint: Checkpoint, seed: int) -> dict[str, list[float]]:
    """By example sketch the style that the seed gives it; nothing for models without styles."""
    config = checkpoint.card.generator
    if config.z_dim is None:
        return {}
    engine, maps = Engine(checkpoint), sketches(config.size, checkpoint.card.palette)
    return {name: engine.sample_style(seed, ids).z.tolist() for name, ids in maps.items()}


@dataclass(frozen=True)
class Batch:
    """What is painted to compare: ids (B, H, W) uint8, edge bits of the same shape, styles (B, Z)."""

    labels: Tensor
    edges: Tensor | None
    z: Tensor | None


def trial_batches(checkpoint: Checkpoint) -> list[Batch]:
    """Two example sketches at the trained size, and one at another size and aspect."""
    config, known = checkpoint.card.generator, checkpoint.card.semantics
    step, rng = 2**config.num_ups, torch.Generator().manual_seed(0)
    other = max(step, config.size[0] // 2 // step * step), config.size[1] + step
    batches = []
    for size, first, last in ((config.size, 0, 2), (other, 2, 3)):
        maps = list(sketches(size, checkpoint.card.palette).values())
        labels = torch.from_numpy(np.stack(maps[first:last]))
        if known.unknown:
            labels[:, : size[0] // 8, : size[1] // 8] = known.unknown_id
        edges = instance_edges(labels) if known.edges else None
        z = torch.randn(len(labels), config.z_dim, generator=rng) if config.z_dim else None
        batches.append(Batch(labels, edges, z))
    return batches


def compare(
    data: bytes, checkpoint: Checkpoint, batches: Sequence[Batch], seed: int
) -> tuple[float, tuple[str, ...]]:
    """The largest difference of onnxruntime's pictures from the generator's, and the file's inputs."""
    session = onnx_session(data)
    names, differences = tuple(entry.name for entry in session.get_inputs()), []
    for batch in batches:
        values = {name: getattr(batch, name).numpy() for name in names}
        painted = torch.from_numpy(session.run(None, values)[0])
        differences.append((painted - _expected(checkpoint, batch, seed)).abs().max())
    return float(torch.stack(differences).max()), names


def onnx_session(data: bytes) -> "onnxruntime.InferenceSession":
    """A file's bytes, ready to run on the CPU. ValueError where onnxruntime is missing."""
    try:
        import onnxruntime
    except ImportError as error:
        raise ValueError(missing(error)) from error
    return onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])


@torch.inference_mode()
def _expected(checkpoint: Checkpoint, batch: Batch, seed: int) -> Tensor:
    """The generator's own pictures."""
    labels = Labels.of(batch.labels, checkpoint.card.semantics)  # edges are the labels', as in the batch
    noise = tiled_noise(seed, checkpoint.card.generator, _shape(batch)[1:])
    return checkpoint.generator(labels, batch.z, noise)


def tiled_noise(seed: int, config: GeneratorConfig, size: tuple[int, int]) -> list[Tensor] | None:
    """The seed's fields for the trained size, repeated or cut to those of another (H, W)."""
    fields = noise_of(seed, config, config.size)
    if fields is None:
        return None
    return [
        field[:, :, torch.arange(h) % field.shape[2]][:, :, :, torch.arange(w) % field.shape[3]]
        for field, (h, w) in zip(fields, config.grids(size), strict=True)
    ]


def _shape(batch: Batch) -> tuple[int, int, int]:
    count, height, width = batch.labels.shape
    return count, height, width


def missing(error: ImportError) -> str:
    """What to do about a package that is not there."""
    return f"an export needs onnx and onnxruntime ({error}): type pip install 'spadework[export]'"

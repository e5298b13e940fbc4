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

from spadework.engine import Engine
from spadework.executor import noise_of
from spadework.files import Fault, atomic_write
from spadework.model import Checkpoint
from spadework.nn.generator import GeneratorConfig
from spadework.nn.labels import Labels, instance_edges
from spadework.sketch.examples import sketches

if TYPE_CHECKING:
    import onnxruntime

TOLERANCE = 1e-4
"""Pictures may differ by so much in [-1, 1]: about a hundredth of a grey level."""


HALF_PSNR = 40.0
"""Pictures of weights in half precision have at least so many dB: differences that nobody sees."""


@dataclass(frozen=True)
class Exported:
    """An ONNX file and how it was checked: sizes (B, H, W), and the largest difference found in [-1, 1].

    `psnr`: the least peak signal to noise ratio of a batch, in dB.
    """

    path: Path
    inputs: tuple[str, ...]
    checked: tuple[tuple[int, int, int], ...]
    difference: float
    psnr: float = np.inf


def export_onnx(
    checkpoint: Checkpoint, path: str | os.PathLike[str], seed: int | None = 0, half: bool = False
) -> Exported:
    """Write a model's generator as one ONNX file of float32 weights, or `half` as large, of float16 ones.

    Inputs: `labels` (B, H, W) uint8 ids; `edges` (B, H, W) bool and `z` (B, Z) float32 where the model has
    them; B any, H and W multiples of what the doublings need. Output: `picture` (B, 3, H, W) in [-1, 1]. The
    noise of `seed` is part of the file; for larger pictures than the model was trained at it is repeated.
    Without a seed it is an input for every block, `noise_0` (B, 1, h, w) and so on.

    Raises ValueError where onnx or onnxruntime is missing, the file would exceed 2 GiB or cannot be written,
    and where onnxruntime's pictures differ from the generator's by more than TOLERANCE, or have less than
    HALF_PSNR.
    """
    demand_onnx_name(path)
    data = onnx_bytes(checkpoint, seed, half)
    trials = trials_of(checkpoint)
    difference, psnr, inputs = compare(data, checkpoint, trials, seed)
    if not half:
        demand_close(path, difference)
    elif not psnr >= HALF_PSNR:
        raise ValueError(
            f"{path} is not written: in half precision its pictures have {psnr:.1f} dB, at least "
            f"{HALF_PSNR:.0f} are needed: export it without --half"
        )
    atomic_write(path, data)
    return Exported(Path(path), inputs, tuple(_shape(trial) for trial in trials), difference, psnr)


def demand_onnx_name(path: str | os.PathLike[str]) -> None:
    """ValueError unless the name ends in .onnx."""
    if not str(path).endswith(".onnx"):
        raise Fault(f"cannot write {path}", "give the file the ending .onnx")


def demand_close(path: str | os.PathLike[str], difference: float) -> None:
    """ValueError where pictures differ by more than TOLERANCE."""
    if not difference <= TOLERANCE:
        raise Fault(
            f"{path} is not written: onnxruntime's pictures differ by {difference:.1e} from PyTorch's, "
            f"allowed are {TOLERANCE:.0e}",
            "try another version of onnxruntime, and tell us about it",
        )


def onnx_bytes(checkpoint: Checkpoint, seed: int | None = 0, half: bool = False) -> bytes:
    """The file's bytes, unchecked. The metadata hold the card and a style for every example sketch."""
    try:
        from spadework.onnx.graph import Graph
        from spadework.onnx.network import GeneratorGraph
    except ImportError as error:
        raise ValueError(missing(error)) from error
    card, graph = checkpoint.card, Graph(half)
    if not card.generator.tabular:
        raise ValueError(
            f"model {card.name} is no SPADE generator over labels alone, which is what can be exported: "
            "paint with it here, or train recipe landscape or spade_256"
        )
    noise = None if seed is None else noise_of(seed, card.generator, card.generator.size)
    builder = GeneratorGraph(graph, checkpoint.generator, card.semantics, noise)
    shape = ["batch", 3, f"{builder.step}*rows", f"{builder.step}*columns"]
    metadata = {
        "card": card.model_dump_json(),
        **({} if seed is None else {"seed": str(seed)}),
        "styles": json.dumps(_styles(checkpoint, seed or 0)),
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
class Trial:
    """What is painted to compare: ids (B, H, W) uint8, edge bits of the same shape, styles (B, Z)."""

    labels: Tensor
    edges: Tensor | None
    z: Tensor | None


def trials_of(checkpoint: Checkpoint) -> list[Trial]:
    """Two example sketches at the trained size, and one at another size and aspect."""
    config, known = checkpoint.card.generator, checkpoint.card.semantics
    step, rng = 2**config.num_ups, torch.Generator().manual_seed(0)
    other = max(step, config.size[0] // 2 // step * step), config.size[1] + step
    trials = []
    for size, first, last in ((config.size, 0, 2), (other, 2, 3)):
        maps = list(sketches(size, checkpoint.card.palette).values())
        labels = torch.from_numpy(np.stack(maps[first:last]))
        if known.unknown:
            labels[:, : size[0] // 8, : size[1] // 8] = known.unknown_id
        edges = instance_edges(labels) if known.edges else None
        z = torch.randn(len(labels), config.z_dim, generator=rng) if config.z_dim else None
        trials.append(Trial(labels, edges, z))
    return trials


def compare(
    data: bytes, checkpoint: Checkpoint, trials: Sequence[Trial], seed: int | None
) -> tuple[float, float, tuple[str, ...]]:
    """How onnxruntime's pictures differ from the generator's, and the file's inputs.

    The largest difference, and the least peak signal to noise ratio of a batch in dB.
    """
    session = onnx_session(data)
    names, config = tuple(entry.name for entry in session.get_inputs()), checkpoint.card.generator
    differences, errors = [], []
    for trial in trials:
        count, *size = _shape(trial)
        fields = noise_of(0, config, (size[0], size[1])) if seed is None else None
        given = {f"noise_{i}": field.expand(count, -1, -1, -1) for i, field in enumerate(fields or [])}
        values = {name: (given[name] if name in given else getattr(trial, name)).numpy() for name in names}
        painted = torch.from_numpy(session.run(None, values)[0])
        wrong = painted - _expected(
            checkpoint, trial, fields or tiled_noise(seed or 0, config, _shape(trial)[1:])
        )
        differences.append(float(wrong.abs().max()))
        errors.append(float(wrong.square().mean()))
    return max(differences), float(10 * np.log10(4 / max(*errors, 1e-30))), names


def onnx_session(data: bytes) -> "onnxruntime.InferenceSession":
    """A file's bytes, ready to run on the CPU. ValueError where onnxruntime is missing."""
    try:
        import onnxruntime
    except ImportError as error:
        raise ValueError(missing(error)) from error
    return onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])


@torch.inference_mode()
def _expected(checkpoint: Checkpoint, trial: Trial, noise: list[Tensor] | None) -> Tensor:
    """The generator's own pictures."""
    labels = Labels.of(trial.labels, checkpoint.card.semantics)  # edges are the labels', as in the trial
    return checkpoint.generator(labels, trial.z, noise)


def tiled_noise(seed: int, config: GeneratorConfig, size: tuple[int, int]) -> list[Tensor] | None:
    """The seed's fields for the trained size, repeated or cut to those of another (H, W)."""
    fields = noise_of(seed, config, config.size)
    if fields is None:
        return None
    return [
        field[:, :, torch.arange(h) % field.shape[2]][:, :, :, torch.arange(w) % field.shape[3]]
        for field, (h, w) in zip(fields, config.grids(size), strict=True)
    ]


def _shape(trial: Trial) -> tuple[int, int, int]:
    count, height, width = trial.labels.shape
    return count, height, width


def missing(error: ImportError) -> str:
    """What to do about a package that is not there."""
    return f"an export needs onnx and onnxruntime ({error}): type pip install 'spadework[export]'"

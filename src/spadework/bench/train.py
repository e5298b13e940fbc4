"""Training: one generator step on contexts and dense, in turns, with the same weights and batch."""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

import torch
from pydantic import BaseModel
from torch import Tensor

from ..contexts import Contexts
from ..nn.generator import Generator
from ..tensors import channel_of_ids, instance_edges, semantics
from . import maps
from .engine import SHAPES, Shape, seconds


class TrainCase(BaseModel):
    """Forward and backward of the generator; medians of the best of some repeats."""

    name: str
    shape: str
    size: tuple[int, int]
    dtype: str
    batch: int
    images_per_s: float
    dense_images_per_s: float
    ratio: float
    grad_rel_diff: float


@dataclass(frozen=True)
class TrainPlan:
    """A shape in a precision."""

    name: str
    shape: str
    dtype: str
    batch: int


PLANS = [
    TrainPlan("train-landscape", "landscape", "bfloat16", 8),
    TrainPlan("train-landscape", "landscape", "float32", 8),
    TrainPlan("train-landscape-wide", "wide", "float32", 4),
    TrainPlan("train-coco", "coco", "float32", 4),
]
SMOKE = [TrainPlan("train-tiny", "tiny", "float32", 2)]


def _batch(shape: Shape, count: int) -> tuple[Tensor, Contexts]:
    """One-hot maps (B, K, H, W) and their contexts, as the training loop makes them."""
    size = shape.generator.size
    found = (maps.coco(size) if shape.name == "coco" else maps.landscapes(size)) or maps.sketches(size)
    chosen = [found[i % len(found)] for i in range(count)]
    labels = torch.cat([ids for ids, _ in chosen])
    instances = labels.long() if chosen[0][1] is None else torch.cat([i for _, i in chosen if i is not None])
    segmap = semantics(labels, shape.semantics, instances)
    edges = instance_edges(instances) if shape.semantics.edges else None
    grids = [grid for grid in shape.generator.grids(size) if min(grid) >= 32]
    return segmap, Contexts.of(segmap, channel_of_ids(labels, shape.semantics), grids, edges)


def _gradients(
    net: Generator,
    segmap: Tensor | Contexts,
    z: Tensor | None,
    noise: list[Tensor] | None,
    dtype: torch.dtype,
) -> Tensor:
    net.zero_grad(set_to_none=True)
    with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
        picture = net(segmap, z, noise).float()
    weight = torch.linspace(-1, 1, picture.numel()).view_as(picture)
    (picture * weight).mean().backward()
    return torch.cat([p.grad.flatten() for p in net.parameters() if p.grad is not None])


def measure(plan: TrainPlan, repeats: int) -> TrainCase:
    """Both networks start every repeat from the same state."""
    shape, dtype = SHAPES[plan.shape], getattr(torch, plan.dtype)
    torch.manual_seed(0)
    ours = Generator(shape.generator).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    theirs = copy.deepcopy(ours)
    segmap, contexts = _batch(shape, plan.batch)
    z = torch.randn(plan.batch, shape.generator.z_dim) if shape.generator.z_dim else None
    noise = ours.draw_noise(plan.batch, shape.generator.size) if shape.generator.noise else None
    times, differences = [], []
    for _ in range(repeats):
        fast, a = seconds(lambda: _gradients(ours, contexts, z, noise, dtype))
        slow, b = seconds(lambda: _gradients(theirs, segmap, z, noise, dtype))
        times.append((fast, slow))
        differences.append(float((a - b).norm() / b.norm()))
    fast, slow = (min(column) for column in zip(*times, strict=True))
    return TrainCase(
        name=plan.name,
        shape=shape.name,
        size=shape.generator.size,
        dtype=plan.dtype,
        batch=plan.batch,
        images_per_s=plan.batch / fast,
        dense_images_per_s=plan.batch / slow,
        ratio=median(slow / fast for fast, slow in times),
        grad_rel_diff=max(differences),
    )


def run(plans: Sequence[TrainPlan], repeats: int = 3) -> Iterator[TrainCase]:
    """Every plan."""
    for plan in plans:
        yield measure(plan, repeats)

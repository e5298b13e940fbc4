"""Painting: our painter, a plain dense network of the same weights, and the published one, in turns."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import BaseModel
from torch import Tensor

from ..checkpoint import fold_spectral_norm
from ..contexts import symbols_of
from ..nn.generator import Generator, GeneratorConfig
from ..nn.painter import Painter
from ..tensors import SemanticsConfig, channel_of_ids, instance_edges, semantics
from . import maps
from .maps import Map

SQUARE, WIDE = (256, 256), (256, 512)

LANDSCAPE = GeneratorConfig(
    semantic_nc=16,
    num_ups=6,
    widths=(384, 384, 320, 192, 96, 32, 16),
    hidden=(64, 64, 64, 64, 64, 32, 32),
    z_dim=64,
    start="point",
    style_blocks=True,
    noise=True,
)
"""The shape of the model that ships."""


class Shape(BaseModel):
    """A network to measure: how ids become channels, and the generator."""

    name: str
    semantics: SemanticsConfig
    generator: GeneratorConfig


def _published(name: str, size: tuple[int, int] = SQUARE, **semantics_config: object) -> Shape:
    config = SemanticsConfig.model_validate(semantics_config)
    ups = 6 if name == "cityscapes" else 5
    generator = GeneratorConfig(semantic_nc=config.semantic_nc, size=size, num_ups=ups)
    return Shape(name=name, semantics=config, generator=generator)


FIFTEEN = SemanticsConfig(label_nc=15, unknown=True)
SHAPES = {
    "coco": _published("coco", label_nc=182, unknown=True, edges=True),
    "ade20k": _published("ade20k", label_nc=150, unknown=True),
    "cityscapes": _published("cityscapes", WIDE, label_nc=35, edges=True),
    "wide": Shape(name="landscape", semantics=FIFTEEN, generator=GeneratorConfig(semantic_nc=16, z_dim=256)),
    "landscape": Shape(name="landscape", semantics=FIFTEEN, generator=LANDSCAPE),
    "tiny": Shape(
        name="landscape",
        semantics=FIFTEEN,
        generator=GeneratorConfig(semantic_nc=16, size=(64, 64), ngf=2, z_dim=8),
    ),
}


class EngineCase(BaseModel):
    """Medians over maps of the best of some repeats, in seconds; differences are from dense float32."""

    name: str
    shape: str
    size: tuple[int, int]
    dtype: str
    maps: int
    published_s: float | None
    dense_s: float
    engine_s: float
    engine_p95_s: float
    ratio: float
    ratio_published: float | None
    max_abs_diff: float
    psnr_db: float


@dataclass
class Subject:
    """One network three times: as published, dense and folded, and the painter; all of the same weights."""

    shape: Shape
    published: Generator
    dense: Generator
    painter: Painter

    @classmethod
    def of(cls, shape: Shape, dtype: torch.dtype) -> "Subject":
        """Random weights, the same for every dtype."""
        torch.manual_seed(0)
        published = Generator(shape.generator).eval().requires_grad_(False)
        dense = fold_spectral_norm(published).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return cls(shape, published, dense, Painter(dense, shape.semantics.edges, dtype))

    def inputs(self, one: Map, seed: int = 0) -> tuple[Tensor | None, list[Tensor] | None]:
        """Style and noise of a seed."""
        rng, config = torch.Generator().manual_seed(seed), self.shape.generator
        z = torch.randn(1, config.z_dim, generator=rng) if config.z_dim else None
        size = (one[0].shape[1], one[0].shape[2])
        return z, self.dense.draw_noise(1, size, rng) if config.noise else None

    def plain(self, network: Generator, one: Map, seed: int = 0) -> Tensor:
        """From ids, as a program that has a map would call it."""
        with torch.inference_mode():
            segmap = semantics(one[0], self.shape.semantics, one[1])
            if network is self.published:
                segmap = segmap.contiguous()
            return network(segmap, *self.inputs(one, seed))

    def paint(self, one: Map, seed: int = 0) -> Tensor:
        """The painter, from ids."""
        config = self.shape.semantics
        edges = instance_edges(one[0] if one[1] is None else one[1]) if config.edges else None
        symbols = symbols_of(channel_of_ids(one[0], config), config.semantic_nc, edges)
        return self.painter(symbols, *self.inputs(one, seed))


def seconds(work: Callable[[], Tensor]) -> tuple[float, Tensor]:
    """Wall time of one call, and what it made."""
    began = time.perf_counter()
    made = work()
    return time.perf_counter() - began, made


@dataclass(frozen=True)
class Plan:
    """What is measured: ``before`` runs untimed and leaves the painter as the timed call finds it."""

    name: str
    shape: str
    dtype: str
    maps: Callable[[tuple[int, int]], Sequence[Map]]
    before: str = "nothing"  # nothing: an empty cache; restyle: the same map; repaint: before a 1 % stroke


PLANS = [
    *(Plan("engine-coco", "coco", dtype, maps.coco) for dtype in ("float32", "bfloat16")),
    *(
        Plan("engine-landscape-wide", "wide", dtype, lambda size: maps.landscapes(size) + maps.sketches(size))
        for dtype in ("float32", "bfloat16")
    ),
    *(Plan("engine-landscape", "landscape", dtype, maps.sketches) for dtype in ("float32", "bfloat16")),
    Plan("engine-ade20k", "ade20k", "float32", lambda size: [maps.blocks(size, 150)]),
    Plan("engine-cityscapes", "cityscapes", "float32", lambda size: [maps.blocks(size, 35)]),
    Plan("worst-noise", "wide", "float32", lambda size: maps.noise(size, 15)),
    *(
        Plan(f"{verb}-{name}", shape, "float32", maps.sketches, verb)
        for verb in ("restyle", "repaint")
        for name, shape in (("landscape-wide", "wide"), ("landscape", "landscape"))
    ),
]
SMOKE = [
    Plan("engine-tiny", "tiny", "float32", maps.sketches),
    Plan("repaint-tiny", "tiny", "float32", maps.sketches, "repaint"),
]


def stroke(one: Map, rng: np.random.Generator) -> Map:
    """The map with a square of 1 % of its pixels in one of its other classes, somewhere."""
    ids = one[0].clone()
    h, w = ids.shape[1:]
    side = max(1, round(math.sqrt(h * w / 100)))
    y, x = int(rng.integers(0, h - side + 1)), int(rng.integers(0, w - side + 1))
    others = [c for c in ids.unique().tolist() if c != int(ids[0, y, x])] or [0]
    ids[0, y : y + side, x : x + side] = int(rng.choice(others))
    return ids, one[1]


def measure(plan: Plan, subject: Subject, repeats: int, published: bool) -> EngineCase:
    """Runs the plan; every repeat runs all versions in turn."""
    chosen = list(plan.maps(subject.shape.generator.size))
    rng, best, worst = np.random.default_rng(0), [], 0.0
    every: list[float] = []
    errors: list[float] = []
    for one in chosen:
        times: list[tuple[float, float, float]] = []
        for repeat in range(repeats):
            target, seed = _prepare(plan, subject, one, rng, repeat)
            engine_s, ours = seconds(lambda target=target, seed=seed: subject.paint(target, seed))
            dense_s, exact = seconds(
                lambda target=target, seed=seed: subject.plain(subject.dense, target, seed)
            )
            slow = (
                seconds(lambda target=target, seed=seed: subject.plain(subject.published, target, seed))[0]
                if published
                else math.nan
            )
            times.append((slow, dense_s, engine_s))
            every.append(engine_s)
            worst = max(worst, float((ours - exact).abs().max()))
            errors.append(float((ours - exact).square().mean()))
        best.append([min(column) for column in zip(*times, strict=True)])
    slow_s, dense_s, engine_s = (median(column) for column in zip(*best, strict=True))
    size = subject.shape.generator.size
    return EngineCase(
        name=plan.name,
        shape=subject.shape.name,
        size=size,
        dtype=plan.dtype,
        maps=len(chosen),
        published_s=slow_s if published else None,
        dense_s=dense_s,
        engine_s=engine_s,
        engine_p95_s=float(np.quantile(every, 0.95)),
        ratio=median(d / e for _, d, e in best),
        ratio_published=median(p / e for p, _, e in best) if published else None,
        max_abs_diff=worst,
        psnr_db=10 * math.log10(4 / max(float(np.mean(errors)), 1e-20)),
    )


def _prepare(
    plan: Plan, subject: Subject, one: Map, rng: np.random.Generator, repeat: int
) -> tuple[Map, int]:
    """Brings the painter into the state the plan asks for; the map and seed of the timed call."""
    subject.painter.forget()
    if plan.before == "nothing":
        return one, repeat
    subject.paint(one, repeat)
    return (one, repeat + 1) if plan.before == "restyle" else (stroke(one, rng), repeat)


def run(plans: Sequence[Plan], repeats: int = 3, published: bool = True) -> Iterator[EngineCase]:
    """Every plan whose maps are there."""
    subject: Subject | None = None
    kind: tuple[str, str] | None = None
    for plan in plans:
        if not plan.maps(SHAPES[plan.shape].generator.size):
            continue
        if kind != (plan.shape, plan.dtype):
            subject, kind = None, (plan.shape, plan.dtype)
            subject = Subject.of(SHAPES[plan.shape], getattr(torch, plan.dtype))
            subject.paint(maps.blocks(subject.shape.generator.size, 15))  # kernels are made at the first call
        assert subject is not None
        yield measure(plan, subject, repeats, published)


def gigaflops(repeats: int = 5) -> float:
    """Of a lone 3x3 convolution of 1024 channels on a 32x32 grid, channels_last: what this machine gives."""
    x = torch.randn(1, 1024, 32, 32).contiguous(memory_format=torch.channels_last)
    weight = torch.randn(1024, 1024, 3, 3).contiguous(memory_format=torch.channels_last)
    best = min(seconds(lambda: F.conv2d(x, weight, padding=1))[0] for _ in range(repeats))
    return 2 * 1024 * 1024 * 9 * 32 * 32 / best / 1e9


def multiply_adds(shape: Shape) -> int:
    """Of one dense picture of the shape's size: all convolutions of the blocks and the last."""
    total = 0
    net = Generator(shape.generator)

    def count(module: torch.nn.Module, _: object, out: Tensor) -> None:
        assert isinstance(module, torch.nn.Conv2d)
        nonlocal total
        total += module.weight[0].numel() * out[0].numel()

    for module in net.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.register_forward_hook(count)
    with torch.inference_mode():
        net.eval()(torch.zeros(1, shape.generator.semantic_nc, *shape.generator.size))
    return total

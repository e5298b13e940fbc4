"""Painting: our painter, a plain dense network of the same weights, and the published one, in turns."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from statistics import fmean, median

import numpy as np
import torch
from pydantic import BaseModel

from spadework.bench import maps, peak
from spadework.bench.maps import Map
from spadework.bench.shapes import SHAPES
from spadework.bench.subject import VERSIONS, Subject, seconds


class EngineCase(BaseModel):
    """Medians over maps and repeats, in seconds; differences are from dense float32, in [-1, 1].

    `dense` says which version of dense was the faster one; `peak_mib` is by version.
    """

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
    mean_abs_diff: float
    psnr_db: float
    dense: str
    peak_mib: dict[str, int] | None

    def lines(self) -> list[str]:
        """The figures for people."""
        h, w = self.size
        times = [f"ours {self.engine_s:.3f} s (p95 {self.engine_p95_s:.3f})"]
        times += [f"dense {self.dense_s:.3f} s, {self.ratio:.2f} times ours"]
        if self.published_s is not None:
            times += [f"published {self.published_s:.3f} s, {self.ratio_published:.2f} times ours"]
        return [
            f"{self.name} {self.dtype}, {h}x{w}, maps: {self.maps}",
            *(f"  {line}" for line in times),
            f"  differs from dense by at most {self.max_abs_diff:.1e}, PSNR {self.psnr_db:.0f} dB",
            f"  dense is {self.dense}",
            *peak.lines(self.peak_mib),
        ]


@dataclass(frozen=True)
class Scenario:
    """What is measured: `before` runs untimed and leaves the painter as the timed call finds it.

    nothing: an empty cache; restyle: the same map in another style; repaint: the map before a 1 % stroke.
    """

    name: str
    shape: str
    dtype: str
    maps: Callable[[tuple[int, int]], Sequence[Map]]
    before: str = "nothing"
    most: int | None = None  # maps
    strokes: int | None = None  # timed calls on every map, instead of the repeats

    def chosen(self, most: int | None = None) -> list[Map]:
        """The maps, at the size of the shape."""
        limits = [limit for limit in (self.most, most) if limit is not None]
        return list(self.maps(SHAPES[self.shape].generator.size))[: min(limits, default=None)]


@dataclass(frozen=True)
class Options:
    """How thoroughly: runs of every version, what is run beside ours and dense, and maps at most."""

    repeats: int = 3
    published: bool = True
    compile: bool = True
    memory: bool = True
    most: int | None = None


def _of(shape: str) -> Callable[[tuple[int, int]], list[Map]]:
    return lambda size: maps.relabelled(size, SHAPES[shape].semantics)


BOTH = ("float32", "bfloat16")
SCENARIOS = [
    *(Scenario("engine-coco", "coco", dtype, maps.coco) for dtype in BOTH),
    *(Scenario("engine-landscape-wide", "wide", dtype, maps.scenes) for dtype in BOTH),
    Scenario("worst-noise", "wide", "float32", lambda size: maps.noise(size, 15)),
    *(Scenario("restyle-landscape-wide", "wide", dtype, maps.scenes, "restyle", most=10) for dtype in BOTH),
    *(
        Scenario("repaint-landscape-wide", "wide", dtype, maps.scenes, "repaint", most=10, strokes=2)
        for dtype in BOTH
    ),
    *(Scenario("engine-landscape", "landscape", dtype, maps.scenes) for dtype in BOTH),
    *(Scenario("restyle-landscape", "landscape", dtype, maps.scenes, "restyle", most=10) for dtype in BOTH),
    *(
        Scenario("repaint-landscape", "landscape", dtype, maps.scenes, "repaint", most=10, strokes=10)
        for dtype in BOTH
    ),
    *(
        Scenario(f"engine-{name}", name, dtype, _of(name))
        for name in ("ade20k", "cityscapes")
        for dtype in BOTH
    ),
]
SMOKE = [
    Scenario("engine-tiny", "tiny", "float32", maps.sketches, most=3),
    Scenario("repaint-tiny", "tiny", "float32", maps.sketches, "repaint", most=2, strokes=3),
]
QUICK = ("engine-landscape", "restyle-landscape", "repaint-landscape")


def stroke(one: Map, rng: np.random.Generator) -> Map:
    """The map with a square of 1 % of its pixels in one of its other classes, somewhere."""
    ids = one[0].clone()
    h, w = ids.shape[1:]
    side = max(1, round(math.sqrt(h * w / 100)))
    y, x = int(rng.integers(0, h - side + 1)), int(rng.integers(0, w - side + 1))
    others = [c for c in ids.unique().tolist() if c != int(ids[0, y, x])] or [0]
    ids[0, y : y + side, x : x + side] = int(rng.choice(others))
    return ids, one[1]


@dataclass
class Found:
    """What the timed calls of a scenario have shown so far, seconds by version."""

    times: dict[str, list[float]] = field(default_factory=lambda: {version: [] for version in VERSIONS})
    largest: list[float] = field(default_factory=list)
    mean: list[float] = field(default_factory=list)
    squared: list[float] = field(default_factory=list)

    def compare(self, ours: torch.Tensor, exact: torch.Tensor) -> None:
        """Adds the differences of a picture."""
        difference = (ours - exact).abs()
        self.largest.append(float(difference.max()))
        self.mean.append(float(difference.mean()))
        self.squared.append(float(difference.square().mean()))

    def ratio(self, version: str) -> float | None:
        """To the engine, the median over all calls."""
        pairs = list(zip(self.times[version], self.times["engine"], strict=False))
        return median(other / ours for other, ours in pairs) if pairs else None


def measure(scenario: Scenario, subject: Subject, dense: str, options: Options) -> EngineCase:
    """Runs the scenario; every call of ours is followed by one of each other version on the same map."""
    chosen, rng, found = scenario.chosen(options.most), np.random.default_rng(0), Found()
    for one in chosen:
        for turn in range(scenario.strokes or options.repeats):
            target, seed = _prepare(scenario, subject, one, rng, turn)
            _time(subject, target, seed, found, options.published)
    published_s = median(found.times["published"]) if found.times["published"] else None
    ratio = found.ratio("dense")
    assert ratio is not None
    memory = options.memory and scenario.before == "nothing"
    return EngineCase(
        name=scenario.name,
        shape=subject.shape.name,
        size=subject.shape.generator.size,
        dtype=scenario.dtype,
        maps=len(chosen),
        published_s=published_s,
        dense_s=median(found.times["dense"]),
        engine_s=median(found.times["engine"]),
        engine_p95_s=float(np.quantile(found.times["engine"], 0.95)),
        ratio=ratio,
        ratio_published=found.ratio("published"),
        max_abs_diff=max(found.largest),
        mean_abs_diff=fmean(found.mean),
        psnr_db=10 * math.log10(4 / max(fmean(found.squared), 1e-20)),
        dense=dense,
        peak_mib=peak.peaks(scenario.shape, scenario.dtype) if memory else None,
    )


def _time(subject: Subject, one: Map, seed: int, found: Found, published: bool) -> None:
    engine_s, ours = seconds(lambda: subject.paint(one, seed))
    dense_s, exact = seconds(lambda: subject.plain(one, seed))
    found.times["engine"].append(engine_s)
    found.times["dense"].append(dense_s)
    if published and subject.published is not None:
        found.times["published"].append(seconds(lambda: subject.original(one, seed))[0])
    found.compare(ours, exact)


def _prepare(
    scenario: Scenario, subject: Subject, one: Map, rng: np.random.Generator, repeat: int
) -> tuple[Map, int]:
    """Brings the painter into the state the scenario asks for; the map and seed of the timed call."""
    subject.painter.forget()
    if scenario.before == "nothing":
        return one, repeat
    subject.paint(one, repeat)
    return (one, repeat + 1) if scenario.before == "restyle" else (stroke(one, rng), repeat)


def run(scenarios: Sequence[Scenario], options: Options) -> Iterator[EngineCase]:
    """Every scenario whose maps are there."""
    subject, dense, kind = None, "eager", ("", "")
    for scenario in scenarios:
        first = next(islice(scenario.chosen(), 1), None)
        if first is None:
            continue
        if subject is None or kind != (scenario.shape, scenario.dtype):
            subject, kind = None, (scenario.shape, scenario.dtype)
            subject = Subject.of(SHAPES[scenario.shape], getattr(torch, scenario.dtype))
            subject.paint(first)  # kernels are made at the first call
            dense = subject.try_compiled(first) if options.compile else "eager"
        yield measure(scenario, subject, dense, options)

"""Bulk painting: `spadework batch` on all cores beside a plain loop of `paint` with PyTorch's own threads.

Both are whole commands in processes of their own, in turns, over the same files into folders of their own.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
from PIL import Image
from pydantic import BaseModel

from spadework.bench import maps
from spadework.engine import TOGETHER
from spadework.picture import Picture

LOOP = """
import sys
from pathlib import Path
from spadework import Engine
from spadework.sketch.opening import Policy, open_map

model, source, out = sys.argv[1:]
engine = Engine.load(model, "cpu")
for file in sorted(Path(source).iterdir()):
    sketch = open_map(file.read_bytes(), engine.palette, Policy.EDGES, name=file.stem).sketch
    engine.paint(sketch, 0).save(Path(out) / file.name)
"""
"""What one would write without `batch`."""


@dataclass(frozen=True)
class Scenario:
    """So many maps of (H, W)."""

    name: str
    count: int
    size: tuple[int, int] = (256, 256)


SCENARIOS = [Scenario("batch", 128), Scenario("batch-short", 32)]
SMOKE = [Scenario("batch-smoke", 9, (64, 64))]
QUICK = ("batch-short",)


class BatchCase(BaseModel):
    """Medians over repeats. `*_s`: seconds of the whole commands; `*_rate`: pictures a second once they run.

    `ratio`: batch over loop by whole commands, `ratio_running` by the rates, each of pairs side by side.
    `differing`: pictures that are not the same to the bit.
    """

    name: str
    maps: int
    size: tuple[int, int]
    processes: int
    loop_s: float
    batch_s: float
    ratio: float
    loop_rate: float
    batch_rate: float
    ratio_running: float
    differing: int

    def lines(self) -> list[str]:
        """The figures for people."""
        h, w = self.size
        return [
            f"{self.name}: {self.maps} maps of {h}x{w}, {self.processes} processes",
            f"  whole commands: loop {self.loop_s:.1f} s, batch {self.batch_s:.1f} s: "
            f"{self.ratio:.2f} times as fast",
            f"  once they run: loop {self.loop_rate:.2f} a second, batch {self.batch_rate:.2f}: "
            f"{self.ratio_running:.2f} times as fast",
            f"  pictures that differ: {self.differing}",
        ]


def run(scenarios: Sequence[Scenario], repeats: int, model: str = "landscape") -> Iterator[BatchCase]:
    """Measures them one after the other."""
    for scenario in scenarios:
        with tempfile.TemporaryDirectory() as folder:
            yield _measured(scenario, repeats, model, Path(folder))


def _measured(scenario: Scenario, repeats: int, model: str, folder: Path) -> BatchCase:
    source, processes = folder / "maps", os.cpu_count() or 1
    source.mkdir()
    for n, ids in enumerate(_sketches(scenario)):
        Image.fromarray(ids).save(source / f"{n:04d}.png")
    pairs, differing = [], 0
    for n in range(repeats):
        loop, batch = folder / f"loop-{n}", folder / f"batch-{n}"
        loop.mkdir()
        words = ["-m", "spadework", "batch", source, "-o", batch, "--model", model, "--device", "cpu"]
        pairs.append((_timed(["-c", LOOP, model, source, loop], loop), _timed(words, batch)))
        names = [file.name for file in source.iterdir()]
        differing += sum(Picture.read(loop / name) != Picture.read(batch / name) for name in names)
    whole, rates = ([(a[k], b[k]) for a, b in pairs] for k in (0, 1))
    return BatchCase(
        name=scenario.name,
        maps=scenario.count,
        size=scenario.size,
        processes=processes,
        loop_s=median(a for a, _ in whole),
        batch_s=median(b for _, b in whole),
        ratio=median(a / b for a, b in whole),
        loop_rate=median(a for a, _ in rates),
        batch_rate=median(b for _, b in rates),
        ratio_running=median(b / a for a, b in rates),
        differing=differing,
    )


def _sketches(scenario: Scenario) -> Iterator[np.ndarray]:
    """Different ones: real landscapes, if they are given, and the example sketches; then these mirrored."""
    found = maps.landscapes(scenario.size, scenario.count) + maps.sketches(scenario.size)
    for n in range(scenario.count):
        ids = found[n % len(found)][0][0].numpy()
        ids = ids[:, ::-1] if n // len(found) % 2 else ids
        yield np.ascontiguousarray(np.roll(ids, n // len(found) // 2 * 7, 1))


def _timed(words: Sequence[object], out: Path) -> tuple[float, float]:
    """Seconds of a command that paints into a folder, and pictures a second behind its first groups."""
    began = time.perf_counter()
    done = subprocess.run([sys.executable, *map(str, words)], capture_output=True, text=True)
    spent = time.perf_counter() - began
    if done.returncode:
        raise ValueError(f"a command of the bench failed: {done.stderr.strip().splitlines()[-1]}")
    written = sorted(file.stat().st_mtime_ns / 1e9 for file in out.glob("*.png"))
    first = min(TOGETHER * (os.cpu_count() or 1), len(written) // 2)
    return spent, (len(written) - 1 - first) / max(1e-9, written[-1] - written[first])

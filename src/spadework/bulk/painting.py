"""Processes with an engine each, which paint maps in groups; a row of the manifest for every picture."""

import hashlib
import multiprocessing
import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

import torch

from spadework.bulk.items import Item
from spadework.bulk.manifest import Row
from spadework.engine import TOGETHER, Engine
from spadework.files import Fault, atomic_write, read_bytes
from spadework.sketch.opening import Opened, Policy, open_map


@dataclass(frozen=True)
class Setup:
    """How a process paints, and where its pictures go. `size`: (H, W)."""

    model: str
    device: str
    precision: str
    enlarger: str | None
    size: tuple[int, int] | None
    threads: int
    out: Path

    def picture(self, item: Item, seed: int, alone: bool) -> str:
        """Where a picture goes below `out`; `alone`: its map has no other."""
        return f"{item.name}.png" if alone else f"{item.name}-{seed}.png"


@dataclass(frozen=True)
class Task:
    """A picture that is wanted."""

    item: Item
    seed: int
    picture: str


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    return hashlib.sha256(read_bytes(path)).hexdigest()


def paint_all(setup: Setup, tasks: Sequence[Task], processes: int) -> Iterator[list[Row]]:
    """Paints all tasks on some processes; yields the rows of a group when its pictures are on the disk.

    Raises ValueError if a process dies; what has been yielded then is done.
    """
    groups = iter([list(tasks[k : k + TOGETHER]) for k in range(0, len(tasks), TOGETHER)])
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, context, _begin, (setup,)) as pool:
        running: set[Future[list[Row]]] = set()
        try:
            for group in groups:
                running.add(pool.submit(_paint_group, group))
                if len(running) < 2 * processes:
                    continue
                done, running = wait(running, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)
            while running:
                done, running = wait(running, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)
        except BrokenProcessPool as error:
            raise Fault("a painting process was killed", "type the same command again, it goes on") from error
        finally:
            pool.shutdown(cancel_futures=True)


_painter: tuple[Engine, Setup] | None = None


def _begin(setup: Setup) -> None:
    """In a new process."""
    global _painter
    torch.set_num_threads(setup.threads)
    _painter = Engine.load(setup.model, setup.device, setup.precision, setup.enlarger), setup


def _paint_group(tasks: Sequence[Task]) -> list[Row]:
    """Paints tasks together; a map that cannot be read costs nobody else's picture."""
    assert _painter is not None
    engine, setup = _painter
    rows, readable = [], []
    for task in tasks:
        try:
            opened = open_map(task.item.read(), engine.palette, Policy.EDGES, name=task.item.name)
            readable.append((task, opened))
        except (ValueError, OSError) as error:
            rows.append(Row(item=task.item.name, seed=task.seed, error=str(error)))
    return [*rows, *_painted(engine, setup, readable)]


def _painted(engine: Engine, setup: Setup, readable: Sequence[tuple[Task, Opened]]) -> list[Row]:
    began = time.perf_counter()
    pictures = engine.paint_many(
        [opened.sketch for _, opened in readable], [task.seed for task, _ in readable], size=setup.size
    )
    spent, rows = (time.perf_counter() - began) / max(1, len(pictures)), []
    for (task, opened), picture in zip(readable, pictures, strict=True):
        target = setup.out / task.picture
        os.makedirs(target.parent, exist_ok=True)
        atomic_write(target, picture.to_bytes())
        rows.append(
            Row(
                item=task.item.name,
                seed=task.seed,
                picture=task.picture,
                style=str(picture.provenance["style"]),
                ms=round(1000 * spent, 1),
                report=opened.report,
            )
        )
    return rows

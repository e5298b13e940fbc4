"""An engine that paints tasks in groups: what runs in every process of a batch, wherever that is."""

import hashlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from spadework.bulk.manifest import Row
from spadework.bulk.tasks import Painting, Task
from spadework.candidates import demand_classes, scores_of
from spadework.engine import TOGETHER, Engine
from spadework.files import read_bytes
from spadework.picture import Picture
from spadework.segmenter.segmenter import Segmenter
from spadework.sketch.opening import Opened, Policy, open_map

EFFORT = 1
"""Of zlib: a third of the time of its usual 6, for files a twelfth larger."""


@dataclass(frozen=True)
class Setup:
    """How a process paints. `size`: (H, W). `scores`: the segmenter that reads every picture, if one does."""

    model: str
    device: str
    precision: str
    enlarger: str | None
    size: tuple[int, int] | None
    threads: int = 1
    scores: str | None = None


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    return hashlib.sha256(read_bytes(path)).hexdigest()


def groups_of(tasks: Sequence[Task]) -> Iterator[Sequence[Task]]:
    """The tasks that go through the network together."""
    return (tasks[k : k + TOGETHER] for k in range(0, len(tasks), TOGETHER))


class Painter:
    """The one engine of a process, and the segmenter of `scores`."""

    def __init__(self, setup: Setup) -> None:
        """Raises ValueError for models that cannot be opened or do not fit together."""
        torch.set_num_threads(setup.threads)
        self._setup = setup
        self._engine = Engine.load(setup.model, setup.device, setup.precision, setup.enlarger)
        self._segmenter = Segmenter.load(setup.scores) if setup.scores else None
        if self._segmenter:
            demand_classes(self._segmenter, self._engine.palette)

    def paint(self, tasks: Sequence[Task]) -> list[Painting]:
        """Paints tasks together; a map that cannot be read costs nobody else's picture."""
        paintings, readable = [], []
        for task in tasks:
            try:
                data = task.item.read()
                opened = open_map(data, self._engine.palette, Policy.EDGES, name=task.item.name)
                readable.append((task, data, opened))
            except (ValueError, OSError) as error:
                paintings.append(_failed(task, error))
        return paintings + self._painted(readable)

    def _painted(self, readable: Sequence[tuple[Task, bytes, Opened]]) -> list[Painting]:
        """All together, or if that cannot be each alone."""
        began = time.perf_counter()
        sketches, seeds = [opened.sketch for *_, opened in readable], [task.seed for task, *_ in readable]
        try:
            pictures = self._engine.paint_many(sketches, seeds, size=self._setup.size)
        except ValueError as error:
            if len(readable) > 1:
                return [painting for one in readable for painting in self._painted([one])]
            return [_failed(task, error) for task, *_ in readable]
        ms = round(1000 * (time.perf_counter() - began) / max(1, len(pictures)), 1)
        return [
            Painting(self._row(task, opened, picture, ms), picture.to_bytes(EFFORT), data)
            for (task, data, opened), picture in zip(readable, pictures, strict=True)
        ]

    def _row(self, task: Task, opened: Opened, picture: Picture, ms: float) -> Row:
        row = Row(
            item=task.item.name,
            seed=task.seed,
            picture=task.picture,
            style=str(picture.provenance["style"]),
            ms=ms,
            report=opened.report,
        )
        if self._segmenter is None:
            return row
        obedience, realism = scores_of(opened.sketch, picture, self._segmenter)
        return row.model_copy(update={"obedience": round(obedience, 4), "realism": round(realism, 4)})


def _failed(task: Task, error: Exception) -> Painting:
    return Painting(Row(item=task.item.name, seed=task.seed, error=str(error)))

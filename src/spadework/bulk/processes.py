"""A batch on the cores of this machine."""

import multiprocessing
from collections.abc import Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool

from spadework.bulk.painting import Painter, Setup, groups_of
from spadework.bulk.tasks import Painting, Task
from spadework.files import Fault


def paint_all(setup: Setup, tasks: Sequence[Task], processes: int) -> Generator[list[Painting]]:
    """Paints all tasks on some processes, and yields them in groups as they get ready.

    Raises ValueError if a process dies.
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, context, _begin, (setup,)) as pool:
        running: set[Future[list[Painting]]] = set()
        try:
            for group in groups_of(tasks):
                running.add(pool.submit(_paint, group))
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


_painter: Painter | None = None


def _begin(setup: Setup) -> None:
    """In a new process."""
    global _painter
    _painter = Painter(setup)


def _paint(tasks: Sequence[Task]) -> list[Painting]:
    assert _painter is not None
    return _painter.paint(tasks)

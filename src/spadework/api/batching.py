"""One thread that paints, a short queue before it, and requests that are alike painted together."""

import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from math import ceil
from typing import Any

Many = Callable[[Sequence[Any]], Sequence[Any]]
"""Items -> what becomes of each."""


class Full(Exception):
    """Too many wait. `seconds`: when there may be room again."""

    def __init__(self, seconds: int) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class Late(Exception):
    """Work that was not begun before its deadline."""


class Closed(Exception):
    """The queue takes no more work."""


@dataclass(eq=False)
class Queued:
    """An item for `many`; jobs of one key may go together. `until`: the monotonic time of its deadline."""

    key: Hashable
    item: Any
    many: Many
    until: float
    future: "Future[Any]" = field(default_factory=Future)
    together: int = 0

    def waits(self) -> bool:
        """Whether it is to be done: somebody waits, and it is not too late."""
        if self.future.cancelled():
            return False
        if time.monotonic() > self.until:
            if self.future.set_running_or_notify_cancel():
                self.future.set_exception(Late())
            return False
        return self.future.set_running_or_notify_cancel()


class Batcher:
    """Does jobs in the order in which they came, each with up to `together - 1` later ones of its key.

    It does not wait for company: what is queued when the thread gets free goes together.
    """

    def __init__(self, together: int = 8, waiting: int = 64) -> None:
        self._together, self._waiting = together, waiting
        self._queue: deque[Queued] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._seconds = 1.0  # that a job takes, a moving mean
        self._thread = threading.Thread(target=self._run, name="painter", daemon=True)
        self._thread.start()

    def __len__(self) -> int:
        """How many wait."""
        return len(self._queue)

    @property
    def closed(self) -> bool:
        """Whether it takes no more work."""
        return self._closed

    def submit(self, key: Hashable, item: Any, many: Many, until: float) -> Queued:
        """Queue an item. Its future raises Late, or what `many` raises. Raises Full and Closed."""
        job = Queued(key, item, many, until)
        with self._changed:
            if self._closed:
                raise Closed
            if len(self._queue) >= self._waiting:
                self._queue = deque(old for old in self._queue if not old.future.cancelled())
            if len(self._queue) >= self._waiting:
                raise Full(max(1, ceil(len(self._queue) * self._seconds)))
            self._queue.append(job)
            self._changed.notify()
        return job

    def close(self) -> None:
        """Takes no more work, finishes what has been accepted, ends the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while (jobs := self._next()) is not None:
            waiting = [job for job in jobs if job.waits()]
            if waiting:
                began = time.monotonic()
                _do(waiting)
                spent = (time.monotonic() - began) / len(waiting)
                self._seconds += 0.2 * (spent - self._seconds)

    def _next(self) -> list[Queued] | None:
        """The oldest job and later ones like it; None when closed and empty."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._closed)
            if not self._queue:
                return None
            first = self._queue.popleft()
            alike = [job for job in self._queue if job.key == first.key][: self._together - 1]
            for job in alike:
                self._queue.remove(job)
            return [first, *alike]


def _do(jobs: list[Queued]) -> None:
    """All together, or if that fails each alone, so that nobody fails for another's fault."""
    try:
        results = jobs[0].many([job.item for job in jobs])
    except Exception as error:
        if len(jobs) > 1:
            for job in jobs:
                _do([job])
        else:
            jobs[0].future.set_exception(error)
        return
    for job, result in zip(jobs, results, strict=True):
        job.together = len(jobs)
        job.future.set_result(result)

"""One thread that works, a fair, short queue before it, and jobs that are alike done together."""

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from math import ceil
from typing import Any, TypeVar

T = TypeVar("T")

Many = Callable[[Sequence[Any]], Sequence[Any]]
"""Items -> what becomes of each."""

ANYONE = "anyone"
"""The client of those who give no name."""


def apart(work: Callable[[], T]) -> T:
    """The result of work that is done in a thread of its own, which ends with it.

    OpenMP keeps a pool for every living thread that has computed, and once the pools together are larger than
    the machine, its threads sleep between any two operations: beside a main thread that has loaded the model,
    the painter takes half as long again.
    """
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(work).result()


class Full(Exception):
    """Too many wait. `seconds`: when there may be room again."""

    def __init__(self, seconds: int) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class Late(Exception):
    """Work that was not done before its deadline."""


class Stale(Exception):
    """Nobody waits for this any more: a newer job has its place, or its client has left."""


class Closed(Exception):
    """The queue takes no more work."""


@dataclass(eq=False)
class Job:
    """An item for `many`; jobs of one key may go together. `until`: the monotonic time of its deadline.

    A `live` job gives way to its client's next live one, a `patient` one to all that are not. Once it is done
    `together` tells how many went at once, `waited` and `spent` the seconds before it and in it.
    """

    key: Hashable
    item: Any
    many: Many
    until: float
    client: str = ANYONE
    live: bool = False
    patient: bool = False
    future: "Future[Any]" = field(default_factory=Future)
    stale: bool = False
    together: int = 0
    waited: float = 0.0
    spent: float = 0.0
    _came: float = field(default_factory=time.monotonic)

    def leave(self) -> None:
        """Whoever asked waits no more: it is not begun, and if it runs it ends at its next step."""
        self.stale = True
        self.future.cancel()

    def give_up(self, why: Exception) -> None:
        """It will not be done."""
        self.stale = True
        if self.future.set_running_or_notify_cancel():
            self.future.set_exception(why)

    def begins(self) -> bool:
        """Whether it is to be done: somebody waits, and it is not too late."""
        if time.monotonic() > self.until and not self.future.cancelled():
            self.give_up(Late())
            return False
        self.waited = time.monotonic() - self._came
        return self.future.set_running_or_notify_cancel()


class Scheduler:
    """Clients take turns; each job takes up to `together - 1` later ones of its key with it, whoever's.

    It does not wait for company: what is queued when the thread gets free goes together. At most `waiting`
    wait in all.
    """

    def __init__(self, together: int = 4, waiting: int = 64) -> None:
        self._together, self._waiting = together, waiting
        self._queues: OrderedDict[str, deque[Job]] = OrderedDict()
        self._patient: deque[Job] = deque()
        self._running: list[Job] = []
        self._changed = threading.Condition()
        self._closed = False
        self._seconds = 1.0  # that a job takes, a moving mean
        self._thread = threading.Thread(target=self._run, name="painter", daemon=True)
        self._thread.start()

    def __len__(self) -> int:
        """How many wait."""
        with self._changed:
            return sum(1 for _ in self._all())

    @property
    def closed(self) -> bool:
        """Whether it takes no more work."""
        return self._closed

    def submit(self, job: Job) -> None:
        """Queue a job. Its future raises Late, Stale, or what `many` raises. Raises Full and Closed."""
        with self._changed:
            if self._closed:
                raise Closed
            replaced = self._replaced(job) if job.live else []
            for old in replaced:
                self._remove(old)
            self._demand_room()
            if job.patient:
                self._patient.append(job)
            else:
                self._queues.setdefault(job.client, deque()).append(job)
            self._changed.notify()
        for old in replaced:
            old.give_up(Stale())

    def demand_current(self) -> None:
        """Long work asks this between its steps: raises Stale where nobody waits for what runs.

        Whoever uses the same engine in another thread is no job, and goes on.
        """
        if threading.current_thread() is self._thread and all(job.stale for job in self._running):
            raise Stale

    def close(self) -> None:
        """Takes no more work, finishes what has been accepted, ends the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _all(self) -> Iterator[Job]:
        for queue in (*self._queues.values(), self._patient):
            yield from queue

    def _replaced(self, job: Job) -> list[Job]:
        """What waits and has to give way; what runs and has to is marked."""
        for old in self._running:
            old.stale |= old.live and old.client == job.client
        return [old for old in self._queues.get(job.client, ()) if old.live]

    def _demand_room(self) -> None:
        if sum(1 for _ in self._all()) < self._waiting:
            return
        for job in [job for job in self._all() if job.future.cancelled()]:
            self._remove(job)
        count = sum(1 for _ in self._all())
        if count >= self._waiting:
            raise Full(max(1, ceil(count * self._seconds)))

    def _remove(self, job: Job) -> None:
        if job.patient:
            return self._patient.remove(job)
        queue = self._queues[job.client]
        queue.remove(job)
        if not queue:
            del self._queues[job.client]

    def _run(self) -> None:
        while (jobs := self._next()) is not None:
            begun = [job for job in jobs if job.begins()]
            if begun:
                began = time.monotonic()
                _do(begun)
                spent = (time.monotonic() - began) / len(begun)
                self._seconds += 0.2 * (spent - self._seconds)

    def _next(self) -> list[Job] | None:
        """The oldest job of the client that has waited longest for its turn, and others like it.

        None when closed and empty.
        """
        with self._changed:
            self._running = []
            self._changed.wait_for(lambda: self._queues or self._patient or self._closed)
            if not self._queues and not self._patient:
                return None
            first = next(iter(self._queues.values()), self._patient)[0]
            self._remove(first)
            if first.client in self._queues and not first.patient:
                self._queues.move_to_end(first.client)
            alike = [job for job in self._all() if job.key == first.key][: self._together - 1]
            for job in alike:
                self._remove(job)
            self._running = [first, *alike]
            return self._running


def _do(jobs: list[Job]) -> None:
    """All together, or if that fails each alone, so that nobody fails for another's fault."""
    began = time.monotonic()
    try:
        results = jobs[0].many([job.item for job in jobs])
    except Exception as error:
        if len(jobs) > 1 and not isinstance(error, Stale):
            for job in jobs:
                _do([job])
            return
        for job in jobs:
            job.future.set_exception(error)
        return
    for job, result in zip(jobs, results, strict=True):
        job.together, job.spent = len(jobs), time.monotonic() - began
        job.future.set_result(result)

"""One thread that paints, and fair, short queues in front of it."""

import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

T = TypeVar("T")


def apart(work: Callable[[], T]) -> T:
    """The result of work that is done in a thread of its own, which ends with it.

    OpenMP keeps a pool for every living thread that has computed, and once the pools together are larger than
    the machine, its threads sleep between any two operations: beside a main thread that has loaded the model,
    the worker takes half as long again to paint.
    """
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(work).result()


class Stale(Exception):
    """A newer request of the same client has taken this one's place."""


class Busy(Exception):
    """More clients wait than the worker serves, or it has been closed."""


@dataclass(eq=False)
class Job:
    """Work that waits. A live job gives way to its client's next live one, a patient one to everybody."""

    work: Callable[[], Any]
    live: bool
    client: str = ""
    patient: bool = False
    stale: bool = False
    future: "Future[Any]" = field(default_factory=Future)

    def run(self) -> None:
        """Do it, unless nobody waits any more."""
        if not self.future.set_running_or_notify_cancel():
            return
        try:
            self.future.set_result(self.work())
        except BaseException as error:
            self.future.set_exception(error)


class Worker:
    """Runs jobs one after the other. Clients take turns; each has at most `waiting` jobs waiting."""

    def __init__(self, waiting: int = 8, clients: int = 64) -> None:
        self._most_waiting, self._most_clients = waiting, clients
        self._queues: OrderedDict[str, deque[Job]] = OrderedDict()
        self._changed = threading.Condition()
        self._closed = False
        self._running: Job | None = None
        self._thread = threading.Thread(target=self._run, name="painter", daemon=True)
        self._thread.start()

    def submit(
        self, client: str, work: Callable[[], Any], live: bool = False, patient: bool = False
    ) -> "Future[Any]":
        """Queue work. Its future raises Stale if it is dropped. Raises Busy if there are too many clients.

        Patient work waits until nobody else does.
        """
        job = Job(work, live, client, patient)
        with self._changed:
            if self._closed or (client not in self._queues and len(self._queues) >= self._most_clients):
                raise Busy
            dropped = _enqueue(self._queues.setdefault(client, deque()), job, self._most_waiting)
            if live and self._running and self._running.live and self._running.client == client:
                self._running.stale = True
            self._changed.notify()
        for old in dropped:
            _give_up(old)
        return job.future

    def demand_current(self) -> None:
        """Long work asks this between its steps: raises Stale where a newer live job waits for its place."""
        if self._running is not None and self._running.stale:
            raise Stale

    def close(self) -> None:
        """Finish the running job, drop the others, end the thread."""
        with self._changed:
            self._closed = True
            dropped = [job for queue in self._queues.values() for job in queue]
            self._queues.clear()
            self._changed.notify()
        for job in dropped:
            _give_up(job)
        self._thread.join()

    def _run(self) -> None:
        while job := self._next():
            job.run()

    def _next(self) -> Job | None:
        """The oldest job of the client that has waited longest for its turn; None when closed.

        One whose oldest job is patient has its turn when there is no other.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._queues or self._closed)
            if not self._queues:
                return None
            client = min(self._queues, key=lambda client: self._queues[client][0].patient)
            queue = self._queues.pop(client)
            job = queue.popleft()
            if queue:
                self._queues[client] = queue
            self._running = job
            return job


def _enqueue(queue: deque[Job], job: Job, most: int) -> list[Job]:
    """Append the job; returns the jobs that it displaces."""
    dropped = [old for old in queue if old.live and job.live]
    for old in dropped:
        queue.remove(old)
    while len(queue) >= most:
        dropped.append(queue.popleft())
    queue.append(job)
    return dropped


def _give_up(job: Job) -> None:
    if job.future.set_running_or_notify_cancel():
        job.future.set_exception(Stale())

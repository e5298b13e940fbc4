"""The queue: fair turns, alike together, the newest live job wins, nothing accepted is lost."""

import threading
import time
from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from spadework.api.scheduling import Closed, Full, Job, Late, Scheduler, Stale, apart
from spadework.enlarger.enlarger import TILE, Enlarger


class Painter:
    """Squares numbers when it is told to; 666 breaks it."""

    def __init__(self) -> None:
        self.went: list[list[int]] = []
        self.started, self.go = threading.Event(), threading.Event()

    def __call__(self, items: Sequence[int]) -> list[int]:
        self.went.append(list(items))
        self.started.set()
        assert self.go.wait(20)
        if 666 in items:
            raise RuntimeError("broken")
        return [item**2 for item in items]


@pytest.fixture
def scheduler() -> Iterator[Scheduler]:
    scheduler = Scheduler(together=3, waiting=6)
    yield scheduler
    scheduler.close()


@pytest.fixture
def painter(scheduler: Scheduler) -> Iterator[Painter]:
    """One that is held up by a job of its own, the number 0."""
    painter = Painter()
    put(scheduler, painter, object(), 0, client="gate")
    assert painter.started.wait(20)
    yield painter
    painter.go.set()


def soon() -> float:
    return time.monotonic() + 20


def put(scheduler: Scheduler, painter: Painter, key: object, item: int, **more) -> Job:
    job = Job(key, item, painter, soon(), **more)
    scheduler.submit(job)
    return job


def results(painter: Painter, jobs: Sequence[Job]) -> list[int]:
    painter.go.set()
    return [job.future.result(20) for job in jobs]


def test_results_and_errors_come_back_with_their_times(scheduler: Scheduler, painter: Painter) -> None:
    fine, broken = (put(scheduler, painter, n, n) for n in (7, 666))
    time.sleep(0.02)
    assert results(painter, [fine]) == [49]
    with pytest.raises(RuntimeError, match="broken"):
        broken.future.result(20)
    assert fine.waited >= 0.02
    assert 0 <= fine.spent < 20


# ---- alike together


def test_what_is_alike_goes_together_in_order_as_far_as_allowed(
    scheduler: Scheduler, painter: Painter
) -> None:
    jobs = [put(scheduler, painter, key, n) for n, key in enumerate("bababb", 2)]
    assert results(painter, jobs) == [4, 9, 16, 25, 36, 49]
    assert painter.went == [[0], [2, 4, 6], [3, 5], [7]]
    assert [job.together for job in jobs] == [3, 2, 3, 2, 3, 1]


def test_one_that_fails_fails_alone(scheduler: Scheduler, painter: Painter) -> None:
    jobs = [put(scheduler, painter, "a", n) for n in (2, 666, 3)]
    assert results(painter, [jobs[0], jobs[2]]) == [4, 9]
    with pytest.raises(RuntimeError, match="broken"):
        jobs[1].future.result(20)


# ---- turns


def test_clients_take_turns(scheduler: Scheduler, painter: Painter) -> None:
    jobs = [put(scheduler, painter, n, n, client="a") for n in (1, 2, 3)]
    jobs += [put(scheduler, painter, n, n, client="b") for n in (4, 5)]
    results(painter, jobs)
    assert painter.went[1:] == [[1], [4], [2], [5], [3]]


def test_what_is_alike_rides_along_whoever_it_belongs_to(scheduler: Scheduler, painter: Painter) -> None:
    keys = [("x", 1, "a"), ("y", 2, "a"), ("y", 3, "b"), ("x", 4, "b"), ("z", 5, "c")]
    jobs = [put(scheduler, painter, key, n, client=client) for key, n, client in keys]
    results(painter, jobs)
    assert painter.went[1:] == [[1, 4], [3, 2], [5]]


def test_patient_work_gives_way_to_everybody(scheduler: Scheduler, painter: Painter) -> None:
    jobs = [put(scheduler, painter, 1, 1, client="a", patient=True)]
    jobs += [put(scheduler, painter, n, n, client="b") for n in (2, 3)]
    results(painter, jobs)
    assert painter.went[1:] == [[2], [3], [1]]


# ---- live jobs


def test_the_newest_live_job_replaces_the_waiting_one(scheduler: Scheduler, painter: Painter) -> None:
    old = put(scheduler, painter, 1, 1, client="a", live=True)
    kept = put(scheduler, painter, 2, 2, client="a")
    yours = put(scheduler, painter, 3, 3, client="b", live=True)
    new = put(scheduler, painter, 4, 4, client="a", live=True)
    with pytest.raises(Stale):
        old.future.result(20)
    assert results(painter, [kept, yours, new]) == [4, 9, 16]
    assert [1] not in painter.went


def test_a_live_job_takes_the_place_of_the_old_one_in_a_full_queue(
    scheduler: Scheduler, painter: Painter
) -> None:
    for n in range(5):
        put(scheduler, painter, n, n)
    put(scheduler, painter, 8, 8, client="a", live=True)
    with pytest.raises(Full):
        put(scheduler, painter, 9, 9)
    assert results(painter, [put(scheduler, painter, 9, 9, client="a", live=True)]) == [81]


class Long:
    """Work that asks between its steps whether somebody waits, once it may go on."""

    def __init__(self, scheduler: Scheduler) -> None:
        self.begun, self.go, self._scheduler = threading.Event(), threading.Event(), scheduler

    def __call__(self, items: Sequence[str]) -> Sequence[str]:
        self.begun.set()
        assert self.go.wait(20)
        self._scheduler.demand_current()
        return items

    def submit(self, client: str, live: bool = False) -> Job:
        job = Job("long", client, self, soon(), client, live)
        self._scheduler.submit(job)
        return job


@pytest.mark.parametrize(
    ("others", "stale"),
    [([("b", True)], False), ([("a", False)], False), ([("a", True)], True)],
    ids=["of another", "not live", "newer"],
)
def test_a_live_job_that_runs_may_be_stale(scheduler: Scheduler, others: list, stale: bool) -> None:
    long, painter = Long(scheduler), Painter()
    job = long.submit("a", live=True)
    assert long.begun.wait(20)
    rest = [put(scheduler, painter, n, n, client=who, live=live) for n, (who, live) in enumerate(others)]
    long.go.set()
    if stale:
        with pytest.raises(Stale):
            job.future.result(20)
    else:
        assert job.future.result(20) == "a"
    assert results(painter, rest) == [0]


@pytest.mark.parametrize("both", [False, True])
def test_a_batch_goes_on_while_somebody_waits_for_it(
    scheduler: Scheduler, painter: Painter, both: bool
) -> None:
    long = Long(scheduler)
    first, second = long.submit("a"), long.submit("b")
    painter.go.set()
    assert long.begun.wait(20)
    first.leave()
    if both:
        second.leave()
    long.go.set()
    if both:
        with pytest.raises(Stale):
            second.future.result(20)
    else:
        assert second.future.result(20) == "b"
        assert second.together == 2


def test_whoever_works_in_another_thread_is_no_job(scheduler: Scheduler, painter: Painter) -> None:
    job = put(scheduler, painter, 1, 1)
    results(painter, [job])
    job.leave()
    scheduler.demand_current()


def test_doubling_ends_when_it_is_stale() -> None:
    enlarger, asked = Enlarger.load(), []

    def check() -> None:
        asked.append(1)
        if len(asked) > 2:
            raise Stale

    pixels, ids = np.zeros((8, TILE + 8, 3), np.uint8), np.zeros((16, 2 * TILE + 16), np.uint8)
    doubled = enlarger.enlarge(pixels, ids, 3)
    enlarger.check = check
    assert (doubled == enlarger.enlarge(pixels, ids, 3)).all()
    with pytest.raises(Stale):
        enlarger.enlarge(pixels, ids, 3)
    assert len(asked) == 3


# ---- what is not begun, and the end


def test_work_that_was_left_and_late_work_is_not_begun(scheduler: Scheduler, painter: Painter) -> None:
    left, late = put(scheduler, painter, 1, 1), Job(2, 2, painter, time.monotonic())
    scheduler.submit(late)
    left.leave()
    painter.go.set()
    with pytest.raises(Late):
        late.future.result(20)
    scheduler.close()
    assert painter.went == [[0]]
    assert left.future.cancelled()


def test_a_full_queue_tells_when_to_come_again_and_who_leaves_makes_room(
    scheduler: Scheduler, painter: Painter
) -> None:
    jobs = [put(scheduler, painter, n, n, client=f"client-{n % 4}", patient=n == 3) for n in range(1, 7)]
    assert len(scheduler) == 6
    with pytest.raises(Full) as full:
        put(scheduler, painter, 7, 7, client="client-9")
    assert full.value.seconds >= 1
    jobs[0].leave()
    last = put(scheduler, painter, 8, 8)
    with pytest.raises(Full):
        put(scheduler, painter, 9, 9, patient=True)
    assert results(painter, [*jobs[1:], last]) == [4, 9, 16, 25, 36, 64]
    assert len(scheduler) == 0


def test_closing_finishes_what_was_accepted() -> None:
    scheduler, painter = Scheduler(together=1), Painter()
    jobs = [put(scheduler, painter, "a", n, client=f"client-{n}", patient=n == 1) for n in range(3)]
    closing = threading.Thread(target=scheduler.close)
    closing.start()
    until = soon()
    while not scheduler.closed:
        assert time.monotonic() < until
        time.sleep(0.001)
    with pytest.raises(Closed):
        put(scheduler, painter, "a", 9)
    painter.go.set()
    closing.join(20)
    assert [job.future.result(0) for job in jobs] == [0, 1, 4]


def test_work_apart_leaves_no_thread_behind() -> None:
    threads: list[threading.Thread] = []
    assert apart(lambda: threads.append(threading.current_thread()) or 5) == 5
    assert threads[0] is not threading.current_thread()
    assert not threads[0].is_alive()

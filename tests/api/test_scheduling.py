"""The queue: fair turns, alike together, nobody for another's fault, nothing in vain or lost."""

import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any

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
def painter() -> Iterator[Painter]:
    painter = Painter()
    yield painter
    painter.go.set()


def queue(scheduler: Scheduler, painter: Painter, item: int, key: object = None, **more: Any) -> Job:
    """A job that waits; without a key it goes alone."""
    until = more.pop("until", time.monotonic() + 20)
    job = Job(object() if key is None else key, item, painter, until, **more)
    scheduler.submit(job)
    return job


def held(painter: Painter, **options: int) -> tuple[Scheduler, Job]:
    """A queue whose painter is at a first job, 0, until it is told to go on."""
    scheduler = Scheduler(**options)
    first = queue(scheduler, painter, 0)
    assert painter.started.wait(20)
    return scheduler, first


def test_what_is_alike_goes_together_in_order_as_far_as_allowed(painter: Painter) -> None:
    scheduler, first = held(painter, together=3)
    jobs = [queue(scheduler, painter, n, key) for n, key in enumerate("bababb", 2)]
    painter.go.set()
    assert [job.future.result(20) for job in (first, *jobs)] == [0, 4, 9, 16, 25, 36, 49]
    assert painter.went == [[0], [2, 4, 6], [3, 5], [7]]
    assert [job.together for job in (first, *jobs)] == [1, 3, 2, 3, 2, 3, 1]
    scheduler.close()


def test_clients_take_turns_and_who_is_alike_rides_along(painter: Painter) -> None:
    scheduler, _ = held(painter, together=3)
    for n, (client, key) in enumerate(["ax", "ay", "az", "bv", "by", "cw"], 1):
        queue(scheduler, painter, n, key, client=client)
    painter.go.set()
    scheduler.close()
    assert painter.went == [[0], [1], [4], [6], [2, 5], [3]]


def test_one_that_fails_fails_alone(painter: Painter) -> None:
    scheduler, first = held(painter, together=3)
    jobs = [queue(scheduler, painter, n, "a") for n in (2, 666, 3)]
    painter.go.set()
    assert first.future.result(20) == 0
    assert (jobs[0].future.result(20), jobs[2].future.result(20)) == (4, 9)
    with pytest.raises(RuntimeError, match="broken"):
        jobs[1].future.result(20)
    scheduler.close()


def test_who_has_left_and_who_is_late_is_not_painted(painter: Painter) -> None:
    scheduler, _ = held(painter)
    left = queue(scheduler, painter, 1)
    late = queue(scheduler, painter, 2, until=time.monotonic())
    left.leave()
    painter.go.set()
    with pytest.raises(Late):
        late.future.result(20)
    scheduler.close()
    assert painter.went == [[0]]


def test_a_full_queue_tells_when_to_come_again_and_who_leaves_makes_room(painter: Painter) -> None:
    scheduler, _ = held(painter, waiting=2)
    jobs = [queue(scheduler, painter, 1, client="a"), queue(scheduler, painter, 2, patient=True)]
    with pytest.raises(Full) as full:
        queue(scheduler, painter, 3, client="b")
    assert full.value.seconds >= 1
    assert len(scheduler) == 2
    jobs[1].leave()
    last = queue(scheduler, painter, 4)
    painter.go.set()
    assert last.future.result(20) == 16
    scheduler.close()


def test_closing_finishes_what_was_accepted(painter: Painter) -> None:
    scheduler, first = held(painter)
    jobs = [first, queue(scheduler, painter, 1), queue(scheduler, painter, 2, patient=True)]
    closing = threading.Thread(target=scheduler.close)
    closing.start()
    while not scheduler.closed:
        time.sleep(0.001)
    with pytest.raises(Closed):
        queue(scheduler, painter, 9)
    painter.go.set()
    closing.join(20)
    assert [job.future.result(0) for job in jobs] == [0, 1, 4]


def test_the_newest_live_job_replaces_the_waiting_one_of_its_client(painter: Painter) -> None:
    scheduler, _ = held(painter, waiting=3)
    old = queue(scheduler, painter, 1, client="a", live=True)
    kept = queue(scheduler, painter, 2, client="a")
    theirs = queue(scheduler, painter, 3, client="b", live=True)
    new = queue(scheduler, painter, 4, client="a", live=True)  # there is room, as the old one leaves
    with pytest.raises(Stale):
        old.future.result(20)
    painter.go.set()
    assert [job.future.result(20) for job in (kept, theirs, new)] == [4, 9, 16]
    scheduler.close()


def test_patient_work_gives_way_to_everybody(painter: Painter) -> None:
    scheduler, _ = held(painter)
    queue(scheduler, painter, 1, client="a", patient=True)
    for n, client in ((2, "a"), (3, "b")):
        queue(scheduler, painter, n, client=client)
    painter.go.set()
    scheduler.close()
    assert painter.went == [[0], [2], [3], [1]]


@pytest.mark.parametrize(
    ("follows", "ends"),
    [
        ([], False),
        ([{"client": "b", "live": True}, {"client": "a", "live": False}], False),
        ([{"client": "a", "live": True}], True),
    ],
)
def test_long_work_ends_when_a_newer_live_job_has_its_place(follows: list[dict], ends: bool) -> None:
    scheduler, begun, go = Scheduler(), threading.Event(), threading.Event()

    def long(_: Sequence[Any]) -> list[str]:
        begun.set()
        assert go.wait(20)
        scheduler.demand_current()
        return ["done"]

    soon = time.monotonic() + 20
    job = Job("key", None, long, soon, "a", live=True)
    scheduler.submit(job)
    assert begun.wait(20)
    rest = [Job(object(), None, lambda _: [0], soon, **options) for options in follows]
    for each in rest:
        scheduler.submit(each)
    go.set()
    if ends:
        with pytest.raises(Stale):
            job.future.result(20)
    else:
        assert job.future.result(20) == "done"
    assert [each.future.result(20) for each in rest] == [0] * len(rest)
    scheduler.close()


def test_long_work_for_two_ends_when_both_have_left() -> None:
    scheduler, go = Scheduler(together=2), threading.Event()
    steps = [threading.Event() for _ in range(3)]

    def long(items: Sequence[Any]) -> Sequence[Any]:
        for step in steps:
            step.set()
            assert go.wait(20)
            go.clear()
            scheduler.demand_current()
        return items

    blocked = threading.Event()
    first = Job("first", None, lambda _: [blocked.wait(20)], time.monotonic() + 20)
    scheduler.submit(first)
    jobs = [Job("key", n, long, time.monotonic() + 20) for n in range(2)]
    for job in jobs:
        scheduler.submit(job)
    blocked.set()
    assert steps[0].wait(20)
    jobs[0].leave()
    go.set()
    assert steps[1].wait(20)  # the other one waits
    jobs[1].leave()
    go.set()
    scheduler.close()
    assert not steps[2].is_set()


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


def test_work_apart_leaves_no_thread_behind() -> None:
    threads: list[threading.Thread] = []
    assert apart(lambda: threads.append(threading.current_thread()) or 5) == 5
    assert threads[0] is not threading.current_thread()
    assert not threads[0].is_alive()

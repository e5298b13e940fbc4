"""One thread, fair turns, short queues, and the newest live job wins."""

import threading
from collections.abc import Iterator

import numpy as np
import pytest
from spadework.service.worker import Busy, Stale, Worker, apart

from spadework.enlarger.enlarger import TILE, Enlarger


@pytest.fixture
def worker() -> Iterator[Worker]:
    worker = Worker(waiting=3, clients=2)
    yield worker
    worker.close()


@pytest.fixture
def gate(worker: Worker) -> Iterator[threading.Event]:
    """While it is not set, the worker is held up by a job of its own."""
    gate, begun = threading.Event(), threading.Event()
    worker.submit("gate", lambda: (begun.set(), gate.wait(20)))
    assert begun.wait(20)
    yield gate
    gate.set()


def test_results_and_errors_come_back(worker: Worker) -> None:
    assert worker.submit("a", lambda: 7).result(20) == 7
    with pytest.raises(ZeroDivisionError):
        worker.submit("a", lambda: 1 / 0).result(20)


def test_the_newest_live_job_replaces_the_waiting_one(worker: Worker, gate: threading.Event) -> None:
    old = worker.submit("a", lambda: "old", live=True)
    kept = worker.submit("a", lambda: "kept")
    new = worker.submit("a", lambda: "new", live=True)
    with pytest.raises(Stale):
        old.result(20)
    gate.set()
    assert (kept.result(20), new.result(20)) == ("kept", "new")


def test_patient_work_gives_way_to_everybody(worker: Worker, gate: threading.Event) -> None:
    done: list[str] = []
    jobs = [worker.submit("a", lambda: done.append("patient"), patient=True)]
    jobs += [worker.submit("b", lambda word=word: done.append(word)) for word in ("first", "second")]
    gate.set()
    for job in jobs:
        job.result(20)
    assert done == ["first", "second", "patient"]


def test_a_live_job_that_runs_learns_that_it_is_stale(worker: Worker) -> None:
    """Between its steps; jobs of others and jobs that are not live do not concern it."""
    begun, go = threading.Event(), threading.Event()

    def long() -> str:
        begun.set()
        assert go.wait(20)
        worker.demand_current()
        return "done"

    for others, ending in (([("b", True), ("a", False)], "done"), ([("a", True)], "stale")):
        begun.clear(), go.clear()
        job = worker.submit("a", long, live=True)
        assert begun.wait(20)
        rest = [worker.submit(client, int, live) for client, live in others]
        go.set()
        if ending == "done":
            assert job.result(20) == "done"
        else:
            with pytest.raises(Stale):
                job.result(20)
        assert [each.result(20) for each in rest] == [0] * len(rest)


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


def test_live_jobs_of_others_stay(worker: Worker, gate: threading.Event) -> None:
    mine = worker.submit("a", lambda: "mine", live=True)
    yours = worker.submit("b", lambda: "yours", live=True)
    gate.set()
    assert (mine.result(20), yours.result(20)) == ("mine", "yours")


def test_clients_take_turns(worker: Worker, gate: threading.Event) -> None:
    order: list[str] = []
    jobs = [worker.submit("a", lambda: order.append("a")) for _ in range(3)]
    jobs.append(worker.submit("b", lambda: order.append("b")))
    gate.set()
    for job in jobs:
        job.result(20)
    assert order == ["a", "b", "a", "a"]


def test_a_queue_keeps_the_newest(worker: Worker, gate: threading.Event) -> None:
    jobs = [worker.submit("a", lambda n=n: n) for n in range(5)]
    gate.set()
    for dropped in jobs[:2]:
        with pytest.raises(Stale):
            dropped.result(20)
    assert [job.result(20) for job in jobs[2:]] == [2, 3, 4]


def test_too_many_clients_are_refused(worker: Worker, gate: threading.Event) -> None:
    worker.submit("a", int)
    worker.submit("b", int)
    with pytest.raises(Busy):
        worker.submit("c", int)


def test_closing_drops_what_waits() -> None:
    worker = Worker()
    gate, begun = threading.Event(), threading.Event()
    running = worker.submit("a", lambda: (begun.set(), gate.wait(20)))
    assert begun.wait(20)
    waiting = worker.submit("a", int)
    closing = threading.Thread(target=worker.close)
    closing.start()
    with pytest.raises(Stale):
        waiting.result(20)
    gate.set()
    closing.join(20)
    assert running.done()
    with pytest.raises(Busy):
        worker.submit("a", int)


def test_work_apart_leaves_no_thread_behind() -> None:
    threads: list[threading.Thread] = []
    assert apart(lambda: threads.append(threading.current_thread()) or 5) == 5
    assert threads[0] is not threading.current_thread()
    assert not threads[0].is_alive()

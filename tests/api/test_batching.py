"""The queue: alike together, nobody for another's fault, nothing begun in vain, nothing accepted lost."""

import threading
import time
from collections.abc import Sequence

import pytest
from spadework.api.batching import Batcher, Closed, Full, Late


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


def soon() -> float:
    return time.monotonic() + 20


def test_what_is_alike_goes_together_in_order_as_far_as_allowed() -> None:
    batcher, painter = Batcher(together=3), Painter()
    first = batcher.submit("a", 1, painter, soon())
    assert painter.started.wait(20)
    jobs = [batcher.submit(key, n, painter, soon()) for n, key in enumerate("bababb", 2)]
    painter.go.set()
    assert [job.future.result(20) for job in (first, *jobs)] == [1, 4, 9, 16, 25, 36, 49]
    assert painter.went == [[1], [2, 4, 6], [3, 5], [7]]
    assert [job.together for job in (first, *jobs)] == [1, 3, 2, 3, 2, 3, 1]
    batcher.close()


def test_one_that_fails_fails_alone() -> None:
    batcher, painter = Batcher(together=3), Painter()
    blocking = batcher.submit("z", 0, painter, soon())
    assert painter.started.wait(20)
    jobs = [batcher.submit("a", n, painter, soon()) for n in (2, 666, 3)]
    painter.go.set()
    assert blocking.future.result(20) == 0
    assert (jobs[0].future.result(20), jobs[2].future.result(20)) == (4, 9)
    with pytest.raises(RuntimeError, match="broken"):
        jobs[1].future.result(20)
    batcher.close()


def test_cancelled_and_late_work_is_not_begun() -> None:
    batcher, painter = Batcher(), Painter()
    batcher.submit("z", 0, painter, soon())
    assert painter.started.wait(20)
    left, late = batcher.submit("a", 1, painter, soon()), batcher.submit("b", 2, painter, time.monotonic())
    assert left.future.cancel()
    painter.go.set()
    with pytest.raises(Late):
        late.future.result(20)
    batcher.close()
    assert painter.went == [[0]]


def test_a_full_queue_tells_when_to_come_again_and_cancelled_work_makes_room() -> None:
    batcher, painter = Batcher(waiting=2), Painter()
    batcher.submit("z", 0, painter, soon())
    assert painter.started.wait(20)
    jobs = [batcher.submit("z", n, painter, soon()) for n in (1, 2)]
    with pytest.raises(Full) as full:
        batcher.submit("z", 3, painter, soon())
    assert full.value.seconds >= 1
    jobs[0].future.cancel()
    last = batcher.submit("z", 4, painter, soon())
    painter.go.set()
    assert last.future.result(20) == 16
    batcher.close()


def test_closing_finishes_what_was_accepted() -> None:
    batcher, painter = Batcher(together=1), Painter()
    jobs = [batcher.submit("a", n, painter, soon()) for n in range(3)]
    closing = threading.Thread(target=batcher.close)
    closing.start()
    while not batcher.closed:
        time.sleep(0.001)
    with pytest.raises(Closed):
        batcher.submit("a", 9, painter, soon())
    painter.go.set()
    closing.join(20)
    assert [job.future.result(0) for job in jobs] == [0, 1, 4]

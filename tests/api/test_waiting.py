"""Requests that wait: turns, newer ones, clients that leave, deadlines."""

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from fake_engine import FakeEngine
from fastapi.testclient import TestClient
from httpx2 import Response
from serving import HERE, LIMITS, refused, runs, sketch

from spadework.api.app import create_api
from spadework.api.shelf import Shelf
from spadework.service.moods import TRIED

SMALL, LARGE = runs(sketch()), runs(sketch(0, (64, 64)))


class Asking:
    """Requests to a studio whose engine is held up by the first of them, seed 0."""

    def __init__(self, client: TestClient, engine: FakeEngine, pool: ThreadPoolExecutor) -> None:
        self.client, self.engine, self._pool = client, engine, pool
        engine.go.clear()
        engine.started.clear()
        self.waiting = 0
        self.first: Future[Response] | None = None

    def ask(self, seed: int, path: str = "/v1/paint", **more: Any) -> "Future[Response]":
        """One request, which has arrived when this returns."""
        asked = {"runs": SMALL, "seed": seed} | more
        return self._pool.submit(self.client.post, path, json=asked)

    def queue(self, seed: int, **more: Any) -> "Future[Response]":
        """One that waits when this returns."""
        before = self.queued()
        answer = self.ask(seed, **more)
        until(lambda: self.queued() > before)
        return answer

    def queued(self) -> int:
        text = self.client.get("/metrics").text
        [line] = [line for line in text.splitlines() if line.startswith("spadework_queue ")]
        return int(float(line.split()[1]))

    def seeds(self) -> list[int]:
        """In the order in which they were painted."""
        return [seed for _, seed, _ in self.engine.asked]


def until(true: Callable[[], object]) -> None:
    end = time.monotonic() + 20
    while not true():
        assert time.monotonic() < end
        time.sleep(0.002)


@contextmanager
def asking(model: Path, engine: FakeEngine, **limits: int) -> Iterator[Asking]:
    app = create_api(
        Shelf({"tiny": model}, load=lambda _: engine), LIMITS.model_copy(update={"waiting": 20} | limits)
    )
    with TestClient(app, HERE, raise_server_exceptions=False) as client, ThreadPoolExecutor(16) as pool:
        yield Asking(client, engine, pool)
        engine.go.set()


@pytest.fixture
def held(model: Path) -> Iterator[Asking]:
    with asking(model, FakeEngine()) as held:
        held.ask(0, client="gate")
        assert held.engine.started.wait(20)
        yield held


@pytest.fixture
def long(model: Path) -> Iterator[Asking]:
    """Its engine paints long pictures, and asks meanwhile whether somebody waits for them."""
    engine = FakeEngine()
    engine.enlarge()
    with asking(model, engine) as long:
        yield long


# ---- turns


def test_clients_take_turns_and_what_is_alike_rides_along(held: Asking) -> None:
    answers = [held.queue(1, client="a")]
    answers += [held.queue(seed, client="a", runs=LARGE) for seed in (2, 3)]
    answers += [held.queue(4, client="b", runs=LARGE), held.queue(5, client="c")]
    held.engine.go.set()
    assert [answer.result(20).status_code for answer in answers] == [200] * 5
    assert held.seeds() == [0, 1, 5, 4, 2, 3]
    assert held.engine.together == [1, 2, 3]


def test_moods_wait_until_nobody_else_does(held: Asking) -> None:
    moods = held.queue(77, path="/v1/moods", client="a", light=3)
    other = held.queue(1, client="b")
    held.engine.go.set()
    assert other.result(20).status_code == moods.result(20).status_code == 200
    assert held.seeds() == [0, 1] + [77] * TRIED


def test_moods_that_have_begun_give_way_between_two_lights(long: Asking) -> None:
    """To all that wait: with turns a light would come between two of their pictures."""
    moods = long.ask(77, path="/v1/moods", client="a", light=3)
    assert long.engine.started.wait(20)
    others = [long.queue(n, client="b", width=40 + 8 * n, height=40) for n in range(1, 9)]
    long.engine.go.set()
    assert [answer.result(20).status_code for answer in (moods, *others)] == [200] * 9
    assert long.seeds() == [77, *range(1, 9)] + [77] * (TRIED - 1)


def test_a_full_queue_refuses(model: Path) -> None:
    with asking(model, FakeEngine(), waiting=2) as held:
        held.ask(0)
        assert held.engine.started.wait(20)
        waiting = [held.queue(seed, client=f"client-{seed}") for seed in (1, 2)]
        answer = held.ask(3).result(20)
        refused(answer, 429, "Too many requests wait")
        assert int(answer.headers["retry-after"]) >= 1
        held.engine.go.set()
        assert [one.result(20).status_code for one in waiting] == [200, 200]


# ---- newer ones


def test_a_live_request_gives_way_to_a_newer_one(held: Asking) -> None:
    kept = held.queue(9, client="a")
    others = [held.ask(seed, client="a", live=True) for seed in (2, 3, 4)]
    given_up = list(islice(as_completed(others, 20), 2))
    held.engine.go.set()
    assert [(answer.result().status_code, answer.result().content) for answer in given_up] == [(204, b"")] * 2
    assert {answer.result(20).status_code for answer in [kept, *set(others) - set(given_up)]} == {200}
    assert len(held.seeds()) == 3


def test_a_long_picture_stops_for_a_newer_one(long: Asking) -> None:
    old = long.ask(1, client="a", live=True)
    assert long.engine.started.wait(20)
    new = long.ask(2, client="a", live=True)
    assert old.result(20).status_code == 204
    until(lambda: long.seeds() == [1, 2])
    long.engine.go.set()
    assert new.result(20).status_code == 200
    assert long.engine.stopped == [1]


def test_a_long_picture_goes_on_for_others_and_for_what_is_not_live(long: Asking) -> None:
    old = long.ask(1, client="a", live=True)
    assert long.engine.started.wait(20)
    rest = [long.queue(2, client="b", live=True), long.queue(3, client="a")]
    time.sleep(0.03)  # it has asked by now
    long.engine.go.set()
    assert [answer.result(20).status_code for answer in (old, *rest)] == [200] * 3
    assert long.engine.stopped == []


# ---- clients that leave, and deadlines


class Leaving:
    """A request whose client leaves when it is told to."""

    def __init__(self, held: Asking, seed: int, path: str = "/v1/paint", **more: Any) -> None:
        self._leave, self._status = threading.Event(), 0
        self._body = json.dumps({"runs": SMALL, "seed": seed} | more).encode()
        app, portal = held.client.app, held.client.portal
        assert portal is not None
        self._future = portal.start_task_soon(self._run, app, path)

    def leaves(self) -> int:
        """The status that nobody sees."""
        self._leave.set()
        self._future.result(20)
        return self._status

    async def _run(self, app: Any, path: str) -> None:
        sent = False

        async def receive() -> dict[str, Any]:
            nonlocal sent
            if not sent:
                sent = True
                return {"type": "http.request", "body": self._body, "more_body": False}
            while not self._leave.is_set():
                await asyncio.sleep(0.002)
            return {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            self._status = message.get("status", self._status)

        headers = [(b"host", b"127.0.0.1"), (b"content-type", b"application/json")]
        about = {"type": "http", "method": "POST", "path": path, "headers": headers, "query_string": b""}
        await app({**about, "http_version": "1.1", "scheme": "http", "root_path": ""}, receive, send)


def test_what_a_client_that_has_left_waited_for_is_not_begun(held: Asking) -> None:
    leaving = Leaving(held, 1, client="a")
    until(lambda: held.queued() == 1)
    stays = held.queue(2, client="b")
    assert leaving.leaves() == 499
    held.engine.go.set()
    assert stays.result(20).status_code == 200
    assert held.seeds() == [0, 2]


def test_a_long_picture_stops_when_its_client_leaves(long: Asking) -> None:
    leaving = Leaving(long, 1)
    assert long.engine.started.wait(20)
    stays = long.queue(2)
    assert leaving.leaves() == 499
    until(lambda: long.engine.stopped == [1])
    long.engine.go.set()
    assert stays.result(20).status_code == 200


def test_moods_end_when_their_client_leaves(long: Asking) -> None:
    """Between two lights, or within one."""
    leaving = Leaving(long, 77, "/v1/moods")
    assert long.engine.started.wait(20)
    assert leaving.leaves() == 499
    until(lambda: long.engine.stopped == [77])
    long.engine.go.set()
    assert long.ask(1).result(20).status_code == 200
    assert long.seeds() == [77, 1]


def test_a_deadline_that_passes_while_it_waits(held: Asking) -> None:
    refused(held.ask(1, deadline=0.03).result(20), 504, "The deadline has passed")
    held.engine.go.set()
    assert held.ask(2).result(20).status_code == 200
    assert held.seeds() == [0, 2]


@pytest.mark.parametrize("path", ["/v1/paint", "/v1/moods", "/v1/projects/picture"])
def test_a_deadline_that_passes_while_it_is_painted(long: Asking, path: str) -> None:
    base = {"width": 8, "height": 8, "ids": "0*64"}
    project = {"format": "spadework-project", "version": 1, "palette": "landscape", "base": base}
    project |= {"strokes": [], "style": {"seed": 1, "mood": {"seed": 1}}}
    asked = {"project": project} if "project" in path else {"runs": SMALL, "seed": 1}
    late = long.client.post(path, json=asked | {"deadline": 0.05})
    refused(late, 504, "The deadline has passed")
    until(lambda: long.engine.stopped == [1])
    long.engine.go.set()
    assert long.ask(2).result(20).status_code == 200

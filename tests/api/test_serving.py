"""A real API on a port: back-pressure, deadlines, a stop under load, the client, models that take turns."""

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2 as httpx
import numpy as np
import pytest
from fastapi.testclient import TestClient
from serving import Gated, sketch
from tiny_model import card, networks

from spadework.api.running import demand_keys
from spadework.api.shelf import Shelf, memory_of
from spadework.api.wire import Runs
from spadework.client import ApiError, AsyncClient, Client
from spadework.engine import Engine
from spadework.model import save_checkpoint
from spadework.service.faults import Refusal


@pytest.fixture(scope="module")
def process(model: Path) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    url, served = start(model)
    with served:
        yield url, served
        served.terminate()


def start(
    model: Path, *options: str, program: Sequence[str] = ("-m", "spadework")
) -> tuple[str, "subprocess.Popen[str]"]:
    """`spadework serve` on a free port."""
    command = [
        sys.executable,
        *program,
        "serve",
        "--port",
        "0",
        "--model",
        f"tiny={model}",
        *options,
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    served = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )
    assert served.stdout is not None
    line = served.stdout.readline()
    found = re.search(r"http://[\d.:]+", line)
    assert found, line + (served.stderr.read() if served.stderr else "")
    return found[0], served


def test_both_clients_paint_as_the_engine(process: tuple, model: Path, tmp_path: Path) -> None:
    engine = Engine.load(model, "cpu", precision="auto")
    with Client(process[0]) as client:
        assert client.paint(sketch(), seed=4) == engine.paint(sketch(), 4)
        assert client.paint(sketch(), size=(64, 96)).size == (64, 96)
        assert client.models()[0].name == "tiny"
        assert client.palette("landscape").classes[0].id == 0
        engine.paint(sketch(), 5).save(tmp_path / "own.png")
        style = client.style_of(tmp_path / "own.png")
        assert client.paint(sketch(1), style=style).provenance["z"] == list(style.z)
        engine._label_map(sketch()).save(tmp_path / "map.png")
        assert np.array_equal(client.read_labels(tmp_path / "map.png").runs.ids(), sketch())
        with pytest.raises(ApiError, match=r"99.*") as refused:
            client.paint(np.full((8, 8), 99), seed=4)
        assert refused.value.status == 422
        assert len(refused.value.request_id) == 32

    async def several() -> list:
        async with AsyncClient(process[0]) as client:
            assert (await client.models())[0].loaded
            return await asyncio.gather(*(client.paint(sketch(n), seed=n) for n in range(12)))

    with ThreadPoolExecutor(1) as thread:  # a browser of other tests has a loop of its own in this one
        painted = thread.submit(lambda: asyncio.run(several())).result()
    assert painted == [engine.paint(sketch(n), n) for n in range(12)]


def test_clients_try_again_and_give_up() -> None:
    seen: list[int] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(1)
        if len(seen) == 1:
            raise httpx.ConnectError("nobody")
        status = (429, 503, 200)[min(len(seen) - 2, 2)]
        return httpx.Response(status, headers={"retry-after": "0"}, json=[])

    assert Client(transport=httpx.MockTransport(answer)).models() == []
    assert len(seen) == 4
    gone = Client(transport=httpx.MockTransport(lambda _: httpx.Response(404, text="no")), retries=9)
    with pytest.raises(ApiError, match="is there a spadework API at this address"):
        gone.models()
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(ApiError, match="nobody answered"):
            Client(f"http://127.0.0.1:{unused.getsockname()[1]}", retries=1).models()


def test_every_client_waits_under_a_name_of_its_own() -> None:
    names: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        names.append(json.loads(request.content)["client"])
        return httpx.Response(404, json={"sentence": "No", "remedy": "none"})

    for client in (Client(transport=httpx.MockTransport(answer), name=name) for name in (None, None, "me")):
        with pytest.raises(ApiError):
            client.paint(sketch())
        with pytest.raises(ApiError):
            client.style_of(__file__)
    first, again, second, *_, mine, mine_too = names
    assert first == again != second
    assert mine == mine_too == "me"


def test_a_full_api_says_when_to_come_again_and_goes_together(client: TestClient, engine: Gated) -> None:
    engine.started.clear()
    engine.together.clear()
    engine.go.clear()
    asked = [{"runs": Runs.of(sketch(n)).model_dump(), "seed": n} for n in range(5)]
    with ThreadPoolExecutor(5) as pool:
        first = pool.submit(client.post, "/v1/paint", json=asked[0])
        assert engine.started.wait(20)
        rest = [pool.submit(client.post, "/v1/paint", json=each) for each in asked[1:]]
        refused = next(one for one in _as_done(rest))
        assert refused.status_code == 429
        assert int(refused.headers["retry-after"]) >= 1
        engine.go.set()
        codes = sorted(one.result(20).status_code for one in (first, *rest))
    assert codes == [200, 200, 200, 200, 429]
    assert engine.together == [1, 3]


def _as_done(futures: list) -> Iterator:
    while True:
        for future in futures:
            if future.done():
                yield future.result()
        time.sleep(0.005)


def test_a_deadline_that_has_passed(client: TestClient, engine: Gated) -> None:
    engine.go.clear()
    response = client.post("/v1/paint", json={"runs": Runs.of(sketch()).model_dump(), "deadline": 0.05})
    assert response.status_code == 504


@pytest.mark.soak
def test_a_stop_under_load_loses_nothing_that_was_accepted(model: Path) -> None:
    """Every request whose body has arrived is answered, with its own picture; then the process ends well."""
    url, served = start(model, "--together", "2")
    engine = Engine.load(model, "cpu", precision="auto")
    expected = [engine.paint(sketch(n, (128, 128)), n, size=(128, 128)) for n in range(12)]
    sent = threading.Barrier(13)

    def ask(n: int) -> object:
        with Client(url, retries=0) as client:
            client.models()  # so the connection has been accepted
            sent.wait()
            try:
                return client.paint(sketch(n, (128, 128)), n, size=(128, 128)) == expected[n]
            except ApiError as error:
                return error

    with served, ThreadPoolExecutor(12) as pool:
        answers = [pool.submit(ask, n) for n in range(12)]
        sent.wait()
        time.sleep(0.1)
        served.send_signal(signal.SIGTERM)
        results = [answer.result(60) for answer in answers]
        assert served.wait(30) == 0
        assert served.stderr is not None
        accepted = served.stderr.read().count('"path": "/v1/paint"')
    assert results.count(True) == accepted > 0
    assert all(result is True or result.status in (0, 503) for result in results)


def test_models_take_turns_in_memory(model: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.safetensors"
    save_checkpoint(other, card(name="second"), *networks(1))
    _, needed = memory_of(model)
    loaded: list[str] = []

    def load(path: str | os.PathLike[str]) -> Engine:
        loaded.append(Path(path).stem)
        return Engine.load(path, "cpu")

    shelf = Shelf({"tiny": model, "second": other}, needed + needed // 2, load)
    for name in ("tiny", "tiny", "second", "tiny"):
        assert shelf.engine(name).card.name == name
        assert shelf.loaded == [name]
    assert loaded == ["tiny", "other", "tiny"]
    both = Shelf({"tiny": model, "second": other}, 2 * needed, load)
    for name in ("tiny", "second"):
        both.engine(name)
    assert both.loaded == ["tiny", "second"]
    with pytest.raises(Refusal, match=r"No model third is served here: Choose of tiny, second\."):
        shelf.named("third")
    with pytest.raises(ValueError, match="give a larger --memory"):
        Shelf({"tiny": model}, needed - 1)


def test_beyond_this_machine_keys_are_needed() -> None:
    with pytest.raises(ValueError, match=r"strangers can reach 0\.0\.0\.0: give --keys FILE"):
        demand_keys("0.0.0.0", [])
    demand_keys("0.0.0.0", ["key"])
    demand_keys("127.0.0.1", [])

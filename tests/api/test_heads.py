"""Requests whose head comes slowly, byte by byte, or never (slow-loris)."""

import asyncio
import json
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import uvicorn

from spadework.api import running
from spadework.api.running import Timed


async def _hello(scope: dict, receive: object, send: object) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})  # pyright: ignore
    await send({"type": "http.response.body", "body": b"hi"})  # pyright: ignore


async def _talk(said: list[bytes], pause: float) -> list[bytes]:
    """What comes back, until the connection is closed or nothing comes for a second, when this is said."""
    server = uvicorn.Server(uvicorn.Config(_hello, http=Timed, port=0, log_level="warning", lifespan="off"))
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    heard = []
    try:
        for part in said:
            writer.write(part)
            await asyncio.sleep(pause)
        while part := await asyncio.wait_for(reader.read(1000), 1):
            heard.append(part)
        heard.append(b"closed")
    except (TimeoutError, ConnectionError):
        pass
    writer.close()
    server.should_exit = True
    await serving
    return heard


def heard_of(talk: Coroutine[Any, Any, list[bytes]]) -> list[bytes]:
    """In a thread of its own: a browser of other tests may have a loop in this one."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, talk).result()


HEAD = b"GET / HTTP/1.1\r\nhost: 127.0.0.1\r\n"


@pytest.mark.parametrize(
    "said",
    [[HEAD], [bytes([byte]) for byte in HEAD[:8]], [HEAD + b"\r\n", HEAD]],
    ids=["half", "byte by byte", "half of the second"],
)
def test_a_head_that_does_not_arrive_is_told_and_ends(
    said: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "HEAD_SECONDS", 0.2)
    *heard, last = heard_of(_talk(said, 0.03))
    head, _, body = b"".join(heard).rpartition(b"\r\n\r\n")
    assert last == b"closed"
    assert b"408" in head
    assert json.loads(body)["sentence"] == "The head of a request did not arrive in time"


def test_whoever_is_in_time_is_answered_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "HEAD_SECONDS", 0.3)
    heard = heard_of(_talk([HEAD + b"\r\n", HEAD, b"\r\n", HEAD + b"\r\n"], 0.2))
    assert b"".join(heard).count(b"200 OK") == 3
    assert b"408" not in b"".join(heard)


def test_a_connection_without_a_word_ends_without_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "HEAD_SECONDS", 0.2)
    assert heard_of(_talk([], 0)) == [b"closed"]

"""The API on a port, until it is told to stop; what was accepted by then is finished."""

import asyncio
import logging
import signal
import socket
import sys
from collections.abc import Sequence
from typing import Any

import h11
import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from spadework.files import Fault
from spadework.service.faults import LOOPBACK, Refusal

CONNECTIONS = 1024
"""More at a time are told 503, so that slow ones cannot take all of the process' files."""

HEAD_SECONDS = 15.0
"""In which the head of a request has to arrive, so that slow ones cannot take all connections for long."""


class Timed(H11Protocol):
    """HTTP/1.1 as uvicorn speaks it; a head that does not come whole in time is answered 408, and ends it."""

    waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """asyncio: somebody is there."""
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        """asyncio: bytes have come."""
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio: nobody is there any more."""
        self._rest()
        super().connection_lost(exc)

    def _watch(self) -> None:
        if self.conn.their_state is not h11.IDLE:
            self._rest()
        elif self.waiting is None:
            self.waiting = self.loop.call_later(HEAD_SECONDS, self._give_up)

    def _rest(self) -> None:
        if self.waiting is not None:
            self.waiting.cancel()
            self.waiting = None

    def _give_up(self) -> None:
        if self.conn.their_state is not h11.IDLE or self.transport.is_closing():
            return
        if self.conn.trailing_data[0]:
            self._refuse()
        self.transport.close()

    def _refuse(self) -> None:
        response = Refusal(408, "The head of a request did not arrive in time", "Send it faster.").response()
        events: list[Any] = [
            h11.Response(status_code=408, headers=[*response.raw_headers, (b"connection", b"close")]),
            h11.Data(data=bytes(response.body)),
            h11.EndOfMessage(),
        ]
        for event in events:
            self.transport.write(self.conn.send(event) or b"")


def demand_keys(host: str, keys: Sequence[str]) -> None:
    """Raises ValueError for an API that strangers could reach without a key."""
    if host not in LOOPBACK and not keys:
        raise Fault(f"strangers can reach {host}", "give --keys FILE, or stay on --host 127.0.0.1")


def run(app: FastAPI, listener: socket.socket) -> None:
    """Serve until SIGTERM or Ctrl-C, then answer what has been accepted, and return."""
    log = logging.getLogger("spadework.api")
    if not log.handlers:
        log.addHandler(logging.StreamHandler(sys.stderr))
        log.setLevel(logging.INFO)
    config = uvicorn.Config(
        app,
        http=Timed,
        log_level="warning",
        access_log=False,
        limit_concurrency=CONNECTIONS,
        timeout_keep_alive=15,
    )
    before = signal.signal(signal.SIGTERM, lambda *_: None)  # uvicorn sends itself again what stopped it
    try:
        uvicorn.Server(config).run(sockets=[listener])
    except KeyboardInterrupt:
        pass
    finally:
        signal.signal(signal.SIGTERM, before)

"""The API on a port, until it is told to stop; what was accepted by then is finished."""

import logging
import signal
import socket
import sys
from collections.abc import Sequence

import uvicorn
from fastapi import FastAPI

from spadework.files import Fault
from spadework.service.faults import LOOPBACK

CONNECTIONS = 1024
"""More at a time are told 503, so that slow ones cannot take all of the process' files."""


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
        app, log_level="warning", access_log=False, limit_concurrency=CONNECTIONS, timeout_keep_alive=15
    )
    before = signal.signal(signal.SIGTERM, lambda *_: None)  # uvicorn sends itself again what stopped it
    try:
        uvicorn.Server(config).run(sockets=[listener])
    except KeyboardInterrupt:
        pass
    finally:
        signal.signal(signal.SIGTERM, before)

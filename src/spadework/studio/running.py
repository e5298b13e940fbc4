"""A studio on a port."""

import secrets
import socket
from dataclasses import dataclass

import uvicorn
from fastapi import FastAPI

from spadework.api.running import Timed
from spadework.files import Fault
from spadework.service.faults import LOOPBACK


@dataclass(frozen=True)
class Place:
    """Where a studio listens. `token` is None on loopback, where no stranger comes."""

    listener: socket.socket
    token: str | None

    @property
    def url(self) -> str:
        """What to open in a browser."""
        host, port = map(str, self.listener.getsockname()[:2])
        name = own_address() if host in ("0.0.0.0", "::") else host
        address = f"http://{f'[{name}]' if ':' in name else name}:{port}/"
        return address if self.token is None else f"{address}?token={self.token}"


def own_address() -> str:
    """By which other machines reach this one: an address, which needs no name server; else its name."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing; it only asks which way packets would leave
            return probe.getsockname()[0]
        except OSError:
            return socket.gethostname()


def place(host: str, port: int) -> Place:
    """Takes the port; 0 is any free one. Raises ValueError, one line with the remedy, if it cannot."""
    if not 0 <= port <= 65535:
        raise Fault(f"port {port} is outside 0..65535", "choose another --port")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family)
    except OSError as error:
        reason = error.strerror or error
        raise Fault(f"cannot listen on {host} port {port} ({reason})", "choose another --port") from error
    listener.setsockopt(
        socket.IPPROTO_TCP, socket.TCP_NODELAY, 1
    )  # asyncio does so for none that it has not made
    return Place(listener, None if host in LOOPBACK else secrets.token_urlsafe(16))


def run(app: FastAPI, at: Place) -> None:
    """Serve until Ctrl-C. Pages that are still open do not hold it up."""
    config = uvicorn.Config(
        app, http=Timed, log_level="warning", access_log=False, timeout_graceful_shutdown=2
    )
    uvicorn.Server(config).run(sockets=[at.listener])

"""Around the API: who may ask and for how much, a name for every request, and a line in the log for each."""

import asyncio
import json
import logging
import re
import secrets
import time
import uuid
from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from spadework.api.counting import Counts
from spadework.service.faults import LOOPBACK, Refusal

OPEN = ("/health", "/ready", "/v1/openapi.json")
"""What needs no key."""

COOKIE = "spadework-token"
"""The key, of a browser that has opened the page with it."""

REQUEST_ID = re.compile(r"[\w.-]{1,64}")

OF_PAGE = (
    (
        b"content-security-policy",
        b"default-src 'self'; img-src 'self' blob: data:; object-src 'none'; "
        b"base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
"""Headers where a page is: it loads nothing from elsewhere, and nobody else frames or reads it."""

log = logging.getLogger("spadework.api")


class Limits(BaseModel):
    """What one API bears. `waiting`: requests in the queue. `body_seconds`: for a body to arrive."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    body_bytes: int = 44 * 1024 * 1024  # a file of 32 MiB in base64
    body_seconds: float = 30.0
    pixels: int = 2048 * 2048
    waiting: int = Field(default=64, ge=1)
    together: int = Field(default=4, ge=1)


class BodyRefused(HTTPException):
    """A body that is not read to its end; FastAPI lets exceptions of this kind through where it reads one."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.status)
        self.refusal = refusal


class Gate:
    """ASGI middleware. Without keys it serves only requests that are addressed to this very machine.

    So no web site can reach it under a name of its own (DNS rebinding); pages of other origins than its own
    and `origins` are refused. `page`: whether a page for people is behind it, to which the address
    `/?token=KEY` leads; it leaves the key as a cookie.
    """

    def __init__(
        self,
        app: ASGIApp,
        limits: Limits,
        counts: Counts,
        keys: Sequence[str] = (),
        origins: Sequence[str] = (),
        page: bool = False,
    ) -> None:
        self._app, self._limits, self._counts = app, limits, counts
        self._keys, self._origins, self._page = [key.encode() for key in keys], set(origins), page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        request, began, status = Request(scope), time.perf_counter(), 499
        given = request.headers.get("x-request-id", "")
        name = given if REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        scope.setdefault("state", {})["request_id"] = name

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                own = self._headers(request, name)
                message["headers"] = [*message.get("headers", []), *own]
            await send(message)

        try:
            app = self._welcome(request) or self._app
            if app is self._app:
                self._demand(request)
            await app(scope, self._bounded(receive), sending)
        except Refusal as refusal:
            await refusal.response()(scope, receive, sending)
        except ClientDisconnect:
            pass
        finally:
            self._tell(scope, name, status, time.perf_counter() - began)

    def _headers(self, request: Request, name: str) -> Iterator[tuple[bytes, bytes]]:
        yield b"x-request-id", name.encode()
        yield b"x-content-type-options", b"nosniff"
        if not self._page or request.url.path.startswith("/v1/"):
            yield b"cache-control", b"no-store"
        if self._page:
            yield from OF_PAGE

    def _welcome(self, request: Request) -> ASGIApp | None:
        """To the page without the key in its address, if that was opened with one."""
        given = request.query_params.get("token", "") if self._page and request.url.path == "/" else ""
        if not given or not self._is_key(given):
            return None
        response = RedirectResponse("/", 303)
        response.set_cookie(COOKIE, given, httponly=True, samesite="strict")
        return response

    def _demand(self, request: Request) -> None:
        """Raises Refusal for what is not to be served."""
        origin, host = request.headers.get("origin"), request.headers.get("host", "")
        if origin is not None and origin not in self._origins and urlsplit(origin).netloc != host:
            remedy = "Open its own address." if self._page else "Start it with --origin."
            raise Refusal(403, f"Pages of {origin[:80]} may not use this API", remedy)
        if not self._keys:
            name = urlsplit(f"//{host}").hostname
            if name not in LOOPBACK:
                raise Refusal(403, f"This API does not answer to the name {name}", "Ask for 127.0.0.1.")
        elif request.url.path not in OPEN and not self._has_key(request):
            remedy = "Send Authorization: Bearer KEY."
            if self._page:
                remedy = "Open the address that the command printed, with its token."
            raise Refusal(401, "No valid API key came", remedy)
        length = request.headers.get("content-length", "0")
        if not length.isdecimal():
            raise Refusal(400, "The length of the body is no number", "Send Content-Length in bytes.")
        self._demand_size(int(length))

    def _has_key(self, request: Request) -> bool:
        bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
        return self._is_key(bearer) or (self._page and self._is_key(request.cookies.get(COOKIE, "")))

    def _is_key(self, given: str) -> bool:
        return any([secrets.compare_digest(given.encode(), key) for key in self._keys])  # always all of them

    def _demand_size(self, count: int) -> None:
        if count > self._limits.body_bytes:
            most = self._limits.body_bytes / 2**20
            raise Refusal(413, f"The body is larger than {most:g} MiB", "Send a smaller file.")

    def _bounded(self, receive: Receive) -> Receive:
        """The body, if it is not too large and does not take too long."""
        until, count, whole = time.monotonic() + self._limits.body_seconds, 0, False

        async def bounded() -> Message:
            nonlocal count, whole
            if whole:
                return await receive()
            try:
                message = await asyncio.wait_for(receive(), max(0.0, until - time.monotonic()))
            except TimeoutError:
                refusal = Refusal(408, "The body did not arrive in time", "Send it faster.")
                raise BodyRefused(refusal) from None
            count += len(message.get("body", b""))
            try:
                self._demand_size(count)
            except Refusal as refusal:
                raise BodyRefused(refusal) from None
            whole = not message.get("more_body", False)
            return message

        return bounded

    def _tell(self, scope: Scope, name: str, status: int, seconds: float) -> None:
        path = getattr(scope.get("route"), "path", "other")
        self._counts.answered(path, status, seconds)
        told = {
            "request": name,
            "method": scope["method"],
            "path": path,
            "status": status,
            "ms": round(1000 * seconds, 1),
            **scope["state"].get("told", {}),
        }
        log.info("%s", json.dumps(told))

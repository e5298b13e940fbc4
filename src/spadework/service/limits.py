"""Who may ask, and for how much."""

import secrets
from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from spadework.service.schemas import Problem

LOOPBACK = ("127.0.0.1", "localhost", "::1")
COOKIE = "spadework-token"

HEADERS = {
    b"content-security-policy": b"default-src 'self'; img-src 'self' blob: data:; object-src 'none'; "
    b"base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"cross-origin-resource-policy": b"same-origin",
}
"""On every answer: the page loads nothing from elsewhere, and nobody else frames or reads it."""


class Limits(BaseModel):
    """What one service bears."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    body_bytes: int = 32 * 1024 * 1024
    pixels: int = 2048 * 2048
    waiting: int = 8
    clients: int = 64
    styles: int = 256


class Refusal(Exception):
    """A request that is not served: HTTP status, sentence and remedy."""

    def __init__(self, status: int, sentence: str, remedy: str) -> None:
        super().__init__(f"{sentence}: {remedy}")
        self.status = status
        self.problem = Problem(sentence=sentence, remedy=remedy)

    def response(self, headers: Mapping[str, str] | None = None) -> JSONResponse:
        """The refusal as JSON."""
        return JSONResponse(self.problem.model_dump(), self.status, headers)


class Guard:
    """Wraps an app: foreign pages, strangers and large bodies do not reach it.

    Without a token only requests addressed to this very machine are served, so that no web site can reach
    the service under a name of its own (DNS rebinding). With one, every request carries it: as a bearer, or
    as the cookie that opening `/?token=...` leaves.
    """

    def __init__(self, app: ASGIApp, limits: Limits, token: str | None = None) -> None:
        self._app, self._limits, self._token = app, limits, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        request = Request(scope)
        send = _with_headers(send)
        try:
            _demand_own_origin(request)
            if self._token is None:
                _demand_loopback(request)
            elif _same(request.query_params.get("token", ""), self._token):
                return await _welcome(self._token)(scope, receive, send)
            else:
                _demand_token(request, self._token)
            self._demand_size(int(request.headers.get("content-length") or 0))
        except Refusal as refusal:
            return await refusal.response()(scope, receive, send)
        await self._app(scope, self._counted(receive), send)

    def _demand_size(self, count: int) -> None:
        if count > self._limits.body_bytes:
            most = self._limits.body_bytes / 2**20
            raise Refusal(413, f"The file is larger than {most:g} MiB", "Save it smaller and try again.")

    def _counted(self, receive: Receive) -> Receive:
        count = 0

        async def counted() -> Message:
            nonlocal count
            message = await receive()
            count += len(message.get("body", b""))
            self._demand_size(count)
            return message

        return counted


def _demand_own_origin(request: Request) -> None:
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
        raise Refusal(403, f"A page of {origin} may not use this studio", "Open the studio's own address.")


def _demand_loopback(request: Request) -> None:
    name = urlsplit(f"//{request.headers.get('host', '')}").hostname
    if name not in LOOPBACK:
        raise Refusal(403, f"This studio does not answer to the name {name}", "Open it as 127.0.0.1.")


def _demand_token(request: Request, token: str) -> None:
    bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
    if not (_same(bearer, token) or _same(request.cookies.get(COOKIE, ""), token)):
        remedy = "Open the address that the command printed, with its token."
        raise Refusal(401, "This studio is locked", remedy)


def _same(given: str, token: str) -> bool:
    return secrets.compare_digest(given.encode(), token.encode())


def _welcome(token: str) -> RedirectResponse:
    """To the page without the token in its address."""
    response = RedirectResponse("/", 303)
    response.set_cookie(COOKIE, token, httponly=True, samesite="strict")
    return response


def _with_headers(send: Send) -> Callable[[Message], Awaitable[None]]:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", []), *HEADERS.items()]
        await send(message)

    return sending

"""The API as an app: what is offered under /v1, and what every refusal is called."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import PlainTextResponse
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware

from spadework import __version__
from spadework.api.answering import Api, Gone
from spadework.api.facts import offer_facts
from spadework.api.gate import BodyRefused, Gate, Limits
from spadework.api.pictures import offer_pictures
from spadework.api.reading import offer_labels, offer_styles
from spadework.api.scheduling import Closed, Full, Late, Stale
from spadework.api.shelf import Shelf
from spadework.api.wire import Refused
from spadework.service.faults import Refusal, told, told_fault, told_refusal
from spadework.service.opening import Segmenter
from spadework.sketch.palette import Palette

REFUSALS: dict[int | str, dict[str, Any]] = {
    status: {"model": Refused, "description": what}
    for status, what in {
        400: "no JSON in UTF-8, or no length of a body",
        401: "no valid key",
        403: "from elsewhere",
        404: "not here",
        405: "not so; Allow says how",
        408: "too slow",
        413: "too large",
        422: "not understood",
        429: "too many wait; Retry-After says for how long",
        503: "stopping",
        504: "the deadline has passed",
    }.items()
}
STALE = 204
"""The status of a live request that a newer one has replaced: nothing is wrong, and nothing to show."""

log = logging.getLogger("spadework.api")


def create_api(
    shelf: Shelf,
    limits: Limits | None = None,
    keys: Sequence[str] = (),
    origins: Sequence[str] = (),
    find_segmenter: Callable[[Palette], Segmenter | None] = lambda palette: None,
    page: bool = False,
) -> FastAPI:
    """The API of some models. With keys every request needs one; pages of `origins` may use it.

    `page`: whether a page for people is put on top of it; see `Gate`.
    """
    limits = limits or Limits()
    api = Api(shelf, limits, find_segmenter)

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        yield
        await asyncio.to_thread(api.scheduler.close)

    app = FastAPI(
        title="spadework",
        version=__version__,
        description="Paint labels, get photographs.",
        lifespan=life,
        docs_url=None,
        redoc_url=None,
        openapi_url="/v1/openapi.json",
        responses=REFUSALS,
    )
    app.add_middleware(Gate, limits=limits, counts=api.counts, keys=keys, origins=origins, page=page)
    if origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(origins),
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type", "X-Request-Id"],
        )
    _explain(app)
    _offer_state(app, api)
    offer_pictures(app, api)
    offer_styles(app, api)
    offer_labels(app, api)
    offer_facts(app, api)
    return app


def _offer_state(app: FastAPI, api: Api) -> None:
    @app.get("/health")
    async def health() -> dict[str, bool]:
        """Whether the process answers."""
        return {"alive": True}

    @app.get("/ready")
    async def ready() -> dict[str, bool]:
        """Whether it takes work: 503 while it stops."""
        if api.scheduler.closed:
            raise Closed
        return {"ready": True}

    @app.get("/metrics", response_class=PlainTextResponse)
    async def metrics() -> Response:
        """Counters, as Prometheus reads them."""
        return Response(api.counts.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


def _explain(app: FastAPI) -> None:
    def explain(kind: type[Exception], refusal: Callable[[Any], Refusal], seconds: int | None = None) -> None:
        @app.exception_handler(kind)
        async def answer(request: Request, error: Exception) -> Response:
            response = refusal(error).response()
            wait = error.seconds if isinstance(error, Full) else seconds
            if wait is not None:
                response.headers["Retry-After"] = str(wait)
            return response

    explain(Refusal, lambda error: error)
    explain(Full, lambda error: Refusal(429, "Too many requests wait", f"Try again in {error.seconds} s."))
    explain(Closed, lambda error: Refusal(503, "The API is being stopped", "Try again later."), 5)
    explain(Late, lambda error: Refusal(504, "The deadline has passed", "Wait longer, or paint less."))
    explain(Gone, lambda error: Refusal(499, "The client has left", "Stay."))
    explain(BodyRefused, lambda error: error.refusal)
    explain(ValueError, lambda error: Refusal(422, *told(error)))
    explain(RequestValidationError, lambda error: Refusal(422, *told_fault(error.errors()[0])))

    @app.exception_handler(Stale)
    async def stale(request: Request, error: Stale) -> Response:
        return Response(status_code=STALE)

    @app.exception_handler(HTTPException)
    async def no_such(request: Request, error: HTTPException) -> Response:
        return told_refusal(request, error).response(error.headers)

    @app.exception_handler(Exception)
    async def ours(request: Request, error: Exception) -> Response:
        log.error("%s failed", request.url.path, exc_info=error)
        return Refusal(500, "The API failed at this request", "Report it, with its X-Request-Id.").response()

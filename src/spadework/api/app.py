"""The API as an app: what is offered under /v1, and what every refusal is called."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Hashable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import PlainTextResponse
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware

from spadework import __version__
from spadework.api.batching import Batcher, Closed, Full, Late
from spadework.api.counting import Counts
from spadework.api.gate import BodyRefused, Gate, Limits
from spadework.api.painting import Wanted, in_mood, packed, paint_many, shipped_palette, wanted
from spadework.api.shelf import Shelf
from spadework.api.wire import (
    ImportRequest,
    PaintRequest,
    PaletteClass,
    PaletteInfo,
    PhotoRequest,
    ReadMap,
    Refused,
    Runs,
    ServedModel,
    StyleNumbers,
    bytes_of,
)
from spadework.engine import Engine
from spadework.picture import Picture
from spadework.service.faults import told_fault, told_refusal
from spadework.service.limits import Refusal
from spadework.service.opening import MOST_OF_A_PHOTO, Opened, Segmenter, demand_pixels, open_map, open_photo
from spadework.service.schemas import told
from spadework.sketch.palette import Palette

PATIENCE = 60.0
"""Seconds after which nobody waits for an answer that is no picture."""

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
PICTURES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The picture.",
        "content": {
            f"image/{form}": {"schema": {"type": "string", "format": "binary"}}
            for form in ("png", "webp", "jpeg")
        },
    }
}

log = logging.getLogger("spadework.api")


class Api:
    """What the routes share: models, one painter with its queue, counters, and segmenters by palette."""

    def __init__(
        self, shelf: Shelf, limits: Limits, find_segmenter: Callable[[Palette], Segmenter | None]
    ) -> None:
        self.shelf, self.limits, self._find = shelf, limits, find_segmenter
        self.batcher = Batcher(limits.together, limits.waiting)
        self.counts = Counts()
        self.counts.watch("queue", "Requests that wait.", lambda: len(self.batcher))
        self.counts.watch("models_loaded", "Models in memory.", lambda: len(shelf.loaded))
        self._segmenters: dict[str, Segmenter | None] = {}

    async def picture(self, request: Request, item: Wanted, name: str, deadline: float) -> Picture:
        """What the queue makes of it."""
        key = name, item.size or item.sketch.size, item.size is None, item.sketch.instances is None
        return await self._answer(request, key, item, partial(self._paint, name), deadline)

    async def done(self, request: Request, work: Callable[[], Any], deadline: float = PATIENCE) -> Any:
        """The result of work that goes alone through the queue."""
        return await self._answer(request, object(), None, lambda _: [work()], deadline)

    def segmenter(self, palette: Palette) -> Segmenter:
        """The one that knows a palette's classes. Raises Refusal 404."""
        if palette.name not in self._segmenters:
            self._segmenters[palette.name] = self._find(palette)
        found = self._segmenters[palette.name]
        if found is None:
            raise Refusal(404, f"No segmenter of palette {palette.name} is installed", "Send a label map.")
        return found

    def _paint(self, name: str, items: Sequence[Wanted]) -> list[Picture]:
        pictures = paint_many(self.shelf.engine(name), items)
        self.counts.painted(name, len(items))
        return pictures

    async def _answer(
        self,
        request: Request,
        key: Hashable,
        item: Any,
        many: Callable[[Sequence[Any]], Sequence[Any]],
        deadline: float,
    ) -> Any:
        """Raises Late after the deadline and Gone when the client has left; then it is not begun."""
        began = time.monotonic()
        job = self.batcher.submit(key, item, many, began + deadline)
        result = asyncio.ensure_future(asyncio.wrap_future(job.future))
        gone = asyncio.ensure_future(_gone(request))
        try:
            await asyncio.wait({result, gone}, timeout=deadline, return_when=asyncio.FIRST_COMPLETED)
            if result.done():
                told = {"together": job.together, "waited_and_painted_ms": _ms(time.monotonic() - began)}
                request.scope["state"]["told"] = told
                return result.result()
            raise Gone if gone.done() else Late
        finally:
            gone.cancel()
            result.cancel()


class Gone(Exception):
    """The client does not wait any more."""


async def _gone(request: Request) -> None:
    """Ends when the client leaves; its body has been read before."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _ms(seconds: float) -> float:
    return round(1000 * seconds, 1)


def create_api(
    shelf: Shelf,
    limits: Limits | None = None,
    keys: Sequence[str] = (),
    origins: Sequence[str] = (),
    find_segmenter: Callable[[Palette], Segmenter | None] = lambda palette: None,
) -> FastAPI:
    """The API of some models. With keys every request needs one; pages of `origins` may use it."""
    limits = limits or Limits()
    api = Api(shelf, limits, find_segmenter)

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        yield
        await asyncio.to_thread(api.batcher.close)

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
    app.add_middleware(Gate, limits=limits, counts=api.counts, keys=keys, origins=origins)
    if origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(origins),
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type", "X-Request-Id"],
        )
    _explain(app)
    _offer_state(app, api)
    _offer_facts(app, api)
    _offer_pictures(app, api)
    _offer_reading(app, api)
    return app


def _offer_state(app: FastAPI, api: Api) -> None:
    @app.get("/health")
    async def health() -> dict[str, bool]:
        """Whether the process answers."""
        return {"alive": True}

    @app.get("/ready")
    async def ready() -> dict[str, bool]:
        """Whether it takes work: 503 while it stops."""
        if api.batcher.closed:
            raise Closed
        return {"ready": True}

    @app.get("/metrics", response_class=PlainTextResponse)
    async def metrics() -> Response:
        """Counters, as Prometheus reads them."""
        return Response(api.counts.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


def _offer_facts(app: FastAPI, api: Api) -> None:
    @app.get("/v1/models")
    async def models() -> list[ServedModel]:
        """The models that requests can name, the first of which is that of requests without."""
        return [_served(api.shelf, name) for name in api.shelf.cards]

    @app.get("/v1/palettes")
    async def palettes() -> list[str]:
        """The palettes that label maps are read with."""
        return list(Palette.names())

    @app.get("/v1/palettes/{name}")
    async def palette(name: str) -> PaletteInfo:
        """The classes of a palette."""
        found = shipped_palette(name)
        assert found is not None
        return _classes(found)


def _offer_pictures(app: FastAPI, api: Api) -> None:
    @app.post("/v1/paint", response_class=Response, responses=PICTURES)
    async def paint(request: Request, asked: PaintRequest) -> Response:
        """A sketch -> a photograph. A PNG tells in its text how it came about."""
        began = time.monotonic()
        name = api.shelf.named(asked.model)
        item = await asyncio.to_thread(wanted, asked, api.shelf.cards[name], api.limits.pixels)
        if asked.mood is not None:
            find = partial(lambda mood: in_mood(api.shelf.engine(name), item, mood), asked.mood)
            item = await api.done(request, find, asked.deadline)
        left = asked.deadline - (time.monotonic() - began)
        picture = await api.picture(request, item, name, max(0.0, left))
        data = await asyncio.to_thread(packed, picture, asked.form)
        height, width = picture.provenance.get("painted_size", picture.size)
        return Response(data, media_type=f"image/{asked.form}", headers={"X-Painted": f"{width}x{height}"})


def _offer_reading(app: FastAPI, api: Api) -> None:
    @app.post("/v1/style")
    async def style(request: Request, asked: PhotoRequest) -> StyleNumbers:
        """The style of a photo, to be sent with /v1/paint."""
        name, data = api.shelf.named(asked.model), bytes_of(asked.photo, "photo")
        demand_pixels(data, MOST_OF_A_PHOTO)

        def work() -> StyleNumbers:
            read = api.shelf.engine(name).style_of(Picture.from_bytes(data, "photo"), f"photo {asked.name}")
            return StyleNumbers(origin=read.origin, z=tuple(map(float, read.z)))

        return await api.done(request, work)

    @app.post("/v1/labels/import")
    async def import_labels(request: Request, asked: ImportRequest) -> ReadMap:
        """A label map of any palette -> the ids of a model's, and a report of what had to be done."""
        card, source = api.shelf.cards[api.shelf.named(asked.model)], shipped_palette(asked.palette)
        data = bytes_of(asked.file, "file")
        demand_pixels(data, api.limits.pixels)
        return _read(await api.done(request, partial(open_map, data, card.palette, source)))

    @app.post("/v1/labels/from-photo")
    async def label_photo(request: Request, asked: PhotoRequest) -> ReadMap:
        """A photo -> the ids of its classes."""
        name, data = api.shelf.named(asked.model), bytes_of(asked.photo, "photo")

        def work() -> Opened:
            engine: Engine = api.shelf.engine(name)
            return open_photo(data, engine, api.segmenter(engine.palette))

        return _read(await api.done(request, work))


def _read(opened: Opened) -> ReadMap:
    return ReadMap(palette=opened.palette, runs=Runs.of(opened.sketch.ids), report=opened.report)


def _served(shelf: Shelf, name: str) -> ServedModel:
    card = shelf.cards[name]
    return ServedModel(
        name=name,
        model=card.name,
        images_seen=card.training.images_seen,
        licence_weights=card.licence_weights,
        size=card.generator.size,
        styles=card.generator.z_dim is not None,
        photo_styles=card.encoder is not None,
        loaded=name in shelf.loaded,
        palette=_classes(card.palette),
    )


def _classes(palette: Palette) -> PaletteInfo:
    colors = palette.colors()
    classes = (
        PaletteClass(id=id, name=palette.name_of(id), color=f"#{bytes(colors[id]).hex()}")
        for id in map(int, palette.ids())
    )
    return PaletteInfo(name=palette.name, classes=tuple(classes))


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
    explain(RequestValidationError, _fault)

    @app.exception_handler(HTTPException)
    async def no_such(request: Request, error: HTTPException) -> Response:
        return told_refusal(request, error).response(error.headers)

    @app.exception_handler(Exception)
    async def ours(request: Request, error: Exception) -> Response:
        log.error("%s failed", request.url.path, exc_info=error)
        return Refusal(500, "The API failed at this request", "Report it, with its X-Request-Id.").response()


def _fault(error: RequestValidationError) -> Refusal:
    """The first fault, in words: a validator's own, or pydantic's."""
    fault = error.errors()[0]
    if fault["type"] == "value_error":
        return Refusal(422, *told(fault["ctx"]["error"]))
    return Refusal(422, *told_fault(fault))

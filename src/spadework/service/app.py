"""The HTTP service. Sketches come as label PNG or as raw ids, pictures go as PNG, errors as a Problem."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Annotated

from fastapi import FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from spadework.engine import Engine
from spadework.picture import Picture
from spadework.service.faults import told_fault, told_refusal
from spadework.service.limits import Guard, Limits, Refusal
from spadework.service.moods import Search
from spadework.service.opening import MOST_OF_A_PHOTO, Opened, Segmenter, demand_pixels, open_map, open_photo
from spadework.service.painting import offer_painting, offer_pictures, sketch_of
from spadework.service.receiving import receive
from spadework.service.schemas import (
    FoundMoods,
    HeldStyle,
    ModelInfo,
    MoodsQuery,
    OpenedFile,
    OpenedMap,
    PaintedSize,
    ReadQuery,
    SeedQuery,
    SeedStyle,
    SketchSize,
    StyleValues,
    VariedQuery,
    told,
)
from spadework.service.styles import Styles, style_from, varied
from spadework.service.worker import Busy, Stale, Worker
from spadework.sketch.palette import Palette

STALE = 204
"""The status of a request that a newer one has replaced: nothing went wrong, there is nothing to show."""

log = logging.getLogger("spadework.service")


def create_app(
    engine: Engine,
    limits: Limits | None = None,
    token: str | None = None,
    segmenter: Segmenter | None = None,
) -> FastAPI:
    """The service of one engine. With a token every request must carry it.

    `segmenter` finds the classes of photographs, if there is one.
    """
    limits = limits or Limits()
    worker, styles = Worker(limits.waiting, limits.clients), Styles(limits.styles)
    if engine.enlarger is not None:
        engine.enlarger.check = worker.demand_current

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        yield
        worker.close()

    app = FastAPI(title="spadework", lifespan=life, docs_url=None, redoc_url=None)
    app.add_middleware(Guard, limits=limits, token=token)
    _explain_errors(app)
    _offer_facts(app, engine, segmenter is not None)
    offer_painting(app, engine, worker, styles, limits, segmenter)
    offer_pictures(app, engine, worker, styles, limits)
    _offer_labels(app, engine, worker, limits, segmenter)
    _offer_styles(app, engine, worker, styles, limits)
    return app


def _offer_facts(app: FastAPI, engine: Engine, segments: bool) -> None:
    facts = ModelInfo.of(engine, segments)

    @app.get("/api/health")
    async def health() -> dict[str, bool]:
        return {"ready": True}

    @app.get("/api/size")
    async def size(query: Annotated[SketchSize, Query()]) -> PaintedSize:
        """At what size the network paints a sketch, and how often the enlarger doubles that."""
        (height, width), doublings = engine.plan(
            (query.height or facts.size[0], query.width or facts.size[1])
        )
        return PaintedSize(width=width, height=height, doublings=doublings)

    @app.get("/api/model")
    async def model() -> ModelInfo:
        return facts


def _offer_labels(
    app: FastAPI, engine: Engine, worker: Worker, limits: Limits, segmenter: Segmenter | None
) -> None:
    async def answer(work: Callable[[], Opened]) -> OpenedMap:
        return OpenedMap.of(await asyncio.wrap_future(worker.submit("labels", work)))

    @app.post("/api/open")
    async def open_file(request: Request) -> OpenedFile:
        """Any file -> what it is."""
        work = partial(receive, await request.body(), engine.palette, limits.pixels)
        return await asyncio.wrap_future(worker.submit("labels", work))

    @app.post("/api/labels/read")
    async def read_labels(request: Request, query: Annotated[ReadQuery, Query()]) -> OpenedMap:
        """A label map of any palette, repaired where it must be -> ids of the model, and a report."""
        data = await request.body()
        demand_pixels(data, limits.pixels)
        source = Palette.load(query.palette) if query.palette else None
        return await answer(partial(open_map, data, engine.palette, source))

    @app.post("/api/labels/from-photo")
    async def label_photo(request: Request) -> OpenedMap:
        """A photograph -> the ids of its classes."""
        if segmenter is None:
            raise Refusal(
                404,
                f"No segmenter of palette {engine.palette.name} is installed",
                "Open a label map, or use the photograph's light.",
            )
        data = await request.body()
        return await answer(partial(open_photo, data, engine, segmenter))

    @app.post("/api/labels/write")
    async def write_labels(request: Request, size: Annotated[SketchSize, Query()]) -> Response:
        """Raw ids -> a label PNG in the palette's colours."""
        sketch = sketch_of(await request.body(), size, engine, limits)
        return Response(sketch.to_bytes(), media_type="image/png")


def _offer_styles(app: FastAPI, engine: Engine, worker: Worker, styles: Styles, limits: Limits) -> None:
    @app.post("/api/styles")
    async def read_style(
        request: Request, name: Annotated[str, Query(max_length=120)] = "photo"
    ) -> HeldStyle:
        """The style of a photo of any format."""
        data = await request.body()
        demand_pixels(data, MOST_OF_A_PHOTO)

        def work() -> HeldStyle:
            return styles.hold(engine.style_of(Picture.from_bytes(data, name), f"photo {name}"))

        return await asyncio.wrap_future(worker.submit("styles", work))

    @app.post("/api/styles/of-seed")
    async def settle_seed(request: Request, query: Annotated[SeedQuery, Query()]) -> HeldStyle:
        """The style that a seed has for a sketch, so that it can stay while the sketch is painted on."""
        sketch = sketch_of(await request.body(), query, engine, limits)

        def work() -> HeldStyle:
            return styles.hold(engine.sample_style(query.seed, sketch))

        return await asyncio.wrap_future(worker.submit("styles", work))

    @app.post("/api/styles/varied")
    async def vary_styles(request: Request, query: Annotated[VariedQuery, Query()]) -> list[SeedStyle]:
        """Styles of seeds for a sketch that lie far from each other."""
        sketch = sketch_of(await request.body(), query, engine, limits)

        def work() -> list[SeedStyle]:
            found = varied(engine, sketch, query.seed, query.count)
            return [SeedStyle(seed=seed, **styles.hold(style).model_dump()) for seed, style in found.items()]

        return await asyncio.wrap_future(worker.submit("styles", work))

    @app.post("/api/moods")
    async def find_moods(request: Request, query: Annotated[MoodsQuery, Query()]) -> FoundMoods:
        """Moods with names for a sketch, painted one by one while nobody waits for anything else."""
        sketch = sketch_of(await request.body(), query, engine, limits)
        search = Search(engine, sketch, query.seed, query.light)
        while not search.done:
            if await request.is_disconnected():
                raise Stale
            await asyncio.wrap_future(worker.submit("moods", search.step, patient=True))
        return search.found(styles)

    @app.put("/api/styles")
    async def bring_style(values: StyleValues) -> HeldStyle:
        """A style that the page has kept."""
        return styles.hold(style_from(values, engine))


def _explain_errors(app: FastAPI) -> None:
    @app.exception_handler(Refusal)
    async def refused(request: Request, error: Refusal) -> Response:
        return error.response()

    @app.exception_handler(Stale)
    async def stale(request: Request, error: Stale) -> Response:
        return Response(status_code=STALE)

    @app.exception_handler(Busy)
    async def busy(request: Request, error: Busy) -> Response:
        return Refusal(503, "The painter has too many guests", "Wait a moment.").response()

    @app.exception_handler(ValueError)
    async def wrong(request: Request, error: ValueError) -> Response:
        return Refusal(422, *told(error)).response()

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        return Refusal(422, *told_fault(error.errors()[0])).response()

    @app.exception_handler(HTTPException)
    async def no_such(request: Request, error: HTTPException) -> Response:
        return told_refusal(request, error).response(error.headers)

    @app.exception_handler(Exception)
    async def ours(request: Request, error: Exception) -> Response:
        log.error("%s failed", request.url.path, exc_info=error)
        return Refusal(
            500, "The painter failed at this picture", "Undo the last step, or try again."
        ).response()

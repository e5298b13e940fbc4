"""The HTTP service. Sketches come as label PNG or as raw ids, pictures go as PNG, errors as a Problem."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Annotated

import numpy as np
from fastapi import FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from spadework.content import PNG_SIGNATURE, unwrapped
from spadework.engine import Engine, Style, painting_size
from spadework.labelmap import LabelMap
from spadework.openraster import MIMETYPE
from spadework.palette import Palette
from spadework.picture import Picture
from spadework.project import Project
from spadework.service.faults import told_fault
from spadework.service.limits import Guard, Limits, Refusal
from spadework.service.moods import Search
from spadework.service.opening import MOST_OF_A_PHOTO, Opened, Segmenter, demand_pixels, open_map, open_photo
from spadework.service.receiving import receive
from spadework.service.schemas import (
    FoundMoods,
    HeldStyle,
    ModelInfo,
    OpenedFile,
    OpenedMap,
    PaintedSize,
    PaintQuery,
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

FAST = 1
"""The zlib level of pictures on their way to a page: a few per cent larger, several times faster."""

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

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        yield
        worker.close()

    app = FastAPI(title="spadework", lifespan=life, docs_url=None, redoc_url=None)
    app.add_middleware(Guard, limits=limits, token=token)
    _explain_errors(app)
    _offer_facts(app, engine, segmenter is not None)
    _offer_painting(app, engine, worker, styles, limits)
    _offer_layers(app, engine, worker, limits)
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
        """At what size the network paints a sketch."""
        height, width = painting_size(
            (query.height or facts.size[0], query.width or facts.size[1]), engine.card.generator
        )
        return PaintedSize(width=width, height=height)

    @app.get("/api/model")
    async def model() -> ModelInfo:
        return facts


def _offer_painting(app: FastAPI, engine: Engine, worker: Worker, styles: Styles, limits: Limits) -> None:
    @app.post("/api/paint")
    async def paint(request: Request, query: Annotated[PaintQuery, Query()]) -> Response:
        sketch = _sketch(await request.body(), query, engine, limits)
        began = time.perf_counter()

        def work() -> Response:
            waited = time.perf_counter()
            style = styles.wanted(query, engine, sketch)
            picture = _painted(engine, sketch, query, style)
            painted = time.perf_counter()
            response = _packed(picture, query.form)
            spent = {"wait": waited - began, "paint": painted - waited, "pack": time.perf_counter() - painted}
            timing = (f"{name};dur={1000 * seconds:.1f}" for name, seconds in spent.items())
            response.headers["Server-Timing"] = ", ".join(timing)
            return response

        return await asyncio.wrap_future(worker.submit(query.client, work, query.live))

    @app.post("/api/picture")
    async def picture(request: Request) -> Response:
        """A project -> its picture, which carries the project."""
        project = Project.from_text((await request.body()).decode("utf-8", "replace"))
        _demand_small(project.sketch(engine.palette), limits)

        def work() -> Response:
            painted = project.paint(engine)
            return Response(painted.to_bytes(), media_type="image/png", headers=_painted_size(painted))

        return await asyncio.wrap_future(worker.submit("pictures", work))


def _offer_layers(app: FastAPI, engine: Engine, worker: Worker, limits: Limits) -> None:
    @app.post("/api/layers")
    async def layers(request: Request) -> Response:
        """A project -> an OpenRaster file: every class a layer, the photograph on top."""
        project = Project.from_text((await request.body()).decode("utf-8", "replace"))
        _demand_small(project.sketch(engine.palette), limits)
        data = await asyncio.wrap_future(worker.submit("pictures", partial(project.layers, engine)))
        return Response(data, media_type=MIMETYPE.decode())


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
        sketch = _sketch(await request.body(), size, engine, limits)
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
        sketch = _sketch(await request.body(), query, engine, limits)

        def work() -> HeldStyle:
            return styles.hold(engine.sample_style(query.seed, sketch))

        return await asyncio.wrap_future(worker.submit("styles", work))

    @app.post("/api/styles/varied")
    async def vary_styles(request: Request, query: Annotated[VariedQuery, Query()]) -> list[SeedStyle]:
        """Styles of seeds for a sketch that lie far from each other."""
        sketch = _sketch(await request.body(), query, engine, limits)

        def work() -> list[SeedStyle]:
            found = varied(engine, sketch, query.seed, query.count)
            return [SeedStyle(seed=seed, **styles.hold(style).model_dump()) for seed, style in found.items()]

        return await asyncio.wrap_future(worker.submit("styles", work))

    @app.post("/api/moods")
    async def find_moods(request: Request, query: Annotated[SeedQuery, Query()]) -> FoundMoods:
        """Moods with names for a sketch, painted one by one, so that nobody waits for all of them."""
        sketch = _sketch(await request.body(), query, engine, limits)
        search = Search(engine, sketch, query.seed)
        while not search.done:
            if await request.is_disconnected():
                raise Stale
            await asyncio.wrap_future(worker.submit("moods", search.step))
        return search.found(styles)

    @app.put("/api/styles")
    async def bring_style(values: StyleValues) -> HeldStyle:
        """A style that the page has kept."""
        return styles.hold(style_from(values, engine))


def _sketch(data: bytes, size: SketchSize, engine: Engine, limits: Limits) -> LabelMap:
    """Raises ValueError or Refusal for what is no sketch."""
    data = unwrapped(data)
    if data.startswith(PNG_SIGNATURE) or size.width is None or size.height is None:
        sketch = LabelMap.from_bytes(data, engine.palette, "The file")
    elif len(data) != size.width * size.height:
        sentence = f"{len(data):,} ids came for {size.width}x{size.height} pixels"
        raise Refusal(422, sentence, "Send one byte per pixel, or a label PNG.")
    else:
        ids = np.frombuffer(data, np.uint8).reshape(size.height, size.width)
        sketch = LabelMap(ids.copy(), engine.palette)
    _demand_small(sketch, limits)
    return sketch


def _demand_small(sketch: LabelMap, limits: Limits) -> None:
    """Raises Refusal for a sketch of too many pixels."""
    if sketch.ids.size > limits.pixels:
        height, width = sketch.size
        sentence = f"A sketch of {width}x{height} pixels is too large for the studio"
        raise Refusal(413, sentence, f"Use at most {limits.pixels:,} pixels.")


def _painted(engine: Engine, sketch: LabelMap, query: PaintQuery, style: Style | None) -> Picture:
    if query.short is None:
        return engine.paint(sketch, query.seed, style)
    scale = query.short / min(sketch.size)
    height, width = (max(4, round(side * scale)) for side in sketch.size)
    size = painting_size(sketch.size, engine.card.generator, (height, width))
    return engine.paint(sketch.resize(size), query.seed, style, size)


def _packed(picture: Picture, form: str) -> Response:
    """A PNG, or for a page on this machine plain RGBA with its size in the headers."""
    if form == "png":
        return Response(picture.to_bytes(FAST), media_type="image/png", headers=_painted_size(picture))
    height, width = picture.size
    opaque = np.full((height, width, 1), 255, np.uint8)
    pixels = np.concatenate([picture.pixels, opaque], 2).tobytes()
    size = {"X-Width": str(width), "X-Height": str(height)}
    return Response(pixels, media_type="application/octet-stream", headers=size | _painted_size(picture))


def _painted_size(picture: Picture) -> dict[str, str]:
    """The header that tells what the network painted: "384x256", width x height."""
    height, width = picture.provenance.get("painted_size", picture.size)
    return {"X-Painted": f"{width}x{height}"}


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
        return Refusal(
            error.status_code, f"{request.url.path}: {error.detail}", "Check the address."
        ).response()

    @app.exception_handler(Exception)
    async def ours(request: Request, error: Exception) -> Response:
        log.error("%s failed", request.url.path, exc_info=error)
        return Refusal(
            500, "The painter failed at this picture", "Undo the last step, or try again."
        ).response()
